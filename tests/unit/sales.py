"""Whole sales and records of the tests, each with one thing to vary."""

from __future__ import annotations

from restriction.calendar import Span, day_of
from restriction.decision import Circumstances, Decision, Match, Outcome, Reason, Sale, decide
from restriction.measures import REGISTER, Sector
from restriction.parameters import Parameters
from restriction.products import Measure, Product
from restriction.record import Exemption, Grant, Part, Record

NOON_S = 1_780_200_000.0  # 2026-05-31 12:00 in Shanghai
TODAY = day_of(NOON_S)
NAME, OTHER_NAME = b"asked...", b"another."
ENTRY = b"entry-01"
COURT = 4408


def grant(*only: Measure, explicit: bool = False, start: int = TODAY - 30, until: int | None = None) -> Grant:
    """A grant of these measures, of every measure if none is named."""
    measures = sum(1 << measure for measure in only or Measure)
    return Grant(measures, measures if explicit else 0, Span(start, until))


def part(*grants: Grant, **changes: object) -> Part:
    """A part in force for the asked name, with one grant of every measure unless others are given."""
    whole: dict[str, object] = {
        "entry_ref": ENTRY,
        "court": COURT,
        "starts_at": int(NOON_S) - 86_400,
        "ends_at": None,
        "until_day": None,
        "names": (NAME,),
        "grants": grants or (grant(),),
    }
    return Part(**(whole | changes))  # type: ignore[arg-type]  # fields by name, for brevity


def exemption(*measures: Measure, start: int, until: int) -> Exemption:
    return Exemption(sum(1 << measure for measure in measures), Span(start, until))


def match(*parts: Part, name: bytes = NAME, weak: bool = False) -> Match:
    return Match(Record(b"print-01", parts or (part(),)), name, weak)


def sale(product: Product, day: int | None = None) -> Sale:
    """The sale, for today where a day is needed and none is given."""
    needed = REGISTER[product.measure].service_date_required
    return Sale(product, (TODAY if day is None else day) if needed else None)


def sector_of(product: Product) -> Sector:
    """Some sector that asks about this product."""
    return next(iter(REGISTER[product.measure].asked_by))


def ask(
    product: Product,
    matched: Match | None,
    parameters: Parameters | None = None,
    *,
    day: int | None = None,
    now_s: float = NOON_S,
) -> Decision:
    circumstances = Circumstances(now_s, sector_of(product), parameters or Parameters(), list_age_s=2.0)
    return decide(matched, sale(product, day), circumstances)


def said(decision: Decision) -> str:
    """The answer as the rules' document writes it: R, N, CAPPED 1000, or U with its reason."""
    match decision.outcome:
        case Outcome.RESTRICTED:
            return "R"
        case Outcome.NOT_RESTRICTED:
            return "N"
        case Outcome.CAPPED:
            return f"CAPPED {(decision.cap_fen or 0) // 100}"
        case Outcome.UNDETERMINED:
            return f"U {Reason(decision.reason or 0).name}"
