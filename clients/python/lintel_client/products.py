"""What is sold: one frozen value for each product, with its enums, numbered as on the wire.

Amounts are whole fen (1/100 CNY).
Nothing is judged here: what is missing or impossible is refused by the gateway, for everybody alike.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class SeatClass(enum.IntEnum):
    """Seat or berth class, as printed on the ticket."""

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


class FlightKind(enum.IntEnum):
    """Kind of flight."""

    SCHEDULED = 1
    CHARTER = 2
    SIGHTSEEING = 3
    MEDICAL_TRANSFER = 4


class RatingStatus(enum.IntEnum):
    """State of a star rating."""

    NOT_RATED = 1
    IN_FORCE = 2
    APPLIED = 3
    SUSPENDED = 4
    ENDED = 5


class SaleKind(enum.IntEnum):
    """What a venue sells; a walk-in sale is never asked about."""

    MEMBERSHIP = 1
    PACKAGE = 2
    BANQUET_CONTRACT = 3
    GREEN_FEE = 4
    CLUB_ENTRY = 5
    WALK_IN = 6


class Payer(enum.IntEnum):
    """Who pays at a venue."""

    SELF = 1
    OTHER = 2


class VenueKind(enum.IntEnum):
    """Kind of venue."""

    STAR_HOTEL = 1
    NIGHT_CLUB = 2
    GOLF_COURSE = 3
    OTHER = 4


class TourService(enum.IntEnum):
    """What a travel agency sells around a journey abroad."""

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
    """How the payer stands to the pupil."""

    PARENT = 1
    STUDENT = 2
    GUARDIAN = 3
    RELATIVE = 4
    SPONSOR = 5
    SCHOLARSHIP = 6


class Funds(enum.IntEnum):
    """Whose funds pay, as seen from the person asked about."""

    OWN = 1
    JOINT_ACCOUNT = 2
    THIRD_PARTY = 3
    NOT_KNOWN = 4


class CashValue(enum.IntEnum):
    """Whether a policy has cash value."""

    NONE = 1
    SOME = 2


class PremiumMode(enum.IntEnum):
    """How a premium is paid; shorter terms are stated for the year."""

    ANNUAL = 1
    SINGLE = 2


class PolicyAct(enum.IntEnum):
    """What is done to a policy."""

    NEW = 1
    INCREASE = 2
    RENEWAL = 3
    REINSTATEMENT = 4


class Work(enum.IntEnum):
    """Kind of building work."""

    NEW_BUILD = 1
    EXTENSION = 2
    DECORATION = 3
    REPAIR = 4
    ACCESSIBILITY = 5


class Necessity(enum.IntEnum):
    """Necessity that the customer claims."""

    NOT_CLAIMED = 1
    DISASTER_REBUILD = 2
    DANGEROUS_HOUSE = 3
    ONLY_DWELLING = 4


class VehicleKind(enum.IntEnum):
    """Kind of vehicle."""

    MOTOR = 1
    NON_MOTOR = 2


class VehicleAct(enum.IntEnum):
    """What is done with a vehicle."""

    PURCHASE = 1
    FINANCE_LEASE = 2
    RENTAL = 3
    SALE = 4
    SCRAPPING = 5
    INSURANCE = 6
    INSPECTION = 7


class VehicleUse(enum.IntEnum):
    """Stated use of a vehicle."""

    PRIVATE = 1
    BUSINESS_NEED = 2
    LIFE_NEED = 3


class PropertyAct(enum.IntEnum):
    """What is done with real property, from the side of whoever is asked about."""

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
    """With whom whoever is asked about buys."""

    SOLE = 1
    WITH_SPOUSE = 2
    WITH_OTHERS = 3


class ResourceAct(enum.IntEnum):
    """What is done with land or mineral resources."""

    BID = 1
    DEVELOP = 2
    RENEWAL = 3
    TRANSFER_OUT = 4


class EquityAct(enum.IntEnum):
    """Side of a dealing in state property rights."""

    BUY = 1
    SELL = 2


@dataclass(frozen=True, slots=True)
class Rail:
    """A train ticket; the passenger is asked about, whoever pays."""

    train_number: str
    seat_class: SeatClass


@dataclass(frozen=True, slots=True)
class Air:
    """A flight; the passenger is asked about, whoever pays."""

    flight_kind: FlightKind


@dataclass(frozen=True, slots=True)
class Lodging:
    """A night in a hotel or guest house; each guest is asked about alone. `emergency`: the guest claims one."""

    star_rating: int
    rating_status: RatingStatus
    establishment_id: str
    emergency: bool


@dataclass(frozen=True, slots=True)
class Venue:
    """Spending in a venue, where the sale takes a document."""

    sale_kind: SaleKind
    payer: Payer
    venue_kind: VenueKind
    amount_fen: int
    establishment_id: str


@dataclass(frozen=True, slots=True)
class OutboundTour:
    """A service for a journey abroad; the destination is ISO 3166-1 alpha-3."""

    service: TourService
    destination_country: str


@dataclass(frozen=True, slots=True)
class Resort:
    """One transaction in a graded resort or with a tourism firm."""

    amount_fen: int
    establishment_id: str


@dataclass(frozen=True, slots=True)
class Tuition:
    """A payment to a private school; the payer is asked about, never the pupil."""

    school_id: str
    payer_relation: PayerRelation
    funds: Funds


@dataclass(frozen=True, slots=True)
class Insurance:
    """An insurance policy; the payer is asked about."""

    cash_value: CashValue
    premium_fen: int
    premium_mode: PremiumMode
    policy_act: PolicyAct


@dataclass(frozen=True, slots=True)
class Construction:
    """Building, extending or decorating a house."""

    work: Work
    amount_fen: int
    necessity: Necessity


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A dealing in a vehicle."""

    vehicle_kind: VehicleKind
    vehicle_act: VehicleAct
    vehicle_use: VehicleUse


@dataclass(frozen=True, slots=True)
class Property:
    """A dealing in real property; each buyer is asked about alone."""

    property_act: PropertyAct
    buyers: Buyers


@dataclass(frozen=True, slots=True)
class ResourceDevelopment:
    """Development of land or minerals."""

    resource_act: ResourceAct


@dataclass(frozen=True, slots=True)
class StateEquity:
    """A dealing in state property rights."""

    equity_act: EquityAct


Product = (
    Rail
    | Air
    | Lodging
    | Venue
    | OutboundTour
    | Resort
    | Tuition
    | Insurance
    | Construction
    | Vehicle
    | Property
    | ResourceDevelopment
    | StateEquity
)
