"""People whose answers cannot be taken for each other's, on a list in a store.

Everybody has the same name, so that only document and record tell one from another: whoever gets another's record
would be answered by it, were it not for the defences that a storm tests.
A listed person is restricted by a court that restricts nobody else, so an answer says whose record it was made from.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gateway.access import Unit
from gateway.question import Question
from gateway.views import View
from liststore.base import PARTITIONS, Announcement, Generation, Head, ListWriter
from restriction.calendar import Span, day_of
from restriction.change import Digest, ListId, ListState
from restriction.decision import ABOUT_US, Decision, Outcome
from restriction.filter import FilterStamp, ListFilter
from restriction.identity import Document, DocumentType, Identity, Mode, normalise
from restriction.measures import Measure, Sector
from restriction.name import canonical_name
from restriction.parameters import Court, CourtLevel, Parameters
from restriction.products import Lodging, RatingStatus
from restriction.record import Grant, Part, Record, encode
from restriction.token import TokenKeys
from sandbox import documents

KEYS: Final = TokenKeys.expand("storm", bytes(range(32)))
NAME: Final = "沙盒同名"
HOTEL: Final = Unit("storm-hotel", Sector.HOTEL, Mode.SANDBOX, "")
SALE: Final = Lodging(4, RatingStatus.IN_FORCE, "H-1", emergency=False)
FIRST_COURT: Final = 100_000
_FIRST_INDEX: Final = 5 * 10**9  # beyond the samples and the fixed identities
_LIST: Final = ListId("storm", "sandbox", 1)
_GENERATION: Final = 1
_ERROR_RATE: Final = 0.001  # of no account: everybody who is asked about is in the filter
_LODGE: Final = 1 << Measure.LODGE


class Worth(StrEnum):
    """What an answer is worth that says something."""

    RIGHT = "right"
    UNFIT = "undetermined about us"
    CROSSED = "another's"
    CLEARED = "cleared though listed"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is possibly present: on the list, or in its filter alone."""

    place: int
    is_listed: bool
    question: Question
    token: bytes

    @property
    def court(self) -> int:
        """The court that restricts this person alone."""
        return FIRST_COURT + self.place

    @property
    def court_name(self) -> str:
        """What notices call that court."""
        return f"法院{self.court}号"

    def worth(self, decision: Decision) -> Worth:
        """Whether the decision was made from this person's record."""
        if decision.reason in ABOUT_US:
            return Worth.UNFIT
        if self.is_listed and decision.outcome is Outcome.NOT_RESTRICTED:
            return Worth.CLEARED
        expected = (Outcome.RESTRICTED, (self.court,)) if self.is_listed else (Outcome.NOT_RESTRICTED, ())
        return Worth.RIGHT if (decision.outcome, decision.courts) == expected else Worth.CROSSED


@dataclass(frozen=True)  # without slots, since the view is made once
class People:
    """The people of one list, its keys and the time (Unix seconds) at which it is asked."""

    persons: Sequence[Person]
    keys: TokenKeys
    now_s: int

    @classmethod
    def of(cls, keys: TokenKeys, now_s: int, listed: int, others: int) -> People:
        """So many listed persons, and others who are in the filter alone."""
        return cls([_person(place, keys, now_s, listed) for place in range(listed + others)], keys, now_s)

    @property
    def prints(self) -> dict[bytes, bytes]:
        """Everybody's fingerprint, by token."""
        return {each.token: self.keys.fingerprint(self._identity(each)) for each in self.persons}

    @property
    def parameters(self) -> Parameters:
        """Parameters that know everybody's court."""
        return replace(Parameters(), version=1, authority="storm", courts={p.court: _court(p) for p in self.persons})

    async def put(self, writer: ListWriter) -> None:
        """Load and announce the list."""
        records = self._records()
        await writer.put_parameters(self.parameters.to_bytes())
        announcement = self._announcement(records)
        for partition in range(PARTITIONS):
            held = {token: record for token, record in records.items() if token[0] == partition}
            head = Head(_GENERATION, _LIST.epoch, 1, self.now_s, self.keys.key_id, self._digest(held))
            await writer.load(announcement.generation, partition, held, head)
        await writer.announce(announcement, [])

    def current(self) -> View:
        """The list in service (see `Views`), with a filter in which everybody is possibly present."""
        return self._view

    @functools.cached_property
    def _view(self) -> View:
        stamp = FilterStamp(_GENERATION, 1, self.keys.key_id)
        possible = ListFilter.empty(2 * len(self.persons), _ERROR_RATE, stamp)
        possible.add_all(person.token for person in self.persons)
        return View(self._announcement(self._records()), self.keys, self.parameters, possible, born_s=0.0)

    def _records(self) -> dict[bytes, bytes]:
        return {each.token: self._record(each) for each in self.persons if each.is_listed}

    def _announcement(self, records: dict[bytes, bytes]) -> Announcement:
        state = ListState(_LIST, 1, self._digest(records), len(records), self.keys.key_id)
        return Announcement(Generation(_GENERATION, 0, self.keys.key_id), state, self.now_s)

    def _digest(self, records: dict[bytes, bytes]) -> bytes:
        digest = Digest(self.keys.digest_key)
        for token, record in records.items():
            digest.add(token, record)
        return digest.value

    def _identity(self, person: Person) -> Identity:
        return normalise(person.question.document, Mode.SANDBOX, day_of(self.now_s))

    def _record(self, person: Person) -> bytes:
        span = Span(day_of(self.now_s) - 100, day_of(self.now_s) + 100)
        part = Part(
            entry_ref=person.place.to_bytes(8, "big"), court=person.court, starts_at=self.now_s - 86_400, ends_at=None,
            until_day=None, names=(self.keys.name(canonical_name(NAME)),), grants=(Grant(_LODGE, _LODGE, span),),
        )  # fmt: skip
        return encode(Record(self.keys.fingerprint(self._identity(person)), (part,)))


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a process needs to know to make the same people as another.

    `others`: who is in the filter alone. `is_sparse`: one listed person in each partition instead, and so in each
    bucket.
    """

    now_s: int
    listed: int
    others: int
    is_sparse: bool = False

    def people(self) -> People:
        """These people, under `KEYS`."""
        if not self.is_sparse:
            return People.of(KEYS, self.now_s, self.listed, self.others)
        by_partition: dict[int, Person] = {}
        for place in itertools.takewhile(lambda _: len(by_partition) < PARTITIONS, itertools.count()):
            person = _person(place, KEYS, self.now_s, place + 1)
            by_partition.setdefault(person.token[0], person)
        return People(list(by_partition.values()), KEYS, self.now_s)


def _person(place: int, keys: TokenKeys, now_s: int, listed: int) -> Person:
    document = Document(DocumentType.RESIDENT_ID, documents.resident(_FIRST_INDEX + place).number)
    question = Question(f"storm-{place}", document, NAME, SALE, day_of(now_s), "storm")
    return Person(place, place < listed, question, keys.token(normalise(document, Mode.SANDBOX, day_of(now_s))))


def _court(person: Person) -> Court:
    code = str(person.court)
    return Court(person.court, person.court_name, f"Court {code}", f"000-{code}", CourtLevel.BASIC, city=True)
