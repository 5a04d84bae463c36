"""A whole Lintel under load: the stage with a sample list on it, the oracle that knows that list, and who asks."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from restriction.calendar import SHANGHAI
from restriction.measures import Sector
from sandbox import identities
from sandbox.generator import Sample, list_lines
from sandbox.stage import PARAMETERS, Stage, raised
from tests.oracle.judge import Judge
from tests.oracle.plain_list import PlainList


@dataclass(frozen=True, slots=True)
class House:
    """A stage that serves `sample`, the judge of its answers, and what it took (seconds by step)."""

    stage: Stage
    sample: Sample
    judge: Judge
    took_s: dict[str, float]
    report: dict[str, Any]


def now() -> dt.datetime:
    """The time at the court."""
    return dt.datetime.now(SHANGHAI)  # noqa: TID251 - an edge


def lines_of(sample: Sample) -> Iterator[str]:
    """The sample list with the fixed identities in front."""
    return itertools.chain(identities.lines(sample.today), list_lines(sample))


@contextlib.contextmanager
def standing(subjects: int, seed: int) -> Iterator[House]:
    """A house that serves a list of so many subjects; gone, processes and files, at the end."""
    sample = Sample(seed, subjects, now().date())
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder, raised(Path(folder), Sector) as stage:
        took_s: dict[str, float] = {}
        with _timed(took_s, "submit"):
            stage.put_parameters()
            report = stage.submit(lines_of(sample))
        with _timed(took_s, "signed to serving"):
            stage.start("court", "agent", "gateway")
            stage.await_serving(report["version"], timeout_s=600)
        yield House(stage, sample, judge_of(sample), took_s, report)


def judge_of(sample: Sample) -> Judge:
    """The oracle that holds the same list."""
    plain = PlainList()
    plain.apply(lines_of(sample), now())
    return Judge(plain, yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["values"])


@contextlib.contextmanager
def _timed(took_s: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    took_s[step] = round(time.monotonic() - started, 2)
