"""The nine document types and the forms they are printed in, as one table per mode.

Rules that must hold: a live and a sandbox form never match the same text; every pattern is ASCII and matched whole, so
a text that matches is already clean; a canonical number, stated again with its canonical type, gives itself.
To change a form, change its row. Nothing here cleans a text or words an error for a caller: that is `identity`.

Sandbox forms are issued to nobody:

| Type | Sandbox form | Why nobody holds it |
|---|---|---|
| RESIDENT_ID, RESIDENT_ID_15 | area begins with 0 | no region does (GB/T 2260) |
| HMT_RESIDENCE_PERMIT | area 010000, 020000 or 030000 | areas are 810000, 820000, 830000 |
| FOREIGN_PERMANENT_RESIDENT_ID | first digit 0; older form: UTO + 12 digits | first digit is 9; Utopia is no state |
| HM_TRAVEL_PERMIT | S + 8 digits, 2 renewal digits or none | the letter is H or M |
| TW_TRAVEL_PERMIT | S + 7 digits | digits only |
| PASSPORT | issuing country UTO | ICAO Doc 9303 keeps it for specimens |
| UNIFIED_SOCIAL_CREDIT_CODE | region (places 3-8) begins with 0 | no region does |
| ORGANISATION_CODE | check value 0-10 written ABCDEFGHJKL | GB 11714 writes a digit or X |

Check digits are computed as in the live form. A sandbox credit code contains a sandbox organisation code.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from stdnum.iso7064 import mod_11_2

from restriction.countries import UTOPIA


class DocumentType(enum.IntEnum):
    """What the caller says the document is; never guessed. Numbers equal the wire's."""

    RESIDENT_ID = 1
    RESIDENT_ID_15 = 2
    HMT_RESIDENCE_PERMIT = 3
    FOREIGN_PERMANENT_RESIDENT_ID = 4
    HM_TRAVEL_PERMIT = 5
    TW_TRAVEL_PERMIT = 6
    PASSPORT = 7
    UNIFIED_SOCIAL_CREDIT_CODE = 8
    ORGANISATION_CODE = 9


class Mode(enum.StrEnum):
    """Whose identities are accepted: issued ones, or those issued to nobody."""

    LIVE = "live"
    SANDBOX = "sandbox"


TypeAndNumber = tuple[DocumentType, str]


@dataclass(frozen=True, slots=True)
class Form:
    """One printed form of a type: its whole pattern, then what must hold, then its canonical type and number.

    `birth` cuts out YYYYMMDD, `check` proves the check digit, `canonical` is None where the number is so already.
    A passport's number stands behind its issuing country.
    """

    type: DocumentType
    pattern: re.Pattern[str]
    birth: Callable[[str], str] | None = None
    check: Callable[[str], bool] | None = None
    canonical: Callable[[str], TypeAndNumber] | None = None
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Mistake:
    """A number of another type, stated under the wrong one: what to say instead of plain MALFORMED."""

    pattern: re.Pattern[str]
    problem: str
    hint: str


def _birth(number: str) -> str:
    return number[6:14]


def _birth_15(number: str) -> str:
    return "19" + number[6:12]


# ISO 7064 MOD 11-2 is linear: checksum(a + b) = checksum(a) * 2 ** len(b) + checksum(b) modulo 11. So 18 characters are
# six look-ups of triples, a third of the time of the library's loop over characters.
_TRIPLES: Final = {
    text: mod_11_2.checksum(text)
    for text in (*(f"{n:03}" for n in range(1000)), *(f"{n:02}X" for n in range(100)))
}  # fmt: skip


def _mod_11_2(number: str) -> bool:
    total = 0
    for place in (0, 3, 6, 9, 12, 15):
        total = total * 8 + _TRIPLES[number[place : place + 3]]
    return total % 11 == 1


def _lengthened(number: str) -> TypeAndNumber:
    first_17 = number[:6] + "19" + number[6:]
    return DocumentType.RESIDENT_ID, first_17 + mod_11_2.calc_check_digit(first_17)


def _without_renewal(number: str) -> TypeAndNumber:
    return DocumentType.HM_TRAVEL_PERMIT, number[:9]


_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_VALUES: Final = {character: value for value, character in enumerate(_CREDIT_ALPHABET)}
_CREDIT_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))  # GB 32100
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714
_ORGANISATION_CHECKS: Final = "0123456789X"
_SANDBOX_CHECKS: Final = "ABCDEFGHJKL"


def _mod_31(number: str) -> bool:
    total = sum(_CREDIT_VALUES[c] * weight for c, weight in zip(number, _CREDIT_WEIGHTS, strict=False))
    return _CREDIT_VALUES[number[17]] == -total % 31


def _organisation_check(checks: str) -> Callable[[str], bool]:
    def check(number: str) -> bool:
        total = sum(int(c, 36) * weight for c, weight in zip(number, _ORGANISATION_WEIGHTS, strict=False))
        return number[8] == checks[-total % 11]

    return check


def _organisation_inside(check: Callable[[str], bool]) -> Callable[[str], TypeAndNumber]:
    """A credit code meets the organisation code it contains; one that contains no valid code keeps its own number."""

    def canonical(number: str) -> TypeAndNumber:
        inside = number[8:17]
        if check(inside):
            return DocumentType.ORGANISATION_CODE, inside
        return DocumentType.UNIFIED_SOCIAL_CREDIT_CODE, number

    return canonical


_live_organisation = _organisation_check(_ORGANISATION_CHECKS)
_sandbox_organisation = _organisation_check(_SANDBOX_CHECKS)
_C: Final = f"[{_CREDIT_ALPHABET}]"
_T = DocumentType

_LIVE: Final = (
    Form(_T.RESIDENT_ID, re.compile("(?!8[123])[1-8][0-9]{16}[0-9X]"), _birth, _mod_11_2),
    Form(_T.RESIDENT_ID_15, re.compile("(?!8[123])[1-8][0-9]{14}"), _birth_15, None, _lengthened, weak=True),
    Form(_T.HMT_RESIDENCE_PERMIT, re.compile("8[123]0000[0-9]{11}[0-9X]"), _birth, _mod_11_2),
    Form(_T.FOREIGN_PERMANENT_RESIDENT_ID, re.compile("9[0-9]{16}[0-9X]"), _birth, _mod_11_2),
    Form(_T.FOREIGN_PERMANENT_RESIDENT_ID, re.compile(f"(?!{UTOPIA})[A-Z]{{3}}[0-9]{{12}}")),
    Form(_T.HM_TRAVEL_PERMIT, re.compile("[HM][0-9]{8}(?:[0-9]{2})?"), canonical=_without_renewal),
    Form(_T.TW_TRAVEL_PERMIT, re.compile("[0-9]{8}(?:[0-9]{2})?")),
    Form(_T.PASSPORT, re.compile(f"(?!{UTOPIA})[A-Z]{{3}}[0-9A-Z]{{1,9}}")),
    Form(
        _T.UNIFIED_SOCIAL_CREDIT_CODE, re.compile(f"{_C}{{2}}[1-9][0-9]{{5}}{_C}{{10}}"),
        None, _mod_31, _organisation_inside(_live_organisation),
    ),
    Form(_T.ORGANISATION_CODE, re.compile("[0-9A-Z]{8}[0-9X]"), None, _live_organisation),
)  # fmt: skip

_SANDBOX: Final = (
    Form(_T.RESIDENT_ID, re.compile("0[0-9]{16}[0-9X]"), _birth, _mod_11_2),
    Form(_T.RESIDENT_ID_15, re.compile("0[0-9]{14}"), _birth_15, None, _lengthened, weak=True),
    Form(_T.HMT_RESIDENCE_PERMIT, re.compile("0[123]0000[0-9]{11}[0-9X]"), _birth, _mod_11_2),
    Form(_T.FOREIGN_PERMANENT_RESIDENT_ID, re.compile("0[0-9]{16}[0-9X]"), _birth, _mod_11_2),
    Form(_T.FOREIGN_PERMANENT_RESIDENT_ID, re.compile(f"{UTOPIA}[0-9]{{12}}")),
    Form(_T.HM_TRAVEL_PERMIT, re.compile("S[0-9]{8}(?:[0-9]{2})?"), canonical=_without_renewal),
    Form(_T.TW_TRAVEL_PERMIT, re.compile("S[0-9]{7}")),
    Form(_T.PASSPORT, re.compile(f"{UTOPIA}[0-9A-Z]{{1,9}}")),
    Form(
        _T.UNIFIED_SOCIAL_CREDIT_CODE, re.compile(f"{_C}{{2}}0[0-9]{{5}}{_C}{{10}}"),
        None, _mod_31, _organisation_inside(_sandbox_organisation),
    ),
    Form(_T.ORGANISATION_CODE, re.compile(f"[0-9A-Z]{{8}}[{_SANDBOX_CHECKS}]"), None, _sandbox_organisation),
)  # fmt: skip


def _by_type(forms: tuple[Form, ...]) -> Mapping[DocumentType, tuple[Form, ...]]:
    return MappingProxyType({kind: tuple(form for form in forms if form.type is kind) for kind in DocumentType})


FORMS: Final = MappingProxyType({Mode.LIVE: _by_type(_LIVE), Mode.SANDBOX: _by_type(_SANDBOX)})

DESCRIPTIONS: Final[Mapping[DocumentType, str]] = MappingProxyType(
    {
        _T.RESIDENT_ID: "17 digits and a digit or X, the first digit 1 to 8",
        _T.RESIDENT_ID_15: "15 digits, the first 1 to 8",
        _T.HMT_RESIDENCE_PERMIT: "17 digits and a digit or X, area 810000, 820000 or 830000",
        _T.FOREIGN_PERMANENT_RESIDENT_ID: "9, 16 digits and a digit or X; on older cards 3 letters and 12 digits",
        _T.HM_TRAVEL_PERMIT: "H or M and 8 digits, with or without 2 renewal digits",
        _T.TW_TRAVEL_PERMIT: "8 digits; on older permits 10",
        _T.PASSPORT: "1 to 9 letters or digits",
        _T.UNIFIED_SOCIAL_CREDIT_CODE: "18 digits or letters without I, O, S, V and Z; places 3 to 8 are digits",
        _T.ORGANISATION_CODE: "8 digits or letters and a check digit or X",
    }
)

_FIFTEEN: Final = Mistake(re.compile("[0-9]{15}"), "OLD_NUMBER", "a 15-digit number has the type RESIDENT_ID_15")
_PERMIT: Final = Mistake(
    re.compile("8[123][0-9]{12,15}[0-9X]"), "RESIDENCE_PERMIT_AREA",
    "areas 81 to 83 are residence permits of Hong Kong, Macao and Taiwan residents: state HMT_RESIDENCE_PERMIT",
)  # fmt: skip
_RESIDENT: Final = Mistake(
    re.compile("[1-7][0-9]{16}[0-9X]"), "RESIDENT_AREA",
    "the area is not 810000, 820000 or 830000: if this is a resident identity card, state RESIDENT_ID",
)  # fmt: skip
_FOREIGN: Final = Mistake(
    re.compile("9[0-9]{16}[0-9X]"), "FOREIGN_CARD",
    "a number that begins with 9 is a foreign permanent resident's card: state FOREIGN_PERMANENT_RESIDENT_ID",
)  # fmt: skip
_EIGHTEEN: Final = Mistake(re.compile("[0-9]{17}[0-9X]"), "FULL_NUMBER", "an 18-digit number has the type RESIDENT_ID")

MISTAKES: Final[Mapping[DocumentType, tuple[Mistake, ...]]] = MappingProxyType(
    {
        _T.RESIDENT_ID: (_PERMIT, _FOREIGN, _FIFTEEN),
        _T.RESIDENT_ID_15: (_PERMIT, _EIGHTEEN),
        _T.HMT_RESIDENCE_PERMIT: (_RESIDENT,),
    }
)
