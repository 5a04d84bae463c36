"""Buckets: about 64 records as one sealed string, in which one record is found without decoding the others.

Payload, little-endian: generation u64 · bucket bits u8 · partition u8 · index u32 · count u16 · tokens, sorted, 15
bytes each (the first byte is the partition) · length u16 of each record · the records.
The checksum covers the place, so a bucket that was moved or comes from another generation is foreign, and one that is
cut, altered or lost is seen: only a whole bucket may say that a token is absent.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from liststore.base import MAX_RECORD_BYTES
from liststore.keys import Place
from liststore.seal import Kind, seal, unseal
from restriction.change import TOKEN_BYTES
from restriction.errors import StoreNotWholeError, StoreUnavailableError

_HEADER: Final = struct.Struct("<QBBIH")
_STORED: Final = TOKEN_BYTES - 1
_MAX_COUNT: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that proved whole and at its place."""

    place: Place
    count: int
    payload: bytes

    def find(self, token: bytes) -> bytes | None:
        """The token's record, or None: it is not in this bucket."""
        stored, end = token[1:], self._tokens_end
        at = self.payload.find(stored, _HEADER.size, end)
        while at >= 0 and (at - _HEADER.size) % _STORED:  # a match across two tokens is none
            at = self.payload.find(stored, at + 1, end)
        if at < 0:
            return None
        position = (at - _HEADER.size) // _STORED
        lengths = struct.unpack_from(f"<{position + 1}H", self.payload, end)
        start = end + 2 * self.count + sum(lengths[:-1])
        return self.payload[start : start + lengths[-1]]

    def tokens(self) -> list[bytes]:
        """Every token, sorted."""
        first = bytes([self.place.partition])
        return [first + self.payload[at : at + _STORED] for at in range(_HEADER.size, self._tokens_end, _STORED)]

    def records(self) -> dict[bytes, bytes]:
        """Every record by token."""
        lengths = struct.unpack_from(f"<{self.count}H", self.payload, self._tokens_end)
        ends = itertools.accumulate(lengths, initial=self._tokens_end + 2 * self.count)
        return {
            token: self.payload[start:end]
            for token, (start, end) in zip(self.tokens(), itertools.pairwise(ends), strict=True)
        }

    @property
    def _tokens_end(self) -> int:
        return _HEADER.size + _STORED * self.count


def encode_bucket(key: bytes, place: Place, records: Mapping[bytes, bytes]) -> bytes:
    """The sealed bucket of these records; an empty record is no record.

    Raises: StoreUnavailableError when a record is over MAX_RECORD_BYTES or the bucket over 65,535 records.
    """
    kept = sorted((token[1:], record) for token, record in records.items() if record)
    if len(kept) > _MAX_COUNT or any(len(record) > MAX_RECORD_BYTES for _, record in kept):
        raise StoreUnavailableError("bucket: a record or the bucket is over its limit: the change cannot be stored")
    parts = [
        _HEADER.pack(*_address(place), len(kept)),
        *(token for token, _ in kept),
        struct.pack(f"<{len(kept)}H", *(len(record) for _, record in kept)),
        *(record for _, record in kept),
    ]
    return seal(key, Kind.BUCKET, b"".join(parts))


def open_bucket(key: bytes, place: Place, raw: bytes | None) -> Bucket:
    """The bucket at this place. Raises: StoreNotWholeError when it is missing, altered or foreign."""
    payload = unseal(key, Kind.BUCKET, raw)
    *address, count = _HEADER.unpack_from(payload)
    if tuple(address) != _address(place):
        raise StoreNotWholeError("bucket: foreign: it belongs to another place: reload the list")
    return Bucket(place, count, payload)


def _address(place: Place) -> tuple[int, int, int, int]:
    return place.generation.number, place.generation.bucket_bits, place.partition, place.index
