"""`./run faults [NAME ...]`: the named experiments one after the other (all of them, without a name), and a report.

Each experiment gets a temporary folder of its own. What one of them raises is a violation of its row, and the others
still run. The report is written anew after every experiment, so that a run that is cut short leaves what it found:
`report.json` holds every figure, `report.md` the same to read. The exit code is 1 when any rule was broken.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import click

from loadtests.machine import described
from tests.faults.plan import Outcome, Plan

Experiment = Callable[[Plan], Outcome]
# By name: the module whose `run` it is, imported only when it is run. A new experiment is a row here.
EXPERIMENTS: Final[Mapping[str, str]] = {
    "attacks": "tests.faults.attacks",
    "mutations": "tests.faults.mutations",
    "cancels": "tests.faults.cancels",
    "lifts": "tests.faults.lifts",
    "crashes": "tests.faults.crashes",
    "crashes_syscalls": "tests.faults.crashes_syscalls",
    "crashes_store": "tests.faults.crashes_store",
    "crashes_publisher": "tests.faults.crashes_publisher",
    "simulation": "tests.faults.simulation",
    "store_faults": "tests.faults.store_faults",
    "chaos": "tests.faults.chaos",
}
REPORTS: Final = Path("var/faults")  # not committed


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment that was run; `violations` says each broken rule."""

    name: str
    seconds: float
    figures: Mapping[str, Any]
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was run where, how, and what came of it."""

    command: str
    began: str
    machine: Mapping[str, Any]
    seed: int
    scale: float
    rows: list[Row] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Broken rules of all rows."""
        return sum(len(row.violations) for row in self.rows)

    def write(self, folder: Path) -> None:
        """Put `report.json` and `report.md` into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        whole = asdict(self) | {"violations": self.violations}
        (folder / "report.json").write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        (folder / "report.md").write_text("\n".join(self._lines()) + "\n", encoding="utf-8")

    def _lines(self) -> list[str]:
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        head = ["# Faults", "", f"`{self.command}`, begun {self.began}, seed {self.seed}, scale {self.scale}.", machine]
        table = ["", "| experiment | seconds | violations |", "|---|---|---|"]
        table += [f"| {row.name} | {row.seconds} | {len(row.violations)} |" for row in self.rows]
        return [*head, *table, *(line for row in self.rows for line in _section(row))]


def _section(row: Row) -> list[str]:
    lines = ["", f"## {row.name}", "", *(f"- **violation**: {text}" for text in row.violations)]
    return lines + _listed(row.figures, 0)


def _listed(figures: Mapping[str, Any], depth: int) -> list[str]:
    lines: list[str] = []
    for name, value in figures.items():
        nested = isinstance(value, Mapping)
        lines.append(f"{'  ' * depth}- {name}{'' if nested else f': {json.dumps(value, ensure_ascii=False)}'}")
        lines += _listed(value, depth + 1) if nested else []
    return lines


def experiment_of(name: str) -> Experiment:
    """The experiment of this row."""
    return cast("Experiment", importlib.import_module(EXPERIMENTS[name]).run)


def row_of(name: str, experiment: Experiment, plan: Plan) -> Row:
    """Run one experiment to its end; what it raises becomes a violation."""
    began_s = time.monotonic()
    try:
        outcome = experiment(plan)
    except Exception as error:  # noqa: BLE001 - an experiment that fails proves nothing, and must not stop the others
        traceback.print_exc()
        outcome = Outcome({}, (f"ended by {type(error).__name__}: {error}",))
    return Row(name, round(time.monotonic() - began_s, 1), outcome.figures, outcome.violations)


@dataclass(frozen=True, slots=True)
class Size:
    """What every experiment of one run is given."""

    seed: int
    scale: float
    seconds: float

    def plan(self, folder: str) -> Plan:
        """The plan of one experiment."""
        return Plan(seed=self.seed, folder=Path(folder), scale=self.scale, seconds=self.seconds)


def run_all(experiments: Mapping[str, Experiment], size: Size, command: str, folder: Path) -> Report:
    """Run these experiments in their order, and keep the report in the folder up to date."""
    began = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")  # noqa: TID251 - a command is an edge
    report = Report(command, began, described(), size.seed, size.scale)
    for name, experiment in experiments.items():
        click.echo(f"faults: {name}", err=True)
        with tempfile.TemporaryDirectory(prefix="lintel-") as own:
            report.rows.append(row_of(name, experiment, size.plan(own)))
        report.write(folder)
    return report


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(EXPERIMENTS)))
@click.option("--seconds", default=60.0, show_default=True, help="How long an experiment without a count lasts.")
@click.option("--seed", default=1, show_default=True)
@click.option("--scale", default=1.0, show_default=True, help="Multiplies every count; 1.0 is the size of record.")
@click.option(
    "--report", "folder", type=click.Path(path_type=Path, file_okay=False), default=REPORTS, show_default=True
)
def faults(*, names: Sequence[str], seconds: float, seed: int, scale: float, folder: Path) -> None:
    """Do to Lintel what must not harm it, and report what came of it."""
    # Both end what an experiment has started: its loop hears SIGINT by itself, also where a script has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    experiments = {name: experiment_of(name) for name in names or EXPERIMENTS}
    command = " ".join(["./run faults", *sys.argv[1:]])
    report = run_all(experiments, Size(seed, scale, seconds), command, folder)
    click.echo((folder / "report.md").read_text(encoding="utf-8"))
    raise SystemExit(report.violations > 0)


if __name__ == "__main__":
    faults()
