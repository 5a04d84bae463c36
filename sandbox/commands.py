"""`lintel sandbox`: sample lists, sample days and the fixed identities, for whoever builds on Lintel or loads it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from typing import TextIO

import click

from restriction.calendar import date_from_day, day_of
from sandbox import identities as fixed
from sandbox.demo import demo
from sandbox.generator import Sample, day_lines, list_lines
from sandbox.serve import gateway


def _today() -> dt.date:
    return date_from_day(day_of(time.time()))  # noqa: TID251 - a command is an edge


_date = click.DateTime(["%Y-%m-%d"])
_subjects = click.option(
    "--subjects", type=click.IntRange(min=1), default=10_000, show_default=True, help="Size of the list."
)
_seed = click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same lines.")
_output = click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="File to write.")
_as_of = click.option("--date", "date", type=_date, default=None, help="The list's own day; today if left out.")


@click.group()
def sandbox() -> None:
    """Make sample lists of documents that nobody holds."""


@sandbox.command()
@_subjects
@_seed
@_as_of
@_output
def generate(*, subjects: int, seed: int, date: dt.datetime | None, output: TextIO) -> None:
    """Write a sample list, the fixed identities first, as intake lines."""
    today = date.date() if date else _today()
    _write(fixed.lines(today), output)
    _write(list_lines(Sample(seed, subjects, today)), output)


@sandbox.command()
@_subjects
@_seed
@_as_of
@click.option("--after", type=click.IntRange(min=0), default=0, help="Which day: so many after the list's own.")
@_output
def day(*, subjects: int, seed: int, date: dt.datetime | None, after: int, output: TextIO) -> None:
    """Write one day's events for the sample list of the same size, seed and day."""
    today = date.date() if date else _today()
    _write(day_lines(Sample(seed, subjects, today), today + dt.timedelta(after)), output)


@sandbox.command()
@click.option("--lines", is_flag=True, help="The intake lines that make them so, instead of the table.")
def identities(*, lines: bool) -> None:
    """Show the fixed identities, one for each outcome, as a Markdown table."""
    click.echo("\n".join(fixed.lines(_today())) if lines else fixed.table(_today()))


sandbox.add_command(demo)
sandbox.add_command(gateway)


def _write(lines: Iterable[str], output: TextIO) -> None:
    output.writelines(line + "\n" for line in lines)
