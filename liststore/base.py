"""The exact store as its users see it: one port to read for the gateway, one port to write for the agent.

Rules that hold for every implementation:
- A bucket is present even when empty. One that is missing, altered or foreign raises `StoreNotWholeError`, and a head
  below the floor its base `StoreUnavailableError`: loss never reads as absence.
- Every write to a partition is refused with `FencedError` unless the partition's head is the expected one.
- An announcement follows the commit of all partitions, and its epoch and version never go down. A store (or a prefix
  of one) holds one list, and a generation one epoch of it: another epoch is loaded into another generation.
- A reader that meets a missing, altered or foreign bucket or head on the primary tells of it (`ListWriter.suspects`).
- What a reader trusts (heads, buckets, announcement, parameters, filter image) is sealed with a checksum keyed by the
  token secret's bucket key.

Times are Unix seconds. Tokens are 16 raw bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from liststore.breaker import BreakerState
from liststore.effects import Confirmation, Effect
from restriction.change import Change, ListState

PARTITIONS: Final = 256
RECORDS_PER_BUCKET: Final = 64
MAX_RECORD_BYTES: Final = 65_535  # a bucket keeps lengths in two bytes; a record of 1 KB is already unheard of


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
    """What is in service: a whole generation at one version of one list; `as_of` is the court's signed time."""

    generation: Generation
    state: ListState
    as_of: int


@dataclass(frozen=True, slots=True)
class FilterImage:
    """A ready-made filter (bytes of `restriction.filter`) that contains every token of `generation` up to `version`."""

    generation: int
    version: int
    image: bytes


@dataclass(frozen=True, slots=True)
class ServerState:
    """How one server of a store fares as a gateway sees it: its breaker, and look-ups answered and failed so far."""

    name: str
    breaker: BreakerState
    answers: int
    failures: int


class ListReader(Protocol):
    """What a gateway needs. Every method may raise StoreUnavailableError."""

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """Record bytes of the token, or None when its whole bucket, at or above `at.state.version`, lacks it."""

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | Exception | None]:
        """One round trip for many tokens, in order; what is not fit gives its StoreUnavailableError in place."""

    async def announcement(self) -> Announcement | None:
        """The newest announcement; None when nothing was ever announced."""

    async def additions(self, generation: int, after: int, upto: int) -> list[bytes]:
        """Tokens upserted in versions `after < v <= upto`. Raises: GapError when that history is no longer kept."""

    async def filter_image(self, generation: int) -> FilterImage | None:
        """The newest image of this generation."""

    def tokens(self, generation: Generation, at_least: int = 0) -> AsyncIterator[list[bytes]]:
        """Every stored token, a partition at a time (to build a filter, or to scrub).

        A filter that states a version must pass it as `at_least`: a partition whose head is below (a stale replica)
        raises StoreUnavailableError, where its tokens would be missing from the filter.
        """

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        """What is known of these versions; one of which nothing is known, or no longer, is left out."""

    async def parameters(self) -> bytes | None:
        """The signed parameters document in service; empty when nothing was settled, None when it is lost."""

    def hints(self) -> AsyncIterator[int]:
        """Announced versions as they come. A hint only: lossy, possibly late; the follower also polls."""

    def servers(self) -> tuple[ServerState, ...]:
        """How each server fares, the primary first."""

    async def close(self) -> None:
        """Let go of connections."""


class ListWriter(Protocol):
    """What the agent needs. Every method may raise StoreUnavailableError."""

    async def announcement(self) -> Announcement | None:
        """As for the reader. Raises: StoreNotWholeError when it is altered or foreign."""

    async def load(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        """Write a whole partition of a generation that is not in service, buckets and head in one step.

        Raises: FencedError when the generation is in service; ValueError when a token is of another partition.
        """

    async def records(self, generation: Generation, partition: int, at_least: int = 0) -> dict[bytes, bytes]:
        """All records of a partition, read at one instant (for digests, scrubs and filters).

        As for `ListReader.tokens`: whoever states a version of them passes it as `at_least`.
        """

    async def read(self, generation: Generation, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
        """Stored records of these tokens; a token without a record is left out."""

    async def heads(self, generation: int) -> dict[int, Head]:
        """Every partition's head, by partition; one that is missing, altered or foreign is left out."""

    async def write(self, generation: Generation, moves: Sequence[Move]) -> None:
        """Make the moves. Raises: FencedError when a partition's head is not its base; other moves may be done."""

    async def restore(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        """Write a damaged partition anew, in service or not, buckets and head in one step.

        Raises: FencedError when its head is of a later version, or another writer was there meanwhile.
        """

    async def announce(self, announcement: Announcement, additions: Sequence[bytes]) -> None:
        """Put the generation and version in service, keep the added tokens for followers, and hint them.

        An announcement that is altered or foreign counts as none, so that a damaged one can be replaced.

        `additions`: tokens upserted since the version in service. The history is bounded: older steps are forgotten.
        Raises: FencedError when a partition has not come that far, when the announcement is of another list, of an
        older epoch or version than the one in service, or when another writer announced meanwhile.
        """

    async def filter_image(self, generation: int) -> FilterImage | None:
        """As for the reader. Raises: StoreNotWholeError when it is altered or foreign."""

    async def parameters(self) -> bytes | None:
        """As for the reader. Raises: StoreNotWholeError when they are altered or foreign."""

    async def put_filter_image(self, image: FilterImage) -> None:
        """Replace the ready-made filter."""

    async def put_parameters(self, document: bytes) -> None:
        """Replace the parameters document in service; empty says that nothing was settled."""

    async def confirm(self, wait_s: float) -> Confirmation:
        """See which configured replicas have all that was written so far, waiting at most about so long for them.

        A store without replicas confirms at once. Raises: StoreUnavailableError when the primary is away.
        """

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        """As for the reader."""

    async def put_effects(self, effects: Sequence[Effect]) -> None:
        """Keep these, each in place of that of the same version, or of the one `effects.KEPT` before."""

    def suspects(self) -> AsyncIterator[int]:
        """Partitions of which readers tell that they met them damaged on the primary, as they come.

        A hint only: lossy, possibly late, and perhaps no partition at all, since it comes from whoever may publish.
        """

    async def drop(self, generation: Generation) -> None:
        """Delete a generation that is not in service. Raises: FencedError when it is."""

    async def close(self) -> None:
        """Let go of connections."""
