"""How soon a lift is in effect, under load.

Method: for each of `lifts` listed persons, a prober asks the gateway, one Check after the other, until it hears
RESTRICTED once; then `lintel publisher submit` is run with the LIFT, and the prober goes on asking.
The lag is the time from the return of `submit` to the *end* of the last call that answered RESTRICTED; a lift that was
in effect before `submit` returned has lag 0.
The total, from the start of `submit`, is reported beside it. Background load keeps running on the same gateway.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lintel.v1 import answer_pb2
from loadtests.asking import request_of
from loadtests.house import House, standing
from loadtests.judged import CALL_TIMEOUT_S, Caller, Load, Tally, callers, percentile
from loadtests.machine import described
from sandbox import documents
from sandbox.identities import Fixed, Question
from sandbox.questions import questions

FIRST_PROBE: Final = 3 * 10**9 + 1000  # beyond the fixed identities, which no sample uses
SETTLED_S: Final = 0.25  # asked this long without another RESTRICTED
LANES: Final = 4
GIVE_UP_S: Final = 20.0


@dataclass
class Lags:
    """Milliseconds per lift."""

    after_return_ms: list[float] = field(default_factory=list)
    after_start_ms: list[float] = field(default_factory=list)


def run(subjects: int, lifts: int, seed: int) -> dict[str, Any]:
    """The figures of one run."""
    probes = [probe(place) for place in range(lifts)]
    with standing(subjects, seed) as house:
        report = house.stage.submit(line for each in probes for line in each.lines(house.sample.today))
        house.stage.await_serving(report["version"])
        lags, tally = asyncio.run(_measure(house, probes))
    return {
        "machine": described(),
        "scale": {"subjects": subjects, "lifts": lifts, "seed": seed, "background questions": tally.asked},
        "background": {found.value: count for found, count in tally.findings.items()},
        "wrong": tally.wrong,
        "lag after submit returned, ms": _spread(lags.after_return_ms),
        "lag after submit started, ms": _spread(lags.after_start_ms),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


async def _measure(house: House, probes: list[Fixed]) -> tuple[Lags, Tally]:
    lags = Lags()
    async with callers(house.stage.address, house.stage.keys) as by_sector:
        load = Load(by_sector, house.judge)
        stopping = asyncio.Event()
        background = asyncio.create_task(
            load.run_singly(questions(house.sample, house.sample.seed), LANES, stopping.is_set)
        )
        for each in probes:
            await _lift(house, by_sector["hotel"], each, lags)
        stopping.set()
        await background
    return lags, load.tally


async def _lift(house: House, hotel: Caller, whom: Fixed, lags: Lags) -> None:
    """Lift one person and take the time of the last RESTRICTED. Raises: TimeoutError when it never ends."""
    asked, today = whom.question(house.sample.today), house.sample.today
    async with asyncio.timeout(GIVE_UP_S):
        while not await _is_restricted(hotel, asked):
            pass
        _, lift = replace(whom, state="LIFTED").lines(today)
        started = last_restricted = time.monotonic()
        submit = asyncio.create_task(asyncio.to_thread(_submit, house, lift))
        while not submit.done() or time.monotonic() - last_restricted < SETTLED_S:
            if await _is_restricted(hotel, asked):
                last_restricted = time.monotonic()
    returned = await submit
    lags.after_return_ms.append(round(max(0.0, last_restricted - returned) * 1e3, 1))
    lags.after_start_ms.append(round((last_restricted - started) * 1e3, 1))


def _submit(house: House, lift: str) -> float:
    """When `submit` returned."""
    report = house.stage.submit([lift])
    returned = time.monotonic()
    if len(report["accepted"]) != 1:
        raise ValueError(report)
    return returned


async def _is_restricted(hotel: Caller, asked: Question) -> bool:
    answer = await hotel.stub.Check(request_of(asked), timeout=CALL_TIMEOUT_S, metadata=hotel.metadata)
    return bool(answer.outcome == answer_pb2.OUTCOME_RESTRICTED)


def probe(place: int) -> Fixed:
    """Somebody whom no sample lists, restricted from lodging."""
    paper = documents.resident(FIRST_PROBE + place)
    return Fixed(f"probe-{place}", "RESTRICTED", "LODGE", f"沙盒探{place}", paper)
