"""The fixed sandbox identities: one for every outcome, like the test cards of a payment service.

An identity's number never changes; what the list says of it is set relative to `today`, so `lines(today)` belongs in
front of every sandbox list.
Those that stand for a fault of ours are on the list like anybody; `sandbox.faults` makes the fault.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from restriction.measures import REGISTER
from restriction.products import PRODUCTS
from sandbox import documents
from sandbox.documents import Paper

_FIRST_INDEX: Final = 3 * 10**9  # above every index that `sandbox.sample` uses
_COURT: Final = "4408"
_NAMES: Final = "一二三四五六七八九十"
DATED: Final = frozenset(name for name, kind in PRODUCTS.items() if REGISTER[kind.measure].service_date_required)
Fields = Mapping[str, str | int | bool]

HOTEL: Final[Fields] = {
    "star_rating": 4, "rating_status": "IN_FORCE", "establishment_id": "hotel-4", "emergency": False,
}  # fmt: skip
G_TRAIN: Final[Fields] = {"train_number": "G6001", "seat_class": "SECOND"}
FLIGHT: Final[Fields] = {"flight_kind": "SCHEDULED"}
TUITION: Final[Fields] = {"school_id": "school-1", "payer_relation": "PARENT", "funds": "OWN"}
POLICY: Final[Fields] = {
    "cash_value": "SOME", "premium_fen": 20_000_000, "premium_mode": "ANNUAL", "policy_act": "NEW",
}  # fmt: skip
FLAT: Final[Fields] = {"property_act": "PURCHASE_NEW", "buyers": "SOLE"}
SALES: Final[Mapping[str, tuple[str, str, Fields]]] = {
    "RAIL": ("rail", "rail", G_TRAIN),
    "AIR": ("airline", "air", FLIGHT),
    "LODGE": ("hotel", "lodging", HOTEL),
    "VENUE": ("venue", "venue", {
        "sale_kind": "MEMBERSHIP", "payer": "SELF", "venue_kind": "GOLF_COURSE", "amount_fen": 5_000_000,
        "establishment_id": "golf-1",
    }),
    "TOUR_OUT": ("travel_agency", "outbound_tour", {"service": "GROUP_TOUR", "destination_country": "THA"}),
    "RESORT_CAP": ("resort", "resort", {"amount_fen": 300_000, "establishment_id": "resort-5a"}),
    "EDU": ("private_school", "tuition", TUITION),
    "INS": ("insurer", "insurance", POLICY),
    "BUILD": ("housing", "construction", {"work": "NEW_BUILD", "amount_fen": 50_000_000, "necessity": "NOT_CLAIMED"}),
    "VEHICLE": ("car_dealer", "vehicle", {
        "vehicle_kind": "MOTOR", "vehicle_act": "PURCHASE", "vehicle_use": "PRIVATE",
    }),
    "PROP_ACQ": ("property_registry", "property", FLAT),
    "PROP_DEV": ("resource_exchange", "resource_development", {"resource_act": "BID"}),
    "STATE_EQ": ("equity_exchange", "state_equity", {"equity_act": "BUY"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """One question in plain words: enum values are names without prefix, amounts are fen. The repr tells no number."""

    sector: str
    product: str
    fields: Fields
    document_type: str
    number: str = field(repr=False)
    name: str = field(repr=False)
    issuing_country: str = ""
    service_date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed identity: who, what is asked about it, and what comes of it.

    `asked_name` and `asked_paper` differ from the listed ones where the answer is about that difference.
    `state` says what the list holds: "" for nothing, LISTED, EXEMPT or LIFTED.
    """

    slug: str
    answer: str
    measure: str
    name: str = field(repr=False)
    paper: Paper
    state: str = "LISTED"
    fields: Fields | None = None
    asked_name: str | None = field(default=None, repr=False)
    asked_paper: Paper | None = None

    def question(self, today: dt.date) -> Question:
        """What to ask to see its answer."""
        sector, product, usual = SALES[self.measure]
        paper = self.asked_paper or self.paper
        return Question(
            sector, product, usual if self.fields is None else self.fields, paper.type, paper.number,
            self.asked_name or self.name, paper.country, today if product in DATED else None,
        )  # fmt: skip

    def lines(self, today: dt.date) -> Iterator[str]:
        """The intake lines that make it so, for a list that is loaded on this day."""
        if not self.state:
            return
        yield _line(self._listing(today))
        if self.state == "LIFTED":
            yield _line(self._event("LIFT", today) | {"ground": "PERFORMED", "ground_at": _day(today, -1)})
        if self.state == "EXEMPT":
            exemption = {
                "id": f"x-{self.slug}", "holder": "subject", "measures": ["AIR", "RAIL"], "from": _day(today, 0),
                "until": _day(today, 7), "reason_code": "ILLNESS", "approved_by": _COURT,
            }  # fmt: skip
            yield _line(self._event("EXEMPT", today) | {"exemption": exemption})

    def _listing(self, today: dt.date) -> Mapping[str, Any]:
        start = _day(today, -30)
        grant = {
            "grant_id": "g1", "measure": self.measure, "holder": "subject", "from": start, "until": None,
            "explicit": True,
        }  # fmt: skip
        entry = {
            "entry_id": f"fixed-{self.slug}", "version": 1,
            "subject": {
                "kind": "PERSON", "name": self.name, "former_names": [],
                "documents": [{"type": self.paper.type, "number": self.paper.number}],
            },
            "court": _COURT, "case_no": f"({start[:4]})粤08执{self.slug}号",
            "basis_doc_no": f"({start[:4]})粤08民终1号",
            "ground": 1, "decision_no": f"({start[:4]})粤08执{self.slug}号之一", "decided_at": _day(today, -40),
            "served_at": _day(today, -35), "risk_notice_at": _day(today, -60), "term_from": start, "term_until": None,
            "publishable": True, "links": [], "grants": [grant],
        }  # fmt: skip
        event = self._event("LIST", today, at=start)
        del event["entry_id"]
        return event | {"entry": entry}

    def _event(self, kind: str, today: dt.date, at: str = "") -> dict[str, Any]:
        instant = f"{at or _day(today, -1)}T09:00:00+08:00"
        return {
            "event_id": f"{kind.lower()}-fixed-{self.slug}", "type": kind, "issued_at": instant,
            "effective_at": instant, "issuer": _COURT, "legal_basis": "法释〔2015〕17号",
            "entry_id": f"fixed-{self.slug}",
        }  # fmt: skip


def _line(event: Mapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _day(today: dt.date, days: int) -> str:
    return (today + dt.timedelta(days)).isoformat()


def _who(place: int) -> tuple[str, Paper]:
    return f"沙盒{_NAMES[place // 10]}{_NAMES[place % 10]}", documents.resident(_FIRST_INDEX + place)


def _wrong_check(paper: Paper) -> Paper:
    last = "0" if paper.number[-1] != "0" else "1"
    return Paper(paper.type, paper.number[:-1] + last)


def _fixed() -> Iterator[Fixed]:
    yield Fixed("clear", "NOT_RESTRICTED", "LODGE", *_who(0), state="")
    for place, measure in enumerate(SALES, 1):
        answer = "CAPPED" if measure == "RESORT_CAP" else "RESTRICTED"
        yield Fixed(measure.lower().replace("_", "-"), answer, measure, *_who(place))
    yield Fixed("exempt-today", "NOT_RESTRICTED", "AIR", *_who(20), state="EXEMPT")
    yield Fixed("lifted-today", "NOT_RESTRICTED", "LODGE", *_who(21), state="LIFTED")
    yield Fixed("name-mismatch", "UNDETERMINED IDENTITY_MISMATCH", "LODGE", *_who(22), asked_name="沙盒他人")
    old = documents.resident_15(_FIRST_INDEX + 23)
    yield Fixed("weak-document", "UNDETERMINED WEAK_DOCUMENT", "LODGE", *_who(23), asked_paper=old)
    single = {**POLICY, "premium_mode": "SINGLE"}
    yield Fixed("parameter-unset", "UNDETERMINED PARAMETER_UNSET", "INS", *_who(24), fields=single)
    emergency = {**HOTEL, "emergency": True}
    yield Fixed("necessity-claimed", "UNDETERMINED NECESSITY_CLAIMED", "LODGE", *_who(25), fields=emergency)
    spouse = {**FLAT, "buyers": "WITH_SPOUSE"}
    yield Fixed("funds-unclear", "UNDETERMINED FUNDS_UNCLEAR", "PROP_ACQ", *_who(26), fields=spouse)
    charter = {"flight_kind": "CHARTER"}
    yield Fixed("text-unclear", "UNDETERMINED TEXT_UNCLEAR", "AIR", *_who(27), fields=charter)
    yield Fixed("stale-list", "UNDETERMINED STALE_LIST", "PROP_ACQ", *_who(30))
    yield Fixed("store-down", "UNDETERMINED STORE_UNAVAILABLE", "LODGE", *_who(31))
    yield Fixed("ledger-down", "UNDETERMINED LEDGER_UNAVAILABLE", "LODGE", *_who(32))
    yield Fixed("slow-answer", "RESTRICTED, after a second", "LODGE", *_who(33))
    name, paper = _who(34)
    wrong = _wrong_check(paper)
    yield Fixed("wrong-check-digit", "INVALID_ARGUMENT CHECK_DIGIT", "LODGE", name, paper, state="", asked_paper=wrong)


IDENTITIES: Final[Mapping[str, Fixed]] = {fixed.slug: fixed for fixed in _fixed()}


def lines(today: dt.date) -> Iterator[str]:
    """The intake lines of all fixed identities, for a list that is loaded on this day."""
    for fixed in IDENTITIES.values():
        yield from fixed.lines(today)


def table(today: dt.date) -> str:
    """All fixed identities as a Markdown table."""
    rows = ["| Identity | Document | Number | Name | Ask as | Answer |", "|---|---|---|---|---|---|"]
    for fixed in IDENTITIES.values():
        asked = fixed.question(today)
        sale = ", ".join(f"{name}={value}" for name, value in asked.fields.items())
        rows.append(
            f"| {fixed.slug} | {asked.document_type} | `{asked.number}` | {asked.name} "
            f"| {asked.sector}: `{asked.product}` {sale} | {fixed.answer} |"
        )
    return "\n".join(rows)
