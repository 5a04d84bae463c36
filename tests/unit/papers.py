"""Documents for tests: right in form and check digit, made without any code of the product.

Check digits are computed here by the plain sums of the standards, so that product and test cannot err together.
"""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from restriction.identity import Document, DocumentType, Mode

TODAY = 20_000  # 2024-10-04
CREDIT_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LAST_BIRTH = dt.date(2024, 10, 4)


def resident_check(body: str) -> str:
    """GB 11643: weights 2^(18-i) modulo 11 and the check characters, as its tables print them."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def credit_check(body: str) -> str:
    """GB 32100: weights 3^(i-1) modulo 31, as its table prints them."""
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    total = sum(CREDIT_LETTERS.index(c) * weight for c, weight in zip(body, weights, strict=True))
    return CREDIT_LETTERS[(31 - total % 31) % 31]


def organisation_check(body: str, checks: str = "0123456789X") -> str:
    """GB 11714: weights 3 7 9 10 5 8 4 2 modulo 11; 10 is written X, 11 is written 0."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    value = 11 - sum(int(c, 36) * weight for c, weight in zip(body, weights, strict=True)) % 11
    return checks[0 if value == 11 else value]


def _digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def _letters(alphabet: str, count: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=count, max_size=count)


@st.composite
def _card(draw: st.DrawFn, areas: st.SearchStrategy[str]) -> str:
    born = draw(st.dates(dt.date(1880, 1, 1), _LAST_BIRTH))
    body = f"{draw(areas)}{born:%Y%m%d}{draw(_digits(3))}"
    return body + resident_check(body)


@st.composite
def _old_card(draw: st.DrawFn, areas: st.SearchStrategy[str]) -> str:
    born = draw(st.dates(dt.date(1900, 1, 1), dt.date(1999, 12, 31)))
    return f"{draw(areas)}{born:%y%m%d}{draw(_digits(3))}"


@st.composite
def _credit_code(draw: st.DrawFn, region: str, checks: str) -> str:
    organisation = draw(_letters(CREDIT_LETTERS, 8))
    check = draw(st.sampled_from([organisation_check(organisation, checks), *"0X7AB"]))
    body = f"{draw(_letters(CREDIT_LETTERS, 2))}{region}{draw(_digits(5))}{organisation}{check}"
    return body + credit_check(body)


def _organisation_code(checks: str) -> st.SearchStrategy[str]:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return _letters(alphabet, 8).map(lambda body: body + organisation_check(body, checks))


def _areas(first: str) -> st.SearchStrategy[str]:
    return (
        st.tuples(st.sampled_from(first), _digits(5))
        .map("".join)
        .filter(lambda area: area[:2] not in {"81", "82", "83"})
    )


_T = DocumentType
_FOREIGN_OLD = st.tuples(_letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 3), _digits(12)).map("".join)
NUMBERS: dict[Mode, dict[DocumentType, st.SearchStrategy[str]]] = {
    Mode.LIVE: {
        _T.RESIDENT_ID: _card(_areas("12345678")),
        _T.RESIDENT_ID_15: _old_card(_areas("12345678")),
        _T.HMT_RESIDENCE_PERMIT: _card(st.sampled_from(["810000", "820000", "830000"])),
        _T.FOREIGN_PERMANENT_RESIDENT_ID: _card(_areas("9")) | _FOREIGN_OLD.filter(lambda n: n[:3] != "UTO"),
        _T.HM_TRAVEL_PERMIT: st.from_regex(r"[HM][0-9]{8}([0-9]{2})?", fullmatch=True),
        _T.TW_TRAVEL_PERMIT: _digits(8) | _digits(10),
        _T.PASSPORT: st.from_regex(r"[0-9A-Z]{1,9}", fullmatch=True),
        _T.UNIFIED_SOCIAL_CREDIT_CODE: _credit_code("4", "0123456789X"),
        _T.ORGANISATION_CODE: _organisation_code("0123456789X"),
    },
    Mode.SANDBOX: {
        _T.RESIDENT_ID: _card(_areas("0")),
        _T.RESIDENT_ID_15: _old_card(_areas("0")),
        _T.HMT_RESIDENCE_PERMIT: _card(st.sampled_from(["010000", "020000", "030000"])),
        _T.FOREIGN_PERMANENT_RESIDENT_ID: _card(_areas("0")) | _digits(12).map("UTO{}".format),
        _T.HM_TRAVEL_PERMIT: st.from_regex(r"S[0-9]{8}([0-9]{2})?", fullmatch=True),
        _T.TW_TRAVEL_PERMIT: _digits(7).map("S{}".format),
        _T.PASSPORT: st.from_regex(r"[0-9A-Z]{1,9}", fullmatch=True),
        _T.UNIFIED_SOCIAL_CREDIT_CODE: _credit_code("0", "ABCDEFGHJKL"),
        _T.ORGANISATION_CODE: _organisation_code("ABCDEFGHJKL"),
    },
}
_ISSUERS = {Mode.LIVE: ["CHN", "USA", "DEU"], Mode.SANDBOX: ["UTO"]}


@st.composite
def documents(draw: st.DrawFn, mode: Mode) -> Document:
    """A right document of any type."""
    kind = draw(st.sampled_from(DocumentType))
    country = draw(st.sampled_from(_ISSUERS[mode])) if kind is DocumentType.PASSPORT else ""
    return Document(kind, draw(NUMBERS[mode][kind]), country)


def kin(document: Document) -> list[Document]:
    """What may be stated in the place of this document: the other document of its pair, where there is one."""
    kind, number = document.type, document.number
    if kind is _T.RESIDENT_ID and number[6:8] == "19":
        return [Document(_T.RESIDENT_ID_15, number[:6] + number[8:17])]
    if kind is _T.HM_TRAVEL_PERMIT:
        return [Document(kind, number[:9]), Document(kind, number[:9] + "01"), Document(kind, number[:9] + "99")]
    if kind is _T.UNIFIED_SOCIAL_CREDIT_CODE:
        moved = "92" + number[2:17]
        return [Document(_T.ORGANISATION_CODE, number[8:17]), Document(kind, moved + credit_check(moved))]
    return []


def same_holder(one: Document, other: Document, mode: Mode) -> bool:
    """Whether two right documents are one, told by what is printed on them."""
    return _printed(one, mode) == _printed(other, mode)


def _printed(document: Document, mode: Mode) -> tuple[str, ...]:
    kind, number = document.type, document.number
    if kind in {_T.RESIDENT_ID, _T.RESIDENT_ID_15}:
        return ("resident", number[:17] if len(number) == 18 else f"{number[:6]}19{number[6:]}")
    if kind is _T.HM_TRAVEL_PERMIT:
        return (kind.name, number[:9])
    if kind is _T.UNIFIED_SOCIAL_CREDIT_CODE:
        inside = number[8:17]
        right = organisation_check(inside[:8], "0123456789X" if mode is Mode.LIVE else "ABCDEFGHJKL") == inside[8]
        return ("organisation", inside) if right else (kind.name, number)
    if kind is _T.ORGANISATION_CODE:
        return ("organisation", number)
    return (kind.name, document.issuing_country, number)
