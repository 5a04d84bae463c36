"""`./run bench NAME`: one bench, its figures as JSON or as lines; quote them with the command and the machine."""

from __future__ import annotations

import json
from typing import Any

import click

from loadtests import lifts as lifts_bench
from loadtests import million as million_bench
from loadtests import restarts as restarts_bench


@click.group()
def bench() -> None:
    """Measure; nothing here is a test."""


@bench.command()
@click.option("--subjects", default=1_000_000, show_default=True, help="Debtors on the list.")
@click.option("--questions", default=1_000_000, show_default=True, help="Questions that the oracle judges.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def million(*, subjects: int, questions: int, seed: int, as_json: bool) -> None:
    """Submit to serving, weight, restart, and judged answers on a large list."""
    _show(million_bench.run(million_bench.Scale(subjects, questions, seed)), as_json=as_json)


@bench.command()
@click.option("--subjects", default=10_000, show_default=True, help="Debtors on the list.")
@click.option("--lifts", default=200, show_default=True, help="Lifts, one after the other.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def lifts(*, subjects: int, lifts: int, seed: int, as_json: bool) -> None:
    """From a submitted lift to the last RESTRICTED, under load."""
    _show(lifts_bench.run(subjects, lifts, seed), as_json=as_json)


@bench.command()
@click.option("--subjects", default=10_000, show_default=True, help="Debtors on the list.")
@click.option("--rounds", default=3, show_default=True, help="How often each part is killed.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def restarts(*, subjects: int, rounds: int, seed: int, as_json: bool) -> None:
    """Each part killed with SIGKILL under load and started again."""
    _show(restarts_bench.run(subjects, rounds, seed), as_json=as_json)


def _show(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    for name, value in figures.items():
        click.echo(f"{name}: {json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value}")


if __name__ == "__main__":
    bench()
