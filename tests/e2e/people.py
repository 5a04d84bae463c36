"""The people of the worked examples, as intake lines for a list that is loaded today."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from restriction.calendar import SHANGHAI
from sandbox import documents

_FIRST = 3 * 10**9 + 10_000  # beyond the fixed identities and the probes of the load tests
NAME = "样本人"
P, L, EXEMPT, LIFTED, EDU, CHILD, GRANDMOTHER, COMPANION, FORMER, EVERYTHING = (
    documents.resident(_FIRST + place) for place in range(10)
)
UNIT = documents.credit_code(_FIRST)
BASIS = "法释〔2017〕7号 art. 1"
MEASURES = (
    "RAIL", "AIR", "LODGE", "VENUE", "TOUR_OUT", "RESORT_CAP", "EDU", "INS", "BUILD", "VEHICLE", "PROP_ACQ", "PROP_DEV",
    "STATE_EQ",
)  # fmt: skip


def today() -> dt.date:
    """The court's calendar day."""
    return dt.datetime.now(SHANGHAI).date()  # noqa: TID251 - end-to-end runs on the real clock


def day(date: dt.date, days: int) -> str:
    return (date + dt.timedelta(days)).isoformat()


def event(kind: str, name: str, date: dt.date, **more: Any) -> str:
    """One intake line, in effect since yesterday."""
    at = f"{day(date, -1)}T09:00:00+08:00"
    line = {
        "event_id": f"{kind}-{name}", "type": kind, "issued_at": at, "effective_at": at, "issuer": "4408",
        "legal_basis": BASIS, **more,
    }  # fmt: skip
    return json.dumps(line, ensure_ascii=False)


def listing(name: str, paper: documents.Paper, date: dt.date, **more: Any) -> str:
    """A LIST line for this holder; what is left out is usual."""
    kind = "UNIT" if paper.type == "UNIFIED_SOCIAL_CREDIT_CODE" else "PERSON"
    entry = {
        "entry_id": f"e2e-{name}", "version": 1,
        "subject": {
            "kind": kind, "name": NAME, "former_names": [],
            "documents": [{"type": paper.type, "number": paper.number}],
        },
        "court": "4408", "case_no": "(2026)粤08执1号", "basis_doc_no": "(2025)粤08民终1号", "ground": 1,
        "decision_no": "(2026)粤08执1号之一", "decided_at": day(date, -40), "served_at": day(date, -38),
        "risk_notice_at": day(date, -60), "term_from": day(date, -30), "term_until": None, "publishable": True,
        "links": [], "grants": [], **more,
    }  # fmt: skip
    return event("LIST", name, date, entry=entry)


def lift(name: str, date: dt.date) -> str:
    """A LIFT line for such an entry."""
    return event("LIFT", name, date, entry_id=f"e2e-{name}", ground="PERFORMED", ground_at=day(date, -1))


def grant(measure: str, date: dt.date) -> Mapping[str, Any]:
    return {
        "grant_id": measure, "measure": measure, "holder": "subject", "from": day(date, -30), "until": None,
        "explicit": True,
    }  # fmt: skip


def link(paper: documents.Paper, name: str, date: dt.date) -> Mapping[str, Any]:
    return {
        "link_id": f"l-{name}", "role": "LEGAL_REPRESENTATIVE", "name": NAME, "from": day(date, -30), "until": None,
        "basis_no": "b", "documents": [{"type": paper.type, "number": paper.number}],
    }  # fmt: skip


def lines(date: dt.date) -> Iterator[str]:
    """Everybody's lines. P is a listed person by default grants; L and FORMER represent the listed UNIT."""
    yield listing("p", P, date)
    yield listing("unit", UNIT, date, links=[link(L, "l", date), link(FORMER, "former", date)])
    yield listing("exempt", EXEMPT, date)
    exemption = {
        "id": "x-1", "holder": "subject", "measures": ["AIR", "RAIL"], "from": day(date, 2), "until": day(date, 10),
        "reason_code": "FUNERAL", "approved_by": "4408",
    }  # fmt: skip
    yield event("EXEMPT", "exempt", date, entry_id="e2e-exempt", exemption=exemption)
    yield listing("lifted", LIFTED, date)
    yield lift("lifted", date)
    yield listing("edu", EDU, date, grants=[grant("EDU", date)])
    yield listing("everything", EVERYTHING, date, grants=[grant(measure, date) for measure in MEASURES])
