"""Lifts under load and ahead of a queue of additions: how soon they are in effect, acknowledged and seen everywhere.

A house of real processes: court, agent, a store with a replica, and three gateways. For each row of `ROWS`, the court's
queue is filled with additions that nobody has signed; then its `publisher serve` begins to sign them while lifts are
filed one after the other, so that each must overtake them at the publisher, in the agent's backlog and in apply.
Meanwhile the gateways are asked at half of the rate that they reached before, and in three rows one of them is killed,
stopped or cut off from both servers, from a quarter of the lifts to three quarters.

When a version took effect and was acknowledged is read from the store, where the agent writes it. Every answer about a
person to be lifted, and every version named, is held to I3, I4 and I5 by the history checker; at the end the store must
hold exactly the signed list (I6).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, Final

import uvloop

from liststore.base import ListReader
from liststore.effects import KEPT, Effect
from liststore.wiring import open_reader
from loadtests.asking import request_of
from loadtests.house import now
from loadtests.judged import percentile
from loadtests.lifts import probe
from restriction.change import MAX_CHANGES_PER_DELTA
from restriction.errors import LintelError
from restriction.identity import Document, DocumentType
from sandbox.generator import Sample
from sandbox.identities import Fixed
from sandbox.questions import questions
from tests.faults.history import ALWAYS, LISTED_OUTCOMES, NEVER, Answer, Change, Kind, violations
from tests.faults.house import House, standing
from tests.faults.house_load import Pool, loaded
from tests.faults.lifts_clerk import Additions, Begun, Filed, Order, file_lifts, queue_additions
from tests.faults.lifts_load import Asked, Load
from tests.faults.plan import Outcome, Plan
from tests.faults.proxy import GOOD, Fault
from tests.faults.store_faults import Bench, held_by

GATEWAYS: Final = ("gateway", "gateway-2", "gateway-3")
PARTS: Final = ("store", "replica", "court", "agent", *GATEWAYS)
BROKEN: Final = "gateway-3"  # the one that a row kills, stops or cuts off
WAYS: Final = ((BROKEN, "store"), (BROKEN, "replica"))
SUBJECTS: Final = 10_000
CALIBRATION_S: Final = 5.0
COMMANDS: Final = 5  # lifts by the command, one after the other; the first meets the whole queue
LOAD_SHARE: Final = 0.5
LOOK_S: Final = 0.02  # between two looks at effects
PATIENCE_S: Final = 60.0  # for the last acknowledgement after the last lift was signed
SETTLED_S: Final = 2.0  # asked on after it
FEW_ADDITIONS: Final = 10 * MAX_CHANGES_PER_DELTA  # they are signed before the first lift is filed
KEPT_VIOLATIONS: Final = 20
_SPAWN: Final = multiprocessing.get_context("spawn")
Fate = Callable[[House], Awaitable[None]]


async def _kill(house: House) -> None:
    house.site.kill(BROKEN)


async def _start(house: House) -> None:
    house.site.start(BROKEN)


async def _pause(house: House) -> None:
    house.site.pause(BROKEN)


async def _resume(house: House) -> None:
    house.site.resume(BROKEN)


async def _cut_off(house: House) -> None:
    for way in WAYS:
        house.site.through[way].fault = Fault(refused=True)
        house.site.through[way].cut()


async def _connect(house: House) -> None:
    for way in WAYS:
        house.site.through[way].fault = GOOD


async def _leave(_house: House) -> None:
    """All is well in this row."""


@dataclass(frozen=True, slots=True)
class Row:
    """So many lifts, one every `every_s`, ahead of so many additions, while one gateway is broken and mended."""

    name: str
    lifts: int
    additions: int
    every_s: float
    broken: Fate = _leave
    mended: Fate = _leave


ROWS: Final = (
    Row("all well", 1_000, 100_000, 0.01),
    Row("one gateway killed", 200, 100_000, 0.05, _kill, _start),
    Row("one gateway paused", 200, 100_000, 0.05, _pause, _resume),
    Row("one gateway cut off", 200, 100_000, 0.05, _cut_off, _connect),
)


@dataclass
class Course:
    """What is known of lifts, by the numbers of whom they lift; effects, in Unix seconds, by version."""

    filed: dict[int, Filed] = field(default_factory=dict)
    effects: dict[int, Effect] = field(default_factory=dict)

    def open_versions(self) -> list[int]:
        """Versions that carry lifts and are not acknowledged, the newest of those whose effects are still kept."""
        carried = {each.version for each in self.filed.values()}
        return sorted(each for each in carried if self.acknowledged_at(each) is None)[-KEPT:]

    def acknowledged_at(self, version: int) -> float | None:
        """When primary and replicas had the lifts of this version; None: not yet."""
        effect = self.effects.get(version)
        return None if effect is None else effect.lifts_acknowledged_at

    def changes(self, subjects: int, offset_s: float) -> Iterator[Change]:
        """For the history checker: all were listed before, and these were lifted."""
        for number in range(subjects):
            yield Change(number, Kind.LIST, 0, ALWAYS, ALWAYS)
        for number, lift in self.filed.items():
            at = self.acknowledged_at(lift.version)
            yield Change(number, Kind.LIFT, lift.version, lift.submitted_s, NEVER if at is None else at - offset_s)


@dataclass
class Run:
    """Rows on one house. `lifts`: line and document by number; `offset_s`: Unix time at monotonic zero."""

    plan: Plan
    house: House
    load: Load
    reader: ListReader
    lifts: Sequence[tuple[str, Document]]
    offset_s: float
    course: Course = field(default_factory=Course)
    lifted: int = 0
    added: int = 0

    async def row(self, row: Row, rate: float) -> dict[str, Any]:
        """The figures of one row."""
        numbers = range(self.lifted, self.lifted + row.lifts)
        self.lifted += row.lifts
        began, self.load.unanswered = (len(self.load.answers), self.load.asked), Counter()
        queued = await self._queue(row.additions)
        async with _beside(self.load.keep(rate)):
            await self._file(row, numbers)
            await asyncio.sleep(SETTLED_S)
        answers, lifts = self.load.answers[began[0] :], [self.course.filed[number] for number in numbers]
        return _times(lifts, self.course.effects, answers, self.offset_s) | {
            "lifts": len(lifts),
            "acknowledged": sum(self.course.acknowledged_at(lift.version) is not None for lift in lifts),
            "additions queued before": queued,
            "changes that waited at each lift": _spread([lift.waiting for lift in lifts]),
            "checks asked": self.load.asked - began[1],
            "checks answered": len(answers),
            "unanswered by gateway": dict(self.load.unanswered),
        }

    async def by_command(self, additions: int) -> list[dict[str, Any]]:
        """How long `lintel publisher submit --wait` takes, and what it says of its version, while additions wait."""
        asked = [word for name in GATEWAYS for word in ("--gateway", f"127.0.0.1:{self.house.site.port_of(name)}")]
        path, told = self.house.site.home / "lift.ndjson", list[dict[str, Any]]()
        await self._queue(additions)
        self.house.site.start("court")
        for number in range(self.lifted, self.lifted + COMMANDS):
            path.write_text(self.lifts[number][0], encoding="utf-8")
            began_s = time.monotonic()
            words = ("submit", "--dir", str(self.house.site.court), str(path), "--json", "--wait", "--insecure", *asked)
            printed = await asyncio.to_thread(self.house.site.lintel, "publisher", *words, "--timeout", "120")
            took_s, report = time.monotonic() - began_s, json.loads(printed)
            at = dt.datetime.fromisoformat(report["effect"]["lifts_acknowledged_at"]).timestamp() - self.offset_s
            self.course.filed[number] = Filed(number, began_s, began_s + took_s, report["version"], 0)
            told.append({"seconds": round(took_s, 2), "its version acknowledged after, s": round(at - began_s, 2)})
        self.lifted += COMMANDS
        return told

    async def _queue(self, count: int) -> int:
        """Fill the court's queue while its `serve` is away, and say how many wait."""
        self.house.site.kill("court")
        sample = self.house.sample
        additions = Additions(sample.seed, sample.subjects + self.added, count, sample.today)
        self.added += count
        with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
            filling = pool.submit(queue_additions, self.house.site.court, additions)
            return await asyncio.wrap_future(filling)

    async def _file(self, row: Row, numbers: range) -> None:
        """File these lifts while a gateway is broken and mended, until all are acknowledged or patience ends."""
        ours, theirs = _SPAWN.Pipe()
        order = Order(self.house.site.court, {number: self.lifts[number] for number in numbers}, row.every_s)
        clerk = _SPAWN.Process(target=file_lifts, args=(order, theirs), daemon=True)
        clerk.start()
        theirs.close()
        await asyncio.to_thread(_received, ours)  # it is ready
        self.house.site.start("court")
        ours.send(None)
        fates = {numbers[len(numbers) // 4]: row.broken, numbers[3 * len(numbers) // 4]: row.mended}
        try:
            async with _beside(self._watch()):
                while (told := await asyncio.to_thread(_received, ours)) is not None:
                    await self._note(told, fates)
                deadline_s = time.monotonic() + PATIENCE_S
                while self.course.open_versions() and time.monotonic() < deadline_s:  # noqa: ASYNC110 - the store tells it
                    await asyncio.sleep(LOOK_S)
        finally:
            clerk.kill()
            clerk.join()

    async def _note(self, told: Begun | Filed, fates: Mapping[int, Fate]) -> None:
        if isinstance(told, Filed):
            self.course.filed[told.number] = told
            return
        self.load.filed_s[told.number] = told.at_s
        if told.number in fates:
            await fates[told.number](self.house)

    async def _watch(self) -> None:
        """Read effects of lifts that are not yet acknowledged, until cancelled."""
        while True:
            versions = self.course.open_versions()
            if versions:
                with contextlib.suppress(LintelError):  # a look that fails is made again
                    self.course.effects |= await self.reader.effects(1, versions)
            await asyncio.sleep(LOOK_S)


def run(plan: Plan) -> Outcome:
    """Every row on one house, one after the other."""
    return uvloop.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    sample = Sample(plan.seed, SUBJECTS, now().date())
    rows = [replace(row, lifts=plan.count(row.lifts), additions=plan.count(row.additions)) for row in ROWS]
    probes = [probe(place) for place in range(sum(row.lifts for row in rows) + COMMANDS)]
    async with standing(plan.folder, sample, PARTS, WAYS) as house, _running(plan, house, probes) as bench:
        peak = await bench.load.peak_rate(CALIBRATION_S)
        figures: dict[str, Any] = {"peak, checks a second": round(peak)}
        for row in rows:
            sys.stderr.write(f"lifts: {row.name}\n")
            figures[row.name] = await bench.row(row, peak * LOAD_SHARE)
        sys.stderr.write("lifts: through the command\n")
        figures["through `submit --wait`"] = await bench.by_command(plan.count(ROWS[0].additions))
        house.site.kill("court")  # additions still wait: what was signed so far is what the store must hold
        held = await held_by(_bench(house))
    found = violations(bench.load.answers, bench.course.changes(len(probes), bench.offset_s))
    figures |= {"answers judged": len(bench.load.answers), "violations of I3-I5": len(found)}
    return Outcome(figures, (*map(str, found[:KEPT_VIOLATIONS]), *held.broken, *lacking(rows, figures)))


@asynccontextmanager
async def _running(plan: Plan, house: House, probes: Sequence[Fixed]) -> AsyncIterator[Run]:
    """Everybody who is to be lifted is listed, and every gateway serves that."""
    today, bench = house.sample.today, _bench(house)
    report = await asyncio.to_thread(house.site.submit, [line for each in probes for line in each.lines(today)])
    for gateway in GATEWAYS:
        house.site.gateway_port = house.site.port_of(gateway)
        await asyncio.to_thread(house.site.await_serving, report["version"])
    asked = [Asked(number, "hotel", request_of(each.question(today))) for number, each in enumerate(probes)]
    others = (Asked(None, each.sector, request_of(each)) for each in questions(house.sample, plan.seed))
    lifts = [(list(replace(each, state="LIFTED").lines(today))[-1], _document(each)) for each in probes]
    reader = open_reader(bench.url, bench.bucket_key())
    try:
        async with loaded(house, Pool((), (), ()), GATEWAYS) as their:
            load = Load(their.ways, asked, others, bench.dice)
            yield Run(plan, house, load, reader, lifts, now().timestamp() - time.monotonic())
    finally:
        await reader.close()


def _document(whom: Fixed) -> Document:
    return Document(DocumentType[whom.paper.type], whom.paper.number)


def _bench(house: House) -> Bench:
    return Bench(house, random.Random(house.sample.seed), iter(()))  # noqa: S311 - repeatable questions, not secrets


def _received(pipe: Connection) -> Begun | Filed | None:
    """What the clerk says next; None at the end, and when it ended without a word."""
    try:
        told: Begun | Filed | None = pipe.recv()
    except EOFError:
        return None
    return told


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do this beside, until the end of the context."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _times(
    lifts: Sequence[Filed], effects: Mapping[int, Effect], answers: Iterable[Answer], offset_s: float
) -> dict[str, dict[str, float]]:
    """From its submission on, when each lift was signed, in effect, acknowledged, and no longer answered against."""
    last: dict[Hashable, float] = {}
    for answer in answers:
        if answer.outcome in LISTED_OUTCOMES:
            last[answer.subject] = max(answer.end, last.get(answer.subject, 0.0))
    known = [(lift, effects[lift.version]) for lift in lifts if lift.version in effects]
    return {
        f"{name}, ms after it was submitted": _spread([round(max(0.0, each) * 1e3, 1) for each in values])
        for name, values in {
            "signed": [lift.signed_s - lift.submitted_s for lift in lifts],
            "in effect": [effect.eased_at - offset_s - lift.submitted_s for lift, effect in known],
            "acknowledged": [
                effect.lifts_acknowledged_at - offset_s - lift.submitted_s
                for lift, effect in known
                if effect.lifts_acknowledged_at is not None
            ],
            "last RESTRICTED at any gateway": [last.get(lift.number, 0.0) - lift.submitted_s for lift in lifts],
        }.items()
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values, default=0.0)}


def lacking(rows: Iterable[Row], figures: Mapping[str, Any]) -> Iterator[str]:
    """What a row owes and does not show."""
    for row in rows:
        found = figures[row.name]
        if found["acknowledged"] != row.lifts or found["lifts"] != row.lifts:
            yield f"{row.name}: {found['acknowledged']} of {row.lifts} lifts were acknowledged"
        if row.additions > FEW_ADDITIONS and not found["changes that waited at each lift"]["p50"]:
            yield f"{row.name}: most lifts overtook nothing, since no addition waited"
