"""The decision tables: what a sale comes to for a holder with a live grant of its measure.

Rules for reading and editing:
- A table is read from the top; the first row that fits decides. The last row of every table fits always.
- Rows are the ones of the register's document, in its order and words; a change starts there.
- RESTRICTED never rests on a parameter that is unset. The two defaults are in `parameters`.
- A claim (emergency, necessity, need) only softens a would-be RESTRICTED to UNDETERMINED.
- Everything depends on the sale, the parameters and whether the grant is explicit: never on who the holder is.

It does not know entries, dates, names or freshness: that is in `decision`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from restriction.fields import same_place
from restriction.parameters import Parameters, Rating, Standing
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
    Measure,
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
    SeatClass,
    StateEquity,
    TourService,
    TrainFamily,
    Tuition,
    Vehicle,
    VehicleAct,
    VehicleKind,
    VehicleUse,
    Venue,
    VenueKind,
    Work,
)


class Outcome(enum.IntEnum):
    """The four answers."""

    NOT_RESTRICTED = 1
    RESTRICTED = 2
    CAPPED = 3
    UNDETERMINED = 4


class Reason(enum.IntEnum):
    """Why an answer is UNDETERMINED: the first six are about the subject, the last three about us."""

    PARAMETER_UNSET = 1
    NECESSITY_CLAIMED = 2
    FUNDS_UNCLEAR = 3
    TEXT_UNCLEAR = 4
    WEAK_DOCUMENT = 5
    IDENTITY_MISMATCH = 6
    STALE_LIST = 7
    STORE_UNAVAILABLE = 8
    LEDGER_UNAVAILABLE = 9


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one part of a record makes of a sale. `reason` stands with UNDETERMINED alone, `cap_fen` with CAPPED."""

    outcome: Outcome
    reason: Reason | None = None
    cap_fen: int | None = None


P = TypeVar("P", bound=Product)


@dataclass(frozen=True, slots=True)
class Case(Generic[P]):
    """What a table may look at."""

    product: P
    parameters: Parameters
    explicit: bool


@dataclass(frozen=True, slots=True)
class Row(Generic[P]):
    """One row: `when` in words, the same as a test of a case, and what then holds."""

    when: str
    fits: Callable[[Case[P]], bool]
    then: Ruling


@dataclass(frozen=True, slots=True)
class Table(Generic[P]):
    """The rows of one product, and whether a sale claims that it is necessary."""

    rows: tuple[Row[P], ...]
    claims: Callable[[P], bool] = lambda _product: False


R: Final = Ruling(Outcome.RESTRICTED)
N: Final = Ruling(Outcome.NOT_RESTRICTED)
ABOVE_CAP: Final = Ruling(Outcome.CAPPED)  # `rule` fills in which cap
U_PARAMETER: Final = Ruling(Outcome.UNDETERMINED, Reason.PARAMETER_UNSET)
U_NECESSITY: Final = Ruling(Outcome.UNDETERMINED, Reason.NECESSITY_CLAIMED)
U_FUNDS: Final = Ruling(Outcome.UNDETERMINED, Reason.FUNDS_UNCLEAR)
U_TEXT: Final = Ruling(Outcome.UNDETERMINED, Reason.TEXT_UNCLEAR)

_NOT_RATED: Final = Rating(0, RatingStatus.NOT_RATED)
_UNRESTRICTED_EMU_SEATS: Final = {SeatClass.SECOND, SeatClass.SECOND_COMPARTMENT, SeatClass.STANDING}
_SOFT_SLEEPERS: Final = {SeatClass.SOFT_SLEEPER, SeatClass.DELUXE_SOFT_SLEEPER}
_NO_TOUR: Final = {TourService.TICKET_ONLY, TourService.COACH_HIRE, TourService.INBOUND_RECEPTION}
_HMT: Final = {"HKG", "MAC", "TWN"}
_PURCHASES: Final = {
    PropertyAct.PURCHASE_NEW, PropertyAct.PURCHASE_SECOND_HAND, PropertyAct.PURCHASE_AUCTION,
    PropertyAct.LAND_USE_RIGHT,
}  # fmt: skip
_NO_ACQUISITION: Final = {
    PropertyAct.SALE, PropertyAct.TRANSFER_OUT, PropertyAct.SURRENDER, PropertyAct.MORTGAGE_CREATION,
    PropertyAct.MORTGAGE_REDEMPTION, PropertyAct.LEASE, PropertyAct.RECORD_CORRECTION,
}  # fmt: skip


def rule(case: Case[Any]) -> Ruling:
    """The ruling of the first row that fits, softened where the sale claims to be necessary."""
    table = TABLES[case.product.measure]
    ruling = next(row.then for row in table.rows if row.fits(case))
    if ruling is R and table.claims(case.product):
        return U_NECESSITY
    if ruling is ABOVE_CAP:
        return Ruling(Outcome.CAPPED, cap_fen=case.parameters.resort_cap_fen)
    return ruling


def _always(_case: Case[Any]) -> bool:
    return True


def _rating(case: Case[Lodging]) -> Rating:
    """The register's rating where there is a register, which then alone counts; else the caller's word."""
    register = case.parameters.star_register
    if register is None:
        return Rating(case.product.star_rating, case.product.rating_status)
    return register.get(same_place(case.product.establishment_id), _NOT_RATED)


def _insurance_min(case: Case[Insurance]) -> int | None:
    least = case.parameters.ins_min
    if least is None:
        return None
    return least.annual_fen if case.product.premium_mode is PremiumMode.ANNUAL else least.single_fen


def _below(amount_fen: int, least_fen: int | None) -> bool:
    return least_fen is not None and amount_fen < least_fen


def _above(amount_fen: int, most_fen: int | None) -> bool:
    return most_fen is not None and amount_fen > most_fen


def _on(listed: Mapping[str, object] | frozenset[str] | None, key: str) -> bool:
    """Whether a list has the key; nobody is on a list that is unset."""
    return listed is not None and same_place(key) in listed


def _second_berth_as(case: Case[Rail]) -> SeatClass | None:
    return (case.parameters.rail_class_map or {}).get(SeatClass.SECOND_BERTH)


RAIL: Final[Table[Rail]] = Table(
    (
        Row(
            "G, STANDING, which G_STANDING leaves free",
            lambda c: (
                c.product.family is TrainFamily.G
                and c.product.seat_class is SeatClass.STANDING
                and c.parameters.g_standing is Standing.NOT_RESTRICTED
            ),
            N,
        ),
        Row("G, all else", lambda c: c.product.family is TrainFamily.G, R),
        Row(
            "D, C, S: SECOND, SECOND_COMPARTMENT, STANDING",
            lambda c: c.product.family is TrainFamily.OTHER_EMU and c.product.seat_class in _UNRESTRICTED_EMU_SEATS,
            N,
        ),
        Row(
            "D, C, S: SECOND_BERTH, RAIL_CLASS_MAP unset",
            lambda c: (
                c.product.family is TrainFamily.OTHER_EMU
                and c.product.seat_class is SeatClass.SECOND_BERTH
                and _second_berth_as(c) is None
            ),
            U_TEXT,
        ),
        Row(
            "D, C, S: SECOND_BERTH, by RAIL_CLASS_MAP a second class",
            lambda c: (
                c.product.family is TrainFamily.OTHER_EMU
                and c.product.seat_class is SeatClass.SECOND_BERTH
                and _second_berth_as(c) is SeatClass.SECOND
            ),
            N,
        ),
        Row("D, C, S: all other EMU values", lambda c: c.product.family is TrainFamily.OTHER_EMU, R),
        Row(
            "Z, T, K, L, Y, digits only: SOFT_SLEEPER, DELUXE_SOFT_SLEEPER",
            lambda c: c.product.family is TrainFamily.CONVENTIONAL and c.product.seat_class in _SOFT_SLEEPERS,
            R,
        ),
        Row(
            "Z, T, K, L, Y, digits only: HARD_SLEEPER, SOFT_SEAT, HARD_SEAT, STANDING",
            lambda c: c.product.family is TrainFamily.CONVENTIONAL,
            N,
        ),
        Row("unknown prefix", _always, U_TEXT),
    )
)
AIR: Final[Table[Air]] = Table(
    (
        Row("SCHEDULED", lambda c: c.product.flight_kind is FlightKind.SCHEDULED, R),
        Row("MEDICAL_TRANSFER", lambda c: c.product.flight_kind is FlightKind.MEDICAL_TRANSFER, U_NECESSITY),
        Row("CHARTER, SIGHTSEEING", _always, U_TEXT),
    )
)
LODGE: Final[Table[Lodging]] = Table(
    (
        Row("on LODGE_LIST", lambda c: _on(c.parameters.lodge_list, c.product.establishment_id), R),
        Row(
            "stars 1-5 and IN_FORCE",
            lambda c: _rating(c).stars > 0 and _rating(c).status is RatingStatus.IN_FORCE,
            R,
        ),
        Row("else, whatever the price", _always, N),
    ),
    claims=lambda product: product.emergency,
)
VENUE: Final[Table[Venue]] = Table(
    (
        Row("payer OTHER", lambda c: c.product.payer is Payer.OTHER, N),
        Row(
            "venue OTHER not on VENUE_LIST",
            lambda c: (
                c.product.venue_kind is VenueKind.OTHER and not _on(c.parameters.venue_list, c.product.establishment_id)
            ),
            N,
        ),
        Row("below VENUE_MIN", lambda c: _below(c.product.amount_fen, c.parameters.venue_min_fen), N),
        Row("from VENUE_MIN (unset: any amount)", _always, R),
    )
)
TOUR_OUT: Final[Table[OutboundTour]] = Table(
    (
        Row("TICKET_ONLY, COACH_HIRE, INBOUND_RECEPTION", lambda c: c.product.service in _NO_TOUR, N),
        Row("CHN", lambda c: c.product.destination_country == "CHN", N),
        Row(
            "HKG, MAC, TWN, not outbound by HMT_IS_OUTBOUND",
            lambda c: c.product.destination_country in _HMT and not c.parameters.hmt_is_outbound,
            N,
        ),
        Row("the destination is outbound", _always, R),
    )
)
RESORT_CAP: Final[Table[Resort]] = Table(
    (
        Row("not on RESORT_LIST", lambda c: not _on(c.parameters.resort_list, c.product.establishment_id), N),
        Row("cap unset", lambda c: c.parameters.resort_cap_fen is None, N),
        Row("above the cap", lambda c: _above(c.product.amount_fen, c.parameters.resort_cap_fen), ABOVE_CAP),
        Row("at or below the cap", _always, N),
    )
)
EDU: Final[Table[Tuition]] = Table(
    (
        Row("not on EDU_LIST", lambda c: not _on(c.parameters.edu_list, c.product.school_id), N),
        Row("not PARENT", lambda c: c.product.payer_relation is not PayerRelation.PARENT, N),
        Row("THIRD_PARTY", lambda c: c.product.funds is Funds.THIRD_PARTY, N),
        Row("OWN, explicit EDU grant", lambda c: c.product.funds is Funds.OWN and c.explicit, R),
        Row("OWN, else", lambda c: c.product.funds is Funds.OWN, U_TEXT),
        Row("JOINT_ACCOUNT, NOT_KNOWN", _always, U_FUNDS),
    )
)
INS: Final[Table[Insurance]] = Table(
    (
        Row("cash value NONE", lambda c: c.product.cash_value is CashValue.NONE, N),
        Row("that member of INS_MIN unset", lambda c: _insurance_min(c) is None, U_PARAMETER),
        Row("below", lambda c: _below(c.product.premium_fen, _insurance_min(c)), N),
        Row("NEW, INCREASE", lambda c: c.product.policy_act in {PolicyAct.NEW, PolicyAct.INCREASE}, R),
        Row("RENEWAL, REINSTATEMENT", _always, U_TEXT),
    )
)
BUILD: Final[Table[Construction]] = Table(
    (
        Row("REPAIR, ACCESSIBILITY", lambda c: c.product.work in {Work.REPAIR, Work.ACCESSIBILITY}, N),
        Row(
            "DECORATION, DECOR_MIN unset",
            lambda c: c.product.work is Work.DECORATION and c.parameters.decor_min_fen is None,
            N,
        ),
        Row(
            "DECORATION, below DECOR_MIN",
            lambda c: c.product.work is Work.DECORATION and _below(c.product.amount_fen, c.parameters.decor_min_fen),
            N,
        ),
        Row("DECORATION from DECOR_MIN, NEW_BUILD, EXTENSION", _always, R),
    ),
    claims=lambda product: product.necessity is not Necessity.NOT_CLAIMED,
)
VEHICLE: Final[Table[Vehicle]] = Table(
    (
        Row("NON_MOTOR", lambda c: c.product.vehicle_kind is VehicleKind.NON_MOTOR, N),
        Row("PURCHASE", lambda c: c.product.vehicle_act is VehicleAct.PURCHASE, R),
        Row("FINANCE_LEASE", lambda c: c.product.vehicle_act is VehicleAct.FINANCE_LEASE, U_TEXT),
        Row("others", _always, N),
    ),
    claims=lambda product: product.vehicle_use is not VehicleUse.PRIVATE,
)
PROP_ACQ: Final[Table[Property]] = Table(
    (
        Row(
            "PURCHASE_*, LAND_USE_RIGHT: WITH_SPOUSE",
            lambda c: c.product.property_act in _PURCHASES and c.product.buyers is Buyers.WITH_SPOUSE,
            U_FUNDS,
        ),
        Row("PURCHASE_*, LAND_USE_RIGHT: SOLE, WITH_OTHERS", lambda c: c.product.property_act in _PURCHASES, R),
        Row("SALE, TRANSFER_OUT … RECORD_CORRECTION", lambda c: c.product.property_act in _NO_ACQUISITION, N),
        Row("EXCHANGE, INHERITANCE … EARLIER_CONTRACT", _always, U_TEXT),
    )
)
PROP_DEV: Final[Table[ResourceDevelopment]] = Table(
    (
        Row("BID, DEVELOP", lambda c: c.product.resource_act in {ResourceAct.BID, ResourceAct.DEVELOP}, R),
        Row("TRANSFER_OUT", lambda c: c.product.resource_act is ResourceAct.TRANSFER_OUT, N),
        Row("RENEWAL", _always, U_TEXT),
    )
)
STATE_EQ: Final[Table[StateEquity]] = Table(
    (
        Row("BUY", lambda c: c.product.equity_act is EquityAct.BUY, R),
        Row("SELL", _always, U_TEXT),
    )
)

TABLES: Final[Mapping[Measure, Table[Any]]] = MappingProxyType(
    {
        Measure.RAIL: RAIL,
        Measure.AIR: AIR,
        Measure.LODGE: LODGE,
        Measure.VENUE: VENUE,
        Measure.TOUR_OUT: TOUR_OUT,
        Measure.RESORT_CAP: RESORT_CAP,
        Measure.EDU: EDU,
        Measure.INS: INS,
        Measure.BUILD: BUILD,
        Measure.VEHICLE: VEHICLE,
        Measure.PROP_ACQ: PROP_ACQ,
        Measure.PROP_DEV: PROP_DEV,
        Measure.STATE_EQ: STATE_EQ,
    }
)
