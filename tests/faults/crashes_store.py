"""The store killed with SIGKILL in the middle of a pass, and as much of its last writing lost as a power loss takes.

The agent lives on. In every other run it goes on by itself once the server is back; in the others it ends with its
pass, the store is looked at as readers would, and a fresh agent starts. Either must see by heads and digests what is
missing, and write that and nothing else.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.faults.crash import checks, worlds
from tests.faults.crash.bench import Bench, Tally, job, one_pass, recover
from tests.faults.crash.passing import Passes, Told
from tests.faults.crash.process import nursery
from tests.faults.crash.server import standing
from tests.faults.plan import Outcome, Plan

KINDS: Final = ("one delta", "backlog, folded", "gap", "first list")
RUNS: Final = 200
_GAPS_A_WORLD: Final = 10
_PASSES: Final = 50  # ten seconds


def run(plan: Plan) -> Outcome:
    """So many kills of the store, spread over the kinds of worlds and over the steps of their passes."""
    began_s, tally, lost, wanted = time.monotonic(), Tally(), Counter[str](), plan.count(RUNS)
    with nursery(Passes.__module__, "encodings.idna") as children, standing(appends=True) as server:
        for seed in range(plan.seed, plan.seed + -(-wanted // _GAPS_A_WORLD)):
            with (
                tempfile.TemporaryDirectory(dir=plan.folder) as folder,
                worlds.made(KINDS[seed % len(KINDS)], seed, Path(folder), server) as world,
            ):
                count = min(_GAPS_A_WORLD, wanted - tally.kills.total())
                _kill_some(Bench(world, server, children, tally), random.Random(seed), count, lost)  # noqa: S311
            sys.stderr.write(f"seed {seed}: {tally.kills.total()} kills in {time.monotonic() - began_s:.0f} s\n")
    figures = tally.figures() | dict(lost) | {"seconds": round(time.monotonic() - began_s, 1)}
    return Outcome(figures, tuple(tally.told))


def _kill_some(bench: Bench, dice: random.Random, count: int, lost: Counter[str]) -> None:
    steps = one_pass(bench).steps
    asked = [gap for gap, name in enumerate(steps) if name.startswith(("swap", "put", "announce", "remove"))]
    for number, gap in enumerate(dice.sample([*asked, len(steps)], count)):
        where = f"{bench.world.kind}, gap {gap} of {len(steps)}"
        bench.server.start_empty()
        bench.world.reset(bench.server)
        before = bench.server.appended
        goes_on = bool(number % 2)
        bench.children.start(
            replace(job(bench.world), gap=gap, victim=bench.server.pid, most=_PASSES if goes_on else 1)
        )
        bench.server.await_death()
        told: Told | None = None if goes_on else bench.children.ended().given
        came = bench.server.appended - before
        gone = dice.choice([0, dice.randrange(came + 1)])
        bench.server.lose_tail(gone)
        lost["with a lost tail"] += gone > 0
        back_s = time.monotonic()
        bench.server.start()
        bench.tally.kills[bench.world.kind] += 1
        if told is not None:
            recover(bench, where)
            continue
        told = bench.children.ended().given
        bench.tally.recovered(replace(told, seconds=time.monotonic() - back_s))
        bench.tally.find(f"{where}, the same agent", checks.after_recovery(bench.world, bench.server.photograph()))
