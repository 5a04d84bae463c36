"""What a court can say: events and their bodies, as plain values.

Days are `restriction.calendar` days, times Unix seconds, sets of measures bit sets of `1 << Measure`.
What an event does is in `restriction.events`.
"""

from __future__ import annotations

from dataclasses import dataclass

from restriction.entry import Entry, Exemption, LiftGround, Link, Objection, Opaque
from restriction.identity import Identity
from restriction.states import EventType


@dataclass(frozen=True, slots=True, repr=False)
class Narrowing(Opaque):
    """Changes of one link or grant; `target` is its id. None leaves as it is."""

    target: str
    name: str | None = None
    documents: tuple[Identity, ...] | None = None
    start: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Correction(Opaque):
    """Body of CORRECT: names, documents, references, shorter dates. None leaves as it is."""

    version: int
    name: str | None = None
    former_names: tuple[str, ...] | None = None
    documents: tuple[Identity, ...] | None = None
    birth_day: int | None = None
    case_no: str | None = None
    basis_doc_no: str | None = None
    decision_no: str | None = None
    served_on: int | None = None
    risk_notice_on: int | None = None
    term_from: int | None = None
    term_until: int | None = None
    publishable: bool | None = None
    links: tuple[Narrowing, ...] = ()
    grants: tuple[Narrowing, ...] = ()


@dataclass(frozen=True, slots=True)
class EndExemption:
    """Body of END_EXEMPT."""

    exemption_id: str


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """Body of LINK_END: `until` is the first day on which the link no longer holds."""

    link_id: str
    until: int


@dataclass(frozen=True, slots=True)
class Lift:
    """Body of LIFT: why, and since which day the ground was there."""

    ground: LiftGround
    ground_on: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Body of RETAIN: measures that stay against the subject after a lift, until this day (四(二)5)."""

    measures: int
    until: int


Body = Entry | Correction | Exemption | EndExemption | Link | LinkEnd | Objection | Lift | Retention | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a court said. `body` fits `type`, and is None for SUSPEND, RESUME, REVOKE and PURGE."""

    event_id: str
    type: EventType
    issued_at: float
    effective_at: float
    issuer: str
    legal_basis: str
    entry_id: str
    body: Body = None
