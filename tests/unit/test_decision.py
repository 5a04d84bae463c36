"""From record to answer: the two clocks, exemptions, several parts, doubts about who it is, stale lists."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restriction.calendar import start_of
from restriction.decision import (
    CLOCK_ERROR_S,
    Advice,
    Circumstances,
    Decision,
    Outcome,
    Reason,
    Sale,
    decide,
    freshness_limit_s,
    undetermined,
)
from restriction.measures import Sector
from restriction.parameters import FreshnessLimits, InsuranceMin, Parameters, ResortKind
from restriction.products import (
    Air,
    Buyers,
    CashValue,
    FlightKind,
    Funds,
    Insurance,
    Lodging,
    Measure,
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
    SaleKind,
    SeatClass,
    TourService,
    Tuition,
    Vehicle,
    VehicleAct,
    VehicleKind,
    VehicleUse,
    Venue,
    VenueKind,
)
from restriction.record import Part
from tests.unit.sales import (
    COURT,
    ENTRY,
    NOON_S,
    OTHER_NAME,
    TODAY,
    ask,
    exemption,
    grant,
    match,
    part,
    said,
    sale,
)

FLIGHT = Air(FlightKind.SCHEDULED)
CHARTER = Air(FlightKind.CHARTER)
G_SECOND = Rail("G6001", SeatClass.SECOND)
D_SECOND = Rail("D7401", SeatClass.SECOND)
HOTEL = Lodging(4, RatingStatus.IN_FORCE, "h-1", emergency=False)
CAR = Vehicle(VehicleKind.MOTOR, VehicleAct.PURCHASE, VehicleUse.PRIVATE)
FLAT = Property(PropertyAct.PURCHASE_NEW, Buyers.SOLE)
RESORT = Resort(300_000, "r-1")
CAPPED = Parameters(resort_list={"r-1": ResortKind.GRADED_RESORT}, resort_cap_fen=100_000)
SETTLED = Parameters(
    resort_list={"r-1": ResortKind.GRADED_RESORT},
    resort_cap_fen=100_000,
    edu_list=frozenset({"s-1"}),
    ins_min=InsuranceMin(annual_fen=2_000_000),
)


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        pytest.param(G_SECOND, "R", id="G train, second class"),
        pytest.param(D_SECOND, "N", id="D train, second class"),
        pytest.param(Rail("C7001", SeatClass.FIRST), "R", id="C train, first class"),
        pytest.param(Rail("Z201", SeatClass.SOFT_SLEEPER), "R", id="Z train, soft sleeper"),
        pytest.param(FLIGHT, "R", id="an economy flight that the employer or a linked unit pays"),
        pytest.param(Lodging(1, RatingStatus.IN_FORCE, "h-1", emergency=False), "R", id="one-star hotel in force"),
        pytest.param(Lodging(0, RatingStatus.NOT_RATED, "h-1", emergency=False), "N", id="unrated economy chain"),
        pytest.param(
            Venue(SaleKind.MEMBERSHIP, Payer.SELF, VenueKind.GOLF_COURSE, 5_000_000, "v-1"), "R", id="golf membership"
        ),
        pytest.param(OutboundTour(TourService.GROUP_TOUR, "THA"), "R", id="group tour to Thailand"),
        pytest.param(OutboundTour(TourService.GROUP_TOUR, "CHN"), "N", id="domestic group tour"),
        pytest.param(RESORT, "CAPPED 1000", id="graded resort, 3 000 yuan, cap 1 000"),
        pytest.param(Tuition("s-1", PayerRelation.PARENT, Funds.OWN), "R", id="high-fee school, own account"),
        pytest.param(
            Tuition("s-1", PayerRelation.RELATIVE, Funds.OWN),
            "N",
            id="same school, a grandmother pays from her pension",
        ),
        pytest.param(
            Insurance(CashValue.NONE, 20_000_000, PremiumMode.ANNUAL, PolicyAct.NEW), "N", id="term life, no cash value"
        ),
        pytest.param(
            Insurance(CashValue.SOME, 20_000_000, PremiumMode.ANNUAL, PolicyAct.NEW), "R", id="annuity, 200 000 a year"
        ),
        pytest.param(FLAT, "R", id="buys a flat"),
        pytest.param(Property(PropertyAct.SALE, Buyers.SOLE), "N", id="sells a flat"),
        pytest.param(CAR, "R", id="private car"),
    ],
)
def test_worked_examples_of_a_listed_person(product: Product, expected: str) -> None:
    listed = match(part(grant(explicit=True)))
    assert said(ask(product, listed, SETTLED)) == expected
    assert said(ask(product, None, SETTLED)) == "N"


MAY_3, MAY_11 = TODAY - 2, TODAY + 6


@pytest.mark.parametrize(
    ("product", "day", "expected"),
    [
        (FLIGHT, MAY_3 - 1, "R"),
        (FLIGHT, MAY_3, "N"),
        (FLIGHT, MAY_11 - 1, "N"),
        (FLIGHT, MAY_11, "R"),
        (G_SECOND, MAY_3, "N"),
        (HOTEL, MAY_3, "R"),
    ],
    ids=["day before", "first day", "last day", "day after", "other measure named", "measure not named"],
)
def test_an_exemption_releases_its_measures_on_its_days(product: Product, day: int, expected: str) -> None:
    released = part(exemptions=(exemption(Measure.AIR, Measure.RAIL, start=MAY_3, until=MAY_11),))
    assert said(ask(product, match(released), day=day)) == expected


def test_an_exemption_of_one_part_releases_no_other() -> None:
    released = part(exemptions=(exemption(Measure.AIR, start=MAY_3, until=MAY_11),), entry_ref=b"released")
    decision = ask(FLIGHT, match(released, part(entry_ref=b"other...")))
    assert (said(decision), decision.entry_refs) == ("R", (b"other...",))


@pytest.mark.parametrize(
    ("day", "expected"), [(9, "N"), (10, "R"), (19, "R"), (20, "N")], ids=["before", "first", "last", "until"]
)
def test_a_grant_counts_on_its_service_days(day: int, expected: str) -> None:
    granted = part(grant(start=TODAY + 10, until=TODAY + 20))
    assert said(ask(FLIGHT, match(granted), day=TODAY + day)) == expected


@pytest.mark.parametrize(("day", "expected"), [(TODAY + 4, "R"), (TODAY + 5, "N")])
def test_a_term_ends_in_favour_of_the_person(day: int, expected: str) -> None:
    assert said(ask(FLIGHT, match(part(until_day=TODAY + 5)), day=day)) == expected


def test_a_term_that_ends_today_is_over_where_today_counts() -> None:
    assert said(ask(CAR, match(part(until_day=TODAY)))) == "N"
    assert said(ask(CAR, match(part(until_day=TODAY + 1)))) == "R"


@pytest.mark.parametrize("measure", Measure)
def test_a_grant_of_one_measure_restricts_no_other(measure: Measure) -> None:
    restricted = {
        product.measure
        for product in (FLIGHT, G_SECOND, HOTEL, CAR, FLAT)
        if said(ask(product, match(part(grant(measure))))) == "R"
    }
    assert restricted == {measure} & {Measure.AIR, Measure.RAIL, Measure.LODGE, Measure.VEHICLE, Measure.PROP_ACQ}


@pytest.mark.parametrize(
    ("starts_in_s", "ends_in_s", "expected"),
    [(1, None, "N"), (0, None, "R"), (-60, 60, "R"), (-60, 0, "N"), (-60, -1, "N"), (-60, CLOCK_ERROR_S, "N")],
    ids=["not yet", "now", "between", "ended now", "ended", "within the clock's error of its end"],
)
def test_an_entry_counts_between_its_instants(starts_in_s: float, ends_in_s: float | None, expected: str) -> None:
    ends_at = None if ends_in_s is None else int(NOON_S + ends_in_s)
    assert said(ask(FLIGHT, match(part(starts_at=int(NOON_S + starts_in_s), ends_at=ends_at)))) == expected


def test_a_suspended_entry_restricts_nothing() -> None:
    assert said(ask(FLIGHT, match(part(suspended=True)))) == "N"


MIDNIGHT_S = start_of(TODAY + 1)


@given(offset_s=st.floats(-5, 5), error_s=st.floats(-CLOCK_ERROR_S, CLOCK_ERROR_S))
def test_no_clock_error_makes_a_grant_outlive_its_end(offset_s: float, error_s: float) -> None:
    ended = [part(until_day=TODAY + 1), part(grant(until=TODAY + 1)), part(ends_at=MIDNIGHT_S)]
    for one in ended:
        answer = said(ask(CAR, match(one), now_s=MIDNIGHT_S + offset_s + error_s))
        assert answer == "N" or offset_s < 0


def test_a_grant_does_not_begin_before_its_first_day() -> None:
    begins = match(part(grant(start=TODAY + 1)))
    assert said(ask(CAR, begins, now_s=MIDNIGHT_S - 0.5)) == "N"
    assert said(ask(CAR, begins, now_s=MIDNIGHT_S)) == "R"


def test_two_grants_that_meet_at_midnight_leave_no_gap() -> None:
    meeting = part(grant(until=TODAY + 1), grant(start=TODAY + 1))
    assert said(ask(CAR, match(meeting), now_s=MIDNIGHT_S - 0.5)) == "R"


def test_a_grant_that_may_be_over_is_explicit_no_more() -> None:
    succeeded = part(grant(Measure.EDU, explicit=True, until=TODAY + 1), grant(Measure.EDU))
    tuition = Tuition("s-1", PayerRelation.PARENT, Funds.OWN)
    assert said(ask(tuition, match(succeeded), SETTLED, now_s=MIDNIGHT_S - 60)) == "R"
    assert said(ask(tuition, match(succeeded), SETTLED, now_s=MIDNIGHT_S - 0.5)) == "U TEXT_UNCLEAR"


def test_not_restricted_is_the_same_whatever_the_record() -> None:
    lifted = match(part(ends_at=int(NOON_S) - 1))
    exempt = match(part(exemptions=(exemption(Measure.RAIL, start=TODAY, until=TODAY + 1),)))
    answers = [
        ask(D_SECOND, matched)
        for matched in (None, match(), lifted, exempt, match(part(suspended=True)), match(name=OTHER_NAME, weak=True))
    ]
    assert answers == [Decision(Measure.RAIL, Outcome.NOT_RESTRICTED, None, Advice.PROCEED, None, (), (), ())] * 6


def test_restricted_says_clause_court_and_entry() -> None:
    expected = Decision(Measure.AIR, Outcome.RESTRICTED, None, Advice.DECLINE, None, ("二(七)1",), (COURT,), (ENTRY,))
    assert ask(FLIGHT, match()) == expected


def test_capped_says_cap_clause_court_and_entry() -> None:
    expected = Decision(
        Measure.RESORT_CAP, Outcome.CAPPED, None, Advice.DECLINE, 100_000, ("二(七)4",), (COURT,), (ENTRY,)
    )
    assert ask(RESORT, match(), CAPPED) == expected


def test_undetermined_about_a_subject_names_the_entry_to_the_ledger_alone() -> None:
    expected = Decision(Measure.AIR, Outcome.UNDETERMINED, Reason.TEXT_UNCLEAR, Advice.PROCEED, None, (), (), (ENTRY,))
    assert ask(CHARTER, match()) == expected


DOUBTED = [(FLIGHT, Parameters()), (CHARTER, Parameters()), (RESORT, CAPPED)]


@pytest.mark.parametrize(("product", "parameters"), DOUBTED, ids=["restricted", "undetermined", "capped"])
@pytest.mark.parametrize(
    ("name", "names", "asked_weak", "part_weak", "expected"),
    [
        (OTHER_NAME, None, False, False, "U IDENTITY_MISMATCH"),
        (OTHER_NAME, (), False, False, "U IDENTITY_MISMATCH"),
        (None, None, True, False, "U WEAK_DOCUMENT"),
        (None, None, False, True, "U WEAK_DOCUMENT"),
        (OTHER_NAME, None, True, True, "U IDENTITY_MISMATCH"),
    ],
    ids=["another name", "no name", "weak question", "weak list", "all of it"],
)
def test_a_doubt_about_who_it_is_softens_every_answer_but_a_free_one(  # noqa: PLR0913  # a table's columns
    product: Product,
    parameters: Parameters,
    name: bytes | None,
    names: tuple[bytes, ...] | None,
    expected: str,
    *,
    asked_weak: bool,
    part_weak: bool,
) -> None:
    one = part(weak=part_weak) if names is None else part(weak=part_weak, names=names)
    doubtful = match(one, weak=asked_weak) if name is None else match(one, name=name, weak=asked_weak)
    assert said(ask(product, doubtful, parameters)) == expected
    assert said(ask(D_SECOND, doubtful, parameters)) == "N"


def test_any_name_of_the_holder_will_do() -> None:
    assert said(ask(FLIGHT, match(part(names=(b"former..", OTHER_NAME)), name=OTHER_NAME))) == "R"


def test_parts_lend_each_other_no_names() -> None:
    """The asked name is that of a part without a grant; the part with the grant has another."""
    lender = part(grant(Measure.LODGE), entry_ref=b"no grant")
    borrower = part(names=(OTHER_NAME,), entry_ref=b"no name.")
    decision = ask(FLIGHT, match(lender, borrower))
    assert (said(decision), decision.entry_refs) == ("U IDENTITY_MISMATCH", (b"no name.",))


def test_parts_lend_each_other_no_explicit_grant() -> None:
    by_default = part(grant(Measure.EDU))
    elsewhere = part(grant(Measure.EDU, explicit=True), suspended=True)
    tuition = Tuition("s-1", PayerRelation.PARENT, Funds.OWN)
    assert said(ask(tuition, match(by_default, elsewhere), SETTLED)) == "U TEXT_UNCLEAR"


def test_one_explicit_grant_of_a_part_is_enough() -> None:
    both = part(grant(Measure.EDU), grant(Measure.EDU, explicit=True))
    assert said(ask(Tuition("s-1", PayerRelation.PARENT, Funds.OWN), match(both), SETTLED)) == "R"


RESTRICTING = part(entry_ref=b"restrict", court=1)
MISMATCHED = part(entry_ref=b"mismatch", court=2, names=(OTHER_NAME,))
WEAK = part(entry_ref=b"weak....", court=3, weak=True)
FREE = part(entry_ref=b"free....", court=4, suspended=True)


@pytest.mark.parametrize(
    ("parts", "expected", "courts", "entries"),
    [
        ((RESTRICTING, MISMATCHED, FREE), "R", (1,), {b"restrict", b"mismatch"}),
        ((MISMATCHED, WEAK, FREE), "U IDENTITY_MISMATCH", (), {b"mismatch", b"weak...."}),
        ((WEAK, FREE), "U WEAK_DOCUMENT", (), {b"weak...."}),
        ((FREE,), "N", (), set()),
    ],
    ids=["restricted wins", "mismatch before weak", "weak", "none in force"],
)
def test_several_parts_in_any_order_give_the_gravest_answer(
    parts: tuple[Part, ...], expected: str, courts: tuple[int, ...], entries: set[bytes]
) -> None:
    for order in itertools.permutations(parts):
        decision = ask(FLIGHT, match(*order))
        assert said(decision) == expected
        assert decision.courts == courts
        assert set(decision.entry_refs) == entries


def test_undetermined_comes_before_capped() -> None:
    for order in itertools.permutations((RESTRICTING, MISMATCHED)):
        decision = ask(RESORT, match(*order), CAPPED)
        assert (said(decision), decision.cap_fen, decision.courts) == ("U IDENTITY_MISMATCH", None, ())


def test_every_court_whose_grant_restricts_is_named_once() -> None:
    parts = [part(court=court, entry_ref=ref) for court, ref in ((7, b"entry-a."), (8, b"entry-b."), (7, b"entry-c."))]
    decision = ask(FLIGHT, match(*parts))
    assert decision.courts == (7, 8)
    assert decision.entry_refs == (b"entry-a.", b"entry-b.", b"entry-c.")


REGISTRIES = {Sector.PROPERTY_REGISTRY, Sector.RESOURCE_EXCHANGE, Sector.EQUITY_EXCHANGE}


@pytest.mark.parametrize("sector", Sector)
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_a_list_older_than_the_sectors_limit_answers_nobody(sector: Sector, *, listed: bool) -> None:
    limit_s = 3_600 if sector in REGISTRIES else 86_400
    fresh, stale = (
        decide(match() if listed else None, sale(CAR), Circumstances(NOON_S, sector, Parameters(), age_s))
        for age_s in (limit_s, limit_s + 0.001)
    )
    assert said(fresh) == ("R" if listed else "N")
    assert said(stale) == "U STALE_LIST"
    assert (stale.clauses, stale.courts, stale.entry_refs) == ((), (), ())


def test_a_list_of_unknown_age_answers_nobody() -> None:
    assert said(decide(None, sale(CAR), Circumstances(NOON_S, Sector.CAR_DEALER, Parameters(), float("nan")))) == (
        "U STALE_LIST"
    )


def test_freshness_limits_are_parameters() -> None:
    limits = Parameters(freshness_limits=FreshnessLimits(default_s=7_200, registry_s=600))
    assert freshness_limit_s(Sector.HOTEL, limits) == 7_200
    assert freshness_limit_s(Sector.EQUITY_EXCHANGE, limits) == 600


@pytest.mark.parametrize("reason", Reason)
def test_only_reasons_about_us_are_given_without_a_record(reason: Reason) -> None:
    circumstances = Circumstances(NOON_S, Sector.CAR_DEALER, Parameters(), 2.0)
    if reason in {Reason.STALE_LIST, Reason.STORE_UNAVAILABLE, Reason.LEDGER_UNAVAILABLE}:
        expected = Decision(Measure.VEHICLE, Outcome.UNDETERMINED, reason, Advice.HOLD, None, (), (), ())
        assert undetermined(reason, sale(CAR), circumstances) == expected
    else:
        with pytest.raises(ValueError, match="not about us"):
            undetermined(reason, sale(CAR), circumstances)


@pytest.mark.parametrize(("product", "day"), [(FLIGHT, None), (CAR, TODAY)], ids=["missing", "not applicable"])
def test_a_sale_has_a_service_day_exactly_where_one_is_needed(product: Product, day: int | None) -> None:
    with pytest.raises(ValueError, match="service day"):
        Sale(product, day)
