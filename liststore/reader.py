"""The gateway's port over servers: what it returns is whole, of the live generation and at or above the floor.

Rules that hold here:
- Any server may answer whose head and bucket are fit, the primary first: a replica at or above the floor is as good as
  the primary, and either is refused below it. What no server holds fit is the failure of the last one asked.
- A question waits at most as long as `Bounds` says, whatever the servers do.
- Whoever polls the announcement also tries the servers that did not answer: connections are open before the first
  question, and few questions wait for a server that is known to be away.
- Bulk reads, which may take seconds, go to servers that failed one lately only after all others.
- A partition that is not whole on the primary is told of, beside the answer (see `suspects`); one that is merely behind
  the floor is not: there nothing is damaged.
- Opening what was read gives way to questions: a turn of the event loop is about half a millisecond.

Nothing is cached: every answer comes from a read of the same call.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from liststore.base import PARTITIONS, Announcement, FilterImage, Generation, Head, ServerState
from liststore.bucket import Bucket, open_bucket
from liststore.cells import read_announcement, read_filter_image, read_parameters, whole_row
from liststore.effect_cells import read_effects
from liststore.effects import Effect
from liststore.keys import Keys, Place, place_of, places
from liststore.keyspace import Keyspace, Row
from liststore.sealed import Step, decode_head, open_pages
from liststore.server import Server
from liststore.suspects import Teller
from restriction.errors import GapError, StoreNotWholeError, StoreUnavailableError


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a question waits: for a server in whose stead another can answer, and for all servers together."""

    server_s: float = 0.02
    question_s: float = 0.05


QUESTION_BOUNDS: Final = Bounds()

SMALL_READ_S: Final = 1.0  # an announcement or a parameters document: milliseconds, unless the server is stuck
BUCKETS_IN_A_TURN: Final = 8  # about 500 tokens
_CELLS: Final = 2  # of a question: head and bucket
_NOT_ASKED: Final = StoreUnavailableError("store: no server")
T = TypeVar("T")


class KeyspaceReader:
    """A `ListReader` over one or more servers of the same list, the primary first."""

    def __init__(
        self, servers: Sequence[Server], keys: Keys, bucket_key: bytes, bounds: Bounds = QUESTION_BOUNDS
    ) -> None:
        self._servers = tuple(servers)
        self._keys = keys
        self._key = bucket_key
        self._bounds = bounds
        self._teller = Teller(lambda partition: self._servers[0].hint(keys.suspects, partition))

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """See `ListReader.find`."""
        place = place_of(at.generation, token)
        (bucket,) = await self._buckets([place], at)
        if isinstance(bucket, StoreUnavailableError):
            raise bucket
        return bucket.find(token)

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | Exception | None]:
        """See `ListReader.find_many`."""
        asked = [place_of(at.generation, token) for token in tokens]
        distinct = list(dict.fromkeys(asked))
        buckets = dict(zip(distinct, await self._buckets(distinct, at), strict=True))
        return [
            bucket.find(token) if isinstance(bucket := buckets[place], Bucket) else bucket
            for place, token in zip(asked, tokens, strict=True)
        ]

    async def announcement(self) -> Announcement | None:
        """See `ListReader.announcement`."""
        for server in self._servers:
            server.try_out([[self._keys.announcement]], self._bounds.server_s)
        return await self._from_any(
            lambda keyspace: read_announcement(keyspace, self._keys, self._key), within_s=SMALL_READ_S
        )

    async def additions(self, generation: int, after: int, upto: int) -> list[bytes]:
        """See `ListReader.additions`."""

        async def read(keyspace: Keyspace) -> list[bytes]:
            pages = await keyspace.pages(self._keys.additions(generation), after)
            tokens = list[bytes]()
            for page in open_pages(self._key, Step(generation, after, upto), pages):
                tokens += page
                await asyncio.sleep(0)
            return tokens

        return await self._from_any(read)

    async def filter_image(self, generation: int) -> FilterImage | None:
        """See `ListReader.filter_image`."""
        return await self._from_any(lambda keyspace: read_filter_image(keyspace, self._keys, self._key, generation))

    async def tokens(self, generation: Generation, at_least: int = 0) -> AsyncIterator[list[bytes]]:
        """See `ListReader.tokens`."""
        for partition in range(PARTITIONS):
            yield await self._from_any(functools.partial(self._tokens, places(generation, partition), at_least))

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        """See `ListReader.effects`."""
        return await self._from_any(
            lambda keyspace: read_effects(keyspace, self._keys, self._key, epoch, versions), within_s=SMALL_READ_S
        )

    async def parameters(self) -> bytes | None:
        """See `ListReader.parameters`."""
        return await self._from_any(
            lambda keyspace: read_parameters(keyspace, self._keys, self._key), within_s=SMALL_READ_S
        )

    def hints(self) -> AsyncIterator[int]:
        """See `ListReader.hints`; a replica's would be the primary's."""
        return self._servers[0].hints(self._keys.hints)

    def servers(self) -> tuple[ServerState, ...]:
        """See `ListReader.servers`."""
        return tuple(server.state() for server in self._servers)

    async def close(self) -> None:
        """See `ListReader.close`."""
        await self._teller.close()
        for server in self._servers:
            await server.close()

    async def _buckets(self, wanted: Sequence[Place], at: Announcement) -> list[Bucket | StoreUnavailableError]:
        """Each bucket, in order, from the first server that holds it fit, or the failure of the last one."""
        until_s = asyncio.get_running_loop().time() + self._bounds.question_s
        opened = list[Bucket | StoreUnavailableError](_NOT_ASKED for _ in wanted)
        lacking: Sequence[int] = range(len(wanted))
        for server in self._servers:
            if not lacking:
                break
            found = await self._ask(server, [wanted[number] for number in lacking], at, until_s)
            for number, bucket in zip(lacking, found, strict=True):
                opened[number] = bucket
            lacking = [number for number in lacking if not isinstance(opened[number], Bucket)]
        return opened

    async def _ask(
        self, server: Server, wanted: Sequence[Place], at: Announcement, until_s: float
    ) -> list[Bucket | StoreUnavailableError]:
        if server is not self._servers[-1]:
            until_s = min(until_s, asyncio.get_running_loop().time() + self._bounds.server_s)
        try:
            rows = await server.ask([self._row(place) for place in wanted], until_s)
        except StoreUnavailableError as error:
            return [error] * len(wanted)
        opened = list[Bucket | StoreUnavailableError]()
        for number, (place, row) in enumerate(zip(wanted, rows, strict=True), 1):
            bucket = self._try_open(place, row, at)
            server.answers += isinstance(bucket, Bucket)
            if isinstance(bucket, StoreNotWholeError) and server is self._servers[0]:
                self._teller.tell(place.partition, asyncio.get_running_loop().time())
            opened.append(bucket)
            if number % BUCKETS_IN_A_TURN == 0:
                await asyncio.sleep(0)
        return opened

    def _try_open(
        self, place: Place, row: Row | StoreUnavailableError, at: Announcement
    ) -> Bucket | StoreUnavailableError:
        try:
            raw_head, raw_bucket = _question_row(row)
            head = decode_head(self._key, place.partition, raw_head)
            check_head(head, at.generation, at.state.version)
            _check_epoch(head, at)
            return open_bucket(self._key, place, raw_bucket)
        except StoreUnavailableError as error:
            return error

    def _row(self, place: Place) -> tuple[str, str]:
        return self._keys.head(place.generation.number, place.partition), self._keys.bucket(place)

    async def _tokens(self, wanted: Sequence[Place], at_least: int, keyspace: Keyspace) -> list[bytes]:
        """Every token of a whole partition."""
        generation, partition = wanted[0].generation, wanted[0].partition
        keys = [self._keys.head(generation.number, partition), *map(self._keys.bucket, wanted)]
        head, *cells = whole_row((await keyspace.read([keys]))[0])
        check_head(decode_head(self._key, partition, head), generation, at_least)
        tokens = list[bytes]()
        for number, (place, raw) in enumerate(zip(wanted, cells, strict=True), 1):
            tokens += open_bucket(self._key, place, raw).tokens()
            if number % BUCKETS_IN_A_TURN == 0:
                await asyncio.sleep(0)
        return tokens

    async def _from_any(self, read: Callable[[Keyspace], Awaitable[T]], *, within_s: float | None = None) -> T:
        """A bulk read from the first server that can give it. Raises: StoreUnavailableError, GapError of the last."""
        now_s = asyncio.get_running_loop().time()
        failure: StoreUnavailableError | GapError = _NOT_ASKED
        for server in sorted(self._servers, key=lambda server: not server.bulk_breaker.lets_through(now_s)):
            try:
                return await server.read_bulk(read, within_s)
            except (StoreUnavailableError, GapError) as error:
                failure = error
        raise failure


def check_head(head: Head, generation: Generation, at_least: int) -> None:
    """Refuse a head of another generation or below the floor. Raises: StoreUnavailableError."""
    if (head.generation, head.key_id) != (generation.number, generation.key_id):
        raise StoreNotWholeError("head: of another generation: reload the list")
    if head.version < at_least:
        raise StoreUnavailableError(f"head: at version {head.version}, below the floor {at_least}: a stale replica?")


def _check_epoch(head: Head, at: Announcement) -> None:
    if head.epoch != at.state.list_id.epoch:
        raise StoreUnavailableError("head: of another epoch than the one in service: wait for the agent")


def _question_row(row: Row | StoreUnavailableError) -> Row:
    cells = whole_row(row)
    if len(cells) != _CELLS:
        raise StoreUnavailableError("store: the reply to another question: a reply was crossed")
    return cells
