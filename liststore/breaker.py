"""When to stop waiting for a server that does not answer, and when to try it again.

| State | asked | answered | failed |
|---|---|---|---|
| CLOSED | CLOSED | CLOSED | OPEN at the last of `failures_to_open` in a row, CLOSED before |
| OPEN | HALF_OPEN | CLOSED | OPEN |
| HALF_OPEN | HALF_OPEN | CLOSED | OPEN |

While a breaker is not closed, one question every `probe_every_s` is let through, and its fate decides, also when
its asker has gone. One that never ends tells nothing, so the next one is let through in its time.
Pure: time is monotonic seconds and enters as an argument.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


class BreakerState(enum.IntEnum):
    """What is done with questions: all asked, one now and then under way, none. Numbers are the metric's."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Event(enum.Enum):
    """What happened to one question."""

    ASKED = "asked"
    ANSWERED = "answered"
    FAILED = "failed"


_CLOSED, _HALF_OPEN, _OPEN = BreakerState
NEXT: Final[Mapping[tuple[BreakerState, Event], BreakerState]] = MappingProxyType({
    (_CLOSED, Event.ASKED): _CLOSED,
    (_CLOSED, Event.ANSWERED): _CLOSED,
    (_CLOSED, Event.FAILED): _OPEN,
    (_OPEN, Event.ASKED): _HALF_OPEN,
    (_OPEN, Event.ANSWERED): _CLOSED,
    (_OPEN, Event.FAILED): _OPEN,
    (_HALF_OPEN, Event.ASKED): _HALF_OPEN,
    (_HALF_OPEN, Event.ANSWERED): _CLOSED,
    (_HALF_OPEN, Event.FAILED): _OPEN,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """How many failures in a row open a breaker, and how often one question is let through then."""

    failures_to_open: int
    probe_every_s: float


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one server fared: failures in a row, and when the next question is let through if it is not closed."""

    rule: BreakerRule
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    probe_at_s: float = 0.0

    def lets_through(self, now_s: float) -> bool:
        """Whether a question may be asked now."""
        return self.state is _CLOSED or now_s >= self.probe_at_s

    def after(self, event: Event, now_s: float) -> Breaker:
        """The breaker after this event of a question that was let through."""
        if self.failures == 0 and event is not Event.FAILED:
            return self  # closed, and nothing is new: every question comes by here twice
        state = NEXT[self.state, event]
        failures = self.failures + (event is Event.FAILED)
        if event is Event.FAILED and self.state is _CLOSED and failures < self.rule.failures_to_open:
            state = _CLOSED
        if state is _CLOSED:
            return Breaker(self.rule, failures=0 if event is Event.ANSWERED else failures)
        return Breaker(self.rule, state, failures, now_s + self.rule.probe_every_s)
