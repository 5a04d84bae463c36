"""The hosts of one simulation: agents and gateways with the product's own code in them, on simulated everything else.

A host keeps its disk over crashes; a process does not keep anything else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from gateway.access import Unit
from gateway.floor import Floor
from gateway.follower import Follower
from gateway.question import Clocks, Question, decision_ids
from gateway.screener import Screener
from gateway.views import View
from ledger.journal import Journal
from liststore.keys import Keys
from liststore.reader import KeyspaceReader
from liststore.server import Server
from liststore.writer import KeyspaceWriter
from restriction.calendar import day_of
from restriction.errors import NotReadyError, StoreUnavailableError
from restriction.identity import Mode
from restriction.measures import Sector
from restriction.products import Lodging, RatingStatus
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from sync_agent.trial import Trial
from sync_agent.wiring import AgentPlace, build_agent
from tests.fakes.agents import no_progress
from tests.fakes.list_publisher import KEYS, SECRETS
from tests.faults.simulation.court import NAME, Court, Web, document_of, token_of
from tests.faults.simulation.disk import Disk
from tests.faults.simulation.judge import Judge
from tests.faults.simulation.loop import Process
from tests.faults.simulation.store import Confirmer, Link, Servers, Trouble

_PASS_S: Final = 0.2
_SERVERS: Final = ("primary", "replica")
_BULK_S: Final = 2.0
_QUICK_S: Final = 0.02
_HOTEL: Final = Unit("hotel-1", Sector.HOTEL, Mode.SANDBOX, "")
_REQUEST_ID: Final = "6e2a7c1e-3b1f-4f0e-9a55-0d6f3f0a1b2c"
_ROOM: Final = Lodging(4, RatingStatus.IN_FORCE, "H-1", emergency=False)


@dataclass
class Around:
    """What all hosts stand in: the simulated time, chance, the store's servers, the court and the judge."""

    wall: Callable[[], float]
    chance: random.Random
    servers: Servers
    court: Court
    judge: Judge

    def clock_of(self, process: Process) -> Callable[[], float]:
        """The clock on the wall of a process, as wrong as its own."""
        return lambda: self.wall() + process.wall_offset_s


@dataclass
class AgentHost:
    """One agent's machine."""

    name: str
    directory: Path
    around: Around
    web: Web
    trouble: Trouble = field(default_factory=Trouble)
    processes: list[Process] = field(default_factory=list)
    agent: Agent | None = None
    alarms: set[str] = field(default_factory=set)

    @property
    def process(self) -> Process:
        """The latest one."""
        return self.processes[-1]

    def start(self) -> None:
        """Start the agent, as a service manager does."""
        self.processes.append(Process(self.name))
        self.process.start(partial(self._main, self.process))

    async def _main(self, process: Process) -> None:
        self.agent = self._assembled(process)
        await self.agent.run(asyncio.Event(), _PASS_S)

    def _assembled(self, process: Process) -> Agent:
        around = self.around
        link = Link(around.servers, self.trouble, around.chance, _BULK_S)
        confirmer = Confirmer(around.servers, link, around.chance)
        store = KeyspaceWriter(link, Keys(), KEYS.bucket_key, confirmer)
        source = FeedSource(self.web.url, around.court.publisher.root)
        place = AgentPlace(source, self.directory, Trial(), self.web, asyncio.get_running_loop().time)
        return build_agent(place, store, SECRETS, no_progress, around.clock_of(process))


@dataclass
class GatewayHost:
    """One gateway's machine, and the guests at its desk."""

    name: str
    directory: Path
    around: Around
    trouble: Trouble = field(default_factory=Trouble)
    processes: list[Process] = field(default_factory=list)
    follower: Follower | None = None
    screener: Screener | None = None
    reader: KeyspaceReader | None = None

    @property
    def process(self) -> Process:
        """The latest one."""
        return self.processes[-1]

    def start(self) -> None:
        """Start the gateway."""
        self.processes.append(Process(self.name))
        self.follower = self.screener = self.reader = None
        self.process.start(partial(self._main, self.process))

    async def _main(self, process: Process) -> None:
        around, loop = self.around, asyncio.get_running_loop()
        self.directory.mkdir(exist_ok=True)
        clocks = Clocks(around.clock_of(process), loop.time)
        self.reader = store = KeyspaceReader([self._server(name) for name in _SERVERS], Keys(), KEYS.bucket_key)
        journal = Journal(self.directory, f"journal-{len(self.processes)}")
        self.follower = Follower(store, SECRETS, Floor(self.directory / "floor.json"), clocks, self._on_view)
        self.screener = Screener(
            self.follower, store, journal, clocks, decision_ids(f"{self.name}-{len(self.processes)}")
        )
        await self.follower.run()

    @property
    def version(self) -> int:
        """The version that is answered from; zero before the first."""
        try:
            return self.follower.current().version if self.follower else 0
        except NotReadyError:
            return 0

    def _server(self, name: str) -> Server:
        around = self.around
        quick, bulk = (
            Link(around.servers, self.trouble, around.chance, patience_s, of_replica=name == "replica")
            for patience_s in (_QUICK_S, _BULK_S)
        )
        return Server(name, quick, bulk)

    async def _on_view(self, view: View) -> None:
        self.around.judge.view(self.name, view)

    async def ask(self, subject: int) -> None:
        """A guest at the desk; the answer is judged."""
        judge, screener = self.around.judge, self.screener
        if screener is None:
            return
        known = judge.asking(self.name, subject)
        tomorrow = day_of(self.around.wall()) + 1  # which no slow or fast clock takes for yesterday
        question = Question(_REQUEST_ID, document_of(subject), NAME, _ROOM, tomorrow, "b-1")
        try:
            answer = await screener.check(_HOTEL, question)
        except NotReadyError:
            judge.asked["not ready"] += 1
        else:
            judge.answer(self.name, subject, answer, known)

    async def look(self, subject: int) -> None:
        """Read a token's record past the filter; what is read is judged."""
        if self.follower is None or self.reader is None:
            return
        try:
            view = self.follower.current()
            record = await self.reader.find(token_of(subject), view.announcement)
        except (NotReadyError, StoreUnavailableError):
            return
        self.around.judge.record(subject, record, view.version)


@dataclass
class World:
    """Everything of one simulation."""

    around: Around
    agents: list[AgentHost]
    gateways: list[GatewayHost]
    disk: Disk

    @property
    def hosts(self) -> list[AgentHost | GatewayHost]:
        """Every machine."""
        return [*self.agents, *self.gateways]

    def mend(self) -> None:
        """Take away whatever is wrong, and start what is dead."""
        self.around.servers.is_down = self.disk.full = False
        self.disk.cut_in = {}
        for agent in self.agents:
            agent.web.is_away, agent.web.replayed, agent.web.flipped = False, None, 0.0
        for host in self.hosts:
            host.process.wall_offset_s = 0.0
            host.process.resume()
            vars(host.trouble).update(vars(Trouble()))
            if host.process.killed:
                host.start()

    async def hear_acknowledgements(self) -> None:
        """What the court is told is what everything is held to: from now on no lift that is acknowledged restricts."""
        around = self.around
        writer = KeyspaceWriter(around.servers.primary, Keys(), KEYS.bucket_key)
        newest = around.court.version
        try:
            effects = await writer.effects(around.court.epoch, range(max(1, newest - 50), newest + 1))
        except StoreUnavailableError:  # it is damaged just now
            return
        for effect in effects.values():
            if effect.lifts_acknowledged_at is not None:
                around.judge.acknowledge(effect.version)
