"""The exact store as its users see it: one port to read for the gateway, one port to write for the agent.

Rules that hold for every implementation:
- A bucket is present even when empty. A bucket that is missing, altered or foreign, or a head below the floor, raises
  `StoreUnavailableError`: loss never reads as absence.
- Every write to a partition is refused with `FencedError` unless the partition's head is the expected one.
- An announcement follows the commit of all partitions; its version never goes down within one generation pointer.
- What a reader trusts (heads, buckets, announcement, parameters, filter image) is sealed with a checksum keyed by the
  token secret's bucket key.

Times are Unix seconds. Tokens are 16 raw bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from restriction.change import Change, ListState

PARTITIONS: Final = 256
RECORDS_PER_BUCKET: Final = 64


@dataclass(frozen=True, slots=True)
class Generation:
    """A complete key space. `bucket_bits`: each partition has 2**bucket_bits buckets (fixed for the generation)."""

    number: int
    bucket_bits: int
    key_id: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far one partition has come, and the digest of what it holds (`restriction.change.Digest` of its records).

    Head and buckets change in one atomic step, so `digest` always equals the content; the digests of all partitions
    add up to the list's. Compared byte for byte as the fence of every write.
    """

    generation: int
    epoch: int
    version: int
    as_of: int
    key_id: str
    digest: bytes
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Move:
    """One atomic step of one partition: from the head `base` to the head `after`, with these changes of its buckets."""

    partition: int
    base: Head
    after: Head
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the agent says is in service: a whole generation at one version of one list, `as_of` the court's signed time."""

    generation: Generation
    state: ListState
    as_of: int


@dataclass(frozen=True, slots=True)
class FilterImage:
    """A ready-made filter (bytes of `restriction.filter`) that contains every token of `generation` up to `version`."""

    generation: int
    version: int
    image: bytes


class ListReader(Protocol):
    """What a gateway needs. Every method may raise StoreUnavailableError."""

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """Record bytes of the token, or None when its whole bucket, at or above `at.state.version`, lacks it."""

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | None | Exception]:
        """One round trip for many tokens, in order; a bucket that is not fit gives its StoreUnavailableError in place."""

    async def announcement(self) -> Announcement | None:
        """The newest announcement; None when nothing was ever announced."""

    async def additions(self, generation: int, after: int, upto: int) -> list[bytes]:
        """Tokens upserted in versions `after < v <= upto`. Raises: GapError when that history is no longer kept."""

    async def filter_image(self, generation: int) -> FilterImage | None:
        """The newest image of this generation."""

    def tokens(self, generation: Generation) -> AsyncIterator[list[bytes]]:
        """Every stored token, a partition at a time (to build a filter, or to scrub)."""

    async def parameters(self) -> bytes | None:
        """The signed parameters document in service."""

    def hints(self) -> AsyncIterator[int]:
        """Announced versions as they come. A hint only: lossy, possibly late; the follower also polls."""

    async def close(self) -> None:
        """Let go of connections."""


class ListWriter(Protocol):
    """What the agent needs. Every method may raise StoreUnavailableError."""

    async def announcement(self) -> Announcement | None:
        """As for the reader."""

    async def load(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        """Write a whole partition of a generation that is not in service: all its buckets, then its head."""

    async def records(self, generation: Generation, partition: int) -> dict[bytes, bytes]:
        """All records of a partition (for digests and scrubs). Raises: StoreUnavailableError when a bucket is not whole."""

    async def read(self, generation: Generation, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
        """Stored records of these tokens; a token without a record is left out."""

    async def heads(self, generation: int) -> dict[int, Head]:
        """Every partition's head, by partition; a partition without one is left out."""

    async def write(self, generation: Generation, moves: Sequence[Move]) -> None:
        """Make the moves. Raises: FencedError when a partition's head is not its base; the moves of others may be done."""

    async def announce(self, announcement: Announcement, additions: Sequence[bytes]) -> None:
        """Put the generation and version in service, keep the added tokens for followers, and hint them."""

    async def put_filter_image(self, image: FilterImage) -> None:
        """Replace the ready-made filter."""

    async def put_parameters(self, document: bytes) -> None:
        """Replace the parameters document in service."""

    async def drop(self, generation: Generation) -> None:
        """Delete a generation that is no longer in service."""

    async def close(self) -> None:
        """Let go of connections."""
