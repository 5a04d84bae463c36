"""Alarms: named states of something being wrong, with the time of the first and the latest sighting.

An alarm is raised as long as its cause is seen and cleared by the first pass without it; each change is logged once.
How long something lasts is measured by the monotonic clock, so that no wrong clock raises or hides a frozen list; the
wall clock only says when, and is itself compared with the instants that the court's side signs.
Severity, paging and silence are left to whoever watches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from restriction.errors import FeedUnreachableError, FencedError, FitnessError, RefusedListError, StoreUnavailableError

_log = logging.getLogger(__name__)

# What an operator may be told, by where it is seen.
MEANINGS: Final = {
    "LIST_FORGED": "a signature, hash or form is not right",
    "LIST_ROLLBACK": "the feed offers something older than what is held",
    "LIST_EXPIRED": "the feed's signatures have run out: the court's side no longer signs, or a clock is wrong",
    "LIST_FROZEN": "no newly signed heartbeat came for 30 seconds",
    "LIST_GAP": "the feed's deltas do not follow on what is held",
    "LIST_WRONG": "the feed is of another list, environment or epoch",
    "LIST_IMPLAUSIBLE": "the feed empties a live list without the approval of the root keys",
    "LIST_OVERSIZED": "a document is larger than its limit",
    "LIST_UNFIT": "a document stops or overloads whoever uses it",
    "DIGEST_MISMATCH": "the list does not come out as signed",
    "COPY_DAMAGED": "the verified copy on disk is not whole",
    "CLOCK_SKEW": "this host's clock and the court side's are apart, or the feed comes late",
    "KEY_UNKNOWN": "no installed token secret is the list's",
    "FEED_UNREACHABLE": "the feed cannot be read",
    "DISK_FAILED": "the agent's own files cannot be read or written",
    "STORE_UNAVAILABLE": "the store cannot be read or written",
    "STORE_NOT_WHOLE": "the store lost or altered something and could not be repaired yet",
}
FROZEN_AFTER_S: Final = 30.0
# A signed instant may be so far ahead of this host's clock, or behind it when it comes. NTP keeps clocks within
# milliseconds; a heartbeat is two seconds old at most when it is fetched, and a web cache may hold it for a while.
AHEAD_S: Final = 5.0
BEHIND_S: Final = 60.0
# Which alarms a step can raise. A pass of that step without an error clears those that no other step saw since.
STORE: Final = frozenset(
    {"DIGEST_MISMATCH", "COPY_DAMAGED", "KEY_UNKNOWN", "STORE_UNAVAILABLE", "STORE_NOT_WHOLE", "DISK_FAILED"}
)
HEARTBEAT: Final = frozenset({"LIST_FROZEN", "CLOCK_SKEW"})
FEED: Final = (frozenset(MEANINGS) - STORE - HEARTBEAT) | {"DISK_FAILED"}
DISK: Final = frozenset({"DISK_FAILED"})


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; times are Unix seconds, of which `over_s` is None as long as it is raised.

    `lasted_s` is how long it was seen, or was raised when it is over, by the monotonic clock.
    """

    name: str
    first_s: float
    last_s: float
    message: str
    over_s: float | None = None
    lasted_s: float = 0.0


class Alarms:
    """The alarms of one agent."""

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._raised: dict[str, Alarm] = {}
        self._began: dict[str, float] = {}  # the monotonic instant of the first sighting, of those raised now
        self._seen_by: dict[str, frozenset[str]] = {}  # the step that saw it last: no other can tell that it is over
        self._newest = ""
        self._over: Alarm | None = None  # the newest one, once it is over
        self._beat: tuple[int, float] | None = None
        self._started_s = monotonic()

    @property
    def raised(self) -> tuple[Alarm, ...]:
        """The alarms raised now, by name."""
        return tuple(self._raised[name] for name in sorted(self._raised))

    @property
    def last(self) -> Alarm | None:
        """The alarm that was raised last, which may be over; None when there never was one."""
        return self._raised.get(self._newest, self._over)

    @contextmanager
    def watching(self, step: frozenset[str]) -> Iterator[None]:
        """Run a step: what goes wrong in it becomes an alarm and ends the step, not the agent."""
        try:
            yield
        except FencedError as error:
            _log.info("another agent is at work, the next pass goes on: %s", error)
        except (RefusedListError, FeedUnreachableError, StoreUnavailableError, OSError) as error:
            name = name_of(error)
            self._keep_only(step, name)
            self._raise(name, str(error))
            self._seen_by[name] = step
        else:
            self._keep_only(step, None)

    def heartbeat(self, as_of: int) -> None:
        """See the newest vouched instant; the same one for too long is LIST_FROZEN, one far from now is CLOCK_SKEW."""
        before, elapsed_s = self._beat or (0, self._started_s), self._monotonic()
        if as_of > before[0]:
            self._compare(as_of - self._clock(), is_first=self._beat is None)
            self._beat = (as_of, elapsed_s)
            self._clear("LIST_FROZEN")
        elif elapsed_s - before[1] > FROZEN_AFTER_S:
            self._raise("LIST_FROZEN", "no heartbeat for 30 seconds; see whether the court's side signs")

    def _compare(self, ahead_s: float, *, is_first: bool) -> None:
        """See how far a heartbeat that came now is from this host's clock; the first may have lain there for long."""
        if ahead_s > AHEAD_S:
            self._raise("CLOCK_SKEW", f"the list is vouched for {ahead_s:.0f} s from now; set this host's clock")
        elif ahead_s < -BEHIND_S and not is_first:
            self._raise("CLOCK_SKEW", f"heartbeats come {-ahead_s:.0f} s late; look at this host's clock and the feed")
        else:
            self._clear("CLOCK_SKEW")

    def _keep_only(self, step: frozenset[str], name: str | None) -> None:
        for other in self._raised.keys() - {name}:
            if self._seen_by.get(other) == step:
                self._clear(other)

    def _raise(self, name: str, message: str) -> None:
        now_s, known = self._clock(), self._raised.get(name)
        if known:
            self._raised[name] = replace(known, last_s=now_s, lasted_s=self._monotonic() - self._began[name])
        else:
            self._raised[name] = Alarm(name, now_s, now_s, message)
            self._began[name], self._newest = self._monotonic(), name
            _log.error("alarm %s: %s", name, message)

    def _clear(self, name: str) -> None:
        alarm = self._raised.pop(name, None)
        if alarm:
            lasted_s = self._monotonic() - self._began.pop(name)
            if name == self._newest:
                self._over = replace(alarm, over_s=self._clock(), lasted_s=lasted_s)
            _log.info("alarm %s is over", name)


def name_of(error: FitnessError | OSError) -> str:
    """The alarm that this error raises."""
    if isinstance(error, OSError):
        return "DISK_FAILED"
    return error.alarm if isinstance(error, RefusedListError) else error.reason
