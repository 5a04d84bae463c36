"""Intake lines, exactly: from the bytes of one NDJSON line to one event.

Rules that hold: a line is at most 64 KiB of UTF-8 with one JSON object; unknown keys are refused by name; every value
has its type; documents and names are normalised as in a question.
What the event may do is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from publisher.reading import MAX_TEXT, Fields, refuse
from restriction.calendar import Span
from restriction.entry import (
    LINK_PREFIX,
    SUBJECT,
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
from restriction.errors import InvalidFieldError, SandboxOnlyError
from restriction.identity import Document, DocumentType, Identity, Mode, normalise
from restriction.lawful import measures_in
from restriction.measures import Measure, Role
from restriction.name import canonical_name
from restriction.statements import Body, Correction, EndExemption, Event, Lift, LinkEnd, Narrowing, Retention
from restriction.states import EventType

MAX_LINE_BYTES: Final = 64 * 1024
_MAX_VERSION: Final = 1_000_000
_MAX_OUTCOME: Final = 64
_MAX_NUMBER: Final = 64
_GROUNDS: Final = (1, 6)

_HEAD: Final = frozenset({"event_id", "type", "issued_at", "effective_at", "issuer", "legal_basis"})
_KEYS: Final[Mapping[EventType, frozenset[str]]] = {
    EventType.LIST: _HEAD | {"entry"},
    EventType.CORRECT: _HEAD | {"entry_id", "version", "changes"},
    EventType.LINK_ADD: _HEAD | {"entry_id", "link"},
    EventType.OBJECT: _HEAD | {"entry_id", "kind", "filed_at", "outcome"},
    EventType.EXEMPT: _HEAD | {"entry_id", "exemption"},
    EventType.END_EXEMPT: _HEAD | {"entry_id", "exemption_id"},
    EventType.LINK_END: _HEAD | {"entry_id", "link_id", "until"},
    EventType.SUSPEND: _HEAD | {"entry_id"},
    EventType.RESUME: _HEAD | {"entry_id"},
    EventType.LIFT: _HEAD | {"entry_id", "ground", "ground_at"},
    EventType.REVOKE: _HEAD | {"entry_id"},
    EventType.RETAIN: _HEAD | {"entry_id", "measures", "until"},
    EventType.PURGE: _HEAD | {"entry_id"},
}
_ANY_KEY: Final = frozenset[str]().union(*_KEYS.values())
_REFERENCES: Final = frozenset({"case_no", "basis_doc_no", "decision_no", "served_at", "risk_notice_at", "publishable"})
_ENTRY: Final = _REFERENCES | {
    "entry_id", "version", "subject", "court", "ground", "decided_at", "term_from", "term_until", "links", "grants",
}  # fmt: skip
_CHANGES: Final = _REFERENCES | {"subject", "term_from", "term_until", "links", "grants"}
_SUBJECT: Final = frozenset({"kind", "name", "former_names", "birth_date", "documents"})
_SUBJECT_CHANGES: Final = _SUBJECT - {"kind"}
_DOCUMENT: Final = frozenset({"type", "number", "issuing_country"})
_LINK: Final = frozenset({"link_id", "role", "name", "documents", "from", "until", "basis_no"})
_LINK_CHANGES: Final = frozenset({"link_id", "name", "documents", "from", "until"})
_GRANT: Final = frozenset({"grant_id", "measure", "holder", "from", "until", "explicit"})
_GRANT_CHANGES: Final = frozenset({"grant_id", "from", "until"})
_EXEMPTION: Final = frozenset({"id", "holder", "measures", "from", "until", "reason_code", "approved_by"})


def parse(line: bytes) -> dict[str, object]:
    """The object of a line. Raises: InvalidFieldError for field `line`."""
    if len(line) > MAX_LINE_BYTES:
        refuse("line", "TOO_LONG", f"send at most {MAX_LINE_BYTES} bytes a line")
    if not line.strip():
        refuse("line", "EMPTY", "send one event a line")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        problem = "NOT_JSON" if _is_utf8(line) else "NOT_UTF8"
        refuse("line", problem, "send one JSON object in UTF-8 a line")
    if not isinstance(value, dict):
        refuse("line", "NOT_AN_OBJECT", "send one JSON object a line")
    return value


class JsonLines:
    """Lines of NDJSON: every line is an event, and is told by its own fields."""

    def begin(self, lines: Iterator[tuple[int, bytes]]) -> None:
        """There is no header."""

    def parse(self, line: bytes) -> dict[str, object]:
        """The object of a line. Raises: InvalidFieldError for field `line`."""
        return parse(line)

    def column(self, field: str) -> str:
        """The field itself."""
        return field


def event_id_of(raw: Mapping[str, object]) -> str:
    """The line's event id where it can be told, else empty."""
    try:
        return Fields({"event_id": raw.get("event_id")}, "", _HEAD).identifier("event_id")
    except InvalidFieldError:
        return ""


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads the objects of lines, with identities of one mode. `today` is the court's calendar day."""

    mode: Mode
    today: int

    def event(self, raw: Mapping[str, object]) -> Event:
        """The event of a line's object. Raises: InvalidFieldError."""
        head = Fields(raw, "", _ANY_KEY)
        event_id = head.identifier("event_id")
        kind = head.choice("type", EventType)
        line = Fields(raw, "", _KEYS[kind])
        body = _BODIES[kind](self, line) if kind in _BODIES else None
        return Event(
            event_id=event_id,
            type=kind,
            issued_at=line.instant("issued_at"),
            effective_at=line.instant("effective_at"),
            issuer=line.court("issuer"),
            legal_basis=line.text("legal_basis"),
            entry_id=body.entry_id if isinstance(body, Entry) else line.identifier("entry_id"),
            body=body,
        )

    def _entry(self, line: Fields) -> Entry:
        entry = Fields(line.raw.get("entry"), "entry.", _ENTRY)
        return Entry(
            entry_id=entry.identifier("entry_id"),
            version=entry.whole("version", 1, _MAX_VERSION),
            subject=self._subject(Fields(entry.raw.get("subject"), "entry.subject.", _SUBJECT)),
            court=entry.court("court"),
            case_no=entry.text("case_no"),
            basis_doc_no=entry.text("basis_doc_no"),
            ground=entry.whole("ground", *_GROUNDS),
            decision_no=entry.text("decision_no"),
            decided_on=entry.day("decided_at"),
            served_on=entry.day("served_at"),
            risk_notice_on=entry.day("risk_notice_at"),
            term=Span(entry.day("term_from"), entry.maybe("term_until", entry.day)),
            publishable=entry.flag("publishable"),
            links=entry.items("links", self._link),
            grants=entry.items("grants", _grant),
        )

    def _subject(self, subject: Fields) -> Subject:
        return Subject(
            kind=subject.choice("kind", Kind),
            names=(_name(subject), *subject.items("former_names", _name_item)),
            documents=subject.items("documents", self._document),
            birth_day=subject.maybe("birth_date", subject.birth_day),
        )

    def _document(self, raw: object, path: str) -> Identity:
        fields = Fields(raw, f"{path}.", _DOCUMENT)
        kind = fields.choice("type", DocumentType)
        number = fields.text("number", _MAX_NUMBER)
        country = fields.text("issuing_country") if fields.sent("issuing_country") else ""
        try:
            return normalise(Document(kind, number, country), self.mode, self.today)
        except InvalidFieldError as error:
            fields.refuse(error.field.removeprefix("document."), error.problem, error.hint)
        except SandboxOnlyError:
            fields.refuse("number", SandboxOnlyError.reason, "live and sandbox identities never meet on one list")

    def _link(self, raw: object, path: str) -> Link:
        link = Fields(raw, f"{path}.", _LINK)
        role = link.choice("role", Role)
        if role is Role.SUBJECT:
            link.refuse("role", "UNKNOWN", "name the role of a linked person")
        return Link(
            link_id=link.identifier("link_id"),
            role=role,
            name=_name(link),
            documents=link.items("documents", self._document),
            span=_span(link),
            basis_no=link.text("basis_no"),
        )

    def _link_added(self, line: Fields) -> Link:
        return self._link(line.raw.get("link"), "link")

    def _correction(self, line: Fields) -> Correction:
        changes = Fields(line.raw.get("changes"), "changes.", _CHANGES)
        for key, value in changes.raw.items():
            if value is None:
                changes.refuse(key, "WIDER", "a correction only narrows; revoke the entry and list anew")
        if not changes.raw:
            line.refuse("changes", "MISSING", "say what is corrected")
        subject = Fields(changes.raw.get("subject", {}), "changes.subject.", _SUBJECT_CHANGES)
        former = subject.items("former_names", _name_item) if subject.sent("former_names") else None
        documents = subject.items("documents", self._document) if subject.sent("documents") else None
        return Correction(
            version=line.whole("version", 1, _MAX_VERSION),
            name=_name(subject) if subject.sent("name") else None,
            former_names=former,
            documents=documents,
            birth_day=subject.maybe("birth_date", subject.birth_day),
            case_no=changes.maybe("case_no", changes.text),
            basis_doc_no=changes.maybe("basis_doc_no", changes.text),
            decision_no=changes.maybe("decision_no", changes.text),
            served_on=changes.maybe("served_at", changes.day),
            risk_notice_on=changes.maybe("risk_notice_at", changes.day),
            term_from=changes.maybe("term_from", changes.day),
            term_until=changes.maybe("term_until", changes.day),
            publishable=changes.maybe("publishable", changes.flag),
            links=changes.items("links", self._link_change),
            grants=changes.items("grants", _grant_change),
        )

    def _link_change(self, raw: object, path: str) -> Narrowing:
        link = Fields(raw, f"{path}.", _LINK_CHANGES)
        return Narrowing(
            target=link.identifier("link_id"),
            name=_name(link) if link.sent("name") else None,
            documents=link.items("documents", self._document) if link.sent("documents") else None,
            start=link.maybe("from", link.day),
            until=link.maybe("until", link.day),
        )


def _name(fields: Fields) -> str:
    return _canonical(fields.text("name"), f"{fields.path}name")


def _name_item(raw: object, path: str) -> str:
    if not isinstance(raw, str) or not 0 < len(raw) <= MAX_TEXT:
        refuse(path, "NOT_TEXT", "send a name")
    return _canonical(raw, path)


def _canonical(name: str, path: str) -> str:
    try:
        return canonical_name(name)
    except InvalidFieldError as error:
        refuse(path, error.problem, error.hint)


def _span(fields: Fields) -> Span:
    start, until = fields.day("from"), fields.maybe("until", fields.day)
    if until is not None and until <= start:
        fields.refuse("until", "NOT_AFTER_START", "give an end after the start")
    return Span(start, until)


def _holder(fields: Fields) -> str:
    holder = fields.text("holder")
    if holder != SUBJECT and not holder.startswith(LINK_PREFIX):
        fields.refuse("holder", "MALFORMED", "send subject or link:<id>")
    return holder


def _grant(raw: object, path: str) -> Grant:
    grant = Fields(raw, f"{path}.", _GRANT)
    return Grant(
        grant_id=grant.identifier("grant_id"),
        measure=grant.choice("measure", Measure),
        holder=_holder(grant),
        span=_span(grant),
        explicit=grant.flag("explicit"),
    )


def _grant_change(raw: object, path: str) -> Narrowing:
    grant = Fields(raw, f"{path}.", _GRANT_CHANGES)
    return Narrowing(
        target=grant.identifier("grant_id"),
        start=grant.maybe("from", grant.day),
        until=grant.maybe("until", grant.day),
    )


def _measure(raw: object, path: str) -> Measure:
    if not isinstance(raw, str) or raw not in Measure.__members__:
        refuse(path, "UNKNOWN", "send the name of a measure")
    return Measure[raw]


def _measures(fields: Fields) -> int:
    measures = measures_in(fields.items("measures", _measure))
    if not measures:
        fields.refuse("measures", "MISSING", "name at least one measure")
    return measures


def _exemption(_reader: LineReader, line: Fields) -> Exemption:
    exemption = Fields(line.raw.get("exemption"), "exemption.", _EXEMPTION)
    if not exemption.sent("until"):
        exemption.refuse("until", "MISSING", "an exemption has an end")
    return Exemption(
        exemption_id=exemption.identifier("id"),
        holder=_holder(exemption),
        measures=_measures(exemption),
        span=_span(exemption),
        reason=exemption.choice("reason_code", ExemptionReason),
        approved_by=exemption.text("approved_by"),
    )


def _end_exemption(_reader: LineReader, line: Fields) -> EndExemption:
    return EndExemption(line.identifier("exemption_id"))


def _link_end(_reader: LineReader, line: Fields) -> LinkEnd:
    return LinkEnd(line.identifier("link_id"), line.day("until"))


def _objection(_reader: LineReader, line: Fields) -> Objection:
    outcome = line.text("outcome", _MAX_OUTCOME) if line.sent("outcome") else ""
    return Objection(line.choice("kind", ObjectionKind), line.day("filed_at"), outcome)


def _lift(_reader: LineReader, line: Fields) -> Lift:
    return Lift(line.choice("ground", LiftGround), line.day("ground_at"))


def _retention(_reader: LineReader, line: Fields) -> Retention:
    return Retention(_measures(line), line.day("until"))


_BODIES: Final[Mapping[EventType, Callable[[LineReader, Fields], Body]]] = {
    EventType.LIST: LineReader._entry,  # noqa: SLF001  the table of this class's own methods
    EventType.CORRECT: LineReader._correction,  # noqa: SLF001  the same
    EventType.LINK_ADD: LineReader._link_added,  # noqa: SLF001  the same
    EventType.OBJECT: _objection,
    EventType.EXEMPT: _exemption,
    EventType.END_EXEMPT: _end_exemption,
    EventType.LINK_END: _link_end,
    EventType.LIFT: _lift,
    EventType.RETAIN: _retention,
}
