"""From a matched record to an answer about one sale.

Rules that hold here:
- Precondition (I1): a record comes here only after its fingerprint was found equal to the question's.
- RESTRICTED and CAPPED need one part of which everything holds: in force now, granted for the service date, not
  exempt, the asked name among its own, no weak document on either side.
- Parts never lend each other names, grants or exemptions.
- Two clocks: entries by now, grants, exemptions and terms by the service date (today where none is stated).
- I18: an end counts as reached when the clock, at its allowed error, may have reached it; a start does not come early.
- NOT_RESTRICTED is one value per measure: never listed, lifted and exempt look the same.
- A list too old for the sector answers nobody.

It does not look anything up, read a clock, or phrase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

from restriction.advice import REGISTRIES, Advice, advise
from restriction.calendar import day_of
from restriction.measures import REGISTER, Sector
from restriction.parameters import Parameters
from restriction.products import Measure, Product
from restriction.record import Grant, Part, Record
from restriction.tables import Case, Outcome, Reason, Ruling, rule

__all__ = [
    "ABOUT_US", "Advice", "Circumstances", "Decision", "Match", "Outcome", "Reason", "Sale", "decide",
    "freshness_limit_s", "undetermined",
]  # fmt: skip

T = TypeVar("T")

# How far a gateway's clock may be from true time: NTP keeps it far closer, and the price is a second of restriction.
CLOCK_ERROR_S: Final = 1.0
ABOUT_US: Final = frozenset({Reason.STALE_LIST, Reason.STORE_UNAVAILABLE, Reason.LEDGER_UNAVAILABLE})

# Of several parts the first of these that occurs is the answer, and of several reasons the first of those: a doubt
# about who this is comes first, since it is the one that the desk can settle.
_OUTCOMES: Final = (Outcome.RESTRICTED, Outcome.UNDETERMINED, Outcome.CAPPED)
_REASONS: Final = (
    Reason.IDENTITY_MISMATCH, Reason.WEAK_DOCUMENT, Reason.NECESSITY_CLAIMED, Reason.FUNDS_UNCLEAR,
    Reason.TEXT_UNCLEAR, Reason.PARAMETER_UNSET,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sale:
    """What is sold, and for which day (day number; None where today counts)."""

    product: Product
    service_day: int | None

    def __post_init__(self) -> None:
        if (self.service_day is None) is REGISTER[self.product.measure].service_date_required:
            raise ValueError("sale: a service day stands with exactly the measures that need one")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When, by whom, under which parameters, and on how old a list the question is asked."""

    now_s: float
    sector: Sector
    parameters: Parameters
    list_age_s: float


@dataclass(frozen=True, slots=True)
class Match:
    """The record of the question's token and fingerprint, the token of the asked name, and a weak asked document."""

    record: Record
    name: bytes
    weak: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.

    `reason` stands with UNDETERMINED, `cap_fen` with CAPPED, `clauses` and `courts` (codes) with RESTRICTED and CAPPED.
    `courts` are those whose grant caused the answer; `entry_refs` are all entries that stand in the way of this sale,
    for the ledger alone. NOT_RESTRICTED, and reasons about us, name none.
    """

    measure: Measure
    outcome: Outcome
    reason: Reason | None
    advice: Advice
    cap_fen: int | None
    clauses: tuple[str, ...]
    courts: tuple[int, ...]
    entry_refs: tuple[bytes, ...]


_CLEAR: Final = MappingProxyType(
    {measure: Decision(measure, Outcome.NOT_RESTRICTED, None, Advice.PROCEED, None, (), (), ()) for measure in Measure}
)


def decide(match: Match | None, sale: Sale, circumstances: Circumstances) -> Decision:
    """The answer for a matched record, or for none; the sale is permitted and the record's fingerprint is right."""
    if not circumstances.list_age_s <= freshness_limit_s(circumstances.sector, circumstances.parameters):
        return undetermined(Reason.STALE_LIST, sale, circumstances)
    if match is None:
        return _CLEAR[sale.product.measure]
    in_the_way = list(_rulings(match, sale, circumstances))
    return _combined(in_the_way, sale, circumstances) if in_the_way else _CLEAR[sale.product.measure]


def undetermined(reason: Reason, sale: Sale, circumstances: Circumstances) -> Decision:
    """The answer for a reason about us, the same for everybody. Raises: ValueError for a reason about the subject."""
    if reason not in ABOUT_US:
        raise ValueError("reason: not about us; a reason about the subject comes from decide()")
    advice = advise(Outcome.UNDETERMINED, reason, circumstances.sector)
    return Decision(sale.product.measure, Outcome.UNDETERMINED, reason, advice, None, (), (), ())


def freshness_limit_s(sector: Sector, parameters: Parameters) -> int:
    """How old a list this sector may be answered from, in seconds."""
    limits = parameters.freshness_limits
    return limits.registry_s if sector in REGISTRIES else limits.default_s


def _rulings(match: Match, sale: Sale, circumstances: Circumstances) -> Iterator[tuple[Part, Ruling]]:
    """What each part in force rules, but for those that leave the sale free."""
    measure, now_s = sale.product.measure, circumstances.now_s
    for part in match.record.parts:
        grants_by_day = [_grants_on(day, part, measure) for day in _days(sale, now_s)]
        if not (_in_force(part, now_s) and all(grants_by_day)):
            continue
        explicit = all(any(_has(grant.explicit, measure) for grant in grants) for grants in grants_by_day)
        ruling = rule(Case(sale.product, circumstances.parameters, explicit))
        if ruling.outcome is not Outcome.NOT_RESTRICTED:
            yield part, _doubted(ruling, match, part)


def _in_force(part: Part, now_s: float) -> bool:
    ended = part.ends_at is not None and part.ends_at <= now_s + CLOCK_ERROR_S
    return part.starts_at <= now_s and not ended and not part.suspended


def _days(sale: Sale, now_s: float) -> set[int]:
    """The service day, or today: near midnight both days that it may be, and a grant then must hold on both."""
    if sale.service_day is not None:
        return {sale.service_day}
    return {day_of(now_s), day_of(now_s + CLOCK_ERROR_S)}


def _grants_on(day: int, part: Part, measure: Measure) -> list[Grant]:
    """The part's grants of this measure on this day: none after its term or in an exemption of its own."""
    term_over = part.until_day is not None and day >= part.until_day
    if term_over or any(_has(one.measures, measure) and one.span.contains(day) for one in part.exemptions):
        return []
    return [grant for grant in part.grants if _has(grant.measures, measure) and grant.span.contains(day)]


def _has(measures: int, measure: Measure) -> bool:
    return bool(measures >> measure & 1)


def _doubted(ruling: Ruling, match: Match, part: Part) -> Ruling:
    """The ruling, unless it is in doubt that the asked person is this part's holder."""
    if match.name not in part.names:
        return Ruling(Outcome.UNDETERMINED, Reason.IDENTITY_MISMATCH)
    if match.weak or part.weak:
        return Ruling(Outcome.UNDETERMINED, Reason.WEAK_DOCUMENT)
    return ruling


def _combined(in_the_way: list[tuple[Part, Ruling]], sale: Sale, circumstances: Circumstances) -> Decision:
    """RESTRICTED before UNDETERMINED before CAPPED, of caps the lowest."""
    rulings = [ruling for _, ruling in in_the_way]
    outcome = min((ruling.outcome for ruling in rulings), key=_OUTCOMES.index)
    reason = min((ruling.reason for ruling in rulings if ruling.reason), key=_REASONS.index, default=None)
    reason = reason if outcome is Outcome.UNDETERMINED else None
    caps = [ruling.cap_fen for ruling in rulings if ruling.cap_fen is not None]
    declined = outcome is not Outcome.UNDETERMINED
    return Decision(
        measure=sale.product.measure,
        outcome=outcome,
        reason=reason,
        advice=advise(outcome, reason, circumstances.sector),
        cap_fen=min(caps) if outcome is Outcome.CAPPED else None,
        clauses=(REGISTER[sale.product.measure].clause,) if declined else (),
        courts=_distinct(part.court for part, ruling in in_the_way if declined and ruling.outcome is outcome),
        entry_refs=_distinct(part.entry_ref for part, _ in in_the_way),
    )


def _distinct(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
