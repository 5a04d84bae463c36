"""The filter: who is definitely not on the list, answered from memory.

Rules that must hold: a token that was added is never absent (I9); a hit is only a reason to look; nothing is added over
capacity, where the error rate would no longer hold; an image with one altered byte is refused.
Tokens are hashed as hex text, since the library hashes bytes by their repr.
It cannot forget a token, and it is not safe for changes from two threads.

Image, little-endian: magic[8] · error rate f64 · capacity u64 · count u64 · generation u64 · list version u64 ·
key id (length u8, Latin-1) · bits · BLAKE2b-256 of all before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Self

from pybloom_live import BloomFilter

from restriction.errors import FilterCorruptError, FilterFullError

_MAGIC: Final = b"LINTELF1"
_HEADER: Final = struct.Struct("<8sdQQQQB")
_CHECKSUM_BYTES: Final = 32
_BITS_PER_BYTE: Final = 8
# In every filter beside the tokens, and no hex text: absent after a restore, it betrays another hash in the library.
_CANARY: Final = "canary"


@dataclass(frozen=True, slots=True)
class FilterStamp:
    """Which tokens a filter holds: those of this generation, made under this key, up to this list version."""

    generation: int
    version: int
    key_id: str


class ListFilter:
    """A Bloom filter of tokens under a stamp."""

    __slots__ = ("_bloom", "stamp")

    def __init__(self, bloom: BloomFilter, stamp: FilterStamp) -> None:
        self._bloom = bloom
        self.stamp = stamp

    @classmethod
    def empty(cls, capacity: int, error_rate: float, stamp: FilterStamp) -> Self:
        """A filter without tokens, for at most `capacity` of them at this share of false hits (0 < rate < 1)."""
        bloom = BloomFilter(capacity + 1, error_rate)
        bloom.add(_CANARY)
        return cls(bloom, stamp)

    @classmethod
    def from_image(cls, image: bytes) -> Self:
        """The filter that `to_image` wrote. Raises: FilterCorruptError when it is not exactly that."""
        body = memoryview(image)[:-_CHECKSUM_BYTES]
        if len(image) < _HEADER.size + _CHECKSUM_BYTES or image[-_CHECKSUM_BYTES:] != _checksum(body):
            raise FilterCorruptError("filter image: altered or cut: build the filter from the store")
        magic, error_rate, capacity, count, generation, version, key_length = _HEADER.unpack_from(body)
        bits = body[_HEADER.size + key_length :]
        # A filter has more bits than tokens: checked before memory is taken for as many as the header claims.
        if magic != _MAGIC or capacity > _BITS_PER_BYTE * len(bits):
            raise FilterCorruptError("filter image: of another format: build the filter from the store")
        key_id = bytes(body[_HEADER.size : _HEADER.size + key_length]).decode("latin-1")
        bloom = _filled(capacity, error_rate, bits, count)
        if _CANARY not in bloom:
            raise FilterCorruptError("filter image: hashed otherwise than this library does: build it from the store")
        return cls(bloom, FilterStamp(generation, version, key_id))

    def to_image(self) -> bytes:
        """The bytes of this filter: parameters, stamp, bits and checksum."""
        bloom, stamp, key_id = self._bloom, self.stamp, self.stamp.key_id.encode("latin-1")
        header = _HEADER.pack(
            _MAGIC, bloom.error_rate, bloom.capacity, bloom.count, stamp.generation, stamp.version, len(key_id)
        )  # fmt: skip
        body = b"".join((header, key_id, bloom.bitarray.tobytes()))
        return body + _checksum(body)

    def add(self, token: bytes) -> None:
        """Hold one more token. Raises: FilterFullError, before anything is added."""
        self.add_all((token,))

    def add_all(self, tokens: Iterable[bytes]) -> None:
        """Hold these tokens. Raises: FilterFullError before the first that finds no room; the filter stays right."""
        bloom, capacity, add = self._bloom, self._bloom.capacity, self._bloom.add
        for token in tokens:
            key = token.hex()
            if bloom.count >= capacity and key not in bloom:
                raise FilterFullError(f"filter: {capacity - 1} tokens are held: build a larger one from the store")
            add(key)

    def might_contain(self, token: bytes) -> bool:
        """False: definitely absent. True: possibly present."""
        return token.hex() in self._bloom

    def __len__(self) -> int:
        return int(self._bloom.count) - 1

    @property
    def capacity(self) -> int:
        """How many tokens it can hold."""
        return int(self._bloom.capacity) - 1


def _filled(capacity: int, error_rate: float, bits: memoryview, count: int) -> BloomFilter:
    """A filter of these parameters and bits. Raises: FilterCorruptError when they do not fit each other."""
    try:
        bloom = BloomFilter(capacity, error_rate)
    except ValueError as error:
        raise FilterCorruptError("filter image: impossible parameters: build the filter from the store") from error
    if len(bits) != bloom.bitarray.nbytes or count > capacity:
        raise FilterCorruptError("filter image: bits and parameters differ: build the filter from the store")
    bloom.bitarray.clear()
    bloom.bitarray.frombytes(bits)
    del bloom.bitarray[bloom.num_bits :]
    bloom.count = count
    return bloom


def _checksum(body: bytes | memoryview) -> bytes:
    return blake2b(body, digest_size=_CHECKSUM_BYTES).digest()
