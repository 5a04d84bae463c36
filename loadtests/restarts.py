"""What callers see while a part is killed with SIGKILL and started again, under load.

For each of store, agent, court and gateway: questions are asked without pause, the part is killed, and, where nobody
does it by itself (the embedded store's keeper restarts the store), started again.
Figures: answers judged wrong; how many were undetermined about us, or unanswered; seconds from the kill until these
are under 1 %. While the court's side or the agent is down the list ages and answers go on, so the last should be 0.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from typing import Any, Final

from loadtests.asking import Finding
from loadtests.house import House, standing
from loadtests.judged import Load, callers
from loadtests.machine import described
from sandbox.questions import questions

LANES: Final = 8
BEFORE_S: Final = 2.0
AFTER_S: Final = 8.0
DOWN_S: Final = 3.0
WINDOW_S: Final = 0.5
PARTS: Final = ("store", "agent", "court", "gateway")


def run(subjects: int, rounds: int, seed: int) -> dict[str, Any]:
    """The figures of one run."""
    with standing(subjects, seed) as house:
        results = [asyncio.run(one_round(house, part, seed + place)) for place in range(rounds) for part in PARTS]
    return {
        "machine": described(),
        "scale": {"subjects": subjects, "rounds": rounds, "seed": seed},
        "rounds": results,
        "asked": sum(result["asked"] for result in results),
        "wrong": sum(result["findings"].get(Finding.WRONG.value, 0) for result in results),
    }


async def one_round(house: House, part: str, seed: int) -> dict[str, Any]:
    """What callers see while this part is killed and comes back."""
    stopping = asyncio.Event()
    async with callers(house.stage.address, house.stage.keys) as by_sector:
        load = Load(by_sector, house.judge)
        asking = asyncio.create_task(load.run_singly(questions(house.sample, seed), LANES, stopping.is_set))
        await asyncio.sleep(BEFORE_S)
        killed_s = time.monotonic()
        await _kill_and_start(house, part)
        await asyncio.sleep(AFTER_S)
        stopping.set()
        await asking
    tally = load.tally
    return {
        "killed": part,
        "asked": tally.asked,
        "findings": {found.value: count for found, count in tally.findings.items()},
        "wrong": tally.wrong,
        "seconds to steady": steady_after_s([at - killed_s for at in tally.unfit_at_s], tally.asked),
    }


def steady_after_s(unfit_s: list[float], asked: int) -> float:
    """Seconds from the kill to the end of the last half second in which over 1 % of the questions had no fit answer.

    `unfit_s`: when answers were unfit, in seconds since the kill.
    """
    windows = Counter(int(at // WINDOW_S) for at in unfit_s if at >= 0)
    usual = asked * WINDOW_S / (BEFORE_S + AFTER_S)
    return max((WINDOW_S * (window + 1) for window, count in windows.items() if count > usual / 100), default=0.0)


async def _kill_and_start(house: House, part: str) -> None:
    if part == "store":
        os.kill(house.stage.store_pid(), signal.SIGKILL)
        return
    house.stage.kill(part)
    await asyncio.sleep(DOWN_S if part != "gateway" else 0.0)
    house.stage.start(part)
