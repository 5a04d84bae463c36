"""What is sold: one frozen value per product, and the measure that it falls under.

Rules that hold here:
- A product is whole and possible or does not exist: a field that is missing, unknown, malformed or contradicts another
  raises `InvalidFieldError` with its wire name, so that "not sent" never reads as "clear".
- The measure follows from the product alone.
- Numbers of enum members are those of the wire; its zero (unspecified) has no member here.
- Money is a whole number of fen (1/100 CNY).
- Nothing here says who bought it: no name, no document.

It does not decide: what follows from the values is in `tables`.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, Final, get_type_hints

from restriction.errors import InvalidFieldError
from restriction.fields import Check, Country, Fen, Flag, ListKey, Stars, TrainNumber, member_of, plain_train_number


class Measure(enum.IntEnum):
    """The measures of the register, in its order. Record bit sets use `1 << measure`."""

    RAIL = 1
    AIR = 2
    LODGE = 3
    VENUE = 4
    TOUR_OUT = 5
    RESORT_CAP = 6
    EDU = 7
    INS = 8
    BUILD = 9
    VEHICLE = 10
    PROP_ACQ = 11
    PROP_DEV = 12
    STATE_EQ = 13


class SeatClass(enum.IntEnum):
    """Seats and berths, as printed on the ticket."""

    BUSINESS = 1
    PREMIUM = 2
    PREMIUM_FIRST = 3
    FIRST = 4
    SECOND_COMPARTMENT = 5
    SECOND = 6
    STANDING = 7
    FIRST_BERTH = 8
    SECOND_BERTH = 9
    EMU_SOFT_BERTH = 10
    EMU_DELUXE_SOFT_BERTH = 11
    DELUXE_SOFT_SLEEPER = 12
    SOFT_SLEEPER = 13
    HARD_SLEEPER = 14
    SOFT_SEAT = 15
    HARD_SEAT = 16


class TrainFamily(enum.Enum):
    """What the letters of a train number say about the train."""

    G = "G"
    OTHER_EMU = "D, C, S"
    CONVENTIONAL = "Z, T, K, L, Y, digits only"
    UNKNOWN = "any other prefix"


class FlightKind(enum.IntEnum):
    """Kinds of flight; the cabin never decides."""

    SCHEDULED = 1
    CHARTER = 2
    SIGHTSEEING = 3
    MEDICAL_TRANSFER = 4


class RatingStatus(enum.IntEnum):
    """Whether the stars of a lodging count now."""

    NOT_RATED = 1
    IN_FORCE = 2
    APPLIED = 3
    SUSPENDED = 4
    ENDED = 5


class SaleKind(enum.IntEnum):
    """Kinds of venue sale. A walk-in takes no document and is asked about by nobody."""

    MEMBERSHIP = 1
    PACKAGE = 2
    BANQUET_CONTRACT = 3
    GREEN_FEE = 4
    CLUB_ENTRY = 5
    WALK_IN = 6


class Payer(enum.IntEnum):
    """Whether the person asked about pays."""

    SELF = 1
    OTHER = 2


class VenueKind(enum.IntEnum):
    """Kinds of venue."""

    STAR_HOTEL = 1
    NIGHT_CLUB = 2
    GOLF_COURSE = 3
    OTHER = 4


class TourService(enum.IntEnum):
    """What a travel agency sells around a tour."""

    GROUP_TOUR = 1
    FREE_TRAVEL_PACKAGE = 2
    VISA = 3
    TRAVEL_INSURANCE = 4
    GUIDE = 5
    OTHER_RELATED = 6
    TICKET_ONLY = 7
    COACH_HIRE = 8
    INBOUND_RECEPTION = 9


class PayerRelation(enum.IntEnum):
    """What the payer of tuition, who is the person asked about, is to the pupil."""

    PARENT = 1
    STUDENT = 2
    GUARDIAN = 3
    RELATIVE = 4
    SPONSOR = 5
    SCHOLARSHIP = 6


class Funds(enum.IntEnum):
    """Whose money pays the tuition, seen from the person asked about."""

    OWN = 1
    JOINT_ACCOUNT = 2
    THIRD_PARTY = 3
    NOT_KNOWN = 4


class CashValue(enum.IntEnum):
    """Whether the policy has a cash value."""

    NONE = 1
    SOME = 2


class PremiumMode(enum.IntEnum):
    """How the premium is paid; terms shorter than a year are stated for the year."""

    ANNUAL = 1
    SINGLE = 2


class PolicyAct(enum.IntEnum):
    """What is done with the policy."""

    NEW = 1
    INCREASE = 2
    RENEWAL = 3
    REINSTATEMENT = 4


class Work(enum.IntEnum):
    """Work on a house."""

    NEW_BUILD = 1
    EXTENSION = 2
    DECORATION = 3
    REPAIR = 4
    ACCESSIBILITY = 5


class Necessity(enum.IntEnum):
    """What the builder says makes the work necessary."""

    NOT_CLAIMED = 1
    DISASTER_REBUILD = 2
    DANGEROUS_HOUSE = 3
    ONLY_DWELLING = 4


class VehicleKind(enum.IntEnum):
    """Kinds of vehicle."""

    MOTOR = 1
    NON_MOTOR = 2


class VehicleAct(enum.IntEnum):
    """What is done with the vehicle."""

    PURCHASE = 1
    FINANCE_LEASE = 2
    RENTAL = 3
    SALE = 4
    SCRAPPING = 5
    INSURANCE = 6
    INSPECTION = 7


class VehicleUse(enum.IntEnum):
    """What the buyer says the vehicle is for."""

    PRIVATE = 1
    BUSINESS_NEED = 2
    LIFE_NEED = 3


class PropertyAct(enum.IntEnum):
    """What is registered, filed or contracted about real property."""

    PURCHASE_NEW = 1
    PURCHASE_SECOND_HAND = 2
    PURCHASE_AUCTION = 3
    LAND_USE_RIGHT = 4
    EXCHANGE = 5
    INHERITANCE = 6
    DIVORCE_DIVISION = 7
    GIFT_RECEIVED = 8
    COURT_ORDER = 9
    RESETTLEMENT = 10
    EARLIER_CONTRACT = 11
    SALE = 12
    TRANSFER_OUT = 13
    SURRENDER = 14
    MORTGAGE_CREATION = 15
    MORTGAGE_REDEMPTION = 16
    LEASE = 17
    RECORD_CORRECTION = 18


class Buyers(enum.IntEnum):
    """With whom the person asked about buys; each buyer is asked about alone."""

    SOLE = 1
    WITH_SPOUSE = 2
    WITH_OTHERS = 3


class ResourceAct(enum.IntEnum):
    """What is done with a right to develop land or minerals."""

    BID = 1
    DEVELOP = 2
    RENEWAL = 3
    TRANSFER_OUT = 4


class EquityAct(enum.IntEnum):
    """Which side of a sale of state property rights."""

    BUY = 1
    SELL = 2


_EMU_ONLY: Final = frozenset(
    {
        SeatClass.BUSINESS, SeatClass.PREMIUM, SeatClass.PREMIUM_FIRST, SeatClass.FIRST, SeatClass.SECOND_COMPARTMENT,
        SeatClass.SECOND, SeatClass.FIRST_BERTH, SeatClass.SECOND_BERTH, SeatClass.EMU_SOFT_BERTH,
        SeatClass.EMU_DELUXE_SOFT_BERTH,
    }
)  # fmt: skip
_CONVENTIONAL_ONLY: Final = frozenset(SeatClass) - _EMU_ONLY - {SeatClass.STANDING}
_IMPOSSIBLE_SEATS: Final = MappingProxyType(
    {
        TrainFamily.G: _CONVENTIONAL_ONLY,
        TrainFamily.OTHER_EMU: _CONVENTIONAL_ONLY,
        TrainFamily.CONVENTIONAL: _EMU_ONLY,
        TrainFamily.UNKNOWN: frozenset[SeatClass](),
    }
)
_FAMILY_OF_PREFIX: Final = MappingProxyType(
    {"G": TrainFamily.G}
    | dict.fromkeys("DCS", TrainFamily.OTHER_EMU)
    | dict.fromkeys(["Z", "T", "K", "L", "Y", ""], TrainFamily.CONVENTIONAL)
)


def rating_is_possible(stars: int, status: RatingStatus) -> bool:
    """Whether a rating and its status can stand together: no rating has no stars, a rating in force has some."""
    if status is RatingStatus.NOT_RATED:
        return stars == 0
    return status is not RatingStatus.IN_FORCE or stars > 0


class Product:
    """One sale that is asked about. Raises: InvalidFieldError at construction unless it is whole and possible."""

    __slots__ = ()
    measure: ClassVar[Measure]
    name: ClassVar[str]

    def __post_init__(self) -> None:
        """Check every field, then the fields against each other."""
        for attribute, field, check in _CHECKS[type(self)]:
            check(field, getattr(self, attribute))
        self._refuse_impossible()

    def _refuse_impossible(self) -> None:
        """Raise InvalidFieldError when the fields contradict each other."""


@functools.lru_cache(maxsize=4_096)  # about the train numbers of a day's sales; each check asks several times
def _family_of(train_number: str) -> TrainFamily:
    return _FAMILY_OF_PREFIX.get(plain_train_number(train_number).rstrip("0123456789"), TrainFamily.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Rail(Product):
    """A seat or berth on one train."""

    measure = Measure.RAIL
    name = "rail"
    train_number: TrainNumber
    seat_class: SeatClass

    @property
    def family(self) -> TrainFamily:
        """What kind of train the number names."""
        return _family_of(self.train_number)

    def _refuse_impossible(self) -> None:
        if self.seat_class in _IMPOSSIBLE_SEATS[self.family]:
            raise InvalidFieldError("rail.seat_class", "IMPOSSIBLE", "a train of this number has no such seat or berth")


@dataclass(frozen=True, slots=True)
class Air(Product):
    """A seat on one flight."""

    measure = Measure.AIR
    name = "air"
    flight_kind: FlightKind


@dataclass(frozen=True, slots=True)
class Lodging(Product):
    """A night in one establishment; `emergency` is the guest's claim."""

    measure = Measure.LODGE
    name = "lodging"
    star_rating: Stars
    rating_status: RatingStatus
    establishment_id: ListKey
    emergency: Flag

    def _refuse_impossible(self) -> None:
        if not rating_is_possible(self.star_rating, self.rating_status):
            raise InvalidFieldError(
                "lodging.rating_status", "IMPOSSIBLE", "NOT_RATED has 0 stars, and a rating IN_FORCE has 1 to 5"
            )


@dataclass(frozen=True, slots=True)
class Venue(Product):
    """A sale in a place of high spending."""

    measure = Measure.VENUE
    name = "venue"
    sale_kind: SaleKind
    payer: Payer
    venue_kind: VenueKind
    amount_fen: Fen
    establishment_id: ListKey


@dataclass(frozen=True, slots=True)
class OutboundTour(Product):
    """One service of a travel agency around a tour."""

    measure = Measure.TOUR_OUT
    name = "outbound_tour"
    service: TourService
    destination_country: Country


@dataclass(frozen=True, slots=True)
class Resort(Product):
    """One transaction in a graded resort or tourism firm."""

    measure = Measure.RESORT_CAP
    name = "resort"
    amount_fen: Fen
    establishment_id: ListKey


@dataclass(frozen=True, slots=True)
class Tuition(Product):
    """One payment to a school. The pupil has no field."""

    measure = Measure.EDU
    name = "tuition"
    school_id: ListKey
    payer_relation: PayerRelation
    funds: Funds


@dataclass(frozen=True, slots=True)
class Insurance(Product):
    """One act on one policy, with the premium of its mode."""

    measure = Measure.INS
    name = "insurance"
    cash_value: CashValue
    premium_fen: Fen
    premium_mode: PremiumMode
    policy_act: PolicyAct


@dataclass(frozen=True, slots=True)
class Construction(Product):
    """Work on one house; `necessity` is the builder's claim."""

    measure = Measure.BUILD
    name = "construction"
    work: Work
    amount_fen: Fen
    necessity: Necessity


@dataclass(frozen=True, slots=True)
class Vehicle(Product):
    """One act on one vehicle; `vehicle_use` other than PRIVATE is the buyer's claim."""

    measure = Measure.VEHICLE
    name = "vehicle"
    vehicle_kind: VehicleKind
    vehicle_act: VehicleAct
    vehicle_use: VehicleUse


@dataclass(frozen=True, slots=True)
class Property(Product):
    """One act on one real property, for one of its buyers."""

    measure = Measure.PROP_ACQ
    name = "property"
    property_act: PropertyAct
    buyers: Buyers


@dataclass(frozen=True, slots=True)
class ResourceDevelopment(Product):
    """One act on a right to develop land or minerals."""

    measure = Measure.PROP_DEV
    name = "resource_development"
    resource_act: ResourceAct


@dataclass(frozen=True, slots=True)
class StateEquity(Product):
    """One side of a sale of state property rights."""

    measure = Measure.STATE_EQ
    name = "state_equity"
    equity_act: EquityAct


PRODUCTS: Final[Mapping[str, type[Product]]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Rail, Air, Lodging, Venue, OutboundTour, Resort, Tuition, Insurance, Construction, Vehicle, Property,
            ResourceDevelopment, StateEquity,
        )
    }
)  # fmt: skip


def fields_of(kind: type[Product]) -> Mapping[str, tuple[str, Any]]:
    """Wire name of each field to its attribute, which also says the unit, and its type."""
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # every product is a dataclass
    return MappingProxyType({name.removesuffix("_fen"): (name, hints[name]) for name in names})


def _checks_of(kind: type[Product]) -> tuple[tuple[str, str, Check], ...]:
    return tuple(
        (attribute, f"{kind.name}.{field}", member_of(hint) if isinstance(hint, type) else hint.__metadata__[0])
        for field, (attribute, hint) in fields_of(kind).items()
    )


_CHECKS: Final = MappingProxyType({kind: _checks_of(kind) for kind in PRODUCTS.values()})
