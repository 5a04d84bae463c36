"""What is refused, by which problem word, and that no refusal tells the number."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restriction.errors import InvalidFieldError, QuestionError, SandboxOnlyError
from restriction.identity import Document, DocumentType, Mode, normalise
from tests.unit.papers import TODAY, credit_check, resident_check

T = DocumentType
NUMBER, COUNTRY = "document.number", "document.issuing_country"


def card(body: str) -> str:
    return body + resident_check(body)


# type, number, problem; the field is the number's
BAD_NUMBERS = [
    (T.RESIDENT_ID, "", "EMPTY"),
    (T.RESIDENT_ID, " \u3000\u200b-.", "EMPTY"),
    (T.RESIDENT_ID, "1" * 65, "TOO_LONG"),
    (T.RESIDENT_ID, "110105********002X", "MASKED"),
    (T.RESIDENT_ID, "110105＊＊＊＊＊＊＊＊002X", "MASKED"),
    (T.RESIDENT_ID, "110105••••••••002X", "MALFORMED"),
    (T.RESIDENT_ID, "1101051949123100", "MALFORMED"),
    (T.RESIDENT_ID, "1101051949123100211", "MALFORMED"),
    (T.RESIDENT_ID, "1101051949123100XX", "MALFORMED"),
    (T.RESIDENT_ID, "X10105194912310021", "MALFORMED"),
    (T.RESIDENT_ID, "11010519491231002Y", "MALFORMED"),
    (T.RESIDENT_ID, "11010519491231002*", "MASKED"),
    (T.RESIDENT_ID, "110105\t19491231002X", "MALFORMED"),
    (T.RESIDENT_ID, "11010519491231002X\n", "MALFORMED"),
    (T.RESIDENT_ID, "11010519491231002X\x00", "MALFORMED"),
    (T.RESIDENT_ID, "١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "MALFORMED"),
    (T.RESIDENT_ID, "1١010519491231002X", "MALFORMED"),
    (T.RESIDENT_ID, "۱۱۰۱۰۵۱۹۴۹۱۲۳۱۰۰۲X", "MALFORMED"),
    (T.RESIDENT_ID, "१1010519491231002X", "MALFORMED"),
    (T.RESIDENT_ID, "11010519491231\N{CYRILLIC CAPITAL LETTER HA}02X", "MALFORMED"),
    (T.RESIDENT_ID, "11010519491231002\N{GREEK CAPITAL LETTER CHI}", "MALFORMED"),
    (T.RESIDENT_ID, "1I010519491231002X", "MALFORMED"),
    (T.RESIDENT_ID, "11O1O519491231OO2X", "MALFORMED"),
    (T.RESIDENT_ID, "110105194912310021", "CHECK_DIGIT"),
    (T.RESIDENT_ID, "11010519491231020X", "CHECK_DIGIT"),
    (T.RESIDENT_ID, "11015019491231002X", "CHECK_DIGIT"),
    (T.RESIDENT_ID, card("11010520230229001"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010519001301001"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010519000001001"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010519000431001"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010500000101001"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010518491231001"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010520241005001"), "FUTURE_BIRTH_DATE"),
    (T.RESIDENT_ID, card("11010599991231001"), "FUTURE_BIRTH_DATE"),
    (T.RESIDENT_ID, "810000199408230021", "RESIDENCE_PERMIT_AREA"),
    (T.RESIDENT_ID, card("82010119940823002"), "RESIDENCE_PERMIT_AREA"),
    (T.RESIDENT_ID, "830000199201300022", "RESIDENCE_PERMIT_AREA"),
    (T.RESIDENT_ID, "911124198108030024", "FOREIGN_CARD"),
    (T.RESIDENT_ID, "110105491231002", "OLD_NUMBER"),
    (T.RESIDENT_ID, "H12345678", "MALFORMED"),
    (T.RESIDENT_ID_15, "11010519491231002X", "FULL_NUMBER"),
    (T.RESIDENT_ID_15, "810000940823002", "RESIDENCE_PERMIT_AREA"),
    (T.RESIDENT_ID_15, "910105491231002", "MALFORMED"),
    (T.RESIDENT_ID_15, "11010549123100", "MALFORMED"),
    (T.RESIDENT_ID_15, "11010549123100X", "MALFORMED"),
    (T.RESIDENT_ID_15, "110105490229002", "IMPOSSIBLE_BIRTH_DATE"),
    (T.HMT_RESIDENCE_PERMIT, "810000199408230022", "CHECK_DIGIT"),
    (T.HMT_RESIDENCE_PERMIT, card("81000119940823002"), "MALFORMED"),
    (T.HMT_RESIDENCE_PERMIT, card("84000019940823002"), "MALFORMED"),
    (T.HMT_RESIDENCE_PERMIT, "11010519491231002X", "RESIDENT_AREA"),
    (T.HMT_RESIDENCE_PERMIT, card("83000019940231002"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.HMT_RESIDENCE_PERMIT, card("83000020250101002"), "FUTURE_BIRTH_DATE"),
    (T.FOREIGN_PERMANENT_RESIDENT_ID, "911124198108030025", "CHECK_DIGIT"),
    (T.FOREIGN_PERMANENT_RESIDENT_ID, card("91112419811303002"), "IMPOSSIBLE_BIRTH_DATE"),
    (T.FOREIGN_PERMANENT_RESIDENT_ID, card("91112420251103002"), "FUTURE_BIRTH_DATE"),
    (T.FOREIGN_PERMANENT_RESIDENT_ID, "11010519491231002X", "MALFORMED"),
    (T.FOREIGN_PERMANENT_RESIDENT_ID, "CA1110081080310", "MALFORMED"),
    (T.FOREIGN_PERMANENT_RESIDENT_ID, "CAN11008108031", "MALFORMED"),
    (T.HM_TRAVEL_PERMIT, "H1234567", "MALFORMED"),
    (T.HM_TRAVEL_PERMIT, "H123456780", "MALFORMED"),
    (T.HM_TRAVEL_PERMIT, "H123456780102", "MALFORMED"),
    (T.HM_TRAVEL_PERMIT, "T12345678", "MALFORMED"),
    (T.HM_TRAVEL_PERMIT, "12345678", "MALFORMED"),
    (T.HM_TRAVEL_PERMIT, "H1234****", "MASKED"),
    (T.TW_TRAVEL_PERMIT, "1234567", "MALFORMED"),
    (T.TW_TRAVEL_PERMIT, "123456789", "MALFORMED"),
    (T.TW_TRAVEL_PERMIT, "T12345678", "MALFORMED"),
    (T.TW_TRAVEL_PERMIT, "١٢٣٤٥٦٧٨", "MALFORMED"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "91350100M000100Y44", "CHECK_DIGIT"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "91350100M000100Y4", "MALFORMED"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "9135O1OOMOOO1OOY43", "MALFORMED"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "9135010ZM000100Y43", "MALFORMED"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "V1350100M000100Y43", "MALFORMED"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "913501A0M000100Y43", "MALFORMED"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "91350100****00Y43", "MASKED"),
    (T.ORGANISATION_CODE, "600037342", "CHECK_DIGIT"),
    (T.ORGANISATION_CODE, "60003734", "MALFORMED"),
    (T.ORGANISATION_CODE, "6000373411", "MALFORMED"),
    (T.ORGANISATION_CODE, "60003734Y", "MALFORMED"),
]
# type, number, issuing country, field, problem
BAD_DOCUMENTS = [
    (T.PASSPORT, "", "CHN", NUMBER, "EMPTY"),
    (T.PASSPORT, "E123456789", "CHN", NUMBER, "MALFORMED"),
    (T.PASSPORT, "E1234*678", "CHN", NUMBER, "MASKED"),
    (T.PASSPORT, "E1234/678", "CHN", NUMBER, "MALFORMED"),
    (T.PASSPORT, "E12\N{CYRILLIC CAPITAL LETTER HA}45678", "CHN", NUMBER, "MALFORMED"),
    (T.PASSPORT, "护照1234", "CHN", NUMBER, "MALFORMED"),
    (T.PASSPORT, "E1234567ß", "CHN", NUMBER, "MALFORMED"),
    (T.PASSPORT, "E123456\N{LATIN SMALL LETTER DOTLESS I}8", "CHN", NUMBER, "MALFORMED"),
    (T.PASSPORT, "E12345678", "", COUNTRY, "MISSING"),
    (T.PASSPORT, "E12345678", " ", COUNTRY, "MISSING"),
    (T.PASSPORT, "E12345678", "CN", COUNTRY, "UNKNOWN"),
    (T.PASSPORT, "E12345678", "XYZ", COUNTRY, "UNKNOWN"),
    (T.PASSPORT, "E12345678", "156", COUNTRY, "UNKNOWN"),
    (T.RESIDENT_ID, "11010519491231002X", "CHN", COUNTRY, "NOT_APPLICABLE"),
    (T.UNIFIED_SOCIAL_CREDIT_CODE, "91350100M000100Y43", "CHN", COUNTRY, "NOT_APPLICABLE"),
]
EVERY_BAD_DOCUMENT = [*((kind, number, "", NUMBER, problem) for kind, number, problem in BAD_NUMBERS), *BAD_DOCUMENTS]


def refused(document: Document, mode: Mode = Mode.LIVE) -> InvalidFieldError:
    with pytest.raises(InvalidFieldError) as caught:
        normalise(document, mode, TODAY)
    return caught.value


def told(error: BaseException) -> str:
    """Everything that a log would show of an error, chained errors included."""
    return "".join(
        [repr(error), *traceback.format_exception_only(error), repr(error.__context__), repr(error.__cause__)]
    )


@pytest.mark.parametrize(("kind", "number", "country", "field", "problem"), EVERY_BAD_DOCUMENT)
def test_bad_document_is_refused_by_field_and_problem(
    kind: DocumentType, number: str, country: str, field: str, problem: str
) -> None:
    error = refused(Document(kind, number, country))
    assert (error.field, error.problem) == (field, problem)


@pytest.mark.parametrize(("kind", "number", "country"), [row[:3] for row in EVERY_BAD_DOCUMENT if len(row[1]) > 6])
def test_refusal_never_tells_the_number(kind: DocumentType, number: str, country: str) -> None:
    error = refused(Document(kind, number, country))
    assert error.__context__ is None
    shown = told(error)
    assert not any(number[start : start + 6] in shown for start in range(len(number) - 5))


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(T.RESIDENT_ID, "1I010519491231002X", id="I for 1"),
        pytest.param(T.RESIDENT_ID, "11O10519491231002X", id="O for 0"),
        pytest.param(T.RESIDENT_ID, "11010519491231OOZX", id="Z for 2"),
        pytest.param(T.HM_TRAVEL_PERMIT, "H1234S67B", id="S for 5, B for 8"),
        pytest.param(T.UNIFIED_SOCIAL_CREDIT_CODE, "9135O1OOM000100Y43", id="O in a credit code"),
        pytest.param(T.RESIDENT_ID, "110105194912310021", id="wrong check digit"),
    ],
)
def test_look_alikes_only_ask_to_scan_again(kind: DocumentType, number: str) -> None:
    assert "scan again" in refused(Document(kind, number)).hint


@pytest.mark.parametrize("kind", [0, 10])
def test_unknown_type_is_refused(kind: int) -> None:
    error = refused(Document(kind, "11010519491231002X"))  # type: ignore[arg-type]  # what a careless caller may send
    assert (error.field, error.problem) == ("document.type", "UNKNOWN")


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "number", [pytest.param("11010519491231002X", id="live"), pytest.param(card("01010519491231002"), id="sandbox")]
)
def test_wrong_check_digit_is_named_before_the_wrong_mode(mode: Mode, number: str) -> None:
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    assert refused(Document(T.RESIDENT_ID, wrong), mode).problem == "CHECK_DIGIT"


def test_sandbox_refusal_tells_no_number() -> None:
    with pytest.raises(SandboxOnlyError) as caught:
        normalise(Document(T.RESIDENT_ID, "11010519491231002X"), Mode.SANDBOX, TODAY)
    assert "110105" not in told(caught.value)


@pytest.mark.parametrize(
    ("region", "inside"),
    [pytest.param("440800", "M000100Y4", id="live code"), pytest.param("000000", "M000100Y4", id="live code inside")],
)
def test_sandbox_never_meets_a_live_company(region: str, inside: str) -> None:
    body = f"91{region}{inside}"
    try:
        met = normalise(Document(T.UNIFIED_SOCIAL_CREDIT_CODE, body + credit_check(body)), Mode.SANDBOX, TODAY)
    except SandboxOnlyError:
        return
    assert met.number != inside


@given(st.sampled_from(T), st.text(max_size=80), st.sampled_from(["", "CHN", "UTO"]), st.sampled_from(Mode))
def test_any_text_gives_an_identity_or_a_question_error(
    kind: DocumentType, text: str, country: str, mode: Mode
) -> None:
    try:
        identity = normalise(Document(kind, text, country), mode, TODAY)
    except QuestionError:
        return
    assert identity.number.isascii()
    assert identity.number.isalnum()
