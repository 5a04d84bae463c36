"""A court's side in a process of its own: one submission, killed between any two of its steps.

Its steps are the changes of files, every statement to the book, and every commit of it.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from publisher.lines import JsonLines
from publisher.publish import publish_queued
from publisher.report import Report
from publisher.submission import submit
from publisher.wiring import opened
from tests.faults.crash.steps import Steps, killing


@dataclass(frozen=True, slots=True)
class Submission:
    """The job of a court's side: take these lines in and sign what they change; killed in `gap`.

    It gives its steps, and how many lines came to which status.
    """

    directory: Path
    lines: bytes
    now_s: float
    gap: int | None = None

    def __call__(self) -> tuple[tuple[str, ...], dict[str, int]]:
        """Submit."""
        logging.disable(logging.CRITICAL)
        steps = Steps(self.gap, killing(os.getpid()))
        steps.watch_files(self.directory)
        sa.event.listen(sa.Engine, "before_cursor_execute", lambda *told: steps.begin(_verb(told)))
        sa.event.listen(sa.Engine, "commit", lambda _connection: steps.begin("commit"))
        counts = self.made_here()
        steps.end()
        return tuple(steps.names), counts

    def made_here(self) -> dict[str, int]:
        """Submit in this process; gives how many lines came to which status."""
        with opened(self.directory) as court, Report() as report:
            submit(court, BytesIO(self.lines), JsonLines(), lambda: self.now_s, report)
            return {status.value: count for status, count in sorted(Counter(report.counts).items())}


def sign_what_waits(directory: Path, now_s: float) -> None:
    """What a court's side that is started again does before anybody submits."""
    with opened(directory) as court:
        publish_queued(court.book, court.feed, court.keys.digest_key, lambda: now_s)


def _verb(told: tuple[Any, ...]) -> str:
    """First word and table of the statement that is about to be made."""
    words = str(told[2]).split()
    return " ".join(words[:3])
