"""The parameters document: read whole or refused by name, and one byte form when signed."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restriction.errors import SettingError
from restriction.parameters import (
    Court,
    CourtLevel,
    FreshnessLimits,
    InsuranceMin,
    LodgingGrade,
    Parameters,
    Rating,
    ResortKind,
    Standing,
)
from restriction.products import RatingStatus, SeatClass

HEAD = "version: 3\ndate: 2026-05-01\nauthority: 某局\n"
WHOLE = (
    HEAD
    + """\
values:
  STAR_REGISTER: {h-1: {stars: 4, status: IN_FORCE}, h-2: {stars: 0, status: NOT_RATED}}
  LODGE_LIST: {h-3: NATIONAL_GRADE_ONE, h-4: OTHER_HIGH_CONSUMPTION}
  VENUE_LIST: [v-2, v-1]
  VENUE_MIN: 500.50
  RESORT_LIST: {r-1: GRADED_RESORT, r-2: TOURISM_FIRM}
  RESORT_CAP: {value: 1000, authority: 旅游局}
  EDU_LIST: [s-1]
  INS_MIN: {annual: 20000, single: "100000.00"}
  DECOR_MIN: 0
  RAIL_CLASS_MAP: {SECOND_BERTH: FIRST}
  HMT_IS_OUTBOUND: false
  G_STANDING: not_restricted
  COURTS:
    4408: {name_zh: 甲法院, name_en: Court A, contact: 0759-1, level: INTERMEDIATE, city: true}
  FRESHNESS_LIMITS: {default_s: 7200, registry_s: 600}
"""
)


def with_values(values: str) -> str:
    return f"{HEAD}values: {values}"


def refusal(document: str) -> str:
    with pytest.raises(SettingError) as refused:
        Parameters.parse(document)
    return str(refused.value)


def test_every_value_is_read() -> None:
    parameters = Parameters.parse(WHOLE)
    names = [line.split(":")[0].strip() for line in WHOLE.splitlines() if line.startswith("  ") and line[2] != " "]
    assert parameters == Parameters(
        version=3,
        date=dt.date(2026, 5, 1),
        authority="某局",
        authorities=dict.fromkeys(names, "某局") | {"RESORT_CAP": "旅游局"},
        star_register={"h-1": Rating(4, RatingStatus.IN_FORCE), "h-2": Rating(0, RatingStatus.NOT_RATED)},
        lodge_list={"h-3": LodgingGrade.NATIONAL_GRADE_ONE, "h-4": LodgingGrade.OTHER_HIGH_CONSUMPTION},
        venue_list=frozenset({"v-1", "v-2"}),
        venue_min_fen=50_050,
        resort_list={"r-1": ResortKind.GRADED_RESORT, "r-2": ResortKind.TOURISM_FIRM},
        resort_cap_fen=100_000,
        edu_list=frozenset({"s-1"}),
        ins_min=InsuranceMin(annual_fen=2_000_000, single_fen=10_000_000),
        decor_min_fen=0,
        rail_class_map={SeatClass.SECOND_BERTH: SeatClass.FIRST},
        hmt_is_outbound=False,
        g_standing=Standing.NOT_RESTRICTED,
        courts={4408: Court(4408, "甲法院", "Court A", "0759-1", CourtLevel.INTERMEDIATE, city=True)},
        freshness_limits=FreshnessLimits(default_s=7_200, registry_s=600),
    )
    assert parameters.unset == frozenset()


def test_what_is_not_settled_is_unset_but_for_the_named_defaults() -> None:
    parameters = Parameters.parse(with_values("{}"))
    unsettled = Parameters(version=3, date=dt.date(2026, 5, 1), authority="某局")
    assert parameters == unsettled
    assert parameters.hmt_is_outbound
    assert parameters.g_standing is Standing.RESTRICTED
    assert (parameters.freshness_limits.default_s, parameters.freshness_limits.registry_s) == (86_400, 3_600)
    assert len(parameters.unset) == 14


def test_an_empty_register_is_settled_and_says_that_nobody_is_rated() -> None:
    parameters = Parameters.parse(with_values("{STAR_REGISTER: {}}"))
    assert parameters.star_register == {}
    assert Parameters.from_bytes(parameters.to_bytes()) == parameters


def test_each_value_has_its_authority() -> None:
    parameters = Parameters.parse(WHOLE)
    assert parameters.authority_of("RESORT_CAP") == "旅游局"
    assert parameters.authority_of("VENUE_MIN") == "某局"


def test_the_byte_form_does_not_depend_on_the_order_or_the_notation() -> None:
    as_json = json.dumps(json.loads(Parameters.parse(WHOLE).to_bytes()), indent=2)
    assert Parameters.parse(as_json).to_bytes() == Parameters.parse(WHOLE).to_bytes()
    assert Parameters.from_bytes(Parameters.parse(WHOLE).to_bytes()) == Parameters.parse(WHOLE)


def test_the_byte_form_has_what_was_set_and_no_more() -> None:
    assert Parameters.parse(with_values("{RESORT_CAP: 1000}")).to_bytes().decode() == (
        '{"authority":"某局","date":"2026-05-01","values":{"RESORT_CAP":{"authority":"某局","value":"1000.00"}},'
        '"version":3}'
    )


def test_bytes_in_another_form_are_refused() -> None:
    with pytest.raises(SettingError, match="canonical"):
        Parameters.from_bytes(Parameters.parse(WHOLE).to_bytes() + b" ")


@given(fen=st.integers(0, 10**15))
def test_amounts_survive_the_way_to_yuan_and_back(fen: int) -> None:
    parameters = Parameters(version=1, date=dt.date(2026, 5, 1), authority="x", resort_cap_fen=fen)
    assert Parameters.from_bytes(parameters.to_bytes()).resort_cap_fen == fen


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ("{FOO: 1}", "values.FOO"),
        ("{RESORT_CAP: -1}", "RESORT_CAP"),
        ("{RESORT_CAP: 0.001}", "RESORT_CAP"),
        ("{RESORT_CAP: .inf}", "RESORT_CAP"),
        ("{RESORT_CAP: .nan}", "RESORT_CAP"),
        ("{RESORT_CAP: true}", "RESORT_CAP"),
        ("{RESORT_CAP: null}", "RESORT_CAP"),
        ("{RESORT_CAP: much}", "RESORT_CAP"),
        ("{RESORT_CAP: 1e30}", "RESORT_CAP"),
        ("{RESORT_CAP: {value: 1, authority: ''}}", "RESORT_CAP.authority"),
        ("{RESORT_CAP: 1, RESORT_CAP: 2}", "RESORT_CAP: written twice"),
        ("{LODGE_LIST: {h-1: FIVE_STARS}}", "LODGE_LIST.h-1"),
        ("{LODGE_LIST: {001: NATIONAL_GRADE_ONE}}", "LODGE_LIST"),
        ("{LODGE_LIST: {'h 1': NATIONAL_GRADE_ONE}}", "LODGE_LIST"),
        ("{LODGE_LIST: [h-1]}", "LODGE_LIST"),
        ("{LODGE_LIST: {h-1: NATIONAL_GRADE_ONE, H-1: NATIONAL_GRADE_ONE}}", "LODGE_LIST: two keys"),
        ("{VENUE_LIST: {v-1: true}}", "VENUE_LIST"),
        ("{EDU_LIST: [1]}", "EDU_LIST"),
        ("{EDU_LIST: s-1}", "EDU_LIST"),
        ("{STAR_REGISTER: {h-1: {stars: 6, status: IN_FORCE}}}", "STAR_REGISTER.h-1.stars"),
        ("{STAR_REGISTER: {h-1: {stars: 0, status: IN_FORCE}}}", "STAR_REGISTER.h-1.stars"),
        ("{STAR_REGISTER: {h-1: {stars: 3, status: NOT_RATED}}}", "STAR_REGISTER.h-1.stars"),
        ("{STAR_REGISTER: {h-1: {stars: true, status: IN_FORCE}}}", "STAR_REGISTER.h-1.stars"),
        ("{STAR_REGISTER: {h-1: {stars: 3}}}", "STAR_REGISTER.h-1.status"),
        ("{STAR_REGISTER: {h-1: {stars: 3, status: IN_FORCE, name: x}}}", "STAR_REGISTER.h-1.name"),
        ("{INS_MIN: {monthly: 1}}", "INS_MIN.monthly"),
        ("{INS_MIN: 20000}", "INS_MIN"),
        ("{RAIL_CLASS_MAP: {FIRST: SECOND}}", "RAIL_CLASS_MAP.FIRST"),
        ("{RAIL_CLASS_MAP: {SECOND_BERTH: BUSINESS}}", "RAIL_CLASS_MAP"),
        ("{HMT_IS_OUTBOUND: 'no'}", "HMT_IS_OUTBOUND"),
        ("{G_STANDING: true}", "G_STANDING"),
        ("{COURTS: {x: {}}}", "COURTS.x"),
        ("{COURTS: {0: {}}}", "COURTS.0"),
        ("{COURTS: {4408: {name_zh: 甲}}}", "COURTS.4408.name_en"),
        ("{FRESHNESS_LIMITS: {default_s: 59}}", "FRESHNESS_LIMITS.default_s"),
        ("{FRESHNESS_LIMITS: {registry_s: 604801}}", "FRESHNESS_LIMITS.registry_s"),
        ("{FRESHNESS_LIMITS: {registry_s: 3600.0}}", "FRESHNESS_LIMITS.registry_s"),
        ("{FRESHNESS_LIMITS: {hotel_s: 3600}}", "FRESHNESS_LIMITS.hotel_s"),
        ("[]", "values"),
    ],
)
def test_a_document_with_a_wrong_value_is_refused_by_name(values: str, named: str) -> None:
    assert f"parameters: {named}" in refusal(with_values(values))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("", "parameters"),
        ("a: [", "neither YAML nor JSON"),
        ("values: {}", "authority"),
        ("authority: x\nvalues: {}", "version"),
        ("version: 0\nauthority: x\nvalues: {}", "version"),
        ("version: 1\nauthority: x\nvalues: {}", "date"),
        ("version: 1\ndate: May\nauthority: x\nvalues: {}", "date"),
        ("version: 1\ndate: 2026-05-01\nauthority: x", "values"),
        (HEAD + "values: {}\nextra: 1", "parameters.extra"),
        ("version: 1\n" + HEAD + "values: {}", "version"),
    ],
)
def test_a_document_without_its_head_is_refused_by_name(document: str, named: str) -> None:
    assert f"parameters: {named}" in refusal(document)
