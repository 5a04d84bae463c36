"""The list over time: the independent oracle, and which of its states an answer may show.

A batch is one step of the list. An answer may show the state after any batch from `oldest` to `newest`, where
- `newest` is the last batch submitted before the call ended: the store may have it before anybody says so;
- `oldest` is the last batch whose version the answer reaches; for RESTRICTED and CAPPED also (I3) the last one that
  the store had, whole and announced, before the call started. A listing may be that late at a gateway, a lift may not.
Verdicts are kept by question, state and day, since a load asks the same question again and again.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from restriction.calendar import SHANGHAI
from sandbox.generator import Sample, day_lines
from sandbox.identities import Question
from sandbox.stage import PARAMETERS
from tests.oracle.judge import Judge, Verdict
from tests.oracle.plain_list import PlainList

NEVER: Final = math.inf
ALWAYS: Final = -math.inf
KEPT_VERDICTS: Final = 200_000
DAYS: Final = 400


def sample_of(seed: int, subjects: int, today: dt.date) -> Sample:
    """A list whose events of the last `DAYS` days are still to come, so that they can come now."""
    return Sample(seed, subjects, today - dt.timedelta(DAYS))


def changes_of(sample: Sample) -> Iterator[list[str]]:
    """Those events, a day at a time: listings, lifts, exemptions, suspensions, corrections and ends of links."""
    for day in range(DAYS):
        yield list(day_lines(sample, sample.today + dt.timedelta(day)))


@dataclass
class Batch:
    """One submitted batch: the oracle's step after it, how many of its lines count, and when it was where."""

    step: int
    accepted: int
    submitted_s: float
    version: float = NEVER
    acknowledged_s: float = NEVER


@dataclass
class Course:
    """The list from the first load on; times are of one monotonic clock."""

    judge: Judge
    batches: list[Batch]
    _kept: dict[tuple[int, int, dt.date], Verdict] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Sequence[str], now: dt.datetime) -> Course:
        """The course of a list that begins with these lines."""
        plain = PlainList()
        accepted = plain.apply(lines, now).count("accepted")
        judge = Judge(plain, yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["values"])
        return cls(judge, [Batch(plain.step, accepted, ALWAYS)])

    def serving(self, version: int) -> None:
        """The first load is what every gateway serves now."""
        self.batches[0].version, self.batches[0].acknowledged_s = version, ALWAYS

    def begin(self, lines: Sequence[str], now: dt.datetime, at_s: float) -> Batch:
        """Take in one more batch, about to be submitted."""
        accepted = self.judge.plain.apply(lines, now).count("accepted")
        self.batches.append(Batch(self.judge.plain.step, accepted, at_s))
        return self.batches[-1]

    def acknowledge(self, version: int, at_s: float) -> None:
        """The store is seen, at this moment, to have put this version in service."""
        for batch in reversed(self.batches):
            if batch.acknowledged_s < NEVER:
                return
            if batch.version <= version:
                batch.acknowledged_s = at_s

    def steps(self, start_s: float, end_s: float, version: int, *, is_listed: bool) -> Iterator[int]:
        """The states that an answer of this version, to a call between these times, may show; the newest first.

        `is_listed`: whether the answer is RESTRICTED or CAPPED.
        """
        for batch in reversed(self.batches):
            if batch.submitted_s <= end_s:
                yield batch.step
                if batch.version <= version or (is_listed and batch.acknowledged_s < start_s):
                    return

    def verdict(self, number: int, asked: Question, step: int, now: dt.datetime) -> Verdict:
        """What the oracle says to this question (known by its number) in this state."""
        key = (number, step, now.astimezone(SHANGHAI).date())
        if key not in self._kept:
            if len(self._kept) >= KEPT_VERDICTS:
                self._kept.clear()
            self._kept[key] = self.judge.judge(asked, now, step=step)
        return self._kept[key]
