"""The store broken in every way, under load: nobody is told anything wrong, and answers come back by themselves.

On one house of real processes: SIGKILL (started again after a second, as a supervisor would), SIGSTOP for five seconds,
FLUSHALL, one bucket and 1 % of the buckets deleted or altered, and two agents of which one is paused while the list
changes. Promotions of a stale replica are in `store_faults_promotion`, since 200 of them need no other processes.

Each fault is a row: answers before and during it, how long callers waited, and when answers were whole again. It is
over when every question of half a second has a fit answer, or when the row's patience is; the table is gone through
until the answers of record are judged. At the end the store must hold exactly the signed list (I6).
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import uvloop
from redis import Redis

from liststore.base import Announcement, Generation, Head, ListWriter
from liststore.keys import Keys
from liststore.wiring import open_reader, open_writer
from loadtests.asking import Finding
from loadtests.house import now
from restriction.errors import LintelError, StoreNotWholeError
from settings import token_secret
from sync_agent.digests import digest_of, total
from tests.faults.history import violations
from tests.faults.house import House, standing
from tests.faults.house_list import changes_of, sample_of
from tests.faults.house_load import WINDOW_S, Load, Pool, loaded
from tests.faults.plan import Outcome, Plan
from tests.faults.store_faults_promotion import promotions

SUBJECTS: Final = 30_000
ANSWERS: Final = 1_000_000
POOL: Final = 20_000
# Small batches with pauses: what a caller of Check waits for is then the gateway, and not this process's own judging.
BATCH: Final = 25
LANES: Final = 2
PAUSE_S: Final = 0.004
BEFORE_S: Final = 3.0
AWAY_S: Final = 1.0
STOPPED_S: Final = 5.0
MOST_S: Final = 480.0  # that the rounds of the table may take at full scale
REPAIR_S: Final = 60.0
PER_CENT: Final = 0.01
POOL_S: Final = 6.0  # every question of the pool is asked once meanwhile, those about a damaged bucket too


@dataclass
class Bench:
    """What a fault may touch: the house, a client of the store, a dice and the list's coming days."""

    house: House
    dice: random.Random
    days: Iterator[list[str]]

    @property
    def url(self) -> str:
        """The store, without a link between."""
        return f"redis://127.0.0.1:{self.house.site.port_of('store')}"

    def bucket_key(self) -> bytes:
        """What seals the store's cells."""
        return token_secret.read(self.house.site.court / "token.secret").current.bucket_key

    async def announced(self) -> Announcement:
        """What is in service. Raises: LintelError."""
        reader = open_reader(self.url, self.bucket_key())
        try:
            announced = await reader.announcement()
        finally:
            await reader.close()
        if announced is None:
            raise ValueError("nothing is announced")
        return announced

    async def buckets(self) -> list[str]:
        """Keys of all buckets of the generation in service, in a random order."""
        number = (await self.announced()).generation.number
        with Redis.from_url(self.url, decode_responses=True) as client:
            found = await asyncio.to_thread(
                lambda: sorted(client.scan_iter(f"{Keys().prefix}{{p*}}:{number}:*", 1_000))
            )
        buckets = [key for key in found if not key.endswith(":head")]
        self.dice.shuffle(buckets)
        return buckets


Fault = Callable[[Bench], Awaitable[None]]


async def kill(bench: Bench) -> None:
    """SIGKILL, and a supervisor that starts it again."""
    site = bench.house.site
    site.kill("store")
    await asyncio.sleep(AWAY_S)
    site.start("store")
    await asyncio.to_thread(site.await_listening, "store")


async def stop(bench: Bench) -> None:
    """SIGSTOP: connections stand, and nobody answers."""
    bench.house.site.pause("store")
    await asyncio.sleep(STOPPED_S)
    bench.house.site.resume("store")


async def flush(bench: Bench) -> None:
    """Everything is lost, and the server goes on."""
    with Redis.from_url(bench.url) as client:
        client.flushall()


def damage(share: float, *, altered: bool) -> Fault:
    """So large a share of the buckets (one at least) deleted, or one byte of each altered."""

    async def fault(bench: Bench) -> None:
        keys = await bench.buckets()
        with Redis.from_url(bench.url) as client:
            for key in keys[: max(1, round(share * len(keys)))]:
                if not altered:
                    client.delete(key)
                    continue
                raw = bytearray(client.get(key) or b"\0")
                raw[bench.dice.randrange(len(raw))] ^= 1 << bench.dice.randrange(8)
                client.set(key, bytes(raw))

    return fault


async def two_agents(bench: Bench) -> None:
    """A second agent joins, and one after the other is stopped in the middle of changes and goes on later."""
    site = bench.house.site
    site.start("agent-2")
    await asyncio.sleep(AWAY_S * 3)  # it has its copy by then
    for paused in ("agent", "agent-2") * 2:
        submitting = asyncio.create_task(bench.house.submit(next(bench.days)))
        await asyncio.sleep(bench.dice.random() * 1.5)  # before, in or after the apply of the other's change
        site.pause(paused)
        await submitting
        await bench.house.submit(next(bench.days))
        site.resume(paused)
    site.kill("agent-2")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: how long its end is waited for, and for how long every answer must be fit to call it ended."""

    fault: Fault
    patience_s: float
    quiet_s: float = 1.0


# The scrubber reads a partition in 5 s, and all at once after the first damage it meets: 1 % is met within two minutes,
# and one bucket by the next 1 %, so that the single ones are not waited for.
TABLE: Final[Mapping[str, Row]] = {
    "SIGKILL": Row(kill, 15),
    "SIGSTOP 5 s": Row(stop, 15),
    "FLUSHALL": Row(flush, 30),
    "two agents, one paused": Row(two_agents, 10),
    "1 bucket deleted": Row(damage(0.0, altered=False), 8, POOL_S),
    "1 bucket altered": Row(damage(0.0, altered=True), 8, POOL_S),
    "1 % of buckets deleted": Row(damage(PER_CENT, altered=False), 90, POOL_S),
    "1 % of buckets altered": Row(damage(PER_CENT, altered=True), 90, POOL_S),
}


@dataclass
class Rows:
    """Figures by fault, of all its rounds."""

    by_fault: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, figures: dict[str, Any]) -> None:
        """One round of one fault."""
        self.by_fault.setdefault(name, []).append(figures)


def run(plan: Plan) -> Outcome:
    """Every row of the table until the answers of record are judged, and then the promotions."""
    figures, broken = uvloop.run(_staged(plan))
    promoted = uvloop.run(promotions(plan))
    total = figures["all"]["asked"] + promoted.figures["asked"]
    return Outcome(
        {"judged in all": total, **figures, "promotion of a stale replica": dict(promoted.figures)},
        (*broken, *promoted.violations),
    )


async def _staged(plan: Plan) -> tuple[dict[str, Any], tuple[str, ...]]:
    today = now().date()
    sample = sample_of(plan.seed, plan.count(SUBJECTS), today)
    pool = Pool.of(replace(sample, today=today), plan.seed, plan.count(POOL), BATCH)
    rows, dice = Rows(), random.Random(plan.seed)  # noqa: S311 - repeatable faults, not secrets
    async with standing(plan.folder, sample, ("store", "court", "agent", "gateway")) as house:
        bench = Bench(house, dice, changes_of(sample))
        async with loaded(house, pool, ("gateway",)) as load:
            lanes = asyncio.gather(load.batched(LANES, PAUSE_S), load.singly(1, PAUSE_S))
            began_s, rounds = time.monotonic(), 0
            while rounds == 0 or (load.seen.asked < plan.count(ANSWERS) and time.monotonic() - began_s < MOST_S):
                rounds += 1
                for name, row in TABLE.items():
                    sys.stderr.write(f"store_faults: {name}\n")
                    rows.add(name, await one_fault(bench, load, row))
            load.stop.set()
            await lanes
        held = await held_by(bench)
    broken = (*load.seen.wrong, *map(str, violations(load.seen.answers, ())), *held.broken)
    return {
        "all": {**load.seen.figures(), "rounds": rounds, "partitions left damaged": held.damaged},
        **rows.by_fault,
    }, broken


async def one_fault(bench: Bench, load: Load, row: Row) -> dict[str, Any]:
    """The figures of one fault."""
    seen, before_s = load.seen, time.monotonic()
    await asyncio.sleep(BEFORE_S)
    found_before, harms_before, fault_s = Counter(seen.findings), Counter(seen.harms), time.monotonic()
    await row.fault(bench)
    healed_s = time.monotonic()
    while (end_s := time.monotonic()) < healed_s + row.patience_s:
        if end_s - row.quiet_s > healed_s and seen.is_quiet(end_s - row.quiet_s, end_s):
            break
        await asyncio.sleep(WINDOW_S / 2)
    last_s = seen.last_unfit_s(fault_s)
    found = seen.findings - found_before
    return {
        "asked": found.total(),
        "undetermined about us": found[Finding.ABOUT_US],
        "unanswered": found[Finding.UNANSWERED],
        "wrong": (seen.harms - harms_before).total(),
        "waits before, ms": seen.waits_ms(before_s, fault_s),
        "waits during, ms": seen.waits_ms(fault_s, max(healed_s, last_s)),
        "seconds the fault lasted": round(healed_s - fault_s, 2),
        "seconds to steady": round(seen.steady_at_s(fault_s, end_s) - fault_s, 2),
        "seconds to the last answer that was not fit": round(max(0.0, last_s - fault_s), 2),
        "ended within patience": end_s < healed_s + row.patience_s,
    }


@dataclass(frozen=True, slots=True)
class Held:
    """What the store holds against what was signed (I6). `damaged`: partitions that wait for their repair."""

    broken: tuple[str, ...]
    damaged: int


async def held_by(bench: Bench) -> Held:
    """The store's heads must add up to the signed digest, and every whole partition must be what its head says.

    A partition that is not whole clears nobody, and is repaired when the agent comes to it: it is counted.
    """
    key = token_secret.read(bench.house.site.court / "token.secret").current.digest_key
    writer = open_writer(bench.url, bench.bucket_key())
    deadline_s = time.monotonic() + REPAIR_S
    try:
        while True:
            with suppress(LintelError):
                announced = await bench.announced()
                heads = await writer.heads(announced.generation.number)
                if total(head.digest for head in heads.values()) == announced.state.digest:
                    held = await _compared(writer, announced.generation, heads, key)
                    if (await bench.announced()).state == announced.state:  # nothing was written meanwhile
                        return held
            if time.monotonic() > deadline_s:
                return Held(("I6: the heads do not add up to the signed digest",), 0)
            await asyncio.sleep(1.0)
    finally:
        await writer.close()


async def _compared(writer: ListWriter, generation: Generation, heads: Mapping[int, Head], key: bytes) -> Held:
    broken, damaged = list[str](), 0
    for partition, head in heads.items():
        try:
            records = await writer.records(generation, partition)
        except StoreNotWholeError:
            damaged += 1
            continue
        if digest_of(key, records) != head.digest:
            broken.append(f"I6: partition {partition} is whole and not what was signed")
    return Held(tuple(broken), damaged)
