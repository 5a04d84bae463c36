"""Every row of the decision tables, for every value of every field, written down by hand from the rules' document."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from restriction.parameters import InsuranceMin, LodgingGrade, Parameters, Rating, ResortKind, Standing
from restriction.products import (
    Air,
    Buyers,
    CashValue,
    Construction,
    EquityAct,
    FlightKind,
    Funds,
    Insurance,
    Lodging,
    Necessity,
    OutboundTour,
    Payer,
    PayerRelation,
    PolicyAct,
    PremiumMode,
    Product,
    Property,
    PropertyAct,
    Rail,
    RatingStatus,
    Resort,
    ResourceAct,
    ResourceDevelopment,
    SaleKind,
    SeatClass,
    StateEquity,
    TourService,
    Tuition,
    Vehicle,
    VehicleAct,
    VehicleKind,
    VehicleUse,
    Venue,
    VenueKind,
    Work,
)
from restriction.tables import TABLES, Case, Outcome, rule
from tests.unit.sales import ask, grant, match, part, said

UNSET = Parameters()
R, N, TEXT, FUNDS, NEED = "R", "N", "U TEXT_UNCLEAR", "U FUNDS_UNCLEAR", "U NECESSITY_CLAIMED"
YUAN = 100

EMU_SEATS = {
    "BUSINESS": R,
    "PREMIUM": R,
    "PREMIUM_FIRST": R,
    "FIRST": R,
    "SECOND_COMPARTMENT": N,
    "SECOND": N,
    "STANDING": N,
    "FIRST_BERTH": R,
    "SECOND_BERTH": TEXT,
    "EMU_SOFT_BERTH": R,
    "EMU_DELUXE_SOFT_BERTH": R,
}
CONVENTIONAL_SEATS = {
    "DELUXE_SOFT_SLEEPER": R,
    "SOFT_SLEEPER": R,
    "HARD_SLEEPER": N,
    "SOFT_SEAT": N,
    "HARD_SEAT": N,
    "STANDING": N,
}


@pytest.mark.parametrize("seat", EMU_SEATS)
def test_every_seat_of_a_g_train_is_restricted(seat: str) -> None:
    assert said(ask(Rail("G6001", SeatClass[seat]), match())) == R


@pytest.mark.parametrize("seat", EMU_SEATS)
def test_g_standing_frees_standing_alone(seat: str) -> None:
    freed = Parameters(g_standing=Standing.NOT_RESTRICTED)
    assert said(ask(Rail("G6001", SeatClass[seat]), match(), freed)) == (N if seat == "STANDING" else R)


@pytest.mark.parametrize("train", ["D7401", "C7001", "S101", "d7401", "Ｄ7401"])
@pytest.mark.parametrize(("seat", "expected"), EMU_SEATS.items())
def test_other_emu_trains_are_restricted_from_first_class(train: str, seat: str, expected: str) -> None:
    assert said(ask(Rail(train, SeatClass[seat]), match())) == expected


@pytest.mark.parametrize(("counts_as", "expected"), [("FIRST", R), ("SECOND", N)])
def test_a_second_berth_is_decided_by_the_class_map(counts_as: str, expected: str) -> None:
    mapped = Parameters(rail_class_map={SeatClass.SECOND_BERTH: SeatClass[counts_as]})
    assert said(ask(Rail("D301", SeatClass.SECOND_BERTH), match(), mapped)) == expected


@pytest.mark.parametrize("train", ["Z201", "T8361", "K511", "L123", "Y501", "6063"])
@pytest.mark.parametrize(("seat", "expected"), CONVENTIONAL_SEATS.items())
def test_conventional_trains_are_restricted_in_soft_sleepers(train: str, seat: str, expected: str) -> None:
    assert said(ask(Rail(train, SeatClass[seat]), match())) == expected


@pytest.mark.parametrize("seat", SeatClass)
@pytest.mark.parametrize("train", ["P1", "DJ5001", "GZ12"])
def test_an_unknown_prefix_is_unclear(train: str, seat: SeatClass) -> None:
    assert said(ask(Rail(train, seat), match())) == TEXT


@pytest.mark.parametrize(
    ("kind", "expected"), [("SCHEDULED", R), ("CHARTER", TEXT), ("SIGHTSEEING", TEXT), ("MEDICAL_TRANSFER", NEED)]
)
def test_air(kind: str, expected: str) -> None:
    assert said(ask(Air(FlightKind[kind]), match())) == expected


LODGINGS = [
    (stars, status)
    for stars, status in itertools.product(range(6), RatingStatus)
    if not (status is RatingStatus.NOT_RATED and stars) and not (status is RatingStatus.IN_FORCE and not stars)
]


@pytest.mark.parametrize(("stars", "status"), LODGINGS)
def test_lodging_is_restricted_by_stars_in_force(stars: int, status: RatingStatus) -> None:
    expected = R if status is RatingStatus.IN_FORCE else N
    assert said(ask(Lodging(stars, status, "h-1", emergency=False), match())) == expected


@pytest.mark.parametrize(("stars", "status"), LODGINGS)
@pytest.mark.parametrize("grade", LodgingGrade)
def test_lodging_on_the_list_is_restricted_whatever_its_stars(
    grade: LodgingGrade, stars: int, status: RatingStatus
) -> None:
    listed = Parameters(lodge_list={"h-1": grade}, star_register={})
    assert said(ask(Lodging(stars, status, "h-1", emergency=False), match(), listed)) == R


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        (Rating(1, RatingStatus.IN_FORCE), R),
        (Rating(5, RatingStatus.IN_FORCE), R),
        (Rating(5, RatingStatus.SUSPENDED), N),
        (Rating(4, RatingStatus.ENDED), N),
        (Rating(3, RatingStatus.APPLIED), N),
        (Rating(0, RatingStatus.NOT_RATED), N),
        (None, N),
    ],
)
@pytest.mark.parametrize(
    ("stars", "status"), [(5, RatingStatus.IN_FORCE), (0, RatingStatus.NOT_RATED)], ids=["said 5", "said none"]
)
def test_a_star_register_alone_counts(stars: int, status: RatingStatus, rating: Rating | None, expected: str) -> None:
    register = {"h-2": Rating(5, RatingStatus.IN_FORCE)} | ({"h-1": rating} if rating else {})
    lodging = Lodging(stars, status, "h-1", emergency=False)
    assert said(ask(lodging, match(), Parameters(star_register=register))) == expected


@pytest.mark.parametrize(
    ("lodging", "parameters", "expected"),
    [
        (Lodging(4, RatingStatus.IN_FORCE, "h-1", emergency=True), UNSET, NEED),
        (Lodging(0, RatingStatus.NOT_RATED, "h-1", emergency=True), UNSET, N),
        (
            Lodging(0, RatingStatus.NOT_RATED, "h-1", emergency=True),
            Parameters(lodge_list={"h-1": LodgingGrade.NATIONAL_GRADE_ONE}),
            NEED,
        ),
    ],
    ids=["stars", "unrated", "listed"],
)
def test_an_emergency_only_softens(lodging: Lodging, parameters: Parameters, expected: str) -> None:
    assert said(ask(lodging, match(), parameters)) == expected


SALE_KINDS = [kind for kind in SaleKind if kind is not SaleKind.WALK_IN]  # walk-ins are refused before any table


@pytest.mark.parametrize("kind", SALE_KINDS)
@pytest.mark.parametrize("venue_kind", VenueKind)
@pytest.mark.parametrize("listed", [False, True], ids=["unlisted", "listed"])
def test_a_venue_sale_is_restricted_for_who_pays(kind: SaleKind, venue_kind: VenueKind, *, listed: bool) -> None:
    parameters = Parameters(venue_list=frozenset({"v-1"} if listed else {"v-2"}))
    expected = N if venue_kind is VenueKind.OTHER and not listed else R
    assert said(ask(Venue(kind, Payer.SELF, venue_kind, 0, "v-1"), match(), parameters)) == expected
    assert said(ask(Venue(kind, Payer.OTHER, venue_kind, 10**9, "v-1"), match(), parameters)) == N


def test_another_venue_is_free_while_the_list_is_unset() -> None:
    assert said(ask(Venue(SaleKind.PACKAGE, Payer.SELF, VenueKind.OTHER, 10**9, "v-1"), match())) == N


@pytest.mark.parametrize(("amount_fen", "expected"), [(49_999, N), (50_000, R), (50_001, R)])
def test_a_venue_sale_is_restricted_from_the_least_amount(amount_fen: int, expected: str) -> None:
    venue = Venue(SaleKind.MEMBERSHIP, Payer.SELF, VenueKind.GOLF_COURSE, amount_fen, "v-1")
    assert said(ask(venue, match(), Parameters(venue_min_fen=50_000))) == expected


TOURS = {
    "GROUP_TOUR": R,
    "FREE_TRAVEL_PACKAGE": R,
    "VISA": R,
    "TRAVEL_INSURANCE": R,
    "GUIDE": R,
    "OTHER_RELATED": R,
    "TICKET_ONLY": N,
    "COACH_HIRE": N,
    "INBOUND_RECEPTION": N,
}


@pytest.mark.parametrize(("service", "abroad"), TOURS.items())
def test_outbound_services_are_restricted_by_destination(service: str, abroad: str) -> None:
    inland = Parameters(hmt_is_outbound=False)
    for country in ("THA", "JPN"):
        assert said(ask(OutboundTour(TourService[service], country), match(), inland)) == abroad
    for country in ("HKG", "MAC", "TWN"):
        assert said(ask(OutboundTour(TourService[service], country), match())) == abroad
        assert said(ask(OutboundTour(TourService[service], country), match(), inland)) == N
    assert said(ask(OutboundTour(TourService[service], "CHN"), match())) == N


@pytest.mark.parametrize(
    ("amount_fen", "expected"), [(99_999, N), (100_000, N), (100_001, "CAPPED 1000"), (300_000, "CAPPED 1000")]
)
@pytest.mark.parametrize("kind", ResortKind)
def test_a_listed_resort_is_capped_above_the_cap(kind: ResortKind, amount_fen: int, expected: str) -> None:
    parameters = Parameters(resort_list={"r-1": kind}, resort_cap_fen=1_000 * YUAN)
    assert said(ask(Resort(amount_fen, "r-1"), match(), parameters)) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        UNSET,
        Parameters(resort_cap_fen=0),
        Parameters(resort_list={"r-2": ResortKind.TOURISM_FIRM}, resort_cap_fen=0),
        Parameters(resort_list={"r-1": ResortKind.TOURISM_FIRM}),
    ],
    ids=["both unset", "list unset", "not listed", "cap unset"],
)
def test_a_resort_without_list_or_cap_is_free(parameters: Parameters) -> None:
    assert said(ask(Resort(10**9, "r-1"), match(), parameters)) == N


def test_a_cap_of_nothing_caps_any_amount() -> None:
    parameters = Parameters(resort_list={"r-1": ResortKind.TOURISM_FIRM}, resort_cap_fen=0)
    assert said(ask(Resort(1, "r-1"), match(), parameters)) == "CAPPED 0"
    assert said(ask(Resort(0, "r-1"), match(), parameters)) == N


@pytest.mark.parametrize("explicit", [False, True], ids=["by default", "explicit"])
@pytest.mark.parametrize("funds", Funds)
@pytest.mark.parametrize("relation", PayerRelation)
def test_tuition(relation: PayerRelation, funds: Funds, *, explicit: bool) -> None:
    tuition, parameters = Tuition("s-1", relation, funds), Parameters(edu_list=frozenset({"s-1"}))
    expected = {
        Funds.OWN: R if explicit else TEXT,
        Funds.JOINT_ACCOUNT: FUNDS,
        Funds.THIRD_PARTY: N,
        Funds.NOT_KNOWN: FUNDS,
    }[funds]
    listed = match(part(grant(explicit=explicit)))
    assert said(ask(tuition, listed, parameters)) == (expected if relation is PayerRelation.PARENT else N)
    assert said(ask(tuition, listed, Parameters(edu_list=frozenset({"s-2"})))) == N
    assert said(ask(tuition, listed)) == N


@pytest.mark.parametrize(("act", "expected"), [("NEW", R), ("INCREASE", R), ("RENEWAL", TEXT), ("REINSTATEMENT", TEXT)])
@pytest.mark.parametrize("mode", PremiumMode)
def test_insurance_from_the_least_premium_of_its_mode(mode: PremiumMode, act: str, expected: str) -> None:
    annual = mode is PremiumMode.ANNUAL
    parameters = Parameters(
        ins_min=InsuranceMin(2_000_000 if annual else 9_000_000, 9_000_000 if annual else 2_000_000)
    )
    unset = Parameters(ins_min=InsuranceMin(single_fen=1) if annual else InsuranceMin(annual_fen=1))

    def policy(cash_value: CashValue, premium_fen: int) -> Insurance:
        return Insurance(cash_value, premium_fen, mode, PolicyAct[act])

    assert said(ask(policy(CashValue.SOME, 2_000_000), match(), parameters)) == expected
    assert said(ask(policy(CashValue.SOME, 1_999_999), match(), parameters)) == N
    assert said(ask(policy(CashValue.NONE, 10**9), match(), parameters)) == N
    for parameters_unset in (UNSET, unset):
        assert said(ask(policy(CashValue.SOME, 10**9), match(), parameters_unset)) == "U PARAMETER_UNSET"
        assert said(ask(policy(CashValue.NONE, 10**9), match(), parameters_unset)) == N


@pytest.mark.parametrize("necessity", Necessity)
@pytest.mark.parametrize(
    ("work", "amount_fen", "least_fen", "expected"),
    [
        ("NEW_BUILD", 0, None, R),
        ("EXTENSION", 0, None, R),
        ("DECORATION", 10**9, None, N),
        ("DECORATION", 49_999, 50_000, N),
        ("DECORATION", 50_000, 50_000, R),
        ("REPAIR", 10**9, 0, N),
        ("ACCESSIBILITY", 10**9, 0, N),
    ],
)
def test_construction(work: str, amount_fen: int, least_fen: int | None, expected: str, necessity: Necessity) -> None:
    softened = NEED if expected == R and necessity is not Necessity.NOT_CLAIMED else expected
    construction = Construction(Work[work], amount_fen, necessity)
    assert said(ask(construction, match(), Parameters(decor_min_fen=least_fen))) == softened


@pytest.mark.parametrize("use", VehicleUse)
@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("PURCHASE", R),
        ("FINANCE_LEASE", TEXT),
        ("RENTAL", N),
        ("SALE", N),
        ("SCRAPPING", N),
        ("INSURANCE", N),
        ("INSPECTION", N),
    ],
)
def test_vehicle(act: str, expected: str, use: VehicleUse) -> None:
    softened = NEED if expected == R and use is not VehicleUse.PRIVATE else expected
    assert said(ask(Vehicle(VehicleKind.MOTOR, VehicleAct[act], use), match())) == softened
    assert said(ask(Vehicle(VehicleKind.NON_MOTOR, VehicleAct[act], use), match())) == N


@pytest.mark.parametrize(
    ("act", "alone", "with_spouse", "with_others"),
    [
        ("PURCHASE_NEW", R, FUNDS, R),
        ("PURCHASE_SECOND_HAND", R, FUNDS, R),
        ("PURCHASE_AUCTION", R, FUNDS, R),
        ("LAND_USE_RIGHT", R, FUNDS, R),
        ("EXCHANGE", TEXT, TEXT, TEXT),
        ("INHERITANCE", TEXT, TEXT, TEXT),
        ("DIVORCE_DIVISION", TEXT, TEXT, TEXT),
        ("GIFT_RECEIVED", TEXT, TEXT, TEXT),
        ("COURT_ORDER", TEXT, TEXT, TEXT),
        ("RESETTLEMENT", TEXT, TEXT, TEXT),
        ("EARLIER_CONTRACT", TEXT, TEXT, TEXT),
        ("SALE", N, N, N),
        ("TRANSFER_OUT", N, N, N),
        ("SURRENDER", N, N, N),
        ("MORTGAGE_CREATION", N, N, N),
        ("MORTGAGE_REDEMPTION", N, N, N),
        ("LEASE", N, N, N),
        ("RECORD_CORRECTION", N, N, N),
    ],
)
def test_property(act: str, alone: str, with_spouse: str, with_others: str) -> None:
    answers = [said(ask(Property(PropertyAct[act], buyers), match())) for buyers in Buyers]
    assert answers == [alone, with_spouse, with_others]


@pytest.mark.parametrize(("act", "expected"), [("BID", R), ("DEVELOP", R), ("RENEWAL", TEXT), ("TRANSFER_OUT", N)])
def test_resource_development(act: str, expected: str) -> None:
    assert said(ask(ResourceDevelopment(ResourceAct[act]), match())) == expected


@pytest.mark.parametrize(("act", "expected"), [("BUY", R), ("SELL", TEXT)])
def test_state_equity(act: str, expected: str) -> None:
    assert said(ask(StateEquity(EquityAct[act]), match())) == expected


def test_the_last_row_of_every_table_fits_whatever_comes() -> None:
    for table in TABLES.values():
        assert table.rows[-1].fits(None)  # type: ignore[arg-type]  # it must not look at its case


HOTEL = Lodging(5, RatingStatus.IN_FORCE, "H-1", emergency=False)
CAPITALS = {
    "star register": ("STAR_REGISTER: {h-1: {stars: 5, status: IN_FORCE}}", HOTEL, R),
    "star register in capitals": ("STAR_REGISTER: {H-1: {stars: 5, status: IN_FORCE}}", HOTEL, R),
    "lodge list": ("LODGE_LIST: {h-1: NATIONAL_GRADE_ONE}", replace(HOTEL, rating_status=RatingStatus.ENDED), R),
    "venue list": ("VENUE_LIST: [v-1]", Venue(SaleKind.PACKAGE, Payer.SELF, VenueKind.OTHER, 1, "V-1"), R),
    "resort list": ("RESORT_LIST: {r-1: GRADED_RESORT}, RESORT_CAP: 1", Resort(200, "R-1"), "CAPPED"),
    "school list": ("EDU_LIST: [s-1]", Tuition("S-1", PayerRelation.PARENT, Funds.NOT_KNOWN), FUNDS),
}


@pytest.mark.parametrize(("values", "product", "want"), CAPITALS.values(), ids=CAPITALS.keys())
def test_a_key_in_capitals_is_not_off_the_list(values: str, product: Product, want: str) -> None:
    document = f"{{version: 1, date: 2026-05-01, authority: court, values: {{{values}}}}}"
    ruling = rule(Case(product, Parameters.parse(document), explicit=False))
    told = {Outcome.RESTRICTED: R, Outcome.UNDETERMINED: FUNDS, Outcome.CAPPED: "CAPPED"}
    assert told.get(ruling.outcome, N) == want
