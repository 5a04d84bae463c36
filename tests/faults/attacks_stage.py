"""Where an attack is played: a court, a web server that misbehaves, a real agent that polls it, and a gateway.

The agent is `sync_agent.wiring.build_agent` over HTTP and a store in memory; follower and screener read the same store.
At the start version 2 is in service, and sandbox persons 1 and 2 are listed; person 3 never is, and person 4 is listed
by the honest court after the attack.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gateway.floor import Floor
from gateway.follower import Follower
from gateway.question import Clocks, decision_ids
from gateway.screener import Screener
from gateway.views import View
from ledger.journal import Journal
from liststore.base import Announcement
from restriction.calendar import Span, day_of
from restriction.change import Change, Lane
from restriction.decision import Outcome
from restriction.parameters import Parameters
from restriction.record import Grant, Record, encode
from sync_agent.agent import Agent
from sync_agent.canary import Canary
from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.gateway import ALL_MEASURES, HOTEL, identity, question, record
from tests.fakes.list_publisher import KEYS, SECRETS, ListPublisher
from tests.faults.attacks_server import Deed, RogueServer, serving

POLL_S: Final = 0.2  # what `lintel agent run` takes unless told otherwise
LISTED, SECOND, NEVER, LATER = 1, 2, 3, 4
_LOOK_S: Final = 0.005
_BEAT_S: Final = 2.0
_ARRIVAL_S: Final = 60.0  # ten stages may be set at once


def listed(person: int, measures: int = ALL_MEASURES) -> Change:
    """A change that lists this sandbox person for these measures, without an end."""
    one: Record = record(identity(person))
    part = replace(one.parts[0], starts_at=1, grants=(Grant(measures, measures, Span(1)),))
    return Change(KEYS.token(identity(person)), encode(replace(one, parts=(part,))), Lane.BURDEN)


def lifted(person: int) -> Change:
    """A change that lifts this sandbox person."""
    return Change(KEYS.token(identity(person)), b"", Lane.EASE)


def parameters(version: int) -> bytes:
    """A parameters document that settles nothing, of this version."""
    said = {"version": version, "date": "2026-01-01", "authority": "test", "values": {}}
    return Parameters.parse(said).to_bytes()


class Stage:
    """One play."""

    def __init__(self, folder: Path, poll_s: float) -> None:
        self.folder = folder
        self.poll_s = poll_s
        self.court = ListPublisher(folder / "court", time.time)  # noqa: TID251 - signatures run out by the real clock
        self.court.publish(listed(LISTED))
        self.older = self.court.photograph()
        self.court.publish(listed(SECOND))
        self.settled: list[bytes] = []
        self.settle_parameters()
        self.struck_s = 0.0
        self.server: RogueServer
        self.host: AgentHost
        self.agent: Agent
        self.running: asyncio.Task[None]
        self.gateway: Gateway

    def strike(self, deeds: dict[str, Deed] | None = None, overlay: dict[str, bytes] | None = None) -> None:
        """From this instant on the server misbehaves."""
        self.struck_s = time.monotonic()
        self.server.deeds = deeds or {}
        self.server.overlay = overlay or {}

    def settle_parameters(self) -> None:
        """The court signs other parameters."""
        self.settled.append(parameters(len(self.settled) + 1))
        with self.court.feed.lock():
            self.court.feed.publish_parameters(self.settled[-1], self.court.clock())

    async def set(self) -> None:
        """The persons of the play are listed as at its start. Raises: RuntimeError when the agent does not follow."""
        if set(self.court.book.records) != {listed(LISTED).token, listed(SECOND).token}:
            self.court.publish(lifted(LATER), listed(SECOND))
        if await self.arrived(_ARRIVAL_S) is None:
            raise RuntimeError(f"the honest list is not in service: {alarms_of(self.agent)}")

    def next_delta(self, deeds: dict[str, Deed]) -> None:
        """The court lifts a person, and these are the deeds done to who fetches that."""
        self.server.freeze()
        self.court.publish(lifted(SECOND))
        self.strike(deeds)

    def next_snapshot(self, deeds: dict[str, Deed]) -> None:
        """The court is so far ahead that only its snapshot leads there; the deeds are done to who fetches that."""
        self.outdate()
        self.strike(deeds)

    def outdate(self, *changes: Change) -> None:
        """The court lifts a person and is soon far ahead of what the server goes on serving."""
        self.server.freeze()
        self.court.publish(lifted(SECOND), *changes)
        self.court.outdate()

    async def alarm(self, patience_s: float) -> tuple[str, float] | None:
        """The first alarm since the deed and the seconds until then; None when none came."""
        while time.monotonic() - self.struck_s < patience_s:
            if raised := alarms_of(self.agent):
                return raised[0], time.monotonic() - self.struck_s
            await asyncio.sleep(_LOOK_S)
        return None

    async def arrived(self, patience_s: float) -> float | None:
        """Seconds until what the court signed last is in service without an alarm; None when it did not come."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < patience_s:
            at = self.agent.in_service
            if at is not None and at.state == self.court.feed.state and not alarms_of(self.agent):
                return time.monotonic() - began_s
            await asyncio.sleep(_LOOK_S)
        return None

    async def passes(self, count: int) -> None:
        """Let the agent make so many passes more."""
        await asyncio.sleep(count * (self.poll_s + 0.02))


@dataclass
class Gateway:
    """A follower and a screener over the store in memory."""

    follower: Follower
    screener: Screener

    @classmethod
    def over(cls, host: AgentHost, folder: Path) -> Gateway:
        """A gateway whose files lie in this folder."""
        clocks = Clocks(time.time, time.monotonic)  # noqa: TID251 - as_of is of the real clock
        reader = host.store.reader()
        follower = Follower(reader, SECRETS, Floor(folder / "floor.json"), clocks, _shown)
        return cls(follower, Screener(follower, reader, Journal(folder, "journal"), clocks, decision_ids("attack")))

    async def outcome(self, person: int) -> Outcome:
        """What a hotel hears of this person tonight."""
        await self.follower.advance()
        asked = question(person, service_day=day_of(time.time()))  # noqa: TID251 - the list is of the real clock
        return (await self.screener.check(HOTEL, asked)).decision.outcome


async def _shown(view: View) -> None:
    del view


@dataclass(frozen=True, slots=True)
class Before:
    """What was in service before the attack."""

    announced: Announcement
    records: dict[bytes, bytes]


async def before(stage: Stage) -> Before:
    """What is in service now."""
    assert stage.agent.in_service is not None
    return Before(stage.agent.in_service, await stage.host.stored())


@asynccontextmanager
async def staged(folder: Path, poll_s: float = POLL_S) -> AsyncIterator[Stage]:
    """A stage with the honest list in service and the agent polling; the court signs a heartbeat every two seconds."""
    stage = Stage(folder, poll_s)
    with serving(stage.court.directory / "feed") as stage.server, Canary(time.monotonic) as canary:
        source = FeedSource(stage.server.url, stage.court.root)
        stage.host = AgentHost(source, folder / "agent", time.time, canary=canary)  # noqa: TID251 - as above
        stage.agent = stage.host.start()
        stage.gateway = Gateway.over(stage.host, folder)
        async with (
            _running(_beats(stage.court)),
            _running(stage.agent.run(asyncio.Event(), poll_s)) as stage.running,
        ):
            await stage.set()
            yield stage
            # A download under way would last as long as the server drips.
            stage.server.closing.set()


@asynccontextmanager
async def _running(coroutine: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beats(court: ListPublisher) -> None:
    while True:
        await asyncio.sleep(_BEAT_S)
        await asyncio.to_thread(court.heartbeat)
