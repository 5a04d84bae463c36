"""The register: what each measure restricts, for whom, and who may ask about it.

The register is the table of the plan's clauses as data; each row stands beside the row of the same name there.
Rules that hold here:
- A sector asks only about its own measures, and within them only about the sales named here.
- A grant outside the register exists for nobody (`may_be_granted`).
- Everything here depends on the question alone, never on whether anybody is listed.

It does not decide what a sale comes to: that is in `tables` and `decision`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from restriction.errors import InvalidFieldError, PurposeNotAllowedError
from restriction.fields import same_place
from restriction.parameters import Parameters
from restriction.products import Measure, Product, Property, PropertyAct, Resort, SaleKind, Venue

__all__ = [
    "REGISTER", "Measure", "Role", "Rule", "Sector", "granted_by_default", "may_be_granted", "measures_of", "permit",
    "permit_measure", "require_service_day", "require_subject",
]  # fmt: skip

LAST_SERVICE_DAY_AHEAD: Final = 366  # a year of advance booking, leap years too


class Sector(enum.StrEnum):
    """What a unit does; it settles which measures the unit may ask about."""

    HOTEL = "hotel"
    TRAVEL_AGENCY = "travel_agency"
    RAIL = "rail"
    AIRLINE = "airline"
    VENUE = "venue"
    RESORT = "resort"
    PRIVATE_SCHOOL = "private_school"
    INSURER = "insurer"
    HOUSING = "housing"
    CAR_DEALER = "car_dealer"
    PROPERTY_REGISTRY = "property_registry"
    RESOURCE_EXCHANGE = "resource_exchange"
    EQUITY_EXCHANGE = "equity_exchange"


class Role(enum.IntEnum):
    """R0 to R4: the listed debtor, and four kinds of natural person linked to a listed unit."""

    SUBJECT = 0
    LEGAL_REPRESENTATIVE = 1
    PRINCIPAL = 2
    ACTUAL_CONTROLLER = 3
    RESPONSIBLE_PERSON = 4


Condition = Callable[[Product, Parameters], bool]
EVERYBODY: Final = frozenset(Role)
SUBJECT_ONLY: Final = frozenset({Role.SUBJECT})

# Housing files the contracts of sale, exchange and lease; what a register, a court or another office does is not filed.
_FILED_CONTRACTS: Final = frozenset(
    {
        PropertyAct.PURCHASE_NEW, PropertyAct.PURCHASE_SECOND_HAND, PropertyAct.EXCHANGE,
        PropertyAct.EARLIER_CONTRACT, PropertyAct.SALE, PropertyAct.LEASE,
    }
)  # fmt: skip


def _always(_product: Product, _parameters: Parameters) -> bool:
    return True


def _contract_filing(product: Product, _parameters: Parameters) -> bool:
    return isinstance(product, Property) and product.property_act in _FILED_CONTRACTS


def _land_use_right(product: Product, _parameters: Parameters) -> bool:
    return isinstance(product, Property) and product.property_act is PropertyAct.LAND_USE_RIGHT


def _on_resort_list(product: Product, parameters: Parameters) -> bool:
    return isinstance(product, Resort) and same_place(product.establishment_id) in (parameters.resort_list or ())


def _asked_by(*sectors: Sector, **narrowed: Condition) -> Mapping[Sector, Condition]:
    return MappingProxyType(
        dict.fromkeys(sectors, _always) | {Sector(name): condition for name, condition in narrowed.items()}
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the register. `by_default`: the roles that hold the measure when a listing leaves its grants out."""

    name: str
    clause: str
    asked_by: Mapping[Sector, Condition]
    roles: frozenset[Role] = EVERYBODY
    by_default: frozenset[Role] = EVERYBODY
    natural_persons_only: bool = False
    service_date_required: bool = False


REGISTER: Final[Mapping[Measure, Rule]] = MappingProxyType(
    {
        Measure.RAIL: Rule(
            "rail travel", "二(七)1", _asked_by(Sector.RAIL, Sector.TRAVEL_AGENCY),
            natural_persons_only=True, service_date_required=True,
        ),
        Measure.AIR: Rule(
            "air travel", "二(七)1", _asked_by(Sector.AIRLINE, Sector.TRAVEL_AGENCY),
            natural_persons_only=True, service_date_required=True,
        ),
        Measure.LODGE: Rule(
            "lodging", "二(七)2", _asked_by(Sector.HOTEL),
            natural_persons_only=True, service_date_required=True,
        ),
        Measure.VENUE: Rule("venue spending", "二(七)3", _asked_by(Sector.HOTEL, Sector.VENUE)),
        Measure.TOUR_OUT: Rule(
            "outbound group tour", "二(七)4", _asked_by(Sector.TRAVEL_AGENCY),
            natural_persons_only=True, service_date_required=True,
        ),
        Measure.RESORT_CAP: Rule(
            "spending cap", "二(七)4", _asked_by(Sector.RESORT, travel_agency=_on_resort_list),
            roles=SUBJECT_ONLY, by_default=SUBJECT_ONLY, natural_persons_only=True,
        ),
        Measure.EDU: Rule(
            "high-fee private school", "二(七)5", _asked_by(Sector.PRIVATE_SCHOOL), natural_persons_only=True
        ),
        Measure.INS: Rule("insurance with cash value", "二(七)6", _asked_by(Sector.INSURER)),
        Measure.BUILD: Rule("build, extend, high-grade decoration", "二(七)7", _asked_by(Sector.HOUSING)),
        Measure.VEHICLE: Rule("vehicle purchase", "二(七)7", _asked_by(Sector.CAR_DEALER), by_default=SUBJECT_ONLY),
        Measure.PROP_ACQ: Rule(
            "acquire real property", "二(六)1",
            _asked_by(Sector.PROPERTY_REGISTRY, housing=_contract_filing, resource_exchange=_land_use_right),
        ),
        Measure.PROP_DEV: Rule(
            "develop land or minerals", "二(六)1", _asked_by(Sector.RESOURCE_EXCHANGE),
            roles=SUBJECT_ONLY, by_default=SUBJECT_ONLY,
        ),
        Measure.STATE_EQ: Rule(
            "state property rights", "二(六)1", _asked_by(Sector.EQUITY_EXCHANGE),
            roles=SUBJECT_ONLY, by_default=SUBJECT_ONLY,
        ),
    }
)  # fmt: skip


def measures_of(sector: Sector) -> frozenset[Measure]:
    """The measures that units of this sector may ask about, some of them for certain sales only."""
    return frozenset(measure for measure, rule in REGISTER.items() if sector in rule.asked_by)


def permit_measure(sector: Sector, measure: Measure) -> None:
    """Let a sector ask about a measure at all; needs no product yet. Raises: PurposeNotAllowedError."""
    if sector not in REGISTER[measure].asked_by:
        raise PurposeNotAllowedError(f"a unit of sector {sector} may not ask about {measure.name}")


def permit(sector: Sector, product: Product, parameters: Parameters) -> None:
    """Let a sector ask about this sale, before anything is looked up. Raises: PurposeNotAllowedError."""
    if isinstance(product, Venue) and product.sale_kind is SaleKind.WALK_IN:
        raise PurposeNotAllowedError("a walk-in sale takes no document; do not ask about it")
    permit_measure(sector, product.measure)
    if not REGISTER[product.measure].asked_by[sector](product, parameters):
        raise PurposeNotAllowedError(
            f"a unit of sector {sector} may ask about {product.measure.name} only for the sales that the register names"
        )


def require_subject(product: Product, *, is_unit: bool) -> None:
    """Refuse a company's document where the measure exists for natural persons only. Raises: InvalidFieldError."""
    if is_unit and REGISTER[product.measure].natural_persons_only:
        raise InvalidFieldError(
            "document.type",
            "UNIT_NOT_APPLICABLE",
            "asked about natural persons only; send the person's document",
        )


def require_service_day(product: Product, service_day: int | None, today: int) -> None:
    """Refuse a service day (day number) that is missing, out of reach, or sent where today counts.

    Raises: InvalidFieldError.
    """
    if not REGISTER[product.measure].service_date_required:
        if service_day is not None:
            raise InvalidFieldError("service_date", "NOT_APPLICABLE", "today counts for this product; leave it out")
    elif service_day is None:
        raise InvalidFieldError("service_date", "MISSING", "send the day of departure or the check-in night")
    elif not today - 1 <= service_day <= today + LAST_SERVICE_DAY_AHEAD:
        raise InvalidFieldError(
            "service_date", "IMPOSSIBLE", f"send a day from yesterday to {LAST_SERVICE_DAY_AHEAD} days ahead"
        )


def may_be_granted(measure: Measure, role: Role, *, is_unit: bool) -> bool:
    """Whether a holder of this role may hold a grant of the measure. `is_unit`: the holder itself is a unit."""
    rule = REGISTER[measure]
    return role in rule.roles and not (is_unit and rule.natural_persons_only)


def granted_by_default(measure: Measure, role: Role, *, is_unit: bool) -> bool:
    """Whether a listing that leaves its grants out gives the measure to this holder. EDU then is not explicit."""
    return role in REGISTER[measure].by_default and may_be_granted(measure, role, is_unit=is_unit)
