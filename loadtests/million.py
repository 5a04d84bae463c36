"""A list of a million: how long until it serves, what it weighs, and whether a million answers are right.

Figures: seconds from submit to serving; store and gateway bytes per subject; seconds from a gateway's kill to serving
again; answers judged wrong.
The load generator has core 1, the gateway core 0.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any, Final

from loadtests.house import House, standing
from loadtests.judged import Load, Tally, callers, percentile, take
from loadtests.machine import described, pin, resident_bytes
from sandbox.questions import questions

BATCH: Final = 500
IN_FLIGHT: Final = 4
SINGLE_SHARE: Final = 0.05  # by Check; the rest by BatchCheck, which asks the same of the core
EMPTY_SUBJECTS: Final = 1


@dataclass(frozen=True, slots=True)
class Scale:
    """How much."""

    subjects: int
    asked: int
    seed: int


def run(scale: Scale) -> dict[str, Any]:
    """The figures of one run."""
    with standing(EMPTY_SUBJECTS, scale.seed) as empty:
        empty_bytes = resident_bytes(empty.stage.running["gateway"].pid)
    with standing(scale.subjects, scale.seed) as house:
        store, gateway = house.stage.store_pid(), house.stage.running["gateway"].pid
        weights = {
            "store bytes per subject": round(resident_bytes(store) / scale.subjects, 1),
            "gateway bytes above an empty one": resident_bytes(gateway) - empty_bytes,
        }
        restart_s = _restart(house)
        pin(house.stage.running["gateway"].pid, 0)
        pin(os.getpid(), 1)
        started = time.monotonic()
        tally = asyncio.run(_ask(house, scale))
        asked_s = time.monotonic() - started
    return {
        "machine": described(),
        "scale": {"subjects": scale.subjects, "asked": tally.asked, "seed": scale.seed},
        "seconds": {**house.took_s, "gateway restart": restart_s, "asking": round(asked_s, 1)},
        "list version": house.report.get("version"),
        "weights": weights,
        "findings": {found.value: count for found, count in tally.findings.items()},
        "expected": dict(tally.outcomes),
        "wrong": tally.wrong,
        "calls": {"p50_us": percentile(tally.calls_us, 0.5), "p99_us": percentile(tally.calls_us, 0.99)},
    }


async def _ask(house: House, scale: Scale) -> Tally:
    asked = questions(house.sample, scale.seed)
    singly = int(scale.asked * SINGLE_SHARE)
    async with callers(house.stage.address, house.stage.keys) as by_sector:
        load = Load(by_sector, house.judge)
        await load.run_batched(take(asked, scale.asked - singly), BATCH, IN_FLIGHT)
        load.tally.calls_us.clear()
        await load.run_singly(take(asked, singly), IN_FLIGHT, lambda: False)
    return load.tally


def _restart(house: House) -> float:
    house.stage.kill("gateway")
    started = time.monotonic()
    house.stage.start("gateway")
    house.stage.await_serving(house.report["version"])
    return round(time.monotonic() - started, 2)
