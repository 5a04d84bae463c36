"""What is asked and what is answered, as frozen values that tell nobody's name or number when they are printed."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from dataclasses import dataclass, field
from typing import NoReturn

from lintel_client.products import Product


class DocumentType(enum.IntEnum):
    """Type of a document; always stated, never guessed."""

    RESIDENT_ID = 1
    RESIDENT_ID_15 = 2
    HMT_RESIDENCE_PERMIT = 3
    FOREIGN_PERMANENT_RESIDENT_ID = 4
    HM_TRAVEL_PERMIT = 5
    TW_TRAVEL_PERMIT = 6
    PASSPORT = 7
    UNIFIED_SOCIAL_CREDIT_CODE = 8
    ORGANISATION_CODE = 9


class Measure(enum.IntEnum):
    """What is restricted; it follows from the product."""

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


class Outcome(enum.IntEnum):
    """The answer to one question."""

    NOT_RESTRICTED = 1
    RESTRICTED = 2
    CAPPED = 3
    UNDETERMINED = 4


class Reason(enum.IntEnum):
    """Why an outcome is UNDETERMINED."""

    PARAMETER_UNSET = 1
    NECESSITY_CLAIMED = 2
    FUNDS_UNCLEAR = 3
    TEXT_UNCLEAR = 4
    WEAK_DOCUMENT = 5
    IDENTITY_MISMATCH = 6
    STALE_LIST = 7
    STORE_UNAVAILABLE = 8
    LEDGER_UNAVAILABLE = 9


class Advice(enum.IntEnum):
    """What to do with the sale."""

    PROCEED = 1
    DECLINE = 2
    HOLD = 3
    MANUAL = 4


@dataclass(frozen=True, slots=True)
class Document:
    """The document that the sale is made on. `issuing_country` is for passports, ISO 3166-1 alpha-3."""

    type: DocumentType
    number: str = field(repr=False)
    issuing_country: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """One question before one sale.

    `booking_reference` says which sale, never who. `service_date` (departure, check-in night, first day of the tour) is
    for rail, air, lodging and outbound tours alone. `max_list_age_s` and `at_least_version` refuse an older list.
    """

    document: Document
    name: str = field(repr=False)
    product: Product
    booking_reference: str = field(repr=False)
    service_date: dt.date | None = None
    at_least_version: int = 0
    max_list_age_s: float | None = None
    language: str = "zh-CN"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Notice:
    """A text for the guest alone. Print it folded; never show it on the desk's screen."""

    reference: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one question, and the list that it was made from.

    It has no truth value: an answer has four outcomes, so ask for `outcome` or `may_proceed`.
    `cap_fen` is set with CAPPED alone, `reason` with UNDETERMINED alone.
    """

    request_id: str
    decision_id: str
    measure: Measure
    outcome: Outcome
    advice: Advice
    reason: Reason | None
    cap_fen: int | None
    list_version: int
    list_as_of: dt.datetime
    legal_basis: tuple[str, ...] = ()
    desk_text: str = ""
    notice: Notice | None = None
    alternatives: tuple[str, ...] = ()

    @property
    def may_proceed(self) -> bool:
        """Whether the sale may go on as asked: the advice is PROCEED."""
        return self.advice is Advice.PROCEED

    def __bool__(self) -> NoReturn:
        """Refuse to be a condition. Raises: TypeError."""
        raise TypeError("a Decision is neither true nor false: look at .may_proceed or .outcome")


@dataclass(frozen=True, slots=True)
class ListStatus:
    """The list that a gateway answers from; while there is none, `not_ready_reason` says why and the rest is empty."""

    ready: bool
    not_ready_reason: str
    version: int
    as_of: dt.datetime | None
    age_s: float
    record_count: int
    epoch: int
    digest: bytes
    server_time: dt.datetime
    build: str
