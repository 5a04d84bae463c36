"""A world with its server and its processes, what is found there, and what is done after every kill."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.faults.crash import checks
from tests.faults.crash.passing import Passes, Told
from tests.faults.crash.process import Nursery
from tests.faults.crash.server import Server
from tests.faults.crash.worlds import World

_RECOVERY_PASSES: Final = 10
_SHOWN: Final = 20  # broken rules of one kind that are told with their place; all are counted


@dataclass
class Tally:
    """What was killed where, what was found, and how long recovery took."""

    kills: Counter[str] = field(default_factory=Counter)
    seeds: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    findings: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)
    passes: Counter[int] = field(default_factory=Counter)
    unreached: int = 0
    left_over: int = 0

    def find(self, where: str, findings: Iterator[checks.Finding]) -> None:
        """Keep what was found."""
        for rule, text in findings:
            self.findings[rule] += 1
            if self.findings[rule] <= _SHOWN:
                self.told.append(f"{where}: {rule}: {text}")

    def recovered(self, told: Told) -> None:
        """A fresh agent ended like this."""
        self.passes[told.passes] += 1
        self.recovered_s.append(told.seconds)

    def figures(self) -> dict[str, Any]:
        """By name."""
        steady = sorted(self.recovered_s)
        return {
            "kills": self.kills.total(), "kills by kind": dict(self.kills), "gaps not reached": self.unreached,
            "named steps": len(self.seeds),
            "fewest seeds of a named step": min((len(seeds) for seeds in self.seeds.values()), default=0),
            **{rule: self.findings[rule] for rule in checks.RULES},
            "seconds to recover": percentiles(steady), "passes to recover": dict(self.passes),
            "temporary files left, at most": self.left_over,
        }  # fmt: skip


def percentiles(ordered: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the most of ordered seconds."""
    if not ordered:
        return {}
    picked = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": len(ordered) - 1}
    return {name: round(ordered[at], 4) for name, at in picked.items()}


@dataclass(frozen=True, slots=True)
class Bench:
    """A world, and what it takes to kill in it."""

    world: World
    server: Server
    children: Nursery
    tally: Tally


def one_pass(bench: Bench) -> Told:
    """The pass that nobody disturbs, and which must bring what is new into service."""
    bench.world.reset(bench.server)
    told: Told = bench.children.run(job(bench.world)).given
    bench.tally.find(f"{bench.world.kind}, undisturbed", checks.after_recovery(bench.world, bench.server.photograph()))
    return told


def recover(bench: Bench, where: str) -> None:
    """Look as readers do, start a fresh agent, and look again."""
    bench.tally.find(where, checks.after_kill(bench.world, bench.server.photograph()))
    told: Told = bench.children.run(replace(job(bench.world), most=_RECOVERY_PASSES)).given
    bench.tally.recovered(told)
    bench.tally.left_over = max(bench.tally.left_over, checks.left_over(bench.world.place.directory))
    bench.tally.find(where, checks.after_recovery(bench.world, bench.server.photograph()))


def job(world: World) -> Passes:
    """One pass of an agent in this world."""
    assert world.new.state is not None
    return Passes(world.place, world.new.state)
