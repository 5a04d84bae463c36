"""From a document as it was typed or scanned to the one identity it stands for.

One normalisation serves list and question, in this order: NFKC; spaces, zero-width characters, hyphens and dots are
dropped; upper case; what looks like X in the last place becomes X; the type's whole ASCII pattern; a real birth date,
not in the future; the check digit.
Rules that must hold: normalising twice equals once; two documents share an identity only in the three pairs named in
`documents` (15 and 18 digits, organisation and credit code, travel permits of one holder); whatever else does not fit
is refused with field and problem and without its number.
It never guesses: not the type, not a character, not whose two documents are.

Problem words of `document.number`: EMPTY, TOO_LONG, MASKED, MALFORMED, OLD_NUMBER, FULL_NUMBER, RESIDENCE_PERMIT_AREA,
RESIDENT_AREA, FOREIGN_CARD, IMPOSSIBLE_BIRTH_DATE, FUTURE_BIRTH_DATE, CHECK_DIGIT; of `document.type`: UNKNOWN; of
`document.issuing_country`: MISSING, UNKNOWN, NOT_APPLICABLE.
"""

from __future__ import annotations

import datetime as dt
import string
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from restriction.calendar import day_from_date
from restriction.characters import DOTS, HYPHENS, LOOK_ALIKES, LOOKS_LIKE_X, SPACES, ZERO_WIDTH
from restriction.countries import ALPHA_3, UTOPIA
from restriction.documents import DESCRIPTIONS, FORMS, MISTAKES, DocumentType, Form, Mode
from restriction.errors import InvalidFieldError, SandboxOnlyError

__all__ = ["MAX_NUMBER_CHARS", "Document", "DocumentType", "Identity", "Mode", "normalise"]

MAX_NUMBER_CHARS: Final = 64  # the longest canonical number has 18; the rest is room for separators
_EARLIEST_BIRTH: Final = dt.date(1850, 1, 1)  # whoever was born before never held a numbered card
_NUMBER: Final = "document.number"
_COUNTRY: Final = "document.issuing_country"
_SCAN_AGAIN: Final = "a letter and a digit that look alike may be confused: scan again or compare with the document"
_ISSUERS: Final = ALPHA_3 | {UTOPIA}
_UNITS: Final = frozenset({DocumentType.UNIFIED_SOCIAL_CREDIT_CODE, DocumentType.ORGANISATION_CODE})
_FULL_LENGTH: Final = 18
# Only ASCII letters are raised: str.upper would turn a sharp s or a dotless i into letters that nobody wrote.
_CLEANING: Final = dict.fromkeys(map(ord, SPACES + ZERO_WIDTH + HYPHENS + DOTS)) | str.maketrans(
    string.ascii_lowercase, string.ascii_uppercase
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the caller states it. The repr tells the type only."""

    type: DocumentType
    number: str = field(repr=False)
    issuing_country: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Canonical type and number. `weak`: stated with 15 digits. The repr tells no number."""

    type: DocumentType
    number: str = field(repr=False)
    weak: bool = False

    @property
    def is_unit(self) -> bool:
        """Whether a company or other organisation holds it, not a person."""
        return self.type in _UNITS

    @property
    def birth_day(self) -> int | None:
        """The holder's day of birth (days since 1970-01-01), where the number tells it."""
        if self.is_unit or len(self.number) != _FULL_LENGTH:
            return None
        return day_from_date(dt.date.fromisoformat(self.number[6:14]))


def normalise(document: Document, mode: Mode, today: int) -> Identity:
    """The identity that this document stands for; `today` is the court's calendar day.

    Raises: InvalidFieldError where the document is impossible; SandboxOnlyError where it belongs to the other mode.
    """
    forms = FORMS[mode].get(document.type)
    if forms is None:
        raise InvalidFieldError("document.type", "UNKNOWN", "state one of the document types")
    country = _issuing_country(document)
    # A text that matches a whole ASCII pattern is already clean, so cleaning it first could only cost time.
    number = country + document.number
    form = _form_of(forms, number)
    if form is None:
        number = country + _clean(document.number)
        form = _form_of(forms, number)
        if form is None:
            raise _refusal(document.type, mode, number, today)
    return _identity(form, number, today)


def _issuing_country(document: Document) -> str:
    stated = document.issuing_country
    if document.type is not DocumentType.PASSPORT:
        if stated:
            raise InvalidFieldError(_COUNTRY, "NOT_APPLICABLE", "leave it empty: only a passport has one")
        return ""
    country = stated if stated in _ISSUERS else unicodedata.normalize("NFKC", stated).translate(_CLEANING)
    if not country:
        raise InvalidFieldError(_COUNTRY, "MISSING", "give the issuing country, ISO 3166-1 alpha-3, such as CHN")
    if country not in _ISSUERS:
        raise InvalidFieldError(_COUNTRY, "UNKNOWN", "give an ISO 3166-1 alpha-3 code, such as CHN")
    return country


def _clean(raw: str) -> str:
    if len(raw) > MAX_NUMBER_CHARS:
        raise InvalidFieldError(_NUMBER, "TOO_LONG", f"give at most {MAX_NUMBER_CHARS} characters")
    text = unicodedata.normalize("NFKC", raw).translate(_CLEANING)
    if not text:
        raise InvalidFieldError(_NUMBER, "EMPTY", "give the number of the document")
    if "*" in text:
        raise InvalidFieldError(_NUMBER, "MASKED", "give the whole number: a masked one names nobody")
    return text[:-1] + "X" if text[-1] in LOOKS_LIKE_X else text


def _form_of(forms: tuple[Form, ...], number: str) -> Form | None:
    for form in forms:
        if form.pattern.fullmatch(number):
            return form
    return None


def _identity(form: Form, number: str, today: int) -> Identity:
    if form.birth is not None:
        _require_birth(form.birth(number), today)
    if form.check is not None and not form.check(number):
        raise InvalidFieldError(_NUMBER, "CHECK_DIGIT", f"the check digit does not fit; {_SCAN_AGAIN}")
    if form.canonical is None:
        return Identity(form.type, number)
    return Identity(*form.canonical(number), form.weak)


def _require_birth(digits: str, today: int) -> None:
    born = _date(digits)
    if born is None or born < _EARLIEST_BIRTH:
        raise InvalidFieldError(_NUMBER, "IMPOSSIBLE_BIRTH_DATE", "the birth date in the number does not exist")
    if day_from_date(born) > today:
        raise InvalidFieldError(_NUMBER, "FUTURE_BIRTH_DATE", "the birth date in the number is still to come")


def _date(digits: str) -> dt.date | None:
    # Answered with None so that no error of ours carries, as its context, one that quotes the digits.
    try:
        return dt.date.fromisoformat(digits)
    except ValueError:
        return None


def _refusal(kind: DocumentType, mode: Mode, number: str, today: int) -> Exception:
    other = Mode.LIVE if mode is Mode.SANDBOX else Mode.SANDBOX
    form = _form_of(FORMS[other][kind], number)
    if form is not None:
        _identity(form, number, today)
        return SandboxOnlyError(f"{_NUMBER}: this is a {other} identity: ask with a {other} credential")
    for mistake in MISTAKES.get(kind, ()):
        if mistake.pattern.fullmatch(number):
            return InvalidFieldError(_NUMBER, mistake.problem, mistake.hint)
    alike = _form_of(FORMS[mode][kind], number.translate(LOOK_ALIKES))
    return InvalidFieldError(_NUMBER, "MALFORMED", _SCAN_AGAIN if alike else f"give {DESCRIPTIONS[kind]}")
