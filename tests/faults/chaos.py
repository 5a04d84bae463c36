"""Everything at once: parts killed and stopped, the store flushed and damaged, every link bad, while the list changes.

`./run faults --seconds 1200 chaos` is the run of record. One court, two agents, two gateways and a store are real
processes; each link between two of them, and to the callers, goes over a fault proxy. The dice of the seed choose what
is done to whom and when; several faults may be under way, but one part is only ever broken in one way.

Callers ask without pause and do not retry, so the share of answers is of single calls. Every answer is judged against
the list before or after each change under way; persons who are listed and lifted again and again are asked about all
the time, and what was said of them, and every version named, goes to the history checker (I3, I4, I5).
At the end everything is healed, 99 % of the answers must be fit again, and the store must hold the signed list (I6);
a bucket that was damaged last may still wait for its repair, and is counted.

Not done here: jumps of the clock, which need root; they are in the simulation. Promotions are in `store_faults`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import grpc
import uvloop
from redis.exceptions import RedisError

from loadtests.asking import Finding
from loadtests.house import now
from restriction.decision import Outcome as Told
from restriction.errors import LintelError
from sandbox import documents
from sandbox.identities import Fixed
from tests.faults.history import Answer, Change, Kind, violations
from tests.faults.house import House, standing
from tests.faults.house_list import Batch, changes_of, sample_of
from tests.faults.house_load import Load, Pool, loaded
from tests.faults.plan import Outcome, Plan
from tests.faults.proxy import GOOD, Fault
from tests.faults.store_faults import PER_CENT, Bench, Held, damage, flush, held_by

SUBJECTS: Final = 20_000
POOL: Final = 10_000
BATCH: Final = 25
PAUSE_S: Final = 0.02
PARTS: Final = ("store", "court", "agent", "agent-2", "gateway", "gateway-2")
GATEWAYS: Final = ("gateway", "gateway-2")
WAYS: Final = (
    ("agent", "court"), ("agent-2", "court"), ("agent", "store"), ("agent-2", "store"), ("gateway", "store"),
    ("gateway-2", "store"), ("client", "gateway"), ("client", "gateway-2"),
)  # fmt: skip
LINK_FAULTS: Final[Mapping[str, Fault]] = {
    "slow": Fault(delay_s=0.03),
    "shaky": Fault(delay_s=0.002, jitter_s=0.02),
    "throttled": Fault(bytes_per_s=20_000),
    "deaf": Fault(deaf=True),
    "refusing": Fault(refused=True),
    "truncating": Fault(cut_after_bytes=200),
    "resetting": Fault(cut_after_bytes=200, is_reset=True),
}
# How often each kind comes, of all. A flush costs a whole load, and everything else at once is the point.
KINDS: Final = {"kill": 6, "stop": 6, "link": 10, "cut": 3, "flush": 1, "bucket": 3, "buckets": 1}
EVERY_S: Final = 4.0  # on average; the next comes after at most twice that
LONGEST_S: Final = 4.0
FLIPPED: Final = 12
FLIPS: Final = 3  # of those in one batch
BETWEEN_BATCHES_S: Final = 1.0
FIRST_FLIPPED: Final = 3 * 10**9 + 500_000  # beyond all that a sample uses
SETTLED_S: Final = 60.0
QUIET_S: Final = 2.0
KEPT: Final = 20


@dataclass
class Flips:
    """Persons who are listed and lifted in turn; the record of it for the history checker."""

    today: dt.date
    rounds: list[int] = field(default_factory=lambda: [0] * FLIPPED)
    made: list[tuple[int, Kind, Batch]] = field(default_factory=list)

    def person(self, number: int) -> Fixed:
        """The entry of this person's present round."""
        paper = documents.resident(FIRST_FLIPPED + number)
        return Fixed(f"flip-{number}-{self.rounds[number] // 2}", "RESTRICTED", "LODGE", f"沙盒翻{number}", paper)

    def lines(self, numbers: list[int]) -> Iterator[str]:
        """One more change of each: LIST, LIFT, LIST of another entry, and so on."""
        for number in numbers:
            is_listed = self.rounds[number] % 2 == 0
            entry = self.person(number) if is_listed else replace(self.person(number), state="LIFTED")
            yield list(entry.lines(self.today))[-1]

    def done(self, numbers: list[int], batch: Batch) -> None:
        """These changes were submitted in this batch."""
        for number in numbers:
            self.made.append((number, Kind.LIFT if self.rounds[number] % 2 else Kind.LIST, batch))
            self.rounds[number] += 1

    def changes(self) -> Iterator[Change]:
        """As the checker wants them. A listing binds by its version: nobody waits until every gateway serves it."""
        for number, kind, batch in self.made:
            acknowledged = {"acknowledged": batch.acknowledged_s} if kind is Kind.LIFT else {}
            yield Change(number, kind, int(batch.version), batch.submitted_s, **acknowledged)


@dataclass
class Chaos:
    """One run: what is broken now, and what was."""

    bench: Bench
    load: Load
    flips: Flips
    injected: Counter[str] = field(default_factory=Counter)
    restarted: Counter[str] = field(default_factory=Counter)
    busy: set[object] = field(default_factory=set)
    batches: int = 0

    @property
    def house(self) -> House:
        """The house."""
        return self.bench.house

    async def breaking(self, until_s: float) -> None:
        """Fault after fault until then, each of them healed by itself, and all of them when this returns."""
        dice, under_way = self.bench.dice, set[asyncio.Task[None]]()
        while time.monotonic() < until_s:
            kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
            target, fault = self._chosen(kind, dice)
            if target not in self.busy:
                task = asyncio.create_task(self._one(kind, target, fault))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(dice.uniform(0, 2 * EVERY_S))
        await asyncio.gather(*under_way)

    async def _one(self, kind: str, target: object, fault: Callable[[], Awaitable[None]]) -> None:
        self.busy.add(target)
        try:
            with suppress(LintelError, RedisError, ValueError):  # a store that is broken already cannot be damaged
                await fault()
                self.injected[f"{kind} {' to '.join(target) if isinstance(target, tuple) else target}"] += 1
        finally:
            self.busy.discard(target)

    def _chosen(self, kind: str, dice: random.Random) -> tuple[object, Callable[[], Awaitable[None]]]:
        """What is broken, and how."""
        lasts_s = dice.uniform(0.2, LONGEST_S)
        if kind in {"kill", "stop"}:
            part = dice.choice(PARTS)
            away = self._kill if kind == "kill" else self._stop
            return part, lambda: away(part, lasts_s)
        if kind in {"link", "cut"}:
            way, fault = dice.choice(WAYS), LINK_FAULTS[dice.choice(list(LINK_FAULTS))]
            return way, lambda: self._link(way, fault if kind == "link" else None, lasts_s)
        if kind == "flush":
            return "store", lambda: flush(self.bench)
        harm = damage(PER_CENT if kind == "buckets" else 0.0, altered=dice.random() < 0.5)
        return "store", lambda: harm(self.bench)

    async def _kill(self, part: str, lasts_s: float) -> None:
        self.house.site.kill(part)
        await asyncio.sleep(lasts_s / 2)
        self.house.site.start(part)

    async def _stop(self, part: str, lasts_s: float) -> None:
        self.house.site.pause(part)
        await asyncio.sleep(lasts_s)
        self.house.site.resume(part)

    async def _link(self, way: tuple[str, str], fault: Fault | None, lasts_s: float) -> None:
        link = self.house.site.through[way]
        if fault is None:
            link.cut()
            return
        link.fault = fault
        await asyncio.sleep(lasts_s)
        link.fault = GOOD

    async def supervise(self) -> None:
        """Until cancelled, start again what has ended by itself, as a supervisor would."""
        site = self.house.site
        while True:
            for part in PARTS:
                if part not in self.busy and part in site.running and site.running[part].poll() is not None:
                    self.restarted[part] += 1
                    site.start(part)
            await asyncio.sleep(0.5)

    async def change(self, until_s: float) -> None:
        """Batch after batch until then: a day of the sample's events, and some persons flipped."""
        while time.monotonic() < until_s:
            numbers = self.bench.dice.sample(range(FLIPPED), FLIPS)
            lines = [*next(self.bench.days, []), *self.flips.lines(numbers)]
            self.flips.done(numbers, await self.house.submit(lines))
            self.batches += 1
            await asyncio.sleep(BETWEEN_BATCHES_S)

    async def probe(self) -> None:
        """Until the load ends, ask about those who are flipped, and keep what was said."""
        dice = random.Random(self.bench.dice.random())  # noqa: S311 - its own, so that speed does not move the faults
        while not self.load.stop.is_set():
            number, gateway = dice.randrange(FLIPPED), dice.choice(GATEWAYS)
            start_s = time.monotonic()
            said = await self.load.put(self.flips.person(number).question(now().date()), gateway)
            if not isinstance(said, grpc.StatusCode):
                told = Answer(gateway, number, start_s, time.monotonic(), Told(said.outcome), said.list_version)
                self.load.seen.answers.append(told)
            await asyncio.sleep(PAUSE_S)


def run(plan: Plan) -> Outcome:
    """Mixed chaos for as long as the plan says."""
    return uvloop.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    today, dice = now().date(), random.Random(plan.seed)  # noqa: S311 - repeatable faults, not secrets
    sample = sample_of(plan.seed, plan.count(SUBJECTS), today)
    pool = Pool.of(replace(sample, today=today), plan.seed, plan.count(POOL), BATCH)
    async with standing(plan.folder, sample, PARTS, WAYS) as house, loaded(house, pool, GATEWAYS) as load:
        chaos = Chaos(Bench(house, dice, changes_of(sample)), load, Flips(today))
        duties = [asyncio.create_task(duty) for duty in (house.acknowledge(), chaos.supervise())]
        lanes = asyncio.gather(load.batched(2, PAUSE_S), load.singly(2, PAUSE_S), chaos.probe())
        began_s = time.monotonic()
        await asyncio.gather(chaos.breaking(began_s + plan.seconds), chaos.change(began_s + plan.seconds))
        healed_s = time.monotonic()
        while (end_s := time.monotonic()) < healed_s + SETTLED_S:
            if end_s - healed_s > QUIET_S and load.seen.steady_at_s(end_s - QUIET_S, end_s) == end_s - QUIET_S:
                break
            await asyncio.sleep(0.25)
        load.stop.set()
        await lanes
        held = await held_by(chaos.bench)
        for duty in duties:
            duty.cancel()
        return _outcome(chaos, healed_s - began_s, (healed_s, end_s), held)


def _outcome(chaos: Chaos, lasted_s: float, settling: tuple[float, float], held: Held) -> Outcome:
    seen, (healed_s, end_s) = chaos.load.seen, settling
    found = violations(seen.answers, chaos.flips.changes())
    by_rule = Counter(str(each.rule) for each in found)
    broken = [*seen.wrong, *map(str, found[:KEPT]), *held.broken]
    if end_s >= healed_s + SETTLED_S:
        broken.append(f"not steady {SETTLED_S} s after the last fault")
    about_us, unanswered = seen.findings[Finding.ABOUT_US], seen.findings[Finding.UNANSWERED]
    figures = {
        "seconds": round(lasted_s, 1),
        **seen.figures(),
        "share answered": round(1 - unanswered / max(1, seen.asked), 5),
        "share answered with more than UNDETERMINED about us": round(
            1 - (unanswered + about_us) / max(1, seen.asked), 5
        ),
        "waits, ms": seen.waits_ms(),
        "faults": dict(sorted(_by_kind(chaos.injected).items())),
        "faults by target": dict(sorted(chaos.injected.items())),
        "parts that ended by themselves": dict(chaos.restarted),
        "batches of changes": chaos.batches,
        "flips": len(chaos.flips.made),
        "answers held against the history": len(seen.answers),
        "history violations": dict(by_rule),
        "partitions left damaged": held.damaged,
        "seconds to steady after the last fault": round(seen.steady_at_s(healed_s, end_s) - healed_s, 2),
    }
    return Outcome(figures, tuple(broken))


def _by_kind(injected: Counter[str]) -> Counter[str]:
    by_kind = Counter[str]()
    for name, count in injected.items():
        by_kind[name.partition(" ")[0]] += count
    return by_kind
