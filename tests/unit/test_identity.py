"""What a right document becomes, and which documents meet."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from restriction.calendar import day_from_date
from restriction.documents import FORMS
from restriction.errors import QuestionError, SandboxOnlyError
from restriction.identity import Document, DocumentType, Identity, Mode, normalise
from tests.unit.papers import (
    CREDIT_LETTERS,
    TODAY,
    credit_check,
    documents,
    kin,
    organisation_check,
    resident_check,
    same_holder,
)

T = DocumentType
MODES = st.sampled_from(Mode)


def live(kind: DocumentType, number: str, country: str = "") -> Identity:
    return normalise(Document(kind, number, country), Mode.LIVE, TODAY)


def again(identity: Identity, mode: Mode) -> Identity:
    """The canonical number stated once more, as a document of its canonical type."""
    country = identity.number[:3] if identity.type is T.PASSPORT else ""
    return normalise(Document(identity.type, identity.number.removeprefix(country), country), mode, TODAY)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(T.RESIDENT_ID, "11010519491231002X", id="GB 11643, example with X"),
        pytest.param(T.RESIDENT_ID, "440524188001010014", id="GB 11643, example of a centenarian"),
        pytest.param(T.HMT_RESIDENCE_PERMIT, "810000199408230021", id="specimen card, Hong Kong"),
        pytest.param(T.HMT_RESIDENCE_PERMIT, "830000199201300022", id="specimen card, Taiwan"),
        pytest.param(T.FOREIGN_PERMANENT_RESIDENT_ID, "911124198108030024", id="specimen card of 2023"),
        pytest.param(T.FOREIGN_PERMANENT_RESIDENT_ID, "CAN110081080310", id="older card"),
        pytest.param(T.HM_TRAVEL_PERMIT, "H12345678", id="Hong Kong permit without renewal digits"),
        pytest.param(T.HM_TRAVEL_PERMIT, "M12345678", id="Macao permit without renewal digits"),
        pytest.param(T.TW_TRAVEL_PERMIT, "12345678", id="Taiwan permit"),
        pytest.param(T.TW_TRAVEL_PERMIT, "0123456789", id="older Taiwan permit"),
        pytest.param(T.ORGANISATION_CODE, "D2143569X", id="GB 11714, example"),
        pytest.param(T.ORGANISATION_CODE, "600037341", id="organisation code of digits"),
    ],
)
def test_right_number_is_its_own_canonical_form(kind: DocumentType, number: str) -> None:
    assert live(kind, number) == Identity(kind, number)


@pytest.mark.parametrize(
    ("number", "organisation"),
    [
        pytest.param("91350100M000100Y43", "M000100Y4", id="GB 32100, example"),
        pytest.param("91110000600037341L", "600037341", id="digits"),
        pytest.param("9144030071526726XG", "71526726X", id="check character X inside"),
    ],
)
def test_credit_code_meets_the_organisation_code_it_contains(number: str, organisation: str) -> None:
    assert live(T.UNIFIED_SOCIAL_CREDIT_CODE, number) == live(T.ORGANISATION_CODE, organisation)


def test_credit_code_may_begin_with_a_letter() -> None:
    body = "A1440800M000100Y4"
    assert live(T.UNIFIED_SOCIAL_CREDIT_CODE, body + credit_check(body)).number == "M000100Y4"


def test_credit_code_without_organisation_code_inside_keeps_its_own_number() -> None:
    body = "91440800M000100Y5"
    assert live(T.UNIFIED_SOCIAL_CREDIT_CODE, body + credit_check(body)).number == body + credit_check(body)


def test_fifteen_digits_meet_eighteen_and_stay_weak() -> None:
    old, full = live(T.RESIDENT_ID_15, "110105491231002"), live(T.RESIDENT_ID, "11010519491231002X")
    assert (old.type, old.number) == (full.type, full.number)
    assert (old.weak, full.weak) == (True, False)


@pytest.mark.parametrize("number", ["H1234567801", "H1234567899", "h12345678"])
def test_renewed_travel_permits_of_one_holder_meet(number: str) -> None:
    assert live(T.HM_TRAVEL_PERMIT, number) == live(T.HM_TRAVEL_PERMIT, "H12345678")


def test_passport_is_bound_to_its_issuing_country() -> None:
    assert live(T.PASSPORT, "E12345678", "CHN") != live(T.PASSPORT, "E12345678", "USA")
    assert live(T.PASSPORT, "e12345678", " chn ") == live(T.PASSPORT, "E12345678", "CHN")


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("11010519491231002x", id="lower x"),
        pytest.param("11010519491231002\N{MULTIPLICATION SIGN}", id="multiplication sign"),
        pytest.param("11010519491231002\N{CYRILLIC CAPITAL LETTER HA}", id="Cyrillic capital"),
        pytest.param("11010519491231002\N{CYRILLIC SMALL LETTER HA}", id="Cyrillic small"),
        pytest.param("11010519491231002\N{ROMAN NUMERAL TEN}", id="Roman ten"),
        pytest.param("11010519491231002\N{SMALL ROMAN NUMERAL TEN}", id="small Roman ten"),
        pytest.param("11010519491231002\N{MULTIPLICATION SIGN}\N{ZERO WIDTH SPACE}", id="zero-width after the last"),
        pytest.param("１１０１０５１９４９１２３１００２Ｘ", id="full-width"),
        pytest.param("110105 19491231 002X", id="spaces"),
        pytest.param("110105\N{IDEOGRAPHIC SPACE}19491231\N{NO-BREAK SPACE}002X", id="wide spaces"),
        pytest.param("110105-1949‐12‑31–002—X", id="hyphens and dashes"),
        pytest.param("110105.19491231．002X", id="dots"),
        pytest.param("\ufeff110105\u200b19491231\u200d002X\u2060", id="zero-width"),
        pytest.param("\u202d11010519491231002X\u202c", id="direction marks of a copied cell"),
    ],
)
def test_typed_and_scanned_forms_meet_the_plain_number(typed: str) -> None:
    assert live(T.RESIDENT_ID, typed) == Identity(T.RESIDENT_ID, "11010519491231002X")


@pytest.mark.parametrize(
    ("kind", "number", "born"),
    [
        (T.RESIDENT_ID, "11010519491231002X", dt.date(1949, 12, 31)),
        (T.RESIDENT_ID_15, "110105491231002", dt.date(1949, 12, 31)),
        (T.HMT_RESIDENCE_PERMIT, "810000199408230021", dt.date(1994, 8, 23)),
        (T.FOREIGN_PERMANENT_RESIDENT_ID, "911124198108030024", dt.date(1981, 8, 3)),
    ],
)
def test_birth_day_is_read_from_the_number(kind: DocumentType, number: str, born: dt.date) -> None:
    assert live(kind, number).birth_day == day_from_date(born)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (T.HM_TRAVEL_PERMIT, "H12345678"),
        (T.FOREIGN_PERMANENT_RESIDENT_ID, "CAN110081080310"),
        (T.ORGANISATION_CODE, "600037341"),
        (T.UNIFIED_SOCIAL_CREDIT_CODE, "91440800M000100Y5" + credit_check("91440800M000100Y5")),
    ],
)
def test_birth_day_is_unknown_where_the_number_tells_none(kind: DocumentType, number: str) -> None:
    assert live(kind, number).birth_day is None


def test_born_today_is_born() -> None:
    body = "11010520241004001"
    assert live(T.RESIDENT_ID, body + resident_check(body)).birth_day == TODAY


def test_only_organisations_are_units() -> None:
    company, person = (
        live(T.UNIFIED_SOCIAL_CREDIT_CODE, "91110000600037341L"),
        live(T.RESIDENT_ID, "11010519491231002X"),
    )
    assert (company.is_unit, person.is_unit) == (True, False)


@given(st.data())
def test_every_right_document_is_accepted_in_its_mode_and_refused_in_the_other(draw: st.DataObject) -> None:
    mode = draw.draw(MODES)
    document = draw.draw(documents(mode))
    normalise(document, mode, TODAY)
    other = Mode.LIVE if mode is Mode.SANDBOX else Mode.SANDBOX
    with pytest.raises(SandboxOnlyError):
        normalise(document, other, TODAY)


@given(st.data())
def test_normalising_twice_equals_once(draw: st.DataObject) -> None:
    mode = draw.draw(MODES)
    once = normalise(draw.draw(documents(mode)), mode, TODAY)
    twice = again(once, mode)
    assert (twice.type, twice.number) == (once.type, once.number)


@given(st.data())
def test_clean_text_takes_the_short_way_to_the_same_identity(draw: st.DataObject) -> None:
    """A zero-width character in front forces the full cleaning."""
    mode = draw.draw(MODES)
    plain = draw.draw(documents(mode))
    full = Document(plain.type, "\u200b" + plain.number, plain.issuing_country)
    assert normalise(plain, mode, TODAY) == normalise(full, mode, TODAY)


@given(st.data())
def test_two_documents_meet_only_in_the_three_pairs(draw: st.DataObject) -> None:
    """I17: two documents share a canonical form exactly when what is printed on them is one of the pairs."""
    mode = draw.draw(MODES)
    one = draw.draw(documents(mode))
    under_another_type = st.builds(Document, st.sampled_from(T), st.just(one.number))
    other = draw.draw(documents(mode) | under_another_type | st.sampled_from([one, *kin(one)]))
    try:
        first, second = normalise(one, mode, TODAY), normalise(other, mode, TODAY)
    except QuestionError:  # a number under another type is mostly refused, and so meets nothing
        return
    assert ((first.type, first.number) == (second.type, second.number)) == same_holder(one, other, mode)


@given(st.data(), st.text(CREDIT_LETTERS, min_size=2, max_size=2))
def test_company_is_found_by_either_code(draw: st.DataObject, authority: str) -> None:
    body = draw.draw(st.text(CREDIT_LETTERS, min_size=8, max_size=8))
    code = body + organisation_check(body)
    credit = f"{authority}440803{code}"
    assert live(T.ORGANISATION_CODE, code) == live(T.UNIFIED_SOCIAL_CREDIT_CODE, credit + credit_check(credit))


@given(st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True))
def test_check_by_triples_equals_the_loop_over_characters(number: str) -> None:
    (form,) = FORMS[Mode.LIVE][T.RESIDENT_ID]
    assert form.check is not None
    assert form.check(number) == mod_11_2.is_valid(number)


@given(st.data())
def test_no_text_matches_a_live_and_a_sandbox_form(draw: st.DataObject) -> None:
    mode = draw.draw(MODES)
    form = draw.draw(st.sampled_from([form for forms in FORMS[mode].values() for form in forms]))
    number = draw.draw(st.from_regex(form.pattern, fullmatch=True))
    others = FORMS[Mode.LIVE if mode is Mode.SANDBOX else Mode.SANDBOX][form.type]
    assert not any(other.pattern.fullmatch(number) for other in others)


def test_repr_tells_no_number() -> None:
    document = Document(T.RESIDENT_ID, "11010519491231002X")
    shown = f"{document!r} {document} {live(document.type, document.number)!r} {live(T.PASSPORT, 'E12345678', 'CHN')}"
    assert not any(secret in shown for secret in ("110105", "1949", "E1234", "CHN"))
