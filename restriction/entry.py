"""The court's own view of one listing: an entry, its subject, links, grants, exemptions and objections.

Only the court's side (`publisher`) holds these values; what leaves it are the tokens of `restriction.parts`.
Names and documents are canonical (`restriction.name`, `restriction.identity`), days are `restriction.calendar` days.
Every type that holds a name or a document number has an opaque repr.
What an entry may say is judged in `restriction.lawful`, what may happen to it in `restriction.events`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from restriction.calendar import Span
from restriction.identity import Identity
from restriction.measures import Measure, Role

SUBJECT: Final = "subject"
LINK_PREFIX: Final = "link:"


class Opaque:
    """Base of values that hold a name or a document number: their repr says only what they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Kind(enum.StrEnum):
    """What a subject is."""

    PERSON = "PERSON"
    UNIT = "UNIT"


class ExemptionReason(enum.StrEnum):
    """Why a court exempts. The first five are urgent travel; the last is for linked persons' own money."""

    ILLNESS = "ILLNESS"
    FUNERAL = "FUNERAL"
    OFFICIAL_DUTY = "OFFICIAL_DUTY"
    EXAM = "EXAM"
    FOREIGN_AFFAIRS = "FOREIGN_AFFAIRS"
    NECESSARY = "NECESSARY"
    PRIVATE_FUNDS = "PRIVATE_FUNDS"


class ObjectionKind(enum.StrEnum):
    """A request to the court that listed (四(二)3), or to the one above."""

    OBJECTION = "OBJECTION"
    RECONSIDERATION = "RECONSIDERATION"


class LiftGround(enum.StrEnum):
    """Why an entry is lifted."""

    PERFORMED = "PERFORMED"
    SETTLED = "SETTLED"
    APPLICANT_REQUEST = "APPLICANT_REQUEST"
    NO_ASSETS = "NO_ASSETS"
    STAYED = "STAYED"
    NOT_ENFORCEABLE = "NOT_ENFORCEABLE"
    CLOSED = "CLOSED"
    TERM_ENDED = "TERM_ENDED"


@dataclass(frozen=True, slots=True, repr=False)
class Subject(Opaque):
    """The listed debtor. `names`: the present one, then former ones. `birth_day`: as stated by the court."""

    kind: Kind
    names: tuple[str, ...]
    documents: tuple[Identity, ...]
    birth_day: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Link(Opaque):
    """A natural person linked to a unit debtor by the court, over `span`."""

    link_id: str
    role: Role
    name: str
    documents: tuple[Identity, ...]
    span: Span
    basis_no: str

    @property
    def holder(self) -> str:
        """How grants and exemptions name this person."""
        return LINK_PREFIX + self.link_id


@dataclass(frozen=True, slots=True)
class Grant:
    """One measure against one holder over service dates in `span`."""

    grant_id: str
    measure: Measure
    holder: str
    span: Span
    explicit: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Exemption(Opaque):
    """Measures a court released for one holder over service dates in `span`. `measures`: bit set of `1 << Measure`."""

    exemption_id: str
    holder: str
    measures: int
    span: Span
    reason: ExemptionReason
    approved_by: str


@dataclass(frozen=True, slots=True)
class Objection:
    """An objection suspends nothing; it is clocked. `outcome` is empty while open."""

    kind: ObjectionKind
    filed_on: int
    outcome: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Entry(Opaque):
    """One court decision against one debtor. `court` is the court's code, `ground` 1-6, `term.until` None is open."""

    entry_id: str
    version: int
    subject: Subject
    court: str
    case_no: str
    basis_doc_no: str
    ground: int
    decision_no: str
    decided_on: int
    served_on: int
    risk_notice_on: int
    term: Span
    publishable: bool
    links: tuple[Link, ...] = ()
    grants: tuple[Grant, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    objections: tuple[Objection, ...] = ()

    def link(self, link_id: str) -> Link | None:
        """The link of this id."""
        return next((link for link in self.links if link.link_id == link_id), None)

    def holds(self, holder: str) -> bool:
        """Whether this holder is the subject or one of the links."""
        return holder == SUBJECT or any(link.holder == holder for link in self.links)


def born(documents: tuple[Identity, ...]) -> int | None:
    """The first day of birth that a document carries."""
    return next((day for document in documents if (day := document.birth_day) is not None), None)
