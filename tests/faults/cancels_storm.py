"""One storm of cancelled checks in one process: real screener, real store client, real Valkey, a slow link between.

A share of the checks is cancelled at a random moment between their begin and the slowest reply, the rest is let be, and
every answer is held against the person it is about.
What guards an answer against another's reply is left out defence by defence (`Lacking`), in subclasses that exist here
alone, so that a storm says which of them would have held.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

import uvloop
from redis.asyncio import Redis
from redis.asyncio.connection import UnixDomainSocketConnection

from gateway.follower import POLL_INTERVAL_S
from gateway.question import Clocks, decision_ids
from gateway.screener import Screener
from ledger.journal import Journal
from liststore.base import Announcement, ListReader
from liststore.bucket import Bucket, open_bucket
from liststore.keys import Keys, Place, place_of
from liststore.redis_client import QUICK, connect
from liststore.redis_keyspace import RedisKeyspace
from liststore.seal import SEAL_BYTES
from liststore.wiring import open_reader
from restriction.errors import LintelError
from restriction.record import decode, encode
from tests.faults.cancels_people import HOTEL, Crowd, People, Person, Worth
from tests.faults.proxy import GOOD, Fault, standing

LINK: Final = Fault(delay_s=0.0005, jitter_s=0.002)  # each way: 1 to 5 ms a trip, far from the client's patience
LATEST_S: Final = 0.003  # the last moment of a cancel: some replies come before theirs
ATTEMPTS: Final = 200  # a second in all
AFTER_UNFIT_S: Final = 0.005  # a store that is not waited for is asked again soon, but not at once
COUNT_AT: Final = 14  # in a bucket's payload, after its place: see liststore/bucket.py


class Defence(StrEnum):
    """What stands between a crossed reply and an answer, from the wire inwards."""

    CLOSE = "the client closes a connection whose command was cancelled"
    SEAL = "head and bucket are of the place that was asked for"
    SEARCH = "the record is looked up by its token in the bucket"
    COMPARE = "the record's fingerprint is the question's"


@dataclass(frozen=True, slots=True)
class Storm:
    """What to do: `cancels` checks cancelled, by `lanes` callers, against the store at `socket`, in `folder`.

    `share`: how many of 1,000 checks are to be cancelled; the rest is let be.
    """

    socket: Path
    folder: Path
    crowd: Crowd
    seed: int
    cancels: int
    lanes: int = 4  # as many as keep one core busy; more would only wait for it, beyond the client's patience
    share: int = 950
    lacking: frozenset[Defence] = frozenset()


@dataclass
class Counts:
    """What came of it.

    `given_up`: connections that were closed in the middle of a command, and opened anew.
    `afterwards`: what everybody is answered when it is over.
    """

    cancelled: int = 0
    given_up: int = 0
    answers: Counter[Worth] = field(default_factory=Counter)
    afterwards: Counter[Worth] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Count another process's storm too."""
        self.cancelled += other.cancelled
        self.given_up += other.given_up
        self.answers += other.answers
        self.afterwards += other.afterwards

    @property
    def wrong(self) -> int:
        """Answers that were made from another's record, or from none where there is one."""
        both = self.answers + self.afterwards
        return both[Worth.CROSSED] + both[Worth.CLEARED]


def rage(storm: Storm) -> Counts:
    """The storm, in an event loop of its own, and after it one check of everybody on a good link."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_rage(storm))


async def _rage(storm: Storm) -> Counts:
    counts, people = Counts(), storm.crowd.people()
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(standing(storm.socket, storm.folder / f"link-{storm.seed}", storm.seed))
        reader = _reader(f"unix://{link.url}", storm.lacking, people)
        stack.push_async_callback(reader.close)
        journal = Journal(storm.folder, f"storm-{storm.seed}")
        stack.callback(journal.close)
        clocks = Clocks(lambda: people.now_s, lambda: 0.0)
        screener = Screener(people, reader, journal, clocks, decision_ids("storm"))
        if not storm.lacking:
            stack.push_async_callback(_ended, asyncio.create_task(_poll(reader)))
        link.fault = LINK
        all_dice = [random.Random(storm.seed * 1_000 + lane) for lane in range(storm.lanes)]  # noqa: S311 - repeatable
        await asyncio.gather(*(_lane(screener, storm, (dice, people.persons), counts) for dice in all_dice))
        counts.given_up = max(0, link.accepted - storm.lanes)
        link.fault = GOOD
        for person in people.persons:
            counts.afterwards[await _worth_in_the_end(screener, person)] += 1
    return counts


async def _poll(reader: ListReader) -> None:
    """As a gateway's follower does: by its polls too a store that failed is found to answer again."""
    while True:
        with suppress(LintelError):
            await reader.announcement()
        await asyncio.sleep(POLL_INTERVAL_S)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _lane(
    screener: Screener, storm: Storm, drawn: tuple[random.Random, Sequence[Person]], counts: Counts
) -> None:
    """One caller: check after check, most of them cancelled, until the storm has had its cancels."""
    loop, (dice, persons) = asyncio.get_running_loop(), drawn
    while counts.cancelled < storm.cancels:
        person = dice.choice(persons)
        check = loop.create_task(screener.check(HOTEL, person.question))
        if dice.randrange(1_000) < storm.share:
            loop.call_later(dice.random() * LATEST_S, check.cancel)
        try:
            answer = await check
        except asyncio.CancelledError:
            counts.cancelled += 1
        else:
            counts.answers[worth := person.worth(answer.decision)] += 1
            if worth is Worth.UNFIT:
                await asyncio.sleep(AFTER_UNFIT_S)


async def _worth_in_the_end(screener: Screener, person: Person) -> Worth:
    """The worth of the first answer that says something; on a busy machine a store is late now and then."""
    worth = Worth.UNFIT
    for _ in range(ATTEMPTS):
        worth = person.worth((await screener.check(HOTEL, person.question)).decision)
        if worth is not Worth.UNFIT:
            break
        await asyncio.sleep(AFTER_UNFIT_S)
    return worth


def _reader(url: str, lacking: frozenset[Defence], people: People) -> ListReader:
    """The product's reader, or one that lacks defences."""
    key = people.keys.bucket_key
    if not lacking:
        return open_reader(url, key)
    client = cast("Redis", connect(url, QUICK))  # the address is a socket's
    if Defence.CLOSE in lacking:
        client.connection_pool.connection_class = _NeverClosed
    return cast("ListReader", _Naive(RedisKeyspace(client), key, lacking, people.prints))


class _NeverClosed(UnixDomainSocketConnection):
    """A connection that goes back to the pool after a cancel, with the reply still to come: as once in 2023."""

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """As the library's, but for the end of the connection."""
        return await super().read_response(*arguments, **options | {"disconnect_on_error": False})


@dataclass
class _Naive:
    """A reader that does of the product's checks those that are not lacking. The screener needs `find` alone."""

    keyspace: RedisKeyspace
    key: bytes
    lacking: frozenset[Defence]
    prints: Mapping[bytes, bytes]

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """See `ListReader.find`."""
        place = place_of(at.generation, token)
        ((raw,),) = await self.keyspace.read([[Keys().bucket(place)]])  # type: ignore[misc]  # a row, or it raised
        bucket = _any_bucket(place, raw or b"") if Defence.SEAL in self.lacking else open_bucket(self.key, place, raw)
        record = next(iter(bucket.records().values())) if Defence.SEARCH in self.lacking else bucket.find(token)
        if record is None or Defence.COMPARE not in self.lacking:
            return record
        return encode(replace(decode(record), fingerprint=self.prints[token]))  # so the comparison finds nothing

    async def close(self) -> None:
        """See `ListReader.close`."""
        await self.keyspace.close()


def _any_bucket(place: Place, raw: bytes) -> Bucket:
    """Whatever bucket came, taken for the one at `place`."""
    payload = raw[SEAL_BYTES:]
    return Bucket(place, int.from_bytes(payload[COUNT_AT : COUNT_AT + 2], "little"), payload)
