"""How much one batch may change before a second person must sign it: arithmetic alone, figures in, decision out.

The measure is the largest of 1,000 subjects, 0.5 % of the list and 20 times the daily norm. A subject counts once for
each of its documents, as it does on the list.

- What burdens waits when its batch changes more than the measure in all (eased and burdened together), or when the
  burdens of the past 24 hours that nobody approved would come to more than three measures. So a wave cut into many
  batches stops within the day, and a morning's, an afternoon's and a late file, each as full as one may be, still pass.
- What eases goes ahead of its batch, up to ten measures in 24 hours. The ceiling is wide, because a lift that waits
  wrongs a person today, while one that was wrong can be listed again; it is there, because whoever can lift everybody
  can wipe the list. A batch of at most 100 lifts, and so a single one, never waits.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NORM_DAYS: Final = 28  # four whole weeks, so that weekends have their share
_KNOWN_DAYS: Final = 7  # a shorter past says nothing of a norm


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures of the guard; why each is what it is stands above."""

    least_subjects: int = 1_000
    list_divisor: int = 200  # 0.5 %
    norm_factor: int = 20
    day_factor: int = 3
    lift_factor: int = 10
    small_lifts: int = 100


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Size:
    """How many records are burdened, and how many are eased."""

    burdens: int = 0
    eases: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.burdens + other.burdens, self.eases + other.eases)


@dataclass(frozen=True, slots=True)
class Budget:
    """What is plausible now: the measure, and what changed in the past 24 hours without anybody's approval."""

    measure: int
    spent: Size = Size()
    limits: Limits = LIMITS

    def lets_burden(self, batch: Size) -> bool:
        """Whether what a batch of this size burdens may go without a second signer."""
        in_a_day = self.spent.burdens + batch.burdens
        return batch.burdens + batch.eases <= self.measure and in_a_day <= self.limits.day_factor * self.measure

    def lets_ease(self, batch: Size, more: Size) -> bool:
        """Whether `more` eases of a batch of this size may go without a second signer; `spent` has those before."""
        in_a_day = self.spent.eases + more.eases
        return batch.eases <= self.limits.small_lifts or in_a_day <= self.limits.lift_factor * self.measure


def measure_of(listed: int, norm: float, limits: Limits = LIMITS) -> int:
    """The measure for a list of so many records that changes so much on a normal day."""
    return max(limits.least_subjects, listed // limits.list_divisor, int(limits.norm_factor * norm))


def norm_of(days: Sequence[int]) -> float:
    """The daily norm from the changes of each past day; zero while too few are known.

    The median: a wave that was approved once must not become the norm.
    """
    return statistics.median(days) if len(days) >= _KNOWN_DAYS else 0.0
