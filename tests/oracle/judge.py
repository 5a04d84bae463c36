"""What the right answer is: one question against the plain list, by long plain chains of conditions.

Money is in fen (1/100 CNY).
`fields` holds a product's attributes by their names on the wire; enum values are their names without prefix.
Where the rules leave open which of several reasons is told, every one of them is right.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.oracle.documents import COMPANY_TYPES, Key, birth_date, key_of, plain_name
from tests.oracle.plain_list import PERSONS_ONLY, SHANGHAI, Entry, Holder, PlainList

MEASURE_OF = {
    "rail": "RAIL", "air": "AIR", "lodging": "LODGE", "venue": "VENUE", "outbound_tour": "TOUR_OUT",
    "resort": "RESORT_CAP", "tuition": "EDU", "insurance": "INS", "construction": "BUILD", "vehicle": "VEHICLE",
    "property": "PROP_ACQ", "resource_development": "PROP_DEV", "state_equity": "STATE_EQ",
}  # fmt: skip
MAY_ASK = {
    "rail": ("RAIL",), "airline": ("AIR",), "travel_agency": ("RAIL", "AIR", "TOUR_OUT", "RESORT_CAP"),
    "hotel": ("LODGE", "VENUE"), "venue": ("VENUE",), "resort": ("RESORT_CAP",), "private_school": ("EDU",),
    "insurer": ("INS",), "housing": ("BUILD", "PROP_ACQ"), "car_dealer": ("VEHICLE",),
    "property_registry": ("PROP_ACQ",), "resource_exchange": ("PROP_DEV", "PROP_ACQ"), "equity_exchange": ("STATE_EQ",),
}  # fmt: skip
REGISTRIES = ("property_registry", "resource_exchange", "equity_exchange")
DATED = ("RAIL", "AIR", "LODGE", "TOUR_OUT")
FURTHEST_DAY = 366
FILED_CONTRACTS = ("PURCHASE_NEW", "PURCHASE_SECOND_HAND", "EXCHANGE", "EARLIER_CONTRACT", "SALE", "LEASE")
EMU_SEATS = (
    "BUSINESS", "PREMIUM", "PREMIUM_FIRST", "FIRST", "SECOND_COMPARTMENT", "SECOND", "STANDING", "FIRST_BERTH",
    "SECOND_BERTH", "EMU_SOFT_BERTH", "EMU_DELUXE_SOFT_BERTH",
)  # fmt: skip
OLD_SEATS = ("DELUXE_SOFT_SLEEPER", "SOFT_SLEEPER", "HARD_SLEEPER", "SOFT_SEAT", "HARD_SEAT", "STANDING")
CLEAR, RESTRICTED, CAPPED, UNDETERMINED = "NOT_RESTRICTED", "RESTRICTED", "CAPPED", "UNDETERMINED"


class Asked(Protocol):
    """A question in plain form."""

    @property
    def sector(self) -> str: ...
    @property
    def document_type(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def issuing_country(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...
    @property
    def service_date(self) -> dt.date | None: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The right answer, or the refusal PERMISSION_DENIED or INVALID_ARGUMENT. `reasons`: any of these is right."""

    outcome: str
    reasons: frozenset[str] = frozenset()
    cap_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """The list and the parameters in force."""

    plain: PlainList
    parameters: Mapping[str, Any]

    def judge(self, asked: Asked, now: dt.datetime, list_age_s: float = 0, step: int | None = None) -> Verdict:
        """The right answer at this instant, on the list as it stood after `step` lines (None: all of them)."""
        now = now.astimezone(SHANGHAI)
        if not permitted(asked, self.parameters):
            return Verdict("PERMISSION_DENIED")
        key = key_of(asked.document_type, asked.number, asked.issuing_country)
        if key is None or not plain_name(asked.name) or not possible(asked, now):
            return Verdict("INVALID_ARGUMENT")
        limits = {"default_s": 24 * 3600, "registry_s": 3600, **self.parameters.get("FRESHNESS_LIMITS", {})}
        if list_age_s > limits["registry_s" if asked.sector in REGISTRIES else "default_s"]:
            return Verdict(UNDETERMINED, frozenset(["STALE_LIST"]))
        found = [self._part(asked, key, entry, holder, now) for entry, holder in self.plain.holdings(key, step)]
        return worst(found)

    def _part(self, asked: Asked, key: Key, entry: Entry, holder: Holder, now: dt.datetime) -> Verdict:
        grants = self._granted(asked, entry, holder, now)
        if not grants:
            return Verdict(CLEAR)
        said = result(asked, self.parameters, explicit_edu="EXPLICIT" in grants)
        if said.outcome == CLEAR:
            return said
        reasons: set[str] = set()
        if plain_name(asked.name) not in holder.names:
            reasons.add("IDENTITY_MISMATCH")
        if asked.document_type == "RESIDENT_ID_15" or key in holder.weak:
            reasons.add("WEAK_DOCUMENT")
        return Verdict(UNDETERMINED, frozenset(reasons)) if reasons else said

    def _granted(self, asked: Asked, entry: Entry, holder: Holder, now: dt.datetime) -> set[str]:
        measure = MEASURE_OF[asked.product]
        date = asked.service_date if measure in DATED and asked.service_date else now.date()
        if not entry.live(now):
            return set()
        if date < holder.start or (holder.until is not None and date >= holder.until):
            return set()
        if date < entry.start or (entry.reach is not None and date >= entry.reach):
            return set()
        for release in entry.releases:
            if release.holder == holder.label and measure in release.measures and release.start <= date < release.until:
                return set()
        found: set[str] = set()
        for grant in entry.grants:
            if grant.holder != holder.label or grant.measure != measure:
                continue
            if entry.state == "RETAINED" and (holder.label != "subject" or measure not in entry.retained):
                continue
            if date < grant.start or (grant.until is not None and date >= grant.until):
                continue
            found.add("EXPLICIT" if grant.explicit else "GRANTED")
        return found


def worst(found: list[Verdict]) -> Verdict:
    """Several parts: RESTRICTED before UNDETERMINED before CAPPED (lowest cap) before NOT_RESTRICTED."""
    for verdict in found:
        if verdict.outcome == RESTRICTED:
            return verdict
    unclear = [verdict.reasons for verdict in found if verdict.outcome == UNDETERMINED]
    if unclear:
        return Verdict(UNDETERMINED, frozenset().union(*unclear))
    caps = [verdict.cap_fen for verdict in found if verdict.outcome == CAPPED and verdict.cap_fen is not None]
    return Verdict(CAPPED, cap_fen=min(caps)) if caps else Verdict(CLEAR)


def permitted(asked: Asked, parameters: Mapping[str, Any]) -> bool:
    """Whether this sector may ask about this sale at all. Housing files contracts, and nothing else about property."""
    measure, act = MEASURE_OF[asked.product], asked.fields.get("property_act")
    if measure not in MAY_ASK[asked.sector]:
        return False
    if measure == "PROP_ACQ" and asked.sector == "resource_exchange" and act != "LAND_USE_RIGHT":
        return False
    if measure == "PROP_ACQ" and asked.sector == "housing" and act not in FILED_CONTRACTS:
        return False
    if measure == "RESORT_CAP" and asked.sector == "travel_agency":
        return asked.fields["establishment_id"] in (parameters.get("RESORT_LIST") or ())
    return asked.fields.get("sale_kind") != "WALK_IN"


def possible(asked: Asked, now: dt.datetime) -> bool:
    """Whether such a sale to such a subject can exist."""
    measure, fields = MEASURE_OF[asked.product], asked.fields
    if asked.document_type in COMPANY_TYPES and measure in PERSONS_ONLY:
        return False
    if asked.document_type in ("RESIDENT_ID", "RESIDENT_ID_15"):
        born = birth_date(asked.document_type, asked.number)
        if born is None or born > now.date():
            return False
    if (measure in DATED) != (asked.service_date is not None):
        return False
    if measure in DATED and asked.service_date and not -1 <= (asked.service_date - now.date()).days <= FURTHEST_DAY:
        return False
    if asked.product == "rail":
        if not re.fullmatch(r"[A-Z]{0,3}[0-9]{1,5}", fields["train_number"].upper()):
            return False
        if prefix(fields["train_number"]) in ("G", "D", "C", "S") and fields["seat_class"] not in EMU_SEATS:
            return False
        if prefix(fields["train_number"]) in ("Z", "T", "K", "L", "Y", "") and fields["seat_class"] not in OLD_SEATS:
            return False
    if asked.product == "lodging":
        stars, status = fields["star_rating"], fields["rating_status"]
        if not 0 <= stars <= 5 or (status == "NOT_RATED" and stars > 0) or (status == "IN_FORCE" and stars == 0):
            return False
    return bool(fields.get("amount_fen", 0) >= 0 and fields.get("premium_fen", 0) >= 0)


def result(asked: Asked, parameters: Mapping[str, Any], *, explicit_edu: bool) -> Verdict:
    """The answer for somebody with a live grant of this measure."""
    fields = asked.fields
    if asked.product == "rail":
        return _rail(prefix(fields["train_number"]), fields["seat_class"], parameters)
    if asked.product == "air":
        kind = fields["flight_kind"]
        if kind == "SCHEDULED":
            return Verdict(RESTRICTED)
        return _unclear("NECESSITY_CLAIMED" if kind == "MEDICAL_TRANSFER" else "TEXT_UNCLEAR")
    if asked.product == "lodging":
        return _lodging(fields, parameters)
    if asked.product == "venue":
        return _venue(fields, parameters)
    if asked.product == "outbound_tour":
        return _tour(fields, parameters)
    if asked.product == "resort":
        cap = fen(parameters.get("RESORT_CAP"))
        if fields["establishment_id"] not in (parameters.get("RESORT_LIST") or ()) or cap is None:
            return Verdict(CLEAR)
        return Verdict(CAPPED, cap_fen=cap) if fields["amount_fen"] > cap else Verdict(CLEAR)
    if asked.product == "tuition":
        return _tuition(fields, parameters, explicit_edu=explicit_edu)
    if asked.product == "insurance":
        return _insurance(fields, parameters)
    if asked.product == "construction":
        return _construction(fields, parameters)
    if asked.product == "vehicle":
        return _vehicle(fields)
    if asked.product == "property":
        return _property(fields)
    if asked.product == "resource_development":
        if fields["resource_act"] in ("BID", "DEVELOP"):
            return Verdict(RESTRICTED)
        return _unclear("TEXT_UNCLEAR") if fields["resource_act"] == "RENEWAL" else Verdict(CLEAR)
    return Verdict(RESTRICTED) if fields["equity_act"] == "BUY" else _unclear("TEXT_UNCLEAR")


def prefix(train_number: str) -> str:
    """The letters before a train's digits."""
    return train_number.upper().rstrip("0123456789")


def _rail(letters: str, seat: str, parameters: Mapping[str, Any]) -> Verdict:
    if letters == "G":
        if seat != "STANDING" or parameters.get("G_STANDING", RESTRICTED) == RESTRICTED:
            return Verdict(RESTRICTED)
        return Verdict(CLEAR)
    if letters in ("D", "C", "S"):
        if seat in ("SECOND", "SECOND_COMPARTMENT", "STANDING"):
            return Verdict(CLEAR)
        if seat == "SECOND_BERTH":
            mapped = (parameters.get("RAIL_CLASS_MAP") or {}).get("SECOND_BERTH")
            if mapped is None:
                return _unclear("TEXT_UNCLEAR")
            return Verdict(RESTRICTED if mapped == "FIRST" else CLEAR)
        return Verdict(RESTRICTED)
    if letters in ("Z", "T", "K", "L", "Y", ""):
        return Verdict(RESTRICTED if seat in ("SOFT_SLEEPER", "DELUXE_SOFT_SLEEPER") else CLEAR)
    return _unclear("TEXT_UNCLEAR")


def _lodging(fields: Mapping[str, Any], parameters: Mapping[str, Any]) -> Verdict:
    stars, status = fields["star_rating"], fields["rating_status"]
    register = parameters.get("STAR_REGISTER")
    if register is not None:
        known = register.get(fields["establishment_id"], {"stars": 0, "status": "NOT_RATED"})
        stars, status = known["stars"], known["status"]
    starred = stars >= 1 and status == "IN_FORCE"
    if not starred and fields["establishment_id"] not in (parameters.get("LODGE_LIST") or ()):
        return Verdict(CLEAR)
    return _unclear("NECESSITY_CLAIMED") if fields.get("emergency") else Verdict(RESTRICTED)


def _venue(fields: Mapping[str, Any], parameters: Mapping[str, Any]) -> Verdict:
    if fields["payer"] == "OTHER":
        return Verdict(CLEAR)
    if fields["venue_kind"] == "OTHER" and fields["establishment_id"] not in (parameters.get("VENUE_LIST") or ()):
        return Verdict(CLEAR)
    least = fen(parameters.get("VENUE_MIN"))
    return Verdict(CLEAR) if least is not None and fields["amount_fen"] < least else Verdict(RESTRICTED)


def _tour(fields: Mapping[str, Any], parameters: Mapping[str, Any]) -> Verdict:
    if fields["service"] in ("TICKET_ONLY", "COACH_HIRE", "INBOUND_RECEPTION"):
        return Verdict(CLEAR)
    country = fields["destination_country"].upper()
    if country == "CHN":
        return Verdict(CLEAR)
    if country in ("HKG", "MAC", "TWN") and not parameters.get("HMT_IS_OUTBOUND", True):
        return Verdict(CLEAR)
    return Verdict(RESTRICTED)


def _tuition(fields: Mapping[str, Any], parameters: Mapping[str, Any], *, explicit_edu: bool) -> Verdict:
    if fields["school_id"] not in (parameters.get("EDU_LIST") or ()) or fields["payer_relation"] != "PARENT":
        return Verdict(CLEAR)
    if fields["funds"] == "THIRD_PARTY":
        return Verdict(CLEAR)
    if fields["funds"] in ("JOINT_ACCOUNT", "NOT_KNOWN"):
        return _unclear("FUNDS_UNCLEAR")
    return Verdict(RESTRICTED) if explicit_edu else _unclear("TEXT_UNCLEAR")


def _insurance(fields: Mapping[str, Any], parameters: Mapping[str, Any]) -> Verdict:
    if fields["cash_value"] == "NONE":
        return Verdict(CLEAR)
    least = fen((parameters.get("INS_MIN") or {}).get(fields["premium_mode"].lower()))
    if least is None:
        return _unclear("PARAMETER_UNSET")
    if fields["premium_fen"] < least:
        return Verdict(CLEAR)
    return Verdict(RESTRICTED) if fields["policy_act"] in ("NEW", "INCREASE") else _unclear("TEXT_UNCLEAR")


def _construction(fields: Mapping[str, Any], parameters: Mapping[str, Any]) -> Verdict:
    if fields["work"] in ("REPAIR", "ACCESSIBILITY"):
        return Verdict(CLEAR)
    if fields["work"] == "DECORATION":
        least = fen(parameters.get("DECOR_MIN"))
        if least is None or fields["amount_fen"] < least:
            return Verdict(CLEAR)
    return Verdict(RESTRICTED) if fields["necessity"] == "NOT_CLAIMED" else _unclear("NECESSITY_CLAIMED")


def _vehicle(fields: Mapping[str, Any]) -> Verdict:
    if fields["vehicle_kind"] == "NON_MOTOR":
        return Verdict(CLEAR)
    if fields["vehicle_act"] == "FINANCE_LEASE":
        return _unclear("TEXT_UNCLEAR")
    if fields["vehicle_act"] != "PURCHASE":
        return Verdict(CLEAR)
    return Verdict(RESTRICTED) if fields["vehicle_use"] == "PRIVATE" else _unclear("NECESSITY_CLAIMED")


def _property(fields: Mapping[str, Any]) -> Verdict:
    act = fields["property_act"]
    if act in ("PURCHASE_NEW", "PURCHASE_SECOND_HAND", "PURCHASE_AUCTION", "LAND_USE_RIGHT"):
        return _unclear("FUNDS_UNCLEAR") if fields["buyers"] == "WITH_SPOUSE" else Verdict(RESTRICTED)
    if act in ("EXCHANGE", "INHERITANCE", "DIVORCE_DIVISION", "GIFT_RECEIVED", "COURT_ORDER"):
        return _unclear("TEXT_UNCLEAR")
    if act in ("RESETTLEMENT", "EARLIER_CONTRACT"):
        return _unclear("TEXT_UNCLEAR")
    return Verdict(CLEAR)


def _unclear(reason: str) -> Verdict:
    return Verdict(UNDETERMINED, frozenset([reason]))


def fen(yuan: int | None) -> int | None:
    """Parameters give yuan."""
    return None if yuan is None else yuan * 100
