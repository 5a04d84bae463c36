"""Random questions about a sample list: half about people on it, half about strangers, near misses among both.

A near miss is what a careless comparison would take for a hit: a listed number with another name, a number one digit
off that is valid again, the same digits under another document type, or a measure that the entry does not hold.
The same seed gives the same questions. Whether somebody is restricted is not known here; that is for a judge.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from sandbox import documents, sample
from sandbox.documents import Paper
from sandbox.generator import Sample
from sandbox.identities import DATED, Fields, Question

FARTHEST_DAY: Final = 40  # most sales are near; the exemptions and terms of a sample end within weeks
NEAR_MISS_SHARE: Final = 0.25
PRESENT_SHARE: Final = 0.5
PERSONS_ONLY: Final = frozenset({"rail", "air", "lodging", "outbound_tour", "resort", "tuition"})
EMU_SEATS: Final = (
    "BUSINESS", "PREMIUM", "PREMIUM_FIRST", "FIRST", "SECOND_COMPARTMENT", "SECOND", "STANDING", "FIRST_BERTH",
    "SECOND_BERTH", "EMU_SOFT_BERTH", "EMU_DELUXE_SOFT_BERTH",
)  # fmt: skip
OLD_SEATS: Final = ("DELUXE_SOFT_SLEEPER", "SOFT_SLEEPER", "HARD_SLEEPER", "SOFT_SEAT", "HARD_SEAT", "STANDING")
TRAINS: Final[Mapping[str, Sequence[str]]] = (
    dict.fromkeys("GDCS", EMU_SEATS) | dict.fromkeys(["Z", "T", "K", "L", "Y", ""], OLD_SEATS) | {"QX": OLD_SEATS}
)
RATINGS: Final = (
    *((stars, "IN_FORCE") for stars in range(1, 6)), (0, "NOT_RATED"), (4, "APPLIED"), (3, "SUSPENDED"), (5, "ENDED"),
)  # fmt: skip
ESTABLISHMENTS: Final = ("hotel-4", "hotel-0", "guesthouse-1", "golf-1", "hall-1", "resort-5a", "firm-1", "nowhere-1")
AMOUNTS: Final = (0, 99_999, 100_000, 100_001, 1_999_999, 2_000_000, 5_000_000, 30_000_000)
FILED: Final = ("PURCHASE_NEW", "PURCHASE_SECOND_HAND", "EXCHANGE", "EARLIER_CONTRACT", "SALE", "LEASE")
PROPERTY_ACTS: Final = (
    *FILED, "PURCHASE_AUCTION", "LAND_USE_RIGHT", "INHERITANCE", "DIVORCE_DIVISION", "GIFT_RECEIVED", "COURT_ORDER",
    "RESETTLEMENT", "TRANSFER_OUT", "SURRENDER", "MORTGAGE_CREATION", "MORTGAGE_REDEMPTION", "RECORD_CORRECTION",
)  # fmt: skip
CHOICES: Final[Mapping[str, Mapping[str, Sequence[str | int | bool]]]] = {
    "air": {"flight_kind": ("SCHEDULED", "CHARTER", "SIGHTSEEING", "MEDICAL_TRANSFER")},
    "venue": {
        "sale_kind": ("MEMBERSHIP", "PACKAGE", "BANQUET_CONTRACT", "GREEN_FEE", "CLUB_ENTRY"),
        "payer": ("SELF", "OTHER"), "venue_kind": ("STAR_HOTEL", "NIGHT_CLUB", "GOLF_COURSE", "OTHER"),
        "amount_fen": AMOUNTS, "establishment_id": ESTABLISHMENTS,
    },
    "outbound_tour": {
        "service": (
            "GROUP_TOUR", "FREE_TRAVEL_PACKAGE", "VISA", "TRAVEL_INSURANCE", "GUIDE", "OTHER_RELATED", "TICKET_ONLY",
            "COACH_HIRE", "INBOUND_RECEPTION",
        ),
        "destination_country": ("THA", "JPN", "CHN", "HKG", "MAC", "TWN"),
    },
    "resort": {"amount_fen": AMOUNTS, "establishment_id": ESTABLISHMENTS},
    "tuition": {
        "school_id": ("school-1", "school-9"),
        "payer_relation": ("PARENT", "STUDENT", "GUARDIAN", "RELATIVE", "SPONSOR", "SCHOLARSHIP"),
        "funds": ("OWN", "JOINT_ACCOUNT", "THIRD_PARTY", "NOT_KNOWN"),
    },
    "insurance": {
        "cash_value": ("NONE", "SOME"), "premium_fen": AMOUNTS, "premium_mode": ("ANNUAL", "SINGLE"),
        "policy_act": ("NEW", "INCREASE", "RENEWAL", "REINSTATEMENT"),
    },
    "construction": {
        "work": ("NEW_BUILD", "EXTENSION", "DECORATION", "REPAIR", "ACCESSIBILITY"), "amount_fen": AMOUNTS,
        "necessity": ("NOT_CLAIMED", "DISASTER_REBUILD", "DANGEROUS_HOUSE", "ONLY_DWELLING"),
    },
    "vehicle": {
        "vehicle_kind": ("MOTOR", "NON_MOTOR"),
        "vehicle_act": ("PURCHASE", "FINANCE_LEASE", "RENTAL", "SALE", "SCRAPPING", "INSURANCE", "INSPECTION"),
        "vehicle_use": ("PRIVATE", "BUSINESS_NEED", "LIFE_NEED"),
    },
    "property": {"property_act": PROPERTY_ACTS, "buyers": ("SOLE", "WITH_SPOUSE", "WITH_OTHERS")},
    "resource_development": {"resource_act": ("BID", "DEVELOP", "RENEWAL", "TRANSFER_OUT")},
    "state_equity": {"equity_act": ("BUY", "SELL")},
}  # fmt: skip
# Every permitted pair of sector and product; two sectors ask about some sales only, see `_fields`.
PAIRS: Final = (
    ("rail", "rail"), ("travel_agency", "rail"), ("airline", "air"), ("travel_agency", "air"), ("hotel", "lodging"),
    ("hotel", "venue"), ("venue", "venue"), ("travel_agency", "outbound_tour"), ("resort", "resort"),
    ("travel_agency", "resort"), ("private_school", "tuition"), ("insurer", "insurance"), ("housing", "construction"),
    ("car_dealer", "vehicle"), ("property_registry", "property"), ("housing", "property"),
    ("resource_exchange", "property"), ("resource_exchange", "resource_development"),
    ("equity_exchange", "state_equity"),
)  # fmt: skip


def questions(of: Sample, seed: int) -> Iterator[Question]:
    """Questions without end, asked on the list's own day: all permitted, nearly all whole and possible."""
    dice = random.Random(seed)  # noqa: S311 - repeatable questions, not secrets
    while True:
        yield question(of, dice)


def question(of: Sample, dice: random.Random) -> Question:
    """One such question."""
    sector, product = dice.choice(PAIRS)
    name, paper = _asked(of, dice)
    if product in PERSONS_ONLY and paper.type in {"UNIFIED_SOCIAL_CREDIT_CODE", "ORGANISATION_CODE"}:
        sector, product = "property_registry", "property"
    date = of.today + dt.timedelta(dice.randrange(FARTHEST_DAY)) if product in DATED else None
    return Question(
        sector, product, _fields(sector, product, dice), paper.type, paper.number, name, paper.country, date
    )


def _asked(of: Sample, dice: random.Random) -> tuple[str, Paper]:
    if dice.random() >= PRESENT_SHARE:
        stranger = sample.stranger(of.seed, dice.randrange(10**8))
        return stranger.name, stranger.papers[0]
    listed = sample.subject(of.seed, dice.randrange(of.subjects))
    holder = dice.choice([(listed.name, paper) for paper in listed.papers] + [(x.name, x.paper) for x in listed.links])
    return dice.choice(_NEAR_MISSES)(*holder) if dice.random() < NEAR_MISS_SHARE else holder


def _other_name(name: str, paper: Paper) -> tuple[str, Paper]:
    return name + "乙", paper


def _old_number(name: str, paper: Paper) -> tuple[str, Paper]:
    """The same holder's 15 digits, where there are such."""
    if paper.type != "RESIDENT_ID":
        return name, paper
    return name, Paper("RESIDENT_ID_15", paper.number[:6] + paper.number[8:17])


def _one_digit_off(name: str, paper: Paper) -> tuple[str, Paper]:
    """A neighbour's number: the next sequence with its own check digit."""
    if paper.type != "RESIDENT_ID":
        return name, paper
    body = f"{paper.number[:14]}{(int(paper.number[14:17]) + 1) % 1000:03}"
    return name, Paper("RESIDENT_ID", body + documents.resident_check(body))


def _other_type(name: str, paper: Paper) -> tuple[str, Paper]:
    """The same digits as a passport number of Utopia."""
    return name, Paper("PASSPORT", paper.number[-9:], "UTO")


_NEAR_MISSES: Final[Sequence[Callable[[str, Paper], tuple[str, Paper]]]] = (
    _other_name, _old_number, _one_digit_off, _other_type,
)  # fmt: skip


def _fields(sector: str, product: str, dice: random.Random) -> Fields:
    if product == "rail":
        prefix = dice.choice(list(TRAINS))
        return {"train_number": f"{prefix}{dice.randrange(1, 9999)}", "seat_class": dice.choice(TRAINS[prefix])}
    if product == "lodging":
        stars, status = dice.choice(RATINGS)
        return {
            "star_rating": stars, "rating_status": status, "establishment_id": dice.choice(ESTABLISHMENTS),
            "emergency": dice.random() < 0.1,  # noqa: PLR2004 - a tenth of the guests
        }  # fmt: skip
    fields = {name: dice.choice(values) for name, values in CHOICES[product].items()}
    if (sector, product) == ("travel_agency", "resort"):
        fields["establishment_id"] = "resort-5a"
    if (sector, product) == ("housing", "property"):
        fields["property_act"] = dice.choice(FILED)
    if (sector, product) == ("resource_exchange", "property"):
        fields["property_act"] = "LAND_USE_RIGHT"
    return fields
