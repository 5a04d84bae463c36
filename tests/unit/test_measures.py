"""The register: who may ask what, about whom, for which day; written down by hand from the rules' document."""

from __future__ import annotations

import pytest

from restriction.errors import InvalidFieldError, PurposeNotAllowedError
from restriction.measures import (
    REGISTER,
    Measure,
    Role,
    Sector,
    granted_by_default,
    may_be_granted,
    measures_of,
    permit,
    permit_measure,
    require_service_day,
    require_subject,
)
from restriction.parameters import Parameters, ResortKind
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

MATRIX = {
    "rail": {"RAIL"},
    "airline": {"AIR"},
    "travel_agency": {"RAIL", "AIR", "TOUR_OUT", "RESORT_CAP"},
    "hotel": {"LODGE", "VENUE"},
    "venue": {"VENUE"},
    "resort": {"RESORT_CAP"},
    "private_school": {"EDU"},
    "insurer": {"INS"},
    "housing": {"BUILD", "PROP_ACQ"},
    "car_dealer": {"VEHICLE"},
    "property_registry": {"PROP_ACQ"},
    "resource_exchange": {"PROP_ACQ", "PROP_DEV"},
    "equity_exchange": {"STATE_EQ"},
}
PARAMETERS = Parameters(resort_list={"r-1": ResortKind.TOURISM_FIRM})
PRODUCTS: dict[str, Product] = {
    "RAIL": Rail("G6001", SeatClass.SECOND),
    "AIR": Air(FlightKind.SCHEDULED),
    "LODGE": Lodging(4, RatingStatus.IN_FORCE, "h-1", emergency=False),
    "VENUE": Venue(SaleKind.PACKAGE, Payer.SELF, VenueKind.NIGHT_CLUB, 0, "v-1"),
    "TOUR_OUT": OutboundTour(TourService.GROUP_TOUR, "THA"),
    "RESORT_CAP": Resort(0, "r-1"),
    "EDU": Tuition("s-1", PayerRelation.PARENT, Funds.OWN),
    "INS": Insurance(CashValue.SOME, 0, PremiumMode.ANNUAL, PolicyAct.NEW),
    "BUILD": Construction(Work.NEW_BUILD, 0, Necessity.NOT_CLAIMED),
    "VEHICLE": Vehicle(VehicleKind.MOTOR, VehicleAct.PURCHASE, VehicleUse.PRIVATE),
    "PROP_ACQ": Property(PropertyAct.PURCHASE_NEW, Buyers.SOLE),
    "PROP_DEV": ResourceDevelopment(ResourceAct.BID),
    "STATE_EQ": StateEquity(EquityAct.BUY),
}
LAND: dict[str, Product] = {"PROP_ACQ": Property(PropertyAct.LAND_USE_RIGHT, Buyers.SOLE)}


def test_measures_and_sectors_are_those_of_the_rules() -> None:
    assert [measure.name for measure in Measure] == list(PRODUCTS)
    assert [measure.value for measure in Measure] == list(range(1, 14))
    assert {sector.value for sector in Sector} == MATRIX.keys()
    assert REGISTER.keys() == set(Measure)
    assert {name: product.measure.name for name, product in PRODUCTS.items()} == {name: name for name in PRODUCTS}


@pytest.mark.parametrize("measure", PRODUCTS)
@pytest.mark.parametrize(("sector", "own"), MATRIX.items())
def test_a_sector_asks_about_its_own_measures_alone(sector: str, own: set[str], measure: str) -> None:
    product = PRODUCTS | (LAND if sector == "resource_exchange" else {})
    if measure in own:
        permit(Sector(sector), product[measure], PARAMETERS)
        permit_measure(Sector(sector), Measure[measure])
    else:
        with pytest.raises(PurposeNotAllowedError):
            permit(Sector(sector), product[measure], PARAMETERS)
        with pytest.raises(PurposeNotAllowedError):
            permit_measure(Sector(sector), Measure[measure])


@pytest.mark.parametrize(("sector", "own"), MATRIX.items())
def test_the_measures_of_a_sector(sector: str, own: set[str]) -> None:
    assert {measure.name for measure in measures_of(Sector(sector))} == own


@pytest.mark.parametrize("sector", Sector)
@pytest.mark.parametrize("payer", Payer)
def test_a_walk_in_sale_is_asked_about_by_nobody(sector: Sector, payer: Payer) -> None:
    with pytest.raises(PurposeNotAllowedError):
        permit(sector, Venue(SaleKind.WALK_IN, payer, VenueKind.STAR_HOTEL, 0, "v-1"), PARAMETERS)


@pytest.mark.parametrize("act", PropertyAct)
@pytest.mark.parametrize(
    ("sector", "allowed"),
    [
        ("property_registry", {act.name for act in PropertyAct}),
        ("resource_exchange", {"LAND_USE_RIGHT"}),
        (
            "housing",
            {"PURCHASE_NEW", "PURCHASE_SECOND_HAND", "EXCHANGE", "EARLIER_CONTRACT", "SALE", "LEASE"},
        ),
    ],
)
def test_acts_on_property_are_asked_about_by_whom_they_come_before(
    sector: str, allowed: set[str], act: PropertyAct
) -> None:
    if act.name in allowed:
        permit(Sector(sector), Property(act, Buyers.SOLE), PARAMETERS)
    else:
        with pytest.raises(PurposeNotAllowedError):
            permit(Sector(sector), Property(act, Buyers.SOLE), PARAMETERS)


@pytest.mark.parametrize("parameters", [Parameters(), PARAMETERS], ids=["list unset", "not listed"])
def test_a_travel_agency_asks_about_the_cap_of_listed_places_alone(parameters: Parameters) -> None:
    with pytest.raises(PurposeNotAllowedError):
        permit(Sector.TRAVEL_AGENCY, Resort(0, "r-2"), parameters)
    permit(Sector.RESORT, Resort(0, "r-2"), parameters)


PERSONS_ONLY = {"RAIL", "AIR", "LODGE", "TOUR_OUT", "RESORT_CAP", "EDU"}


@pytest.mark.parametrize(("measure", "product"), PRODUCTS.items())
def test_a_company_document_is_refused_where_only_persons_are_restricted(measure: str, product: Product) -> None:
    require_subject(product, is_unit=False)
    if measure in PERSONS_ONLY:
        with pytest.raises(InvalidFieldError) as refused:
            require_subject(product, is_unit=True)
        assert (refused.value.field, refused.value.problem) == ("document.type", "UNIT_NOT_APPLICABLE")
    else:
        require_subject(product, is_unit=True)


DATED = {"RAIL", "AIR", "LODGE", "TOUR_OUT"}
TODAY = 20_000


@pytest.mark.parametrize("measure", sorted(DATED))
@pytest.mark.parametrize(
    ("day", "problem"),
    [
        (None, "MISSING"),
        (TODAY - 2, "IMPOSSIBLE"),
        (TODAY - 1, None),
        (TODAY, None),
        (TODAY + 366, None),
        (TODAY + 367, "IMPOSSIBLE"),
    ],
    ids=["none", "day before yesterday", "yesterday", "today", "366 days ahead", "367 days ahead"],
)
def test_a_service_day_lies_between_yesterday_and_a_year_ahead(
    measure: str, day: int | None, problem: str | None
) -> None:
    if problem is None:
        require_service_day(PRODUCTS[measure], day, TODAY)
    else:
        with pytest.raises(InvalidFieldError) as refused:
            require_service_day(PRODUCTS[measure], day, TODAY)
        assert (refused.value.field, refused.value.problem) == ("service_date", problem)


@pytest.mark.parametrize("measure", sorted(PRODUCTS.keys() - DATED))
def test_a_service_day_is_refused_where_today_counts(measure: str) -> None:
    require_service_day(PRODUCTS[measure], None, TODAY)
    with pytest.raises(InvalidFieldError) as refused:
        require_service_day(PRODUCTS[measure], TODAY, TODAY)
    assert (refused.value.field, refused.value.problem) == ("service_date", "NOT_APPLICABLE")


CLAUSES = {
    "二(六)1": {"PROP_ACQ", "PROP_DEV", "STATE_EQ"},
    "二(七)1": {"RAIL", "AIR"},
    "二(七)2": {"LODGE"},
    "二(七)3": {"VENUE"},
    "二(七)4": {"TOUR_OUT", "RESORT_CAP"},
    "二(七)5": {"EDU"},
    "二(七)6": {"INS"},
    "二(七)7": {"BUILD", "VEHICLE"},
}


def test_every_measure_names_its_clause() -> None:
    clauses = {name: clause for clause, names in CLAUSES.items() for name in names}
    assert {measure.name: rule.clause for measure, rule in REGISTER.items()} == clauses


SUBJECT_ONLY = {"RESORT_CAP", "PROP_DEV", "STATE_EQ"}


@pytest.mark.parametrize("measure", Measure)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_unit", [False, True], ids=["person", "unit"])
def test_who_may_hold_a_grant_and_who_holds_it_by_default(role: Role, measure: Measure, *, is_unit: bool) -> None:
    linked = role is not Role.SUBJECT
    allowed = not (linked and measure.name in SUBJECT_ONLY) and not (is_unit and measure.name in PERSONS_ONLY)
    assert may_be_granted(measure, role, is_unit=is_unit) is allowed
    by_default = allowed and not (linked and measure is Measure.VEHICLE)
    assert granted_by_default(measure, role, is_unit=is_unit) is by_default
