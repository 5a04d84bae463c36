"""What an entry may say: the checks of LIST, what CORRECT may change, how far an exemption reaches.

Every check refuses with `InvalidFieldError`, whose field is the path inside the entry; nothing is repaired.
Two things are cut to their lawful part instead: a link under 18 falls away alone, and an exemption for urgent travel is
cut to AIR and RAIL and to one month.
"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from restriction import record
from restriction.calendar import Span, date_from_day, day_from_date
from restriction.entry import SUBJECT, Entry, Exemption, ExemptionReason, Grant, Kind, Link, Subject, born
from restriction.errors import InvalidFieldError
from restriction.identity import Identity
from restriction.measures import Measure, Role, granted_by_default, may_be_granted
from restriction.statements import Correction, Narrowing

_MONTHS_PER_YEAR: Final = 12
_ADULT_MONTHS: Final = 18 * _MONTHS_PER_YEAR
_SURELY_ADULT_DAYS: Final = 18 * 366
_LONGEST_TERM_MONTHS: Final = 5 * _MONTHS_PER_YEAR
_OPEN_TERM_GROUND: Final = 1
_URGENT_TRAVEL: Final = frozenset(ExemptionReason) - {ExemptionReason.NECESSARY, ExemptionReason.PRIVATE_FUNDS}
_TRAVEL_MEASURES: Final = 1 << Measure.AIR | 1 << Measure.RAIL
_URGENT_TRAVEL_MONTHS: Final = 1
# A record counts names, grants and exemptions of a holder in one byte each; a fifth of that is beyond any real entry.
MAX_OF_EACH: Final = 50
_T = TypeVar("_T", Link, Grant)


def listed(entry: Entry, courts: Collection[str] | None) -> Entry:
    """The entry as it may be listed, without links under 18. Raises: InvalidFieldError."""
    if courts is not None and entry.court not in courts:
        raise InvalidFieldError("entry.court", "UNKNOWN_COURT", "name a court of the directory in force")
    if entry.risk_notice_on > entry.decided_on:
        raise InvalidFieldError("entry.risk_notice_at", "AFTER_DECISION", "the risk notice comes before the decision")
    _check_term(entry)
    _check_subject(entry)
    _check_counts(entry)
    _check_links(entry.links, entry.subject.kind, "entry.links")
    kept = _without_minors(entry)
    _check_grants(kept)
    return kept


def check_link(entry: Entry, link: Link) -> None:
    """Refuse a link that may not be added to this entry. Raises: InvalidFieldError."""
    if entry.link(link.link_id) is not None:
        raise InvalidFieldError("link.link_id", "EXISTS", "give the link an id of its own")
    _check_links((link,), entry.subject.kind, "link")
    if _is_minor(born(link.documents), entry.decided_on):
        raise InvalidFieldError("link.documents", "UNDER_18", "nobody under 18 at the decision may be linked")
    if len(entry.links) >= MAX_OF_EACH:
        raise InvalidFieldError("link", "TOO_MANY", f"an entry has at most {MAX_OF_EACH} links")


def corrected(entry: Entry, change: Correction) -> Entry:
    """The entry after a correction that widens nothing; `listed` is still to judge it. Raises: InvalidFieldError."""
    if change.version <= entry.version:
        raise InvalidFieldError("version", "NOT_NEWER", "a correction carries a version above the entry's")
    if change.publishable and not entry.publishable:
        raise _wider("changes.publishable")
    if change.served_on is not None and change.served_on < entry.served_on:
        raise _wider("changes.served_at")
    return replace(
        entry,
        version=change.version,
        subject=_corrected_subject(entry.subject, change),
        case_no=change.case_no or entry.case_no,
        basis_doc_no=change.basis_doc_no or entry.basis_doc_no,
        decision_no=change.decision_no or entry.decision_no,
        served_on=_or(change.served_on, entry.served_on),
        risk_notice_on=_or(change.risk_notice_on, entry.risk_notice_on),
        term=_shortened(entry.term, change.term_from, change.term_until, "changes.term_"),
        links=_narrowed(entry.links, change.links, lambda link: link.link_id, "changes.links"),
        grants=_narrowed(entry.grants, change.grants, lambda grant: grant.grant_id, "changes.grants"),
    )


def lawful_part(entry: Entry, exemption: Exemption) -> Exemption | None:
    """How far this exemption reaches in law; None when none of it is lawful. Raises: InvalidFieldError."""
    if not entry.holds(exemption.holder):
        raise InvalidFieldError("exemption.holder", "UNKNOWN_HOLDER", "name the subject or a link of this entry")
    if any(known.exemption_id == exemption.exemption_id for known in entry.exemptions):
        raise InvalidFieldError("exemption.id", "EXISTS", "give the exemption an id of its own")
    if len(entry.exemptions) >= MAX_OF_EACH:
        raise InvalidFieldError("exemption", "TOO_MANY", f"an entry has at most {MAX_OF_EACH} exemptions")
    if exemption.reason not in _URGENT_TRAVEL:
        return exemption
    measures = exemption.measures & _TRAVEL_MEASURES
    last = months_after(exemption.span.start, _URGENT_TRAVEL_MONTHS)
    until = last if exemption.span.until is None else min(exemption.span.until, last)
    return replace(exemption, measures=measures, span=Span(exemption.span.start, until)) if measures else None


def grants_of(entry: Entry, holder: str) -> tuple[record.Grant, ...]:
    """The grants against one holder: those written, or where none is every measure that the register gives."""
    written = [grant for grant in entry.grants if grant.holder == holder]
    if written:
        return tuple(_bits(grant) for grant in written)
    link = next((link for link in entry.links if link.holder == holder), None)
    role = link.role if link else Role.SUBJECT
    measures = _default_measures(role, is_unit=link is None and entry.subject.kind is Kind.UNIT)
    return (record.Grant(measures, 0, Span(entry.term.start)),)


def _bits(grant: Grant) -> record.Grant:
    bit = 1 << grant.measure
    return record.Grant(bit, bit * grant.explicit, grant.span)


@functools.cache  # two subjects and four roles
def _default_measures(role: Role, *, is_unit: bool) -> int:
    return measures_in(measure for measure in Measure if granted_by_default(measure, role, is_unit=is_unit))


def months_after(day: int, months: int) -> int:
    """The same day of the month so many months later, or that month's last day."""
    date = date_from_day(day)
    years, month0 = divmod(date.month - 1 + months, _MONTHS_PER_YEAR)
    year, month = date.year + years, month0 + 1
    return day_from_date(dt.date(year, month, min(date.day, calendar.monthrange(year, month)[1])))


def measures_in(measures: Iterable[Measure]) -> int:
    """The bit set of these measures."""
    return functools.reduce(lambda bits, measure: bits | 1 << measure, measures, 0)


def _is_minor(birth_day: int | None, decided_on: int) -> bool:
    """Under 18 on that day; a birthday on 29 February falls on 1 March, in the person's favour."""
    if birth_day is None or decided_on - birth_day > _SURELY_ADULT_DAYS:
        return False
    birthday = months_after(birth_day, _ADULT_MONTHS)
    moved = date_from_day(birthday).day != date_from_day(birth_day).day
    return decided_on < birthday + moved


def _check_term(entry: Entry) -> None:
    start, until = entry.term.start, entry.term.until
    if until is None:
        if entry.ground != _OPEN_TERM_GROUND:
            raise InvalidFieldError("entry.term_until", "MISSING", "an open term exists for ground 1 only")
    elif until <= start:
        raise InvalidFieldError("entry.term_until", "NOT_AFTER_START", "give an end after term_from")
    elif entry.ground != _OPEN_TERM_GROUND and until > months_after(start, _LONGEST_TERM_MONTHS):
        raise InvalidFieldError("entry.term_until", "LONGER_THAN_FIVE_YEARS", "grounds 2 to 6 last at most five years")


def _check_subject(entry: Entry) -> None:
    subject = entry.subject
    is_unit = subject.kind is Kind.UNIT
    _check_documents(subject.documents, "entry.subject.documents", is_unit=is_unit)
    carried = born(subject.documents)
    known = subject.birth_day if carried is None else carried
    if is_unit:
        if subject.birth_day is not None:
            raise InvalidFieldError("entry.subject.birth_date", "NOT_APPLICABLE", "a unit has none; leave it out")
    elif known is None:
        raise InvalidFieldError("entry.subject.birth_date", "MISSING", "no document carries it, so state it")
    elif subject.birth_day not in {None, known}:
        raise InvalidFieldError("entry.subject.birth_date", "CONTRADICTS_DOCUMENT", "compare it with the document")
    elif _is_minor(known, entry.decided_on):
        raise InvalidFieldError("entry.subject", "UNDER_18", "nobody under 18 at the decision may be listed")


def _check_documents(documents: Sequence[Identity], path: str, *, is_unit: bool) -> None:
    if not documents:
        raise InvalidFieldError(path, "MISSING", "give at least one document")
    if len(documents) > MAX_OF_EACH:
        raise InvalidFieldError(path, "TOO_MANY", f"give at most {MAX_OF_EACH}")
    for at, document in enumerate(documents):
        if document.is_unit != is_unit:
            raise InvalidFieldError(f"{path}[{at}].type", "WRONG_HOLDER", "persons and units hold different documents")


def _check_counts(entry: Entry) -> None:
    counts = {
        "entry.subject.former_names": len(entry.subject.names) - 1,
        "entry.links": len(entry.links),
        "entry.grants": len(entry.grants),
    }
    for path, count in counts.items():
        if count > MAX_OF_EACH:
            raise InvalidFieldError(path, "TOO_MANY", f"give at most {MAX_OF_EACH}")


def _check_links(links: Sequence[Link], of: Kind, path: str) -> None:
    if links and of is not Kind.UNIT:
        raise InvalidFieldError(path, "UNITS_ONLY", "a person debtor has no linked persons")
    if len({link.link_id for link in links}) != len(links):
        raise InvalidFieldError(path, "EXISTS", "give each link an id of its own")
    for link in links:
        _check_documents(link.documents, f"{path}.documents", is_unit=False)


def _without_minors(entry: Entry) -> Entry:
    minors = {link.holder for link in entry.links if _is_minor(born(link.documents), entry.decided_on)}
    if not minors:
        return entry
    return replace(
        entry,
        links=tuple(link for link in entry.links if link.holder not in minors),
        grants=tuple(grant for grant in entry.grants if grant.holder not in minors),
        exemptions=tuple(exemption for exemption in entry.exemptions if exemption.holder not in minors),
    )


def _check_grants(entry: Entry) -> None:
    if len({grant.grant_id for grant in entry.grants}) != len(entry.grants):
        raise InvalidFieldError("entry.grants", "EXISTS", "give each grant an id of its own")
    roles = {SUBJECT: Role.SUBJECT} | {link.holder: link.role for link in entry.links}
    for at, grant in enumerate(entry.grants):
        if grant.holder not in roles:
            raise InvalidFieldError(f"entry.grants[{at}].holder", "UNKNOWN_HOLDER", "name the subject or a link")
        is_unit = grant.holder == SUBJECT and entry.subject.kind is Kind.UNIT
        if not may_be_granted(grant.measure, roles[grant.holder], is_unit=is_unit):
            raise InvalidFieldError(f"entry.grants[{at}].measure", "OUTSIDE_REGISTER", "this holder may not hold it")


def _corrected_subject(subject: Subject, change: Correction) -> Subject:
    name = change.name or subject.names[0]
    former = subject.names[1:] if change.former_names is None else change.former_names
    documents = subject.documents if change.documents is None else change.documents
    return replace(
        subject, names=(name, *former), documents=documents, birth_day=_or_none(change.birth_day, subject.birth_day)
    )


def _narrowed(
    held: tuple[_T, ...], changes: tuple[Narrowing, ...], key: Callable[[_T], str], path: str
) -> tuple[_T, ...]:
    by_id = {change.target: change for change in changes}
    if by_id.keys() - set(map(key, held)):
        raise InvalidFieldError(path, "UNKNOWN_ID", "name links and grants of this entry")
    return tuple(_narrow(value, by_id[key(value)], path) if key(value) in by_id else value for value in held)


def _narrow(value: _T, change: Narrowing, path: str) -> _T:
    value = replace(value, span=_shortened(value.span, change.start, change.until, f"{path}."))
    if isinstance(value, Link):
        documents = value.documents if change.documents is None else change.documents
        return replace(value, name=change.name or value.name, documents=documents)
    return value


def _shortened(span: Span, start: int | None, until: int | None, path: str) -> Span:
    if start is not None and start < span.start:
        raise _wider(f"{path}from")
    if until is not None and span.until is not None and until > span.until:
        raise _wider(f"{path}until")
    return Span(_or(start, span.start), _or_none(until, span.until))


def _wider(field: str) -> InvalidFieldError:
    return InvalidFieldError(field, "WIDER", "a correction only narrows; revoke the entry and list anew")


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _or_none(value: int | None, otherwise: int | None) -> int | None:
    return otherwise if value is None else value
