"""The agent killed with SIGKILL between any two steps of a pass, on every kind of world and on many seeds of each.

A run puts directory and store back, lets an agent in a process of its own be killed in one gap, looks at the store as a
reader would, starts a fresh agent, and looks again. The gaps of a world are those of one pass that nobody disturbs.
A delta, which is every day's, takes every gap in every seed. The other kinds take a share of the gaps before a step
that every partition makes, in each seed another, so that over the seeds all are killed.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.faults.crash import worlds
from tests.faults.crash.bench import Bench, Tally, job, one_pass, recover
from tests.faults.crash.passing import Passes
from tests.faults.crash.process import nursery
from tests.faults.crash.server import standing
from tests.faults.plan import Outcome, Plan

SEEDS: Final = 25
KINDS: Final = tuple(worlds.KINDS)
_EVERY_GAP: Final = "one delta"
_OF_EACH: Final = 11  # over 25 seeds these are all of the 257 moves that every partition's head makes


def run(plan: Plan) -> Outcome:
    """Every kind of world on as many seeds as the plan says."""
    began_s, tally = time.monotonic(), Tally()
    with nursery(Passes.__module__, "encodings.idna") as children, standing() as server:
        for seed in range(plan.seed, plan.seed + plan.count(SEEDS)):
            for kind in KINDS:
                with (
                    tempfile.TemporaryDirectory(dir=plan.folder) as folder,
                    worlds.made(kind, seed, Path(folder), server) as world,
                ):
                    share = Share(None if kind == _EVERY_GAP else _OF_EACH, thinned(plan))
                    kill_all(Bench(world, server, children, tally), seed, share)
            sys.stderr.write(f"seed {seed}: {tally.kills.total()} kills in {time.monotonic() - began_s:.0f} s\n")
    figures = tally.figures() | {"seconds": round(time.monotonic() - began_s, 1)}
    return Outcome(figures, tuple(tally.told))


@dataclass(frozen=True, slots=True)
class Share:
    """Which gaps of a pass: at most `of_each` before one step that is repeated (None: all), and one `of_all`."""

    of_each: int | None
    of_all: int = 1


def thinned(plan: Plan) -> int:
    """For a plan smaller than one seed: one of how many gaps."""
    return max(1, round(1 / (SEEDS * plan.scale)))


def kill_all(bench: Bench, seed: int, share: Share) -> None:
    """Kill in the gaps of this world."""
    steps = one_pass(bench).steps
    for gap in gaps(steps, seed, share):
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


def gaps(steps: Sequence[str], seed: int, share: Share) -> list[int]:
    """The gaps of this share; every seed has others of those that are left out in one."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for gap, name in enumerate([*steps, ""]):
        places[name].append(gap)
    chosen: list[int] = []
    for some in places.values():
        stride = -(-len(some) // (share.of_each or len(some)))
        chosen += some[seed % stride :: stride]
    return sorted(chosen)[seed % share.of_all :: share.of_all]
