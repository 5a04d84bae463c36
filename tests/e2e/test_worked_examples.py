"""The worked examples of the register's document, from the court's event to the answer at the desk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from sandbox.documents import Paper
from sandbox.identities import Question
from tests.e2e import people
from tests.e2e.asking import Desk, said

R, N = "RESTRICTED", "NOT_RESTRICTED"
FLIGHT = {"flight_kind": "SCHEDULED"}
SCHOOL = {"school_id": "school-1", "payer_relation": "PARENT", "funds": "OWN"}


def train(number: str, seat: str) -> Mapping[str, Any]:
    return {"train_number": number, "seat_class": seat}


def night(stars: int, status: str) -> Mapping[str, Any]:
    return {"star_rating": stars, "rating_status": status, "establishment_id": "hotel-9", "emergency": False}


def tour(country: str) -> Mapping[str, Any]:
    return {"service": "GROUP_TOUR", "destination_country": country}


class Example(NamedTuple):
    who: Paper
    sector: str
    product: str
    fields: Mapping[str, Any]
    answer: str
    in_days: int | None = None


EXAMPLES = {
    "P, G train, second class": Example(people.P, "rail", "rail", train("G6001", "SECOND"), R, 1),
    "P, D train, second class": Example(people.P, "rail", "rail", train("D7401", "SECOND"), N, 1),
    "P, C train, first class": Example(people.P, "rail", "rail", train("C7001", "FIRST"), R, 1),
    "P, Z train, soft sleeper": Example(people.P, "rail", "rail", train("Z201", "SOFT_SLEEPER"), R, 1),
    "P's employer pays an economy flight": Example(people.P, "airline", "air", FLIGHT, R, 1),
    "P buys a flight for a child, who travels": Example(people.CHILD, "airline", "air", FLIGHT, N, 1),
    "P, exempt for AIR and RAIL, flight within": Example(people.EXEMPT, "airline", "air", FLIGHT, N, 4),
    "P, exempt for AIR and RAIL, flight on the last day": Example(people.EXEMPT, "airline", "air", FLIGHT, N, 9),
    "P, exempt for AIR and RAIL, flight a day after": Example(people.EXEMPT, "airline", "air", FLIGHT, R, 10),
    "same exemption, four-star hotel": Example(people.EXEMPT, "hotel", "lodging", night(4, "IN_FORCE"), R, 4),
    "L, flight for a private holiday on own money": Example(people.L, "airline", "air", FLIGHT, R, 1),
    "former representative, register changed, no court event": Example(people.FORMER, "airline", "air", FLIGHT, R, 1),
    "P, one-star hotel in force": Example(people.P, "hotel", "lodging", night(1, "IN_FORCE"), R, 0),
    "P, unrated economy chain": Example(people.P, "hotel", "lodging", night(0, "NOT_RATED"), N, 0),
    "two guests, the listed one": Example(people.P, "hotel", "lodging", night(3, "IN_FORCE"), R, 0),
    "two guests, the other one": Example(people.COMPANION, "hotel", "lodging", night(3, "IN_FORCE"), N, 0),
    "P, golf membership": Example(
        people.P, "venue", "venue", {
            "sale_kind": "MEMBERSHIP", "payer": "SELF", "venue_kind": "GOLF_COURSE", "amount_fen": 5_000_000,
            "establishment_id": "golf-1",
        }, R,
    ),
    "P, group tour to Thailand": Example(people.P, "travel_agency", "outbound_tour", tour("THA"), R, 5),
    "P, domestic group tour": Example(people.P, "travel_agency", "outbound_tour", tour("CHN"), N, 5),
    "P, graded resort, 3 000 yuan, cap 1 000": Example(
        people.P, "resort", "resort", {"amount_fen": 300_000, "establishment_id": "resort-5a"}, "CAPPED 1000"
    ),
    "high-fee school, own account, explicit EDU grant": Example(people.EDU, "private_school", "tuition", SCHOOL, R),
    "high-fee school, own account, EDU grant not explicit": Example(
        people.P, "private_school", "tuition", SCHOOL, "UNDETERMINED TEXT_UNCLEAR"
    ),
    "same school, grandmother pays from her pension": Example(
        people.GRANDMOTHER, "private_school", "tuition", {**SCHOOL, "payer_relation": "RELATIVE"}, N
    ),
    "P, term life without cash value": Example(
        people.P, "insurer", "insurance",
        {"cash_value": "NONE", "premium_fen": 20_000_000, "premium_mode": "ANNUAL", "policy_act": "NEW"}, N,
    ),
    "P, annuity 200 000 yuan a year": Example(
        people.P, "insurer", "insurance",
        {"cash_value": "SOME", "premium_fen": 20_000_000, "premium_mode": "ANNUAL", "policy_act": "NEW"}, R,
    ),
    "P buys a flat": Example(
        people.P, "property_registry", "property", {"property_act": "PURCHASE_NEW", "buyers": "SOLE"}, R
    ),
    "P sells a flat": Example(people.P, "property_registry", "property", {"property_act": "SALE", "buyers": "SOLE"}, N),
    "P, private car": Example(
        people.P, "car_dealer", "vehicle",
        {"vehicle_kind": "MOTOR", "vehicle_act": "PURCHASE", "vehicle_use": "PRIVATE"}, R,
    ),
    "P's only entry lifted": Example(people.LIFTED, "hotel", "lodging", night(4, "IN_FORCE"), N, 0),
    "the listed unit itself buys a flat": Example(
        people.UNIT, "property_registry", "property", {"property_act": "PURCHASE_NEW", "buyers": "SOLE"}, R
    ),
}  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_worked_example(desk: Desk, example: Example) -> None:
    date = None if example.in_days is None else people.today() + dt.timedelta(example.in_days)
    who = example.who
    question = Question(
        example.sector, example.product, example.fields, who.type, who.number, people.NAME, who.country, date
    )
    assert said(desk.check(question)) == example.answer
