"""The texts: equal in both languages, the same for everybody, silent about the case."""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restriction.calendar import day_from_date
from restriction.decision import Advice, Decision, Outcome, Reason
from restriction.measures import Measure
from restriction.notice import (
    DESK,
    GUEST,
    HELD,
    TUITION,
    Language,
    Paper,
    alternatives,
    desk_text,
    due_date,
    guest_notice,
    held_notice,
    item,
    reference_from,
)
from restriction.parameters import Court, CourtLevel, Parameters
from restriction.products import Air, FlightKind, Rail, SeatClass
from tests.unit.sales import ask, grant, match, part, said
from tests.unit.test_measures import PRODUCTS

PARAMETERS = Parameters(
    courts={
        1: Court(1, "甲法院", "Court A", "0759-1", CourtLevel.BASIC, city=True),
        2: Court(2, "乙法院", "Court B", "0759-2", CourtLevel.HIGH, city=False),
        3: Court(3, "丙法院", "Court C", "0759-3", CourtLevel.BASIC, city=True),
    }
)
PAPER = Paper("7K3M-9Q", dt.date(2026, 5, 1), "privacy@unit.example")
PLACEHOLDERS = {
    "reference", "date", "item", "cap_clause", "basis", "addition", "courts", "lift_time", "window", "review_time",
    "privacy_contact",
}  # fmt: skip


def restricted(measure: Measure, *courts: int, cap_fen: int | None = None) -> Decision:
    outcome = Outcome.RESTRICTED if cap_fen is None else Outcome.CAPPED
    return Decision(measure, outcome, None, Advice.DECLINE, cap_fen, ("二(七)1",), courts, (b"entry-01",))


def notice(language: Language, *courts: int) -> str:
    return guest_notice(Air(FlightKind.SCHEDULED), restricted(Measure.AIR, *courts), PARAMETERS, PAPER, language)


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("texts", [GUEST, HELD, DESK, TUITION], ids=["guest", "held", "desk", "tuition"])
def test_both_languages_have_the_same_placeholders(texts: Mapping[Language, str]) -> None:
    assert texts.keys() == set(Language)
    assert placeholders(texts[Language.EN]) == placeholders(texts[Language.ZH_CN])


def test_the_guest_notice_has_every_placeholder() -> None:
    assert placeholders(GUEST[Language.EN]) == PLACEHOLDERS


def test_the_english_notice_word_for_word() -> None:
    assert notice(Language.EN, 1) == (
        "NOTICE 7K3M-9Q, 2026-05-01\n"
        "Air travel cannot be sold on this document now (湛委办发电〔2019〕25号 二(七)1). "
        "A court decided this, not this business. It concerns this item only, not your companions.\n"
        "Court: Court A, 0759-1\n"
        "- Not you? Ask for an identity check now.\n"
        "- Performed, settled, enforcement ended? The court must remove it within 3 days; ask for a recheck.\n"
        "- Needed for life or work; a unit officer's own money spent privately; post left: apply to the court.\n"
        "- Serious illness, family funeral, official duty, foreign affairs, important exam: ask for temporary air and "
        "high-speed rail release, at most one month.\n"
        "- Decision wrong? Ask the court to correct it within 10 days of receiving the decision; review takes 3 days; "
        "then the higher court. Inaccurate or outdated record: any time.\n"
        "Who asked about you: privacy@unit.example. Free."
    )


def test_the_chinese_notice_word_for_word() -> None:
    assert notice(Language.ZH_CN, 1) == (
        "告知单 7K3M-9Q　2026-05-01\n"
        "凭本证件暂不能办理：民航机票（湛委办发电〔2019〕25号 二(七)1）。"
        "此系法院决定，非本单位决定；仅限本项，不涉及同行人。\n"
        "法院：甲法院　0759-1\n"
        "- 不是本人：请当场核对身份。\n"
        "- 已履行、和解履行完毕或终结执行：法院应在3日内解除，可要求重新核查。\n"
        "- 生活或工作必需、单位有关人员以个人财产因私消费、已离任：向法院申请。\n"
        "- 本人或近亲属重病、近亲属丧葬、公务、外事、重要考试：可申请暂时解除飞机、高铁限制，最长一个月。\n"
        "- 决定有误：收到决定之日起10日内向法院申请纠正，法院3日内审查；不服驳回，可向上一级法院申请复议。"
        "信息不准或应删除：随时申请。\n"
        "查询记录：privacy@unit.example。免费。"
    )


def test_a_court_outside_the_city_has_the_general_times() -> None:
    assert "within 3 working days; ask" in notice(Language.EN, 2)
    assert "correct it; review takes 15 days;" in notice(Language.EN, 2)
    assert "法院应在3个工作日内解除" in notice(Language.ZH_CN, 2)
    assert "决定有误：向法院申请纠正，法院15日内审查" in notice(Language.ZH_CN, 2)


def test_there_is_one_line_for_each_court_and_times_that_differ_name_theirs() -> None:
    english, chinese = notice(Language.EN, 1, 2, 3), notice(Language.ZH_CN, 1, 2, 3)
    assert "\nCourt: Court A, 0759-1\nCourt: Court B, 0759-2\nCourt: Court C, 0759-3\n" in english
    assert "within 3 days (Court A, Court C), 3 working days (Court B);" in english
    assert "correct it within 10 days of receiving the decision (Court A, Court C); review" in english
    assert "\n法院：甲法院　0759-1\n法院：乙法院　0759-2\n法院：丙法院　0759-3\n" in chinese
    assert "3日（甲法院、丙法院）、3个工作日（乙法院）内解除" in chinese
    assert "决定有误：收到决定之日起10日内（甲法院、丙法院）向法院" in chinese


def test_courts_of_one_kind_share_one_time() -> None:
    assert "within 3 days; ask" in notice(Language.EN, 1, 3)


def test_a_court_missing_from_the_directory_is_named_by_its_code() -> None:
    assert "Court: court 9, privacy@unit.example" in notice(Language.EN, 9)
    assert "法院：法院代码9　privacy@unit.example" in notice(Language.ZH_CN, 9)


@pytest.mark.parametrize(
    ("cap_fen", "english", "chinese"),
    [(100_000, " above 1000 yuan cannot", "超过1000元的部分（"), (100_050, " above 1000.50 yuan", "超过1000.50元")],
)
def test_a_cap_is_stated_in_yuan(cap_fen: int, english: str, chinese: str) -> None:
    capped = restricted(Measure.RESORT_CAP, 1, cap_fen=cap_fen)
    for language, expected in ((Language.EN, english), (Language.ZH_CN, chinese)):
        assert expected in guest_notice(PRODUCTS["RESORT_CAP"], capped, PARAMETERS, PAPER, language)


@pytest.mark.parametrize("measure", Measure)
@pytest.mark.parametrize("language", Language)
def test_tuition_alone_speaks_of_the_pupil(language: Language, measure: Measure) -> None:
    text = guest_notice(PRODUCTS[measure.name], restricted(measure, 1), PARAMETERS, PAPER, language)
    assert (TUITION[language] in text) is (measure is Measure.EDU)
    assert item(PRODUCTS[measure.name], language) in text
    assert "{" not in text


def test_no_entry_reference_reaches_the_guest() -> None:
    assert "entry-01" not in notice(Language.EN, 1)


@pytest.mark.parametrize("outcome", [Outcome.NOT_RESTRICTED, Outcome.UNDETERMINED])
def test_only_a_restriction_is_given_notice_of(outcome: Outcome) -> None:
    reason = Reason.TEXT_UNCLEAR if outcome is Outcome.UNDETERMINED else None
    decision = Decision(Measure.AIR, outcome, reason, Advice.HOLD, None, (), (), ())
    with pytest.raises(ValueError, match="notice"):
        guest_notice(Air(FlightKind.CHARTER), decision, PARAMETERS, PAPER, Language.EN)


def test_the_held_notice_word_for_word() -> None:
    product, due = Rail("D7401", SeatClass.SECOND_BERTH), dt.date(2026, 5, 4)
    assert held_notice(product, PAPER, "Ms Li", due, Language.EN) == (
        "7K3M-9Q: Second-class berth on an EMU train needs a further check. This is no decision about you. Ms Li "
        "answers by 2026-05-04. You may show another document, explain why it is necessary, or ask for a recheck. "
        "Questions and complaints: privacy@unit.example."
    )
    assert held_notice(product, PAPER, "李女士", due, Language.ZH_CN) == (
        "7K3M-9Q：动车组列车二等卧需进一步核查，并非对您作出决定。李女士将于2026-05-04前答复。您可以出示其他证件、"
        "说明必要理由或要求重新核查。咨询投诉：privacy@unit.example。"
    )


def test_the_desk_text_word_for_word() -> None:
    assert desk_text("7K3M-9Q", Language.EN) == (
        "This item cannot be sold on this document now. Reference 7K3M-9Q. Please hand the guest the notice."
    )
    assert desk_text("7K3M-9Q", Language.ZH_CN) == ("该项目暂不能凭此证件办理，编号 7K3M-9Q。请将告知单交客人本人。")


@pytest.mark.parametrize(
    ("today", "due"),
    [("2026-04-30", "2026-05-01"), ("2026-05-01", "2026-05-04"), ("2026-05-02", "2026-05-04")],
    ids=["Thursday", "Friday", "Saturday"],
)
def test_what_is_held_is_answered_on_the_next_working_day(today: str, due: str) -> None:
    assert due_date(day_from_date(dt.date.fromisoformat(today))).isoformat() == due


@given(st.binary(min_size=8, max_size=40))
def test_a_reference_can_be_read_aloud(raw: bytes) -> None:
    reference = reference_from(raw)
    assert len(reference) == 7
    assert reference[4] == "-"
    assert set(reference) <= set("23456789ABCDEFGHJKMNPQRSTVWXYZ-")


def test_a_reference_needs_eight_bytes_and_uses_them() -> None:
    with pytest.raises(ValueError, match="reference"):
        reference_from(bytes(7))
    assert len({reference_from(bytes(7) + bytes([last])) for last in range(30)}) == 30


@pytest.mark.parametrize("measure", Measure)
def test_alternatives_are_as_many_in_both_languages(measure: Measure) -> None:
    product = PRODUCTS[measure.name]
    assert len(alternatives(product, Language.EN)) == len(alternatives(product, Language.ZH_CN))


@pytest.mark.parametrize("seat", SeatClass)
@pytest.mark.parametrize("language", Language)
def test_every_seat_has_a_name(language: Language, seat: SeatClass) -> None:
    assert item(Rail("P1", seat), language)


def test_the_alternative_to_a_g_train_is_itself_free() -> None:
    assert alternatives(Rail("G6001", SeatClass.SECOND), Language.EN)[0] == "second class on a D train"
    assert said(ask(Rail("D7401", SeatClass.SECOND), match(part(grant(explicit=True))))) == "N"
