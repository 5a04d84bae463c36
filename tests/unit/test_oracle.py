"""The oracle against the worked examples of the rules, and against each rule it must hold by itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.oracle.documents import (
    Key,
    clean_number,
    credit_check,
    key_of,
    organisation_check,
    plain_name,
    resident_check,
)
from tests.oracle.judge import Judge, Verdict, worst
from tests.oracle.plain_list import SHANGHAI, PlainList

NOW = dt.datetime(2026, 5, 5, 12, tzinfo=SHANGHAI)
DAY = dt.date(2026, 5, 5)
P, L, GRANDMOTHER, CHILD = (body + resident_check(body) for body in (
    "04401019800101001", "04401019750202002", "04401019500303003", "04401020120404004",
))  # fmt: skip
ORGANISATION = "01234567" + organisation_check("01234567")
CREDIT = "91440800" + ORGANISATION
UNIT = CREDIT + credit_check(CREDIT)
PARAMETERS: Mapping[str, Any] = {
    "RESORT_LIST": {"r-1": "GRADED_RESORT"}, "RESORT_CAP": 1000, "EDU_LIST": ["s-1"], "INS_MIN": {"annual": 20_000},
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    sector: str
    product: str
    fields: Mapping[str, Any]
    number: str = P
    name: str = "样本一"
    document_type: str = "RESIDENT_ID"
    issuing_country: str = ""
    service_date: dt.date | None = DAY


def event(event_id: str, kind: str, **more: Any) -> dict[str, Any]:
    at = "2026-05-01T09:00:00+08:00"
    head = {"event_id": event_id, "type": kind, "issued_at": at, "effective_at": at, "issuer": "4408"}
    return {**head, "legal_basis": "x", **more}


def listing(entry_id: str, subject: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    entry = {
        "entry_id": entry_id, "version": 1, "subject": subject, "court": "4408", "case_no": "c", "basis_doc_no": "b",
        "ground": 1, "decision_no": "d", "decided_at": "2026-04-20", "served_at": "2026-04-22",
        "risk_notice_at": "2026-04-01", "term_from": "2026-05-01", "term_until": None, "publishable": True,
        "links": [], "grants": [], **more,
    }  # fmt: skip
    return event(f"e-{entry_id}", "LIST", entry=entry)


def person(name: str, number: str, kind: str = "RESIDENT_ID") -> dict[str, Any]:
    return {"kind": "PERSON", "name": name, "former_names": [], "documents": [{"type": kind, "number": number}]}


def unit(*numbers: tuple[str, str]) -> dict[str, Any]:
    documents = [{"type": kind, "number": number} for kind, number in numbers]
    return {"kind": "UNIT", "name": "样本公司", "former_names": [], "documents": documents}


def link(number: str, name: str = "样本二") -> dict[str, Any]:
    return {
        "link_id": "l1", "role": "LEGAL_REPRESENTATIVE", "name": name, "from": "2026-05-01", "until": None,
        "basis_no": "b", "documents": [{"type": "RESIDENT_ID", "number": number}],
    }  # fmt: skip


def exempt(entry_id: str, **more: Any) -> dict[str, Any]:
    exemption = {
        "id": "x-1", "holder": "subject", "measures": ["AIR", "RAIL"], "from": "2026-05-03", "until": "2026-05-11",
        "reason_code": "FUNERAL", "approved_by": "4408", **more,
    }  # fmt: skip
    return event(f"x-{entry_id}", "EXEMPT", entry_id=entry_id, exemption=exemption)


def judged(*events: Mapping[str, Any], ask: Question, **more: Any) -> Verdict:
    plain = PlainList()
    plain.apply([json.dumps(line) for line in events], NOW)
    return Judge(plain, PARAMETERS).judge(ask, more.pop("now", NOW), **more)


LISTED = listing("n-1", person("样本一", P))
LISTED_UNIT = listing("n-2", unit(("UNIFIED_SOCIAL_CREDIT_CODE", UNIT)), links=[link(L)])
EDU = [{"grant_id": "g", "measure": "EDU", "holder": "subject", "from": "2026-05-01", "until": None, "explicit": True}]
LISTED_EDU = listing("n-1", person("样本一", P), grants=EDU)
LIFT = event("lift", "LIFT", entry_id="n-1", ground="PERFORMED", ground_at="2026-05-01")


@dataclass(frozen=True)
class Example:
    want: str
    product: str
    fields: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...] = (LISTED,)
    number: str = P
    name: str = "样本一"
    sector: str = field(default="")


def rail(train: str, seat: str) -> Mapping[str, Any]:
    return {"train_number": train, "seat_class": seat}


def night(stars: int, status: str, *, emergency: bool = False) -> Mapping[str, Any]:
    return {"star_rating": stars, "rating_status": status, "establishment_id": "h-1", "emergency": emergency}


FLIGHT = {"flight_kind": "SCHEDULED"}
SECTOR = {
    "rail": "rail", "air": "airline", "lodging": "hotel", "venue": "venue", "outbound_tour": "travel_agency",
    "resort": "resort", "tuition": "private_school", "insurance": "insurer", "vehicle": "car_dealer",
    "property": "property_registry",
}  # fmt: skip
WORKED = {
    "P on a G train, second class": Example("RESTRICTED", "rail", rail("G1", "SECOND")),
    "P on a D train, second class": Example("NOT_RESTRICTED", "rail", rail("D7", "SECOND")),
    "P on a C train, first class": Example("RESTRICTED", "rail", rail("C12", "FIRST")),
    "P on a Z train, soft sleeper": Example("RESTRICTED", "rail", rail("Z99", "SOFT_SLEEPER")),
    "P's employer pays a flight": Example("RESTRICTED", "air", FLIGHT),
    "P's child travels": Example("NOT_RESTRICTED", "air", FLIGHT, number=CHILD, name="样本童"),
    "P exempt, flight inside": Example("NOT_RESTRICTED", "air", FLIGHT, (LISTED, exempt("n-1"))),
    "P exempt for travel, hotel": Example("RESTRICTED", "lodging", night(4, "IN_FORCE"), (LISTED, exempt("n-1"))),
    "L on a private flight": Example("RESTRICTED", "air", FLIGHT, (LISTED_UNIT,), L, "样本二"),
    "P in a one-star hotel": Example("RESTRICTED", "lodging", night(1, "IN_FORCE")),
    "P in an unrated chain": Example("NOT_RESTRICTED", "lodging", night(0, "NOT_RATED")),
    "P's room mate": Example("NOT_RESTRICTED", "lodging", night(3, "IN_FORCE"), number=GRANDMOTHER, name="样本三"),
    "P, golf membership": Example("RESTRICTED", "venue", {
        "sale_kind": "MEMBERSHIP", "payer": "SELF", "venue_kind": "GOLF_COURSE", "amount_fen": 1,
        "establishment_id": "v"}),
    "P to Thailand": Example("RESTRICTED", "outbound_tour", {"service": "GROUP_TOUR", "destination_country": "THA"}),
    "P on a domestic tour": Example("NOT_RESTRICTED", "outbound_tour", {
        "service": "GROUP_TOUR", "destination_country": "CHN"}),
    "P above a resort's cap": Example("CAPPED", "resort", {"amount_fen": 300_000, "establishment_id": "r-1"}),
    "P pays a listed school, explicit grant": Example("RESTRICTED", "tuition", {
        "school_id": "s-1", "payer_relation": "PARENT", "funds": "OWN"}, (LISTED_EDU,)),
    "grandmother pays": Example("NOT_RESTRICTED", "tuition", {
        "school_id": "s-1", "payer_relation": "RELATIVE", "funds": "OWN"}, number=GRANDMOTHER, name="样本三"),
    "P, term life": Example("NOT_RESTRICTED", "insurance", {
        "cash_value": "NONE", "premium_fen": 99, "premium_mode": "ANNUAL", "policy_act": "NEW"}),
    "P, annuity": Example("RESTRICTED", "insurance", {
        "cash_value": "SOME", "premium_fen": 20_000_000, "premium_mode": "ANNUAL", "policy_act": "NEW"}),
    "P buys a flat": Example("RESTRICTED", "property", {"property_act": "PURCHASE_NEW", "buyers": "SOLE"}),
    "P sells a flat": Example("NOT_RESTRICTED", "property", {"property_act": "SALE", "buyers": "SOLE"}),
    "P, private car": Example("RESTRICTED", "vehicle", {
        "vehicle_kind": "MOTOR", "vehicle_act": "PURCHASE", "vehicle_use": "PRIVATE"}),
    "P's only entry lifted": Example("NOT_RESTRICTED", "rail", rail("G1", "SECOND"), (LISTED, LIFT)),
}  # fmt: skip


@pytest.mark.parametrize("example", WORKED.values(), ids=WORKED)
def test_worked_example(example: Example) -> None:
    date = DAY if example.product in ("rail", "air", "lodging", "outbound_tour") else None
    ask = Question(
        SECTOR[example.product], example.product, example.fields, example.number, example.name, service_date=date
    )
    verdict = judged(*example.events, ask=ask)
    assert verdict.outcome == example.want
    assert verdict.cap_fen == (100_000 if example.want == "CAPPED" else None)


HOTEL = Question("hotel", "lodging", night(4, "IN_FORCE"))


def test_other_name_on_a_listed_number_is_a_mismatch_and_never_restricted() -> None:
    ask = Question("hotel", "lodging", night(4, "IN_FORCE"), name="样本九")
    assert judged(LISTED, ask=ask) == Verdict("UNDETERMINED", frozenset(["IDENTITY_MISMATCH"]))


def test_old_number_on_either_side_is_weak() -> None:
    old = "440101800101001"
    now_form = "44010119800101001"
    as_asked = listing("n-1", person("样本一", now_form + resident_check(now_form)))
    ask_old = Question("hotel", "lodging", night(4, "IN_FORCE"), number=old, document_type="RESIDENT_ID_15")
    ask_full = Question("hotel", "lodging", night(4, "IN_FORCE"), number=now_form + resident_check(now_form))
    weak = Verdict("UNDETERMINED", frozenset(["WEAK_DOCUMENT"]))
    assert judged(as_asked, ask=ask_old) == weak
    assert judged(listing("n-1", person("样本一", old, "RESIDENT_ID_15")), ask=ask_full) == weak


def test_stale_list_is_undetermined_for_everybody_and_sooner_at_registries() -> None:
    buying = Question("property_registry", "property", {"property_act": "SALE", "buyers": "SOLE"}, service_date=None)
    stale = Verdict("UNDETERMINED", frozenset(["STALE_LIST"]))
    assert judged(ask=HOTEL, list_age_s=24 * 3600 + 1) == stale
    assert judged(ask=HOTEL, list_age_s=3601) == Verdict("NOT_RESTRICTED")
    assert judged(ask=buying, list_age_s=3601) == stale


def test_earlier_step_is_judged_as_it_was() -> None:
    assert judged(LISTED, LIFT, ask=HOTEL, step=0).outcome == "NOT_RESTRICTED"
    assert judged(LISTED, LIFT, ask=HOTEL, step=1).outcome == "RESTRICTED"
    assert judged(LISTED, LIFT, ask=HOTEL, step=2).outcome == "NOT_RESTRICTED"


def test_term_ending_today_ends_in_the_persons_favour() -> None:
    ending = listing("n-1", person("样本一", P), ground=2, term_until="2026-05-06")
    last_night = Question("hotel", "lodging", night(4, "IN_FORCE"), service_date=DAY)
    assert judged(ending, ask=last_night).outcome == "RESTRICTED"
    assert judged(ending, ask=last_night, now=NOW + dt.timedelta(hours=12)).outcome == "NOT_RESTRICTED"


def test_service_date_after_the_term_is_clear_while_the_entry_lives() -> None:
    ending = listing("n-1", person("样本一", P), ground=2, term_until="2026-05-06")
    assert judged(ending, ask=HOTEL).outcome == "RESTRICTED"
    later = Question("hotel", "lodging", night(4, "IN_FORCE"), service_date=DAY + dt.timedelta(days=1))
    assert judged(ending, ask=later).outcome == "NOT_RESTRICTED"


RETAIN = event("keep", "RETAIN", entry_id="n-1", measures=["LODGE"], until="2026-12-31")


@pytest.mark.parametrize("batch", [(LIFT, RETAIN), (RETAIN, LIFT)], ids=["lift first", "retain first"])
def test_retained_measures_outlive_the_lift_and_nothing_else_does(batch: tuple[dict[str, Any], ...]) -> None:
    train = Question("rail", "rail", rail("G1", "SECOND"))
    assert judged(LISTED, *batch, ask=HOTEL).outcome == "RESTRICTED"
    assert judged(LISTED, *batch, ask=train).outcome == "NOT_RESTRICTED"


def test_retain_without_its_lift_in_the_batch_is_rejected() -> None:
    plain = PlainList()
    plain.apply([json.dumps(LISTED), json.dumps(LIFT)], NOW)
    assert plain.apply([json.dumps(RETAIN)], NOW) == ["rejected"]


def test_lift_before_its_listing_overtakes_it() -> None:
    plain = PlainList()
    assert plain.apply([json.dumps(LIFT), json.dumps(LISTED)], NOW) == ["accepted", "overtaken"]
    assert not list(plain.holdings(Key("RESIDENT", P)))


def test_exemption_before_its_listing_waits_for_it() -> None:
    flight = Question("airline", "air", FLIGHT)
    assert judged(exempt("n-1"), LISTED, ask=flight).outcome == "NOT_RESTRICTED"


def test_urgent_travel_releases_air_and_rail_alone_and_for_a_month() -> None:
    wide = exempt("n-1", measures=["AIR", "LODGE"], until="2026-09-01")
    flight = Question("airline", "air", FLIGHT, service_date=dt.date(2026, 6, 2))
    after = Question("airline", "air", FLIGHT, service_date=dt.date(2026, 6, 3))
    assert judged(LISTED, wide, ask=HOTEL).outcome == "RESTRICTED"
    assert judged(LISTED, wide, ask=flight).outcome == "NOT_RESTRICTED"
    assert judged(LISTED, wide, ask=after).outcome == "RESTRICTED"


@pytest.mark.parametrize("kind", ["SUSPEND", "REVOKE"])
def test_suspended_or_revoked_entry_restricts_nobody(kind: str) -> None:
    assert judged(LISTED, event("s", kind, entry_id="n-1"), ask=HOTEL).outcome == "NOT_RESTRICTED"


def test_ended_link_no_longer_binds_from_its_day() -> None:
    flight = Question("airline", "air", FLIGHT, L, "样本二")
    ended = event("u", "LINK_END", entry_id="n-2", link_id="l1", until="2026-05-05")
    assert judged(LISTED_UNIT, ended, ask=flight).outcome == "NOT_RESTRICTED"


def test_unit_is_found_by_either_company_code() -> None:
    fields = {"property_act": "PURCHASE_NEW", "buyers": "SOLE"}
    by_old = Question(
        "property_registry", "property", fields, ORGANISATION, "样本公司", "ORGANISATION_CODE", service_date=None
    )
    assert judged(LISTED_UNIT, ask=by_old).outcome == "RESTRICTED"


def test_company_document_on_a_persons_measure_is_refused() -> None:
    flight = Question("airline", "air", FLIGHT, UNIT, "样本公司", "UNIFIED_SOCIAL_CREDIT_CODE")
    assert judged(LISTED_UNIT, ask=flight) == Verdict("INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("ask", "want"),
    [
        (Question("hotel", "air", FLIGHT), "PERMISSION_DENIED"),
        (Question("venue", "venue", {"sale_kind": "WALK_IN"}), "PERMISSION_DENIED"),
        (Question("resource_exchange", "property", {"property_act": "SALE", "buyers": "SOLE"}), "PERMISSION_DENIED"),
        (Question("rail", "rail", rail("G1", "HARD_SEAT")), "INVALID_ARGUMENT"),
        (Question("airline", "air", FLIGHT, service_date=DAY - dt.timedelta(days=2)), "INVALID_ARGUMENT"),
        (Question("airline", "air", FLIGHT, P[:-1] + ("1" if P[-1] != "1" else "2")), "INVALID_ARGUMENT"),
    ],
    ids=["sector", "walk-in", "registry of land only", "seat", "date", "check digit"],
)
def test_question_that_must_be_refused(ask: Question, want: str) -> None:
    assert judged(LISTED, ask=ask).outcome == want


def test_worst_part_wins() -> None:
    unclear = Verdict("UNDETERMINED", frozenset(["TEXT_UNCLEAR"]))
    low, high = Verdict("CAPPED", cap_fen=1), Verdict("CAPPED", cap_fen=2)
    clear = Verdict("NOT_RESTRICTED")
    assert worst([clear, high, low]) == low
    assert worst([low, unclear]) == unclear
    assert worst([unclear, Verdict("RESTRICTED"), low]).outcome == "RESTRICTED"
    assert worst([]) == clear


def test_numbers_and_names_meet_in_one_form() -> None:
    assert clean_number(" ４401-01 19800101001×") == "44010119800101001X"
    assert key_of("HM_TRAVEL_PERMIT", "H1234567801") == key_of("HM_TRAVEL_PERMIT", "h12345678")
    assert plain_name("阿 依•古丽") == plain_name("阿依·古丽")
