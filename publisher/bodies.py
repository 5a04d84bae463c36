"""How the book keeps an entry: one JSON document that says the whole state.

It holds names and numbers and never leaves the book.
`decode(encode(state)) == state` for every state.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from restriction.calendar import Span
from restriction.entry import (
    Entry,
    Exemption,
    ExemptionReason,
    Grant,
    Kind,
    LiftGround,
    Link,
    Objection,
    ObjectionKind,
    Subject,
)
from restriction.events import EntryState
from restriction.identity import DocumentType, Identity
from restriction.measures import Measure, Role
from restriction.statements import Lift, Retention
from restriction.states import Phase

_Json = dict[str, Any]  # what `encode` wrote; the book alone writes here
_PLAIN: Final = (
    "entry_id", "version", "court", "case_no", "basis_doc_no", "ground", "decision_no", "decided_on", "served_on",
    "risk_notice_on", "publishable",
)  # fmt: skip


def encode(state: EntryState) -> bytes:
    """The document of a state."""
    return orjson.dumps(state)


def decode(raw: bytes) -> EntryState:
    """The state of a document that `encode` wrote."""
    state: _Json = orjson.loads(raw)
    return EntryState(
        phase=Phase(state["phase"]),
        entry=_entry(state["entry"]) if state["entry"] else None,
        court=state["court"],
        starts_at=state["starts_at"],
        lift=Lift(LiftGround(state["lift"]["ground"]), state["lift"]["ground_on"]) if state["lift"] else None,
        lifted_in=state["lifted_in"],
        retention=Retention(**state["retention"]) if state["retention"] else None,
    )


def _entry(raw: _Json) -> Entry:
    return Entry(
        **{key: raw[key] for key in _PLAIN},
        subject=_subject(raw["subject"]),
        term=Span(**raw["term"]),
        links=tuple(map(_link, raw["links"])),
        grants=tuple(map(_grant, raw["grants"])),
        exemptions=tuple(map(_exemption, raw["exemptions"])),
        objections=tuple(map(_objection, raw["objections"])),
    )


def _subject(raw: _Json) -> Subject:
    return Subject(Kind(raw["kind"]), tuple(raw["names"]), _documents(raw["documents"]), raw["birth_day"])


def _documents(raw: list[_Json]) -> tuple[Identity, ...]:
    return tuple(Identity(DocumentType(one["type"]), one["number"], one["weak"]) for one in raw)


def _link(raw: _Json) -> Link:
    documents = _documents(raw["documents"])
    return Link(raw["link_id"], Role(raw["role"]), raw["name"], documents, Span(**raw["span"]), raw["basis_no"])


def _grant(raw: _Json) -> Grant:
    return Grant(raw["grant_id"], Measure(raw["measure"]), raw["holder"], Span(**raw["span"]), raw["explicit"])


def _exemption(raw: _Json) -> Exemption:
    return Exemption(**raw | {"span": Span(**raw["span"]), "reason": ExemptionReason(raw["reason"])})


def _objection(raw: _Json) -> Objection:
    return Objection(ObjectionKind(raw["kind"]), raw["filed_on"], raw["outcome"])
