"""A court of tests: entries and events about sandbox identities, lawful unless a test changes them.

`NOW` is noon of 15 May 2026 in Shanghai, a fortnight after the entries of this court begin.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from stdnum.iso7064 import mod_11_2

from restriction.calendar import SHANGHAI, Span, day_from_date
from restriction.entry import (
    SUBJECT,
    Entry,
    Exemption,
    ExemptionReason,
    Kind,
    LiftGround,
    Link,
    Objection,
    ObjectionKind,
    Subject,
)
from restriction.events import Batch, EntryState
from restriction.identity import DocumentType, Identity
from restriction.lawful import measures_in
from restriction.measures import Measure, Role
from restriction.statements import Body, Correction, EndExemption, Event, Lift, LinkEnd, Retention
from restriction.states import EventType, Phase
from restriction.token import TokenKeys

KEYS: Final = TokenKeys.expand("test", bytes(range(32)))
COURT: Final = "4408"
UPPER_COURT: Final = "44"
LOWER_COURT: Final = "440802"
OTHER_COURT: Final = "4401"
TRAVEL: Final = measures_in((Measure.AIR, Measure.RAIL))


def day(text: str) -> int:
    """Day number of an ISO date."""
    return day_from_date(dt.date.fromisoformat(text))


def instant(text: str) -> int:
    """Unix seconds of an ISO time in Shanghai."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp())


NOW: Final = instant("2026-05-15T12:00:00")
TODAY: Final = day("2026-05-15")
BATCH: Final = Batch("batch-1", NOW)


def number(sequence: int, born: str = "19800101") -> str:
    """A sandbox resident number with a right check digit."""
    body = f"010101{born}{sequence:03d}"
    return body + mod_11_2.calc_check_digit(body)


def resident(sequence: int, born: str = "19800101") -> Identity:
    """A sandbox person."""
    return Identity(DocumentType.RESIDENT_ID, number(sequence, born))


def company(sequence: int = 1) -> Identity:
    """A unit, canonical; its check digit is of no matter here."""
    return Identity(DocumentType.UNIFIED_SOCIAL_CREDIT_CODE, f"910000000{sequence:09d}")


def link(link_id: str = "l1", **changes: Any) -> Link:
    """A legal representative, linked for as long as the entry lasts."""
    known = Link(link_id, Role.LEGAL_REPRESENTATIVE, "样本代表", (resident(700),), Span(day("2026-05-01")), "b-1")
    return replace(known, **changes)


def entry(**changes: Any) -> Entry:
    """A person listed from 1 May 2026 to 1 May 2027."""
    person = Entry(
        entry_id="n-1",
        version=1,
        subject=Subject(Kind.PERSON, ("样本一",), (resident(1),)),
        court=COURT,
        case_no="(2026)粤08执1号",
        basis_doc_no="(2025)粤08民终1号",
        ground=1,
        decision_no="(2026)粤08执1号之一",
        decided_on=day("2026-04-20"),
        served_on=day("2026-04-22"),
        risk_notice_on=day("2026-04-01"),
        term=Span(day("2026-05-01"), day("2027-05-01")),
        publishable=True,
    )
    return replace(person, **changes)


def unit_entry(**changes: Any) -> Entry:
    """A unit with one link."""
    unit = entry(subject=Subject(Kind.UNIT, ("样本公司",), (company(),)), links=(link(),))
    return replace(unit, **changes)


def exemption(**changes: Any) -> Exemption:
    """A funeral, 20 to 25 May 2026."""
    span = Span(day("2026-05-20"), day("2026-05-25"))
    return replace(Exemption("x-1", SUBJECT, TRAVEL, span, ExemptionReason.FUNERAL, "judge"), **changes)


BODIES: Final[Mapping[EventType, Body]] = {
    EventType.LIST: unit_entry(),
    EventType.CORRECT: Correction(version=2, case_no="(2026)粤08执2号"),
    EventType.LINK_ADD: link("l2", documents=(resident(701),)),
    EventType.OBJECT: Objection(ObjectionKind.OBJECTION, day("2026-05-10")),
    EventType.EXEMPT: exemption(),
    EventType.END_EXEMPT: EndExemption("x-0"),
    EventType.LINK_END: LinkEnd("l1", day("2026-05-15")),
    EventType.SUSPEND: None,
    EventType.RESUME: None,
    EventType.LIFT: Lift(LiftGround.PERFORMED, day("2026-05-14")),
    EventType.REVOKE: None,
    EventType.RETAIN: Retention(measures_in([Measure.BUILD]), day("2026-12-31")),
    EventType.PURGE: None,
}


def event(kind: EventType, body: Body = None, **changes: Any) -> Event:
    """An event of this court, in effect since this morning, with the body that `BODIES` has for it unless given."""
    this_morning = instant("2026-05-15T09:00:00")
    said = Event("e-1", kind, this_morning, this_morning, COURT, "法释〔2017〕7号", "n-1", body or BODIES[kind])
    return replace(said, **changes)


def held(phase: Phase = Phase.LISTED, of: Entry | None = None, **changes: Any) -> EntryState:
    """An entry as the book holds it, started on 1 May 2026."""
    known = of or unit_entry(exemptions=(exemption(exemption_id="x-0"),))
    return replace(EntryState(phase, known, known.court, instant("2026-05-01T00:00:00")), **changes)


# --- the same court's intake lines -----------------------------------------------------------------------------------

Json = dict[str, Any]
NAME: Final = "样本一"
NUMBER: Final = number(1)


def head(kind: str, event_id: str = "e-1", /, **rest: Any) -> Json:
    """What every line has, in effect since this morning."""
    at = "2026-05-15T09:00:00+08:00"
    said = {"event_id": event_id, "type": kind, "issued_at": at, "effective_at": at, "issuer": COURT}
    return said | {"legal_basis": "法释〔2017〕7号"} | rest


def list_line(sequence: int = 1, **entry_changes: Any) -> Json:
    """A LIST line about the person with this sequence number, entry `n-<sequence>`."""
    listed = {
        "entry_id": f"n-{sequence}",
        "version": 1,
        "subject": {
            "kind": "PERSON",
            "name": NAME,
            "former_names": [],
            "documents": [{"type": "RESIDENT_ID", "number": number(sequence)}],
        },
        "court": COURT,
        "case_no": "(2026)粤08执1号",
        "basis_doc_no": "(2025)粤08民终1号",
        "ground": 1,
        "decision_no": "(2026)粤08执1号之一",
        "decided_at": "2026-04-20",
        "served_at": "2026-04-22",
        "risk_notice_at": "2026-04-01",
        "term_from": "2026-05-01",
        "term_until": None,
        "publishable": True,
        "links": [],
        "grants": [],
    }
    return head("LIST", f"list-{sequence}", entry=listed | entry_changes)


def lift_line(sequence: int = 1, **rest: Any) -> Json:
    """The LIFT of that entry."""
    body = {"entry_id": f"n-{sequence}", "ground": "PERFORMED", "ground_at": "2026-05-14"}
    return head("LIFT", f"lift-{sequence}", **body | rest)


def retain_line(sequence: int = 1, **rest: Any) -> Json:
    """A RETAIN of that entry: lodging until the end of the year."""
    body = {"entry_id": f"n-{sequence}", "measures": ["LODGE"], "until": "2026-12-31"}
    return head("RETAIN", f"retain-{sequence}", **body | rest)


def exempt_line(sequence: int = 1, **changes: Any) -> Json:
    """A funeral, 20 to 25 May 2026."""
    body = {
        "id": "x-1",
        "holder": "subject",
        "measures": ["AIR", "RAIL"],
        "from": "2026-05-20",
        "until": "2026-05-25",
        "reason_code": "FUNERAL",
        "approved_by": "judge",
    }
    return head("EXEMPT", f"exempt-{sequence}", entry_id=f"n-{sequence}", exemption=body | changes)
