"""Judges a recorded history of changes and answers, the way Jepsen does: pure, after the run, from times alone.

Record one `Change` for every listing and lift, one `Answer` for every check that was answered (calls that failed are
no answers), then call `violations(answers, changes)`: an empty tuple means that the history can be explained.
All times are of one monotonic clock, in any unit; `NEVER` and `ALWAYS` stand for its ends.
A subject is listed by no entry until its first change says otherwise, so list what was there before the run with
`submitted=ALWAYS, acknowledged=ALWAYS`. Changes of one subject take effect in the order of their versions.

What is held against an answer:

- A change *may* be seen by an answer that ends at or after `submitted`.
- A change *must* be seen by an answer that starts after `acknowledged`, at any gateway, and by an answer that names the
  change's version or a later one, whenever it was given.
  So acknowledge a lift when the store's primary and replicas had it, and a listing only when every gateway served it;
  a listing that was never awaited has `acknowledged=NEVER` and still binds by its version.
- UNDETERMINED is never accused: it says that we do not know. CAPPED shows a matched record, as RESTRICTED does.

The rules, by the names of the design:

- I3: once a lift is acknowledged, no check that starts later, at any gateway, is answered as listed.
- I4: a check that overlaps changes sees what held before or after one of them, never neither: a subject listed
  throughout is never NOT_RESTRICTED, one not listed throughout is never RESTRICTED, and grants that flip together are
  never shown half old and half new (give the others of one read in `Answer.beside`).
- I5: the version in a gateway's answers never goes down from a call to one that starts after it has ended; a restarted
  or failed-over gateway keeps its name.

O(n log n) in answers and changes. It does not know about documents, measures or clocks' skew: bring one clock.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from operator import attrgetter
from typing import Final

from restriction.decision import Outcome

ALWAYS: Final = -math.inf
NEVER: Final = math.inf
LISTED_OUTCOMES: Final = (Outcome.RESTRICTED, Outcome.CAPPED)


class Kind(StrEnum):
    """What a change leaves behind: a listed subject, or one that is not."""

    LIST = "LIST"
    LIFT = "LIFT"


class Rule(StrEnum):
    """The invariants that a history can break."""

    I3 = "I3"
    I4 = "I4"
    I5 = "I5"


@dataclass(frozen=True, slots=True)
class Change:
    """One listing or lift of a subject, by the list version that held it first."""

    subject: Hashable
    kind: Kind
    version: int
    submitted: float
    acknowledged: float = NEVER


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check was told; `beside` are outcomes of grants that flip with this one, out of the same read."""

    gateway: Hashable
    subject: Hashable
    start: float
    end: float
    outcome: Outcome
    list_version: int
    beside: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """An answer that no correct list could give, the rule it breaks, and what it contradicts."""

    rule: Rule
    answer: Answer
    against: Change | Answer | None

    def __str__(self) -> str:
        return f"{self.rule}: {self.answer} against {self.against}"


class _Course:
    """The changes of one subject; state 0 is "not listed", state i follows its i-th change."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = sorted(changes, key=attrgetter("version"))
        self._versions = [change.version for change in self._changes]
        self._acknowledged = _Reached(change.acknowledged for change in self._changes)
        self._submitted = _Reached(change.submitted for change in self._changes)
        listed = [False, *(change.kind is Kind.LIST for change in self._changes)]
        self._listed_before = [0, *accumulate(int(each) for each in listed)]

    def judge(self, answer: Answer) -> Violation | None:
        shown = {
            each in LISTED_OUTCOMES for each in (answer.outcome, *answer.beside) if each is not Outcome.UNDETERMINED
        }
        acknowledged = self._acknowledged.before(answer.start)
        oldest = max(acknowledged, bisect_right(self._versions, answer.list_version))
        newest = max(oldest, self._submitted.by(answer.end))
        listed = self._listed_before[newest + 1] - self._listed_before[oldest]
        if (
            shown <= ({True} if listed else set()) | ({False} if listed <= newest - oldest else set())
            and len(shown) < 2
        ):
            return None
        is_lift = acknowledged == oldest and shown == {True} and oldest > 0
        return Violation(Rule.I3 if is_lift else Rule.I4, answer, self._changes[oldest - 1] if oldest else None)


class _Reached:
    """The newest state that had a time, by that time; times need not be in the order of the states."""

    def __init__(self, times: Iterable[float]) -> None:
        by_time = sorted((time, state) for state, time in enumerate(times, 1))
        self._times = [time for time, _ in by_time]
        self._states = [0, *accumulate((state for _, state in by_time), max)]

    def before(self, time: float) -> int:
        return self._states[bisect_left(self._times, time)]

    def by(self, time: float) -> int:
        return self._states[bisect_right(self._times, time)]


def violations(answers: Iterable[Answer], changes: Iterable[Change]) -> tuple[Violation, ...]:
    """Every answer that breaks I3, I4 or I5, those of I5 last."""
    recorded = tuple(answers)
    by_subject = defaultdict[Hashable, list[Change]](list)
    for change in changes:
        by_subject[change.subject].append(change)
    courses = {subject: _Course(its_changes) for subject, its_changes in by_subject.items()}
    unlisted = _Course(())
    judged = (courses.get(answer.subject, unlisted).judge(answer) for answer in recorded)
    return (*filter(None, judged), *_gone_down(recorded))


def _gone_down(answers: Sequence[Answer]) -> Iterator[Violation]:
    by_gateway = defaultdict[Hashable, list[Answer]](list)
    for answer in answers:
        by_gateway[answer.gateway].append(answer)
    for of_one in by_gateway.values():
        yield from _gone_down_at_one(sorted(of_one, key=attrgetter("start")))


def _gone_down_at_one(by_start: Iterable[Answer]) -> Iterator[Violation]:
    """Sweep by start; a call counts from its end on, when its version was surely named."""
    highest: Answer | None = None
    under_way: list[tuple[float, int, Answer]] = []
    for place, answer in enumerate(by_start):
        while under_way and under_way[0][0] < answer.start:
            ended = heapq.heappop(under_way)[2]
            if highest is None or ended.list_version > highest.list_version:
                highest = ended
        if highest is not None and answer.list_version < highest.list_version:
            yield Violation(Rule.I5, answer, highest)
        heapq.heappush(under_way, (answer.end, place, answer))
