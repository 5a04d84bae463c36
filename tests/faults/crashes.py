"""The agent killed with SIGKILL between any two steps of a pass, on every kind of world and on many seeds of each.

A run puts directory and store back, lets an agent in a process of its own be killed in one gap, looks at the store as a
reader would, starts a fresh agent, and looks again. The gaps of a world are those of one pass that nobody disturbs.
Of a step that every partition makes, the kinds that are not every day's take a share in each seed, so that all their
gaps are killed over the seeds, and the first kinds take every gap in every seed.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.faults.crash import worlds
from tests.faults.crash.bench import Bench, Tally, job, one_pass, recover
from tests.faults.crash.passing import Passes
from tests.faults.crash.process import nursery
from tests.faults.crash.server import standing
from tests.faults.plan import Outcome, Plan

SEEDS: Final = 25
_EVERY_GAP: Final = 1  # so many kinds, from the first
_OF_EACH: Final = 11  # over 25 seeds these are all of the 257 moves that every partition's head makes


def run(plan: Plan) -> Outcome:
    """Every kind of world on as many seeds as the plan says."""
    began_s, tally = time.monotonic(), Tally()
    with nursery(Passes.__module__, "encodings.idna") as children, standing() as server:
        for seed in range(plan.seed, plan.seed + plan.count(SEEDS)):
            for number, kind in enumerate(worlds.KINDS):
                every = number < _EVERY_GAP
                with (
                    tempfile.TemporaryDirectory(dir=plan.folder) as folder,
                    worlds.made(kind, seed, Path(folder), server) as world,
                ):
                    kill_all(Bench(world, server, children, tally), seed, None if every else _OF_EACH)
            sys.stderr.write(f"seed {seed}: {tally.kills.total()} kills in {time.monotonic() - began_s:.0f} s\n")
    figures = tally.figures() | {"seconds": round(time.monotonic() - began_s, 1)}
    return Outcome(figures, tuple(tally.told))


def kill_all(bench: Bench, seed: int, of_each: int | None) -> None:
    """Kill in the gaps of this world; `of_each`: at most so many before one step that is repeated."""
    steps = one_pass(bench).steps
    for gap in gaps(steps, seed, of_each):
        name = f"{bench.world.kind}: {steps[gap] if gap < len(steps) else 'end'}"
        where = f"{bench.world.kind}, seed {seed}, gap {gap} of {len(steps)}, before {name.partition(': ')[2]}"
        bench.world.reset(bench.server)
        ending = bench.children.run(replace(job(bench.world), gap=gap))
        if ending.signal != signal.SIGKILL:
            bench.tally.unreached += 1
            continue
        bench.tally.kills[bench.world.kind] += 1
        bench.tally.seeds[name].add(seed)
        recover(bench, where)


def gaps(steps: Sequence[str], seed: int, of_each: int | None) -> list[int]:
    """Every gap; or, of those before one step that is repeated, at most `of_each`, and other ones with every seed."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for gap, name in enumerate([*steps, ""]):
        places[name].append(gap)
    chosen: list[int] = []
    for some in places.values():
        stride = -(-len(some) // (of_each or len(some)))
        chosen += some[seed % stride :: stride]
    return sorted(chosen)
