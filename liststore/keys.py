"""Every Redis key, its shape and where a token's record lies, in one place.

A partition is the first byte of a token; its head and buckets carry one hash tag, so that they are one slot of a
cluster and one atomic read on any server.
What belongs to the whole list carries another tag, so that pointer, additions and hint move in one script.

| key | holds |
|---|---|
| `<prefix>{p3f}:<generation>:head` | sealed `Head` of partition 0x3f |
| `<prefix>{p3f}:<generation>:<index>` | sealed bucket, index in hex; present even when empty |
| `<prefix>{list}:announcement` | sealed `Announcement`: the pointer to what is in service |
| `<prefix>{list}:additions:<generation>` | stream, entry `<version>-<page>`: sealed pages of added tokens |
| `<prefix>{list}:filter:<generation>` | sealed `FilterImage` |
| `<prefix>{list}:parameters` | sealed parameters document |
| `<prefix>{list}:effect:<version modulo 1024>` | sealed `Effect` of that version |
| `<prefix>{list}:mark`, `<prefix>{p3f}:mark` | what replicas are asked to show, to confirm what was written before |
| `<prefix>{list}:hints` | channel of announced versions |
| `<prefix>{list}:suspects` | channel of partitions that a gateway met damaged |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from liststore.base import Generation
from liststore.effects import KEPT
from restriction.change import TOKEN_BYTES
from restriction.errors import SettingError

DEFAULT_PREFIX: Final = "lintel:"
_INDEX_BYTES: Final = 4  # token bytes after the first, of which the leading bits are the bucket index


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket lies and how finely its generation is cut; a bucket's header says it, so that a stray is seen."""

    generation: Generation
    partition: int
    index: int


def place_of(generation: Generation, token: bytes) -> Place:
    """The bucket that holds this token. Raises: ValueError unless the token is 16 bytes."""
    if len(token) != TOKEN_BYTES:
        raise ValueError(f"token: {len(token)} bytes, not {TOKEN_BYTES}")
    return Place(generation, token[0], _index_of(generation, token))


def spread(generation: Generation, partition: int, records: Mapping[bytes, bytes]) -> dict[Place, dict[bytes, bytes]]:
    """The records of each bucket of a partition, of the empty ones too. Raises: ValueError when a token is not its."""
    held: list[dict[bytes, bytes]] = [{} for _ in range(1 << generation.bucket_bits)]
    for token, record in records.items():
        if len(token) != TOKEN_BYTES or token[0] != partition:
            raise ValueError(f"token: not one of 16 bytes in partition {partition}")
        held[_index_of(generation, token)][token] = record
    return dict(zip(places(generation, partition), held, strict=True))


def places(generation: Generation, partition: int) -> list[Place]:
    """All buckets of a partition, by index."""
    return [Place(generation, partition, index) for index in range(1 << generation.bucket_bits)]


def _index_of(generation: Generation, token: bytes) -> int:
    bits = int.from_bytes(token[1 : 1 + _INDEX_BYTES], "big")
    return bits >> (8 * _INDEX_BYTES - generation.bucket_bits)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one list; lists that share a server differ by prefix. Raises: SettingError when it has a brace."""

    prefix: str = DEFAULT_PREFIX

    def __post_init__(self) -> None:
        """A brace would be taken for the hash tag and tear head and buckets apart."""
        if "{" in self.prefix or "}" in self.prefix:
            raise SettingError("store prefix: holds a brace: choose one without, such as 'lintel:'")

    def head(self, generation: int, partition: int) -> str:
        """Head of a partition."""
        return f"{self.prefix}{{p{partition:02x}}}:{generation}:head"

    def bucket(self, place: Place) -> str:
        """One bucket."""
        return f"{self.prefix}{{p{place.partition:02x}}}:{place.generation.number}:{place.index:x}"

    @property
    def announcement(self) -> str:
        """The pointer."""
        return f"{self.prefix}{{list}}:announcement"

    @property
    def parameters(self) -> str:
        """The parameters document."""
        return f"{self.prefix}{{list}}:parameters"

    @property
    def hints(self) -> str:
        """The channel of announced versions."""
        return f"{self.prefix}{{list}}:hints"

    @property
    def suspects(self) -> str:
        """The channel of partitions that a gateway met damaged."""
        return f"{self.prefix}{{list}}:suspects"

    def additions(self, generation: int) -> str:
        """The stream of added tokens."""
        return f"{self.prefix}{{list}}:additions:{generation}"

    def effect(self, version: int) -> str:
        """When a version took effect; the same key as of the version `KEPT` before."""
        return f"{self.prefix}{{list}}:effect:{version % KEPT}"

    def mark(self, partition: int | None = None) -> str:
        """The mark beside what belongs to the whole list, or to one partition."""
        return f"{self.prefix}{{{'list' if partition is None else f'p{partition:02x}'}}}:mark"

    def filter_image(self, generation: int) -> str:
        """The ready-made filter."""
        return f"{self.prefix}{{list}}:filter:{generation}"
