"""Intake lines that must be refused, each with the field and the reason that its report row names."""

from __future__ import annotations

import copy
from typing import Any, Final

import orjson

from publisher.lines import MAX_LINE_BYTES
from tests.fakes.court import NAME, NUMBER, Json, exempt_line, head, lift_line, list_line, number, retain_line

Where = tuple[str | int, ...]


def changed(line: Json, where: Where, value: object) -> Json:
    """The line with one value set."""
    copied = copy.deepcopy(line)
    target: Any = copied
    for step in where[:-1]:
        target = target[step]
    target[where[-1]] = value
    return copied


def without(line: Json, *where: str | int) -> Json:
    """The line with one key taken out."""
    copied = copy.deepcopy(line)
    target: Any = copied
    for step in where[:-1]:
        target = target[step]
    del target[where[-1]]
    return copied


def entry_with(key: str, value: object) -> Json:
    """A LIST line with one key of its entry set."""
    return changed(list_line(), ("entry", key), value)


def subject_with(key: str, value: object) -> Json:
    """A LIST line with one key of its subject set."""
    return changed(list_line(), ("entry", "subject", key), value)


def document_with(key: str, value: object) -> Json:
    """A LIST line with one key of its document set."""
    return changed(list_line(), ("entry", "subject", "documents", 0, key), value)


def grant_with(key: str, value: object) -> Json:
    """A LIST line with one written grant, one key of it set."""
    known = {"grant_id": "g1", "measure": "AIR", "holder": "subject", "from": "2026-05-01", "until": None}
    return entry_with("grants", [known | {"explicit": True} | {key: value}])


def link_with(key: str, value: object) -> Json:
    """A LINK_ADD line with one key of the link set."""
    known = {
        "link_id": "l1", "role": "PRINCIPAL", "name": "样本代表", "from": "2026-05-01", "until": None, "basis_no": "b",
        "documents": [{"type": "RESIDENT_ID", "number": number(700)}],
    }  # fmt: skip
    return head("LINK_ADD", entry_id="n-1", link=known | {key: value})


def correct_with(changes: object, version: object = 2) -> Json:
    """A CORRECT line."""
    return head("CORRECT", entry_id="n-1", version=version, changes=changes)


def raw(line: Json) -> bytes:
    """The bytes of a line."""
    return orjson.dumps(line)


_DIGIT: Final = str((int(NUMBER[-2]) + 1) % 10)
_WRONG_CHECK: Final = NUMBER[:-2] + _DIGIT + NUMBER[-1]
_LIVE: Final = "11010519491231002X"  # the specimen of the standard, a live number
_DOCUMENT: Final = "entry.subject.documents[0]"

BAD_LINES: Final[dict[str, tuple[bytes, str, str]]] = {
    # the line itself
    "empty": (b"", "line", "EMPTY"),
    "blank": (b"   ", "line", "EMPTY"),
    "no JSON": (b'{"event_id":', "line", "NOT_JSON"),
    "two objects": (b"{}{}", "line", "NOT_JSON"),
    "not UTF-8": (raw(list_line()).replace(NAME.encode(), NAME.encode("gbk")), "line", "NOT_UTF8"),
    "a list": (b"[]", "line", "NOT_AN_OBJECT"),
    "a number": (NUMBER.encode(), "line", "NOT_JSON"),
    "not a number": (b'{"event_id":NaN}', "line", "NOT_JSON"),
    "too long": (raw(entry_with("case_no", "x" * MAX_LINE_BYTES)), "line", "TOO_LONG"),
    "far too long": (b"9" * (3 * MAX_LINE_BYTES), "line", "TOO_LONG"),
    # the head
    "no event id": (raw(without(list_line(), "event_id")), "event_id", "MISSING"),
    "event id is a number": (raw(changed(list_line(), ("event_id",), 7)), "event_id", "NOT_TEXT"),
    "event id has spaces": (raw(changed(list_line(), ("event_id",), "e 1")), "event_id", "MALFORMED"),
    "event id too long": (raw(changed(list_line(), ("event_id",), "e" * 65)), "event_id", "MALFORMED"),
    "event id is a document number": (
        raw(changed(list_line(), ("event_id",), f"e-{NUMBER}")), "event_id", "LOOKS_LIKE_A_NUMBER",
    ),
    "no type": (raw(without(list_line(), "type")), "type", "MISSING"),
    "unknown type": (raw(changed(list_line(), ("type",), "DELIST")), "type", "UNKNOWN"),
    "no issued_at": (raw(without(lift_line(), "issued_at")), "issued_at", "MISSING"),
    "a time without offset": (
        raw(changed(lift_line(), ("effective_at",), "2026-05-15T09:00:00")), "effective_at", "MALFORMED",
    ),
    "a date for a time": (raw(changed(lift_line(), ("effective_at",), "2026-05-15")), "effective_at", "MALFORMED"),
    "an impossible time": (
        raw(changed(lift_line(), ("effective_at",), "2026-05-15T25:00:00Z")), "effective_at", "MALFORMED",
    ),
    "no issuer": (raw(without(lift_line(), "issuer")), "issuer", "MISSING"),
    "issuer is a name": (raw(changed(lift_line(), ("issuer",), "湛江中院")), "issuer", "MALFORMED"),
    "blank legal basis": (raw(changed(lift_line(), ("legal_basis",), "  ")), "legal_basis", "MISSING"),
    "legal basis too long": (raw(changed(lift_line(), ("legal_basis",), "法" * 201)), "legal_basis", "TOO_LONG"),
    "unknown key": (raw(lift_line() | {"amount": 1}), "amount", "UNKNOWN_KEY"),
    "a key of another type": (raw(lift_line() | {"until": "2026-12-31"}), "until", "UNKNOWN_KEY"),
    "a number as key": (raw(lift_line() | {NUMBER: 1}), "(unreadable key)", "UNKNOWN_KEY"),
    "no entry id": (raw(without(lift_line(), "entry_id")), "entry_id", "MISSING"),
    # the entry
    "no entry": (raw(without(list_line(), "entry")), "entry", "NOT_AN_OBJECT"),
    "entry is a list": (raw(changed(list_line(), ("entry",), [])), "entry", "NOT_AN_OBJECT"),
    "amount of the debt": (raw(entry_with("amount", 5)), "entry.amount", "UNKNOWN_KEY"),
    "version zero": (raw(entry_with("version", 0)), "entry.version", "OUT_OF_RANGE"),
    "version is text": (raw(entry_with("version", "1")), "entry.version", "NOT_A_NUMBER"),
    "ground seven": (raw(entry_with("ground", 7)), "entry.ground", "OUT_OF_RANGE"),
    "no ground": (raw(without(list_line(), "entry", "ground")), "entry.ground", "MISSING"),
    "court with a letter": (raw(entry_with("court", "44a")), "entry.court", "MALFORMED"),
    "no decision": (raw(without(list_line(), "entry", "decision_no")), "entry.decision_no", "MISSING"),
    "no service": (raw(without(list_line(), "entry", "served_at")), "entry.served_at", "MISSING"),
    "no risk notice": (raw(without(list_line(), "entry", "risk_notice_at")), "entry.risk_notice_at", "MISSING"),
    "a date with slashes": (raw(entry_with("decided_at", "2026/04/20")), "entry.decided_at", "MALFORMED"),
    "30 February": (raw(entry_with("decided_at", "2026-02-30")), "entry.decided_at", "MALFORMED"),
    "a date of a past age": (raw(entry_with("decided_at", "1949-10-01")), "entry.decided_at", "OUT_OF_RANGE"),
    "publishable is text": (raw(entry_with("publishable", "yes")), "entry.publishable", "NOT_A_FLAG"),
    "no word on publishing": (raw(without(list_line(), "entry", "publishable")), "entry.publishable", "MISSING"),
    "links is an object": (raw(entry_with("links", {})), "entry.links", "NOT_A_LIST"),
    "too many links": (raw(entry_with("links", [1] * 1001)), "entry.links", "TOO_MANY"),
    "open term under ground 2": (raw(entry_with("ground", 2)), "entry.term_until", "MISSING"),
    "notice after decision": (
        raw(entry_with("risk_notice_at", "2026-04-21")), "entry.risk_notice_at", "AFTER_DECISION",
    ),
    # the subject
    "no subject": (raw(without(list_line(), "entry", "subject")), "entry.subject", "NOT_AN_OBJECT"),
    "kind unknown": (raw(subject_with("kind", "FIRM")), "entry.subject.kind", "UNKNOWN"),
    "no name": (raw(subject_with("name", "")), "entry.subject.name", "MISSING"),
    "masked name": (raw(subject_with("name", "样*")), "entry.subject.name", "MASKED"),
    "former name is a number": (raw(subject_with("former_names", [3])), "entry.subject.former_names[0]", "NOT_TEXT"),
    "masked former name": (raw(subject_with("former_names", ["样＊"])), "entry.subject.former_names[0]", "MASKED"),
    "sex": (raw(subject_with("sex", "男")), "entry.subject.sex", "UNKNOWN_KEY"),
    "no documents": (raw(subject_with("documents", [])), "entry.subject.documents", "MISSING"),
    "birth date of tomorrow's century": (
        raw(subject_with("birth_date", "2199-01-01")), "entry.subject.birth_date", "OUT_OF_RANGE",
    ),
    "under 18": (raw(document_with("number", number(3, "20100101"))), "entry.subject", "UNDER_18"),
    # documents
    "document type unknown": (raw(document_with("type", "ID_CARD")), f"{_DOCUMENT}.type", "UNKNOWN"),
    "masked number": (raw(document_with("number", NUMBER[:6] + "****")), f"{_DOCUMENT}.number", "MASKED"),
    "wrong check digit": (raw(document_with("number", _WRONG_CHECK)), f"{_DOCUMENT}.number", "CHECK_DIGIT"),
    "number is a number": (raw(document_with("number", 440102)), f"{_DOCUMENT}.number", "NOT_TEXT"),
    "number too long": (raw(document_with("number", "1" * 65)), f"{_DOCUMENT}.number", "TOO_LONG"),
    "a live number in the sandbox": (raw(document_with("number", _LIVE)), f"{_DOCUMENT}.number", "SANDBOX_ONLY"),
    "country of a resident": (
        raw(document_with("issuing_country", "CHN")), f"{_DOCUMENT}.issuing_country", "NOT_APPLICABLE",
    ),
    "passport of nowhere": (raw(document_with("type", "PASSPORT")), f"{_DOCUMENT}.issuing_country", "MISSING"),
    "a company's document for a person": (
        raw(document_with("type", "UNIFIED_SOCIAL_CREDIT_CODE")), f"{_DOCUMENT}.number", "CHECK_DIGIT",
    ),
    # grants
    "unknown measure": (raw(grant_with("measure", "TRAM")), "entry.grants[0].measure", "UNKNOWN"),
    "grant of nobody": (raw(grant_with("holder", "debtor")), "entry.grants[0].holder", "MALFORMED"),
    "grant of an unknown link": (raw(grant_with("holder", "link:l9")), "entry.grants[0].holder", "UNKNOWN_HOLDER"),
    "grant that ends first": (raw(grant_with("until", "2026-05-01")), "entry.grants[0].until", "NOT_AFTER_START"),
    "explicit is text": (raw(grant_with("explicit", "no")), "entry.grants[0].explicit", "NOT_A_FLAG"),
    # links, exemptions, lifts, corrections
    "link role of a shareholder": (raw(link_with("role", "SHAREHOLDER")), "link.role", "UNKNOWN"),
    "link role of the debtor": (raw(link_with("role", "SUBJECT")), "link.role", "UNKNOWN"),
    "link without basis": (raw(link_with("basis_no", None)), "link.basis_no", "MISSING"),
    "exemption without end": (raw(exempt_line(until=None)), "exemption.until", "MISSING"),
    "exemption of nothing": (raw(exempt_line(measures=[])), "exemption.measures", "MISSING"),
    "exemption for a holiday": (raw(exempt_line(reason_code="HOLIDAY")), "exemption.reason_code", "UNKNOWN"),
    "exemption by nobody": (raw(exempt_line(approved_by="")), "exemption.approved_by", "MISSING"),
    "lift ground unknown": (raw(lift_line(ground="MERCY")), "ground", "UNKNOWN"),
    "lift without day": (raw(lift_line(ground_at=None)), "ground_at", "MISSING"),
    "retain without end": (raw(retain_line(until=None)), "until", "MISSING"),
    "retain unknown measure": (raw(retain_line(measures=["ALL"])), "measures[0]", "UNKNOWN"),
    "objection of a kind": (raw(head("OBJECT", entry_id="n-1", kind="PLEA", filed_at="2026-05-01")), "kind", "UNKNOWN"),
    "link end without day": (raw(head("LINK_END", entry_id="n-1", link_id="l1")), "until", "MISSING"),
    "end of no exemption": (raw(head("END_EXEMPT", entry_id="n-1")), "exemption_id", "MISSING"),
    "correction of nothing": (raw(correct_with({})), "changes", "MISSING"),
    "correction to an open term": (raw(correct_with({"term_until": None})), "changes.term_until", "WIDER"),
    "correction of the ground": (raw(correct_with({"ground": 1})), "changes.ground", "UNKNOWN_KEY"),
    "correction of the court": (raw(correct_with({"court": "44"})), "changes.court", "UNKNOWN_KEY"),
    "correction without version": (raw(correct_with({"case_no": "c"}, None)), "version", "MISSING"),
    "correction of the kind": (raw(correct_with({"subject": {"kind": "UNIT"}})), "changes.subject.kind", "UNKNOWN_KEY"),
}  # fmt: skip
