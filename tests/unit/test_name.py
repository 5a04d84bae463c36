from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restriction.errors import InvalidFieldError
from restriction.name import MAX_NAME_CHARS, canonical_name


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        pytest.param("张三", "张三", id="plain"),
        pytest.param(" 张\u3000三\u00a0", "张三", id="spaces inside and outside"),
        pytest.param("\ufeff张\u200b三\t", "张三", id="zero-width and tab"),
        pytest.param("Zhang  San", "ZHANGSAN", id="Latin in upper case"),
        pytest.param("ＺＨＡＮＧ", "ZHANG", id="full-width Latin"),
        pytest.param("阿卜杜拉·买买提", "阿卜杜拉·买买提", id="middle dot"),
        pytest.param("阿卜杜拉•买买提", "阿卜杜拉·买买提", id="bullet"),
        pytest.param("阿卜杜拉・买买提", "阿卜杜拉·买买提", id="katakana dot"),
        pytest.param("阿卜杜拉･买买提", "阿卜杜拉·买买提", id="half-width katakana dot"),
        pytest.param("阿卜杜拉‧买买提", "阿卜杜拉·买买提", id="hyphenation point"),
        pytest.param("阿卜杜拉.买买提", "阿卜杜拉·买买提", id="full stop"),
        pytest.param("湛江（测试）有限公司", "湛江(测试)有限公司", id="company, full-width brackets"),
        pytest.param("\U00030edd\U0002a6a5", "\U00030edd\U0002a6a5", id="rare characters by code point"),
        pytest.param("\ue863", "\ue863", id="private character of an old encoding"),
        pytest.param("\uf90a", "金", id="compatibility ideograph"),
        pytest.param("Mu\u0308ller", "MÜLLER", id="composed accents"),
    ],
)
def test_name_has_one_form(typed: str, canonical: str) -> None:
    assert canonical_name(typed) == canonical


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        pytest.param("", "EMPTY", id="empty"),
        pytest.param(" \u3000\u200b", "EMPTY", id="blank"),
        pytest.param("··", "EMPTY", id="dots alone"),
        pytest.param("张" * (MAX_NAME_CHARS + 1), "TOO_LONG", id="too long"),
        pytest.param("张*", "MASKED", id="masked by a star"),
        pytest.param("张＊三", "MASKED", id="masked by a full-width star"),
        pytest.param("张××", "MASKED", id="masked by multiplication signs"),
        pytest.param("张\ufffd", "MASKED", id="lost in decoding"),
        pytest.param("张?", "MASKED", id="lost in encoding"),
        pytest.param("张\x00三", "MALFORMED", id="control character"),
        pytest.param("张\ud800", "MALFORMED", id="half a character"),
    ],
)
def test_name_that_hides_a_character_is_refused(typed: str, problem: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        canonical_name(typed)
    assert (caught.value.field, caught.value.problem) == ("name", problem)
    assert "张" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("张三", "张参", id="another character of the same sound"),
        pytest.param("张三", "ZHANGSAN", id="Latin spelling"),
        pytest.param("张三", "三张", id="order"),
        pytest.param("張三", "张三", id="traditional and simplified"),
        pytest.param("买买提·吐尔逊", "买买提吐尔逊", id="without its dot"),
    ],
)
def test_names_are_never_matched_loosely(one: str, other: str) -> None:
    assert canonical_name(one) != canonical_name(other)


@given(st.text(max_size=40))
@example("Mu\N{ZERO WIDTH SPACE}\N{COMBINING DIAERESIS}ller")
def test_canonical_name_of_a_canonical_name_is_itself(raw: str) -> None:
    try:
        once = canonical_name(raw)
    except InvalidFieldError:
        return
    assert canonical_name(once) == once
