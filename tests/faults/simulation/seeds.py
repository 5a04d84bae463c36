"""Runs one seed, or as many as there is time for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from liststore.base import PARTITIONS
from liststore.keys import Keys
from liststore.writer import KeyspaceWriter
from tests.fakes.list_publisher import KEYS
from tests.faults.plan import Outcome, Plan
from tests.faults.simulation.court import SUBJECTS, Court, Web, token_of
from tests.faults.simulation.disk import Disk
from tests.faults.simulation.faults import FAULTS
from tests.faults.simulation.judge import Judge
from tests.faults.simulation.loop import SimulatedLoop
from tests.faults.simulation.store import Servers
from tests.faults.simulation.world import AgentHost, Around, GatewayHost, World

STORM_S: Final = 600.0
CALM_S: Final = 45.0
_CHANGES_S: Final = 1.0
_BETWEEN_FAULTS_S: Final = 3.0
_FAULT_S: Final = 6.0
_HEARTBEAT_S: Final = 5.0
_REPLICA_LAG_S: Final = 0.5


@dataclass
class Run:
    """What one seed came to."""

    seed: int
    simulated_s: float = 0.0
    injected: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    versions: int = 0
    violations: list[str] = field(default_factory=list)
    trace: str = ""


def run_seeds(plan: Plan) -> Outcome:
    """Seed after seed until `plan.seconds` are over; at least one."""
    runs, until_s = list[Run](), time.monotonic() + plan.seconds
    while not runs or time.monotonic() < until_s:
        runs.append(run_seed(plan.seed + len(runs), plan.folder, STORM_S * plan.scale))
        sys.stderr.write(f"\rsimulation: {len(runs)} seeds")
    asked, injected = Counter[str](), Counter[str]()
    for one in runs:
        asked.update(one.asked)
        injected.update(one.injected)
    return Outcome(
        {
            "seeds": [runs[0].seed, runs[-1].seed],
            "simulated hours": round(sum(one.simulated_s for one in runs) / 3_600, 2),
            "faults injected": sum(injected.values()),
            "faults by kind": dict(injected.most_common()),
            "versions signed": sum(one.versions for one in runs),
            "answers judged": dict(asked.most_common()),
        },
        tuple(f"seed {one.seed}: {violation}" for one in runs for violation in one.violations),
    )


def run_seed(seed: int, folder: Path, storm_s: float = STORM_S) -> Run:
    """One seed, from an empty world to the calm after the storm."""
    chance, run = random.Random(seed), Run(seed)  # noqa: S311 - it must repeat itself
    loop = SimulatedLoop(chance)
    directory = Path(tempfile.mkdtemp(dir=_in_memory() or folder, prefix="simulation-"))
    try:
        with _silence(), Disk(directory) as disk:
            loop.run_until_complete(_Simulation(run, chance, loop, disk).go(storm_s))
    finally:
        loop.close()
        shutil.rmtree(directory)
    return run


class _Simulation:
    """One world and its time."""

    def __init__(self, run: Run, chance: random.Random, loop: SimulatedLoop, disk: Disk) -> None:
        self._run, self._chance, self._loop, self._disk = run, chance, loop, disk
        # Signatures run out by the real clock, so it starts at the present; whole seconds repeat themselves.
        began_s = int(time.time())  # noqa: TID251 - an edge
        self._trace = hashlib.sha256()

        def wall() -> float:
            return began_s + loop.time()

        folder = disk.folder
        court = Court(folder / "court", wall, chance)
        self._judge = Judge(court)
        self._around = Around(wall, chance, Servers(), court, self._judge)
        feed = folder / "court" / "feed"
        self._world = World(
            self._around,
            [AgentHost(n, folder / n, self._around, Web(feed, chance)) for n in ("agent-1", "agent-2")],
            [GatewayHost(n, folder / n, self._around) for n in ("gateway-1", "gateway-2", "gateway-3")],
            disk,
        )

    async def go(self, storm_s: float) -> None:
        """The storm, the calm, and the last look."""
        for host in self._world.hosts:
            host.start()
        duties = [asyncio.create_task(duty) for duty in (self._court(), self._heart(), self._replica(), self._guests())]
        faults = asyncio.create_task(self._faults())
        await asyncio.sleep(storm_s)
        faults.cancel()
        self._world.mend()
        duties[0].cancel()
        await asyncio.sleep(CALM_S)
        await self._last_look()
        for duty in duties:
            duty.cancel()
        await self._end()
        run, judge = self._run, self._judge
        run.simulated_s, run.versions = self._loop.time(), self._around.court.version
        run.asked, run.violations = judge.asked, judge.violations
        run.trace = self._trace.hexdigest()

    async def _end(self) -> None:
        for host in self._world.hosts:
            for process in host.processes:
                if not await process.end():
                    self._judge.accuse("end", f"{host.name} does not end when it is told to: {process.tasks}")

    async def _court(self) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / _CHANGES_S))
            self._around.court.change()
            self._note("signed", self._around.court.version)

    async def _heart(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            self._around.court.publisher.heartbeat()

    async def _replica(self) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / _REPLICA_LAG_S))
            if not self._around.servers.is_down:
                self._around.servers.replicate()
            await self._world.hear_acknowledgements()

    async def _guests(self) -> None:
        """Questions all the time, several at once at every desk."""
        while True:
            await asyncio.sleep(self._chance.expovariate(10))
            gateway, subject = self._chance.choice(self._world.gateways), self._chance.randint(1, SUBJECTS)
            if gateway.process.killed or gateway.process.stopped:
                continue
            gateway.process.start(partial(gateway.ask, subject))
            gateway.process.start(partial(gateway.look, self._chance.randint(1, SUBJECTS)))
            self._note("asked", gateway.name, subject, sorted(self._judge.asked.items()))

    async def _faults(self) -> None:
        under_way = set[asyncio.Task[None]]()
        weights = [fault.weight for fault in FAULTS]
        try:
            while True:
                await asyncio.sleep(self._chance.expovariate(1 / _BETWEEN_FAULTS_S))
                (fault,) = self._chance.choices(FAULTS, weights)
                self._run.injected[fault.name] += 1
                self._note(fault.name)
                task = asyncio.create_task(fault.deed(self._world, self._chance.expovariate(1 / _FAULT_S)))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        finally:
            for task in under_way:
                task.cancel()

    async def _last_look(self) -> None:
        """After the calm nothing may be left of the storm: the store is what was signed, and everybody is answered."""
        judge = self._judge
        for host in self._world.hosts:
            for crash in (crash for process in host.processes for crash in process.crashes):
                judge.accuse("crash", f"{host.name}: {crash}")
        for agent in self._world.agents:
            raised = [alarm.name for alarm in agent.agent.alarms.raised] if agent.agent else ["not running"]
            if raised:
                judge.accuse("calm", f"{agent.name} still has {raised}")
        for gateway in self._world.gateways:
            await self._ask_all(gateway)
        await self._compare_store()

    async def _ask_all(self, gateway: GatewayHost) -> None:
        """Everybody is answered, from the newest version."""
        court, judge, before = self._around.court, self._judge, self._judge.asked.copy()
        for subject in court.truth:
            await gateway.ask(subject)
            await gateway.look(subject)
        asked = judge.asked - before
        if asked["UNDETERMINED"] or asked["not ready"] or not asked:
            judge.accuse("calm", f"{gateway.name} gives {dict(asked)}")
        if gateway.version != court.version:
            judge.accuse("calm", f"{gateway.name} is at version {gateway.version} of {court.version}")

    async def _compare_store(self) -> None:
        """I6, I8: byte for byte what was signed."""
        signed = {token_of(s): h[-1][1].record for s, h in self._around.court.truth.items() if h[-1][1].serial}
        writer = KeyspaceWriter(self._around.servers.primary, Keys(), KEYS.bucket_key)
        announced, stored = await writer.announcement(), dict[bytes, bytes]()
        if announced is not None:
            for partition in range(PARTITIONS):
                stored |= await writer.records(announced.generation, partition)
        if stored != signed:
            self._judge.accuse("I8", f"{len(stored)} records are stored, {len(signed)} were signed")

    def _note(self, *what: object) -> None:
        self._trace.update(repr((round(self._loop.time(), 6), *what)).encode())


def _in_memory() -> Path | None:
    """Where files cost nothing: an fsync of a simulated disk proves nothing."""
    path = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    return path if path.is_dir() else None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No log lines: a storm is all errors."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        structlog.configure(**before)
