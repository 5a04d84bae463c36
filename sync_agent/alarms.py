"""Alarms: named states of something being wrong, with the time of the first and the latest sighting.

An alarm is raised as long as its cause is seen and cleared by the first pass without it; each change is logged once.
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
    "LIST_EXPIRED": "the feed's signatures have run out; the court's side no longer signs",
    "LIST_FROZEN": "no newly signed heartbeat came for 30 seconds",
    "LIST_GAP": "the feed's deltas do not follow on what is held",
    "LIST_WRONG": "the feed is of another list, environment or epoch",
    "LIST_IMPLAUSIBLE": "the feed empties a live list without the approval of the root keys",
    "LIST_OVERSIZED": "a document is larger than its limit",
    "LIST_UNFIT": "a document stops or overloads whoever uses it",
    "DIGEST_MISMATCH": "the list does not come out as signed",
    "COPY_DAMAGED": "the verified copy on disk is not whole",
    "KEY_UNKNOWN": "no installed token secret is the list's",
    "FEED_UNREACHABLE": "the feed cannot be read",
    "DISK_FAILED": "the agent's own files cannot be read or written",
    "STORE_UNAVAILABLE": "the store cannot be read or written",
    "STORE_NOT_WHOLE": "the store lost or altered something and could not be repaired yet",
}
FROZEN_AFTER_S: Final = 30.0
# Which alarms a step can raise: a pass of that step without an error clears them.
STORE: Final = frozenset(
    {"DIGEST_MISMATCH", "COPY_DAMAGED", "KEY_UNKNOWN", "STORE_UNAVAILABLE", "STORE_NOT_WHOLE", "DISK_FAILED"}
)
FEED: Final = (frozenset(MEANINGS) - STORE - {"LIST_FROZEN"}) | {"DISK_FAILED"}
DISK: Final = frozenset[str]()  # a report that was written says nothing of the other files


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that is raised; times are Unix seconds."""

    name: str
    first_s: float
    last_s: float
    message: str


class Alarms:
    """The alarms of one agent."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._raised: dict[str, Alarm] = {}
        self._beat = (-1, clock())

    @property
    def raised(self) -> tuple[Alarm, ...]:
        """The alarms raised now, by name."""
        return tuple(self._raised[name] for name in sorted(self._raised))

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
        else:
            self._keep_only(step, None)

    def heartbeat(self, as_of: int) -> None:
        """See the newest vouched instant; the same one for too long is LIST_FROZEN."""
        now_s = self._clock()
        if as_of > self._beat[0]:
            self._beat = (as_of, now_s)
            self._clear("LIST_FROZEN")
        elif now_s - self._beat[1] > FROZEN_AFTER_S:
            self._raise("LIST_FROZEN", f"no heartbeat since {self._beat[1]:.0f}; see whether the court's side signs")

    def _keep_only(self, step: frozenset[str], name: str | None) -> None:
        for other in (step & self._raised.keys()) - {name}:
            self._clear(other)

    def _raise(self, name: str, message: str) -> None:
        now_s = self._clock()
        known = self._raised.get(name)
        self._raised[name] = replace(known, last_s=now_s) if known else Alarm(name, now_s, now_s, message)
        if known is None:
            _log.error("alarm %s: %s", name, message)

    def _clear(self, name: str) -> None:
        if self._raised.pop(name, None):
            _log.info("alarm %s is over", name)


def name_of(error: FitnessError | OSError) -> str:
    """The alarm that this error raises."""
    if isinstance(error, OSError):
        return "DISK_FAILED"
    return error.alarm if isinstance(error, RefusedListError) else error.reason
