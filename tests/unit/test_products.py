"""What a product must have, and what no product can have; the hints must not echo what was sent."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lintel.v1 import product_pb2
from restriction import products
from restriction.errors import InvalidFieldError
from restriction.fields import fen_from_money, is_list_key
from restriction.products import PRODUCTS, Rail, RatingStatus, SeatClass, TrainFamily
from tests.fakes.product_reader import read_product

WHOLE: dict[str, dict[str, object]] = {
    "rail": {"train_number": "G6001", "seat_class": "SECOND"},
    "air": {"flight_kind": "SCHEDULED"},
    "lodging": {"star_rating": 4, "rating_status": "IN_FORCE", "establishment_id": "h-1", "emergency": False},
    "venue": {
        "sale_kind": "PACKAGE",
        "payer": "SELF",
        "venue_kind": "OTHER",
        "amount": 100,
        "establishment_id": "v-1",
    },
    "outbound_tour": {"service": "VISA", "destination_country": "THA"},
    "resort": {"amount": 0, "establishment_id": "r-1"},
    "tuition": {"school_id": "s-1", "payer_relation": "PARENT", "funds": "OWN"},
    "insurance": {"cash_value": "SOME", "premium": 1, "premium_mode": "ANNUAL", "policy_act": "NEW"},
    "construction": {"work": "REPAIR", "amount": 1, "necessity": "NOT_CLAIMED"},
    "vehicle": {"vehicle_kind": "MOTOR", "vehicle_act": "SALE", "vehicle_use": "PRIVATE"},
    "property": {"property_act": "SALE", "buyers": "SOLE"},
    "resource_development": {"resource_act": "BID"},
    "state_equity": {"equity_act": "BUY"},
}
FIELDS = [(name, field) for name, sent in WHOLE.items() for field in sent]


def refusal(name: str, sent: Mapping[str, object]) -> tuple[str, str]:
    with pytest.raises(InvalidFieldError) as refused:
        read_product(name, sent)
    return refused.value.field, refused.value.problem


def test_there_is_one_product_for_each_measure() -> None:
    assert list(PRODUCTS) == list(WHOLE)
    assert [kind.measure.value for kind in PRODUCTS.values()] == list(range(1, 14))


@pytest.mark.parametrize(("name", "sent"), WHOLE.items())
def test_a_whole_product_is_taken(name: str, sent: dict[str, object]) -> None:
    assert read_product(name, sent).name == name


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_field_that_is_not_sent_is_missing(name: str, field: str) -> None:
    unsent = {key: value for key, value in WHOLE[name].items() if key != field}
    assert refusal(name, unsent) == (f"{name}.{field}", "MISSING")
    assert refusal(name, unsent | {field: None}) == (f"{name}.{field}", "MISSING")


@pytest.mark.parametrize(("name", "field"), FIELDS)
@pytest.mark.parametrize("value", [["x"], {"x": 1}, b"x", 1.5], ids=["list", "map", "bytes", "float"])
def test_a_value_of_another_kind_is_refused(name: str, field: str, value: object) -> None:
    path, problem = refusal(name, WHOLE[name] | {field: value})
    assert path == f"{name}.{field}"
    assert problem in {"MALFORMED", "UNKNOWN"}


FREE_TEXT = {"train_number", "establishment_id", "school_id", "destination_country"}
ENUM_FIELDS = [
    (name, field) for name, field in FIELDS if isinstance(WHOLE[name][field], str) and field not in FREE_TEXT
]


@pytest.mark.parametrize(("name", "field"), ENUM_FIELDS)
@pytest.mark.parametrize(
    ("value", "problem"),
    [(0, "MISSING"), (99, "UNKNOWN"), (-1, "UNKNOWN"), (True, "UNKNOWN"), ("", "MISSING"), ("NO_SUCH", "UNKNOWN")],
)
def test_only_values_of_the_list_are_known(name: str, field: str, value: object, problem: str) -> None:
    assert refusal(name, WHOLE[name] | {field: value}) == (f"{name}.{field}", problem)


def test_unknown_products_and_fields_are_refused_by_name() -> None:
    assert refusal("horse", {}) == ("product", "UNKNOWN")
    assert refusal("air", {"flight_kind": 1, "cabin": "FIRST"}) == ("air.cabin", "UNKNOWN")


@pytest.mark.parametrize(("name", "field"), [pair for pair in FIELDS if pair[1] in {"amount", "premium"}])
@pytest.mark.parametrize(("fen", "problem"), [(-1, "IMPOSSIBLE"), (10**15 + 1, "IMPOSSIBLE"), (True, "MALFORMED")])
def test_an_amount_is_zero_or_more(name: str, field: str, fen: int, problem: str) -> None:
    assert refusal(name, WHOLE[name] | {field: fen}) == (f"{name}.{field}", problem)


@pytest.mark.parametrize("stars", [-1, 6, 100])
def test_there_are_no_six_stars(stars: int) -> None:
    assert refusal("lodging", WHOLE["lodging"] | {"star_rating": stars}) == ("lodging.star_rating", "IMPOSSIBLE")


@pytest.mark.parametrize("status", RatingStatus)
@pytest.mark.parametrize("stars", range(6))
def test_stars_and_status_agree(stars: int, status: RatingStatus) -> None:
    sent = WHOLE["lodging"] | {"star_rating": stars, "rating_status": status.name}
    if (status.name == "NOT_RATED" and stars > 0) or (status.name == "IN_FORCE" and stars == 0):
        assert refusal("lodging", sent) == ("lodging.rating_status", "IMPOSSIBLE")
    else:
        read_product("lodging", sent)


EMU_ONLY = {
    "BUSINESS", "PREMIUM", "PREMIUM_FIRST", "FIRST", "SECOND_COMPARTMENT", "SECOND", "FIRST_BERTH", "SECOND_BERTH",
    "EMU_SOFT_BERTH", "EMU_DELUXE_SOFT_BERTH",
}  # fmt: skip
CONVENTIONAL_ONLY = {"DELUXE_SOFT_SLEEPER", "SOFT_SLEEPER", "HARD_SLEEPER", "SOFT_SEAT", "HARD_SEAT"}


@pytest.mark.parametrize("seat", SeatClass)
@pytest.mark.parametrize(
    ("trains", "impossible"),
    [
        (["G1", "D1", "C1", "S1"], CONVENTIONAL_ONLY),
        (["Z1", "T1", "K1", "L1", "Y1", "6063"], EMU_ONLY),
        (["P1", "XY22"], set()),
    ],
    ids=["EMU", "conventional", "unknown"],
)
def test_a_train_has_only_seats_of_its_kind(trains: list[str], impossible: set[str], seat: SeatClass) -> None:
    for train in trains:
        sent = {"train_number": train, "seat_class": seat.name}
        if seat.name in impossible:
            assert refusal("rail", sent) == ("rail.seat_class", "IMPOSSIBLE")
        else:
            read_product("rail", sent)


@pytest.mark.parametrize("number", ["G", "1G", "G-1", "G 1", "G123456", "ABCD1", "高1", "G1/G4", "-1", "G¹²³⁴⁵⁶"])
def test_a_train_number_is_letters_and_digits(number: str) -> None:
    assert refusal("rail", {"train_number": number, "seat_class": 6}) == ("rail.train_number", "MALFORMED")


@pytest.mark.parametrize(
    ("number", "family"),
    [
        ("G6001", TrainFamily.G),
        ("g6001", TrainFamily.G),
        ("Ｇ６００１", TrainFamily.G),
        ("GS1", TrainFamily.UNKNOWN),
        ("C7", TrainFamily.OTHER_EMU),
        ("1234", TrainFamily.CONVENTIONAL),
    ],
)
def test_the_letters_of_a_train_number_say_what_train_it_is(number: str, family: TrainFamily) -> None:
    assert Rail(number, SeatClass.STANDING).family is family


@pytest.mark.parametrize("code", ["tha", "TH", "XXX", "D", "THAI", "UTO"])
def test_a_destination_is_a_country_of_the_standard(code: str) -> None:
    assert refusal("outbound_tour", {"service": 1, "destination_country": code}) == (
        "outbound_tour.destination_country",
        "UNKNOWN",
    )


@pytest.mark.parametrize("key", ["h 1", " h1", "h1\n", "ｈ1", "h\u200b1", "h" * 65, "h\u30001", "h\u20131"])
def test_a_key_that_two_writers_could_spell_differently_is_refused(key: str) -> None:
    assert refusal("lodging", WHOLE["lodging"] | {"establishment_id": key}) == (
        "lodging.establishment_id",
        "MALFORMED",
    )


@pytest.mark.parametrize("key", ["h-1", "湛江宾馆", "44080001", "h:1/2"])
def test_other_printable_keys_are_taken(key: str) -> None:
    assert is_list_key(key)


@given(st.text(min_size=1))
def test_a_refusal_never_echoes_what_was_sent(text: str) -> None:
    canary = f"canary\u00ad{text}"
    for name, field in FIELDS:
        with pytest.raises(InvalidFieldError) as refused:
            read_product(name, WHOLE[name] | {field: canary})
        assert canary not in str(refused.value)


@pytest.mark.parametrize(
    ("money", "fen"), [(("CNY", 0, 0), 0), (("CNY", 12, 340_000_000), 1_234), (("CNY", -1, -10_000_000), -101)]
)
def test_money_of_the_wire_is_fen(money: tuple[str, int, int], fen: int) -> None:
    assert fen_from_money("venue.amount", *money) == fen


@pytest.mark.parametrize(
    ("money", "problem"),
    [
        (("", 1, 0), "MISSING"),
        (("USD", 1, 0), "IMPOSSIBLE"),
        (("CNY", 1, 1), "MALFORMED"),
        (("CNY", 1, -10_000_000), "MALFORMED"),
        (("CNY", -1, 10_000_000), "MALFORMED"),
        (("CNY", 0, 1_000_000_000), "MALFORMED"),
    ],
)
def test_money_that_is_not_whole_fen_of_yuan_is_refused(money: tuple[str, int, int], problem: str) -> None:
    with pytest.raises(InvalidFieldError) as refused:
        fen_from_money("venue.amount", *money)
    assert (refused.value.field, refused.value.problem) == ("venue.amount", problem)


def test_enums_have_the_numbers_of_the_wire() -> None:
    for wire in product_pb2.DESCRIPTOR.enum_types_by_name.values():
        ours = getattr(products, wire.name)
        prefix = wire.values_by_number[0].name.removesuffix("UNSPECIFIED")
        assert {value.name.removeprefix(prefix): value.number for value in wire.values if value.number} == {
            member.name: member.value for member in ours
        }
