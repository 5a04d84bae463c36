"""Days, spans and the court's calendar.

A day is the number of days since 1970-01-01 on the calendar of Asia/Shanghai (UTC+8, no daylight saving since 1991).
A span is half-open: `until` is the first day on which it no longer applies; `None` is open.
Nothing here reads a clock: an instant enters as Unix seconds.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

SECONDS_PER_DAY: Final = 86_400
SHANGHAI: Final = dt.timezone(dt.timedelta(hours=8), "Asia/Shanghai")
_OFFSET_S: Final = 8 * 3_600
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def day_of(now_s: float) -> int:
    """The court's calendar day at this instant (Unix seconds)."""
    return int((now_s + _OFFSET_S) // SECONDS_PER_DAY)


def start_of(day: int) -> int:
    """Unix seconds of 00:00 Asia/Shanghai on this day."""
    return day * SECONDS_PER_DAY - _OFFSET_S


def day_from_date(date: dt.date) -> int:
    """Day number of a calendar date."""
    return date.toordinal() - _EPOCH


def date_from_day(day: int) -> dt.date:
    """Calendar date of a day number."""
    return dt.date.fromordinal(day + _EPOCH)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open span of days: `start <= day < until`. An empty span (`until <= start`) contains no day."""

    start: int
    until: int | None = None

    def contains(self, day: int) -> bool:
        """Whether the day lies inside."""
        return self.start <= day and (self.until is None or day < self.until)

    @property
    def is_empty(self) -> bool:
        """Whether it contains no day."""
        return self.until is not None and self.until <= self.start

    def common(self, other: Span) -> Span:
        """The days that both contain."""
        return Span(max(self.start, other.start), earlier(self.until, other.until))


def earlier(one: int | None, other: int | None) -> int | None:
    """The earlier of two ends, of which None is open."""
    return other if one is None else one if other is None else min(one, other)
