"""What a court's event does to an entry: the engine under the table of `restriction.states`.

Rules that hold:
- `apply` is pure: the entry as held, one event, and the batch it came in with the time; out comes a verdict.
- The table says whether and where to; an effect says how, and refuses with `InvalidFieldError` what is not lawful.
- Whatever a court says about an entry, only its own court or one above may say. Codes are hierarchical: a court is
  above another when its code is a proper prefix of the other's ("4408" is above "440802").
- Any event but LIST with a future `effective_at` is quarantined; an entry listed for later starts by the clock. What
  only eases may be stamped up to a minute ahead and takes effect at once: court clocks are not ours, and a lift that
  waits for somebody to submit it again is a person wrongly restricted.
- A lift or revocation that comes first buries the entry; one by a court without authority over the entry that is listed
  later buries nothing silently: that listing is quarantined.

A repeated `event_id` is seen by whoever keeps the events (`publisher.book`), not here.
"""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final, TypeVar

from restriction import lawful
from restriction.calendar import Span, day_of, start_of
from restriction.entry import SUBJECT, Entry, Exemption, ExemptionReason, Link, Objection, Opaque
from restriction.errors import InvalidFieldError
from restriction.statements import Correction, EndExemption, Event, Lift, LinkEnd, Retention
from restriction.states import EASING, TABLE, Cell, EventType, Phase, State, Word, phase_of

_LIFT_WITHIN_DAYS: Final = 3  # 四(二)4
# How far ahead of ours a court's clock may be for its lifts to count; without NTP a clock drifts that far in weeks.
EASING_AHEAD_S: Final = 60


@dataclass(frozen=True, slots=True)
class Batch:
    """What an event is judged with: the batch's id, the instant, and the court codes in force (None: no directory)."""

    batch_id: str
    now_s: float
    courts: Collection[str] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class EntryState(Opaque):
    """An entry as held. `entry` is None for a tombstone (`court` is then who buried it) and after a purge."""

    phase: Phase
    entry: Entry | None
    court: str
    starts_at: int = 0
    lift: Lift | None = None
    lifted_in: str = ""  # the batch of the LIFT; its RETAIN must come in the same
    retention: Retention | None = None

    @property
    def ends_at(self) -> int | None:
        """The instant at which the clock ends it; None is open."""
        until = self.retention.until if self.retention else self.entry.term.until if self.entry else None
        return None if until is None else start_of(until)


class Status(enum.StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    OVERTAKEN = "overtaken"
    HELD = "held"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an event, which field says why, and the state to hold from here on (None: as before)."""

    status: Status
    state: EntryState | None = None
    field: str = ""
    reason: str = ""


def state_at(held: EntryState | None, now_s: float) -> State:
    """Where an entry stands at this instant."""
    if held is None:
        return State.NONE
    ended = held.ends_at is not None and now_s >= held.ends_at
    if held.phase is Phase.LISTED and not ended:
        return State.PENDING if now_s < held.starts_at else State.ACTIVE
    if held.phase in {Phase.LISTED, Phase.SUSPENDED} and ended:
        return State.EXPIRED
    if held.phase is Phase.RETAINED and ended:
        return State.LIFTED
    return State(held.phase)


def has_authority(issuer: str, court: str) -> bool:
    """Whether the issuer is this court or one above it."""
    return court.startswith(issuer)


def apply(held: EntryState | None, event: Event, batch: Batch) -> Verdict:
    """What this event does to the entry as held, at `batch.now_s`."""
    ahead_s = EASING_AHEAD_S if event.type in EASING else 0
    if event.type is not EventType.LIST and event.effective_at > batch.now_s + ahead_s:
        return Verdict(Status.QUARANTINED, None, "effective_at", "FUTURE")
    state = state_at(held, batch.now_s)
    cell = _cell(state, event)
    try:
        if cell is not Word.OVERTAKEN:
            _check_issuer(held, event, batch)
        if isinstance(cell, Word) and cell is not Word.BY_CLOCK:
            return _without_effect(cell, state, held, event)
        return _EFFECTS[event.type](_Case(held, event, batch, phase_of(cell)))
    except InvalidFieldError as error:
        return Verdict(Status.REJECTED, None, error.field, error.problem)


@dataclass(frozen=True, slots=True)
class _Case:
    """What an effect works on; `phase` is where the table leads."""

    held: EntryState | None
    event: Event
    batch: Batch
    phase: Phase

    @property
    def state(self) -> EntryState:
        if self.held is None:
            raise InvalidFieldError("entry_id", "NOT_LISTED", "list the entry first")
        return self.held

    @property
    def entry(self) -> Entry:
        if self.state.entry is None:
            raise InvalidFieldError("entry_id", "NOT_LISTED", "list the entry under an id of its own")
        return self.state.entry

    @property
    def today(self) -> int:
        return day_of(self.batch.now_s)

    def accepted(self, field: str = "", reason: str = "", **changes: object) -> Verdict:
        state = replace(self.state, phase=self.phase, **changes)  # type: ignore[arg-type]  # replace checks the names
        return Verdict(Status.ACCEPTED, state, field, reason)


_B = TypeVar("_B")
_Effect = Callable[[_Case], Verdict]


def _body(case: _Case, kind: type[_B]) -> _B:
    if not isinstance(case.event.body, kind):
        raise InvalidFieldError("type", "WRONG_BODY", "send the body that belongs to this type of event")
    return case.event.body


def _cell(state: State, event: Event) -> Cell:
    """The table's cell; a correction that makes an entry unpublishable goes where a lift goes."""
    cell = TABLE[state][event.type]
    unpublished = isinstance(event.body, Correction) and event.body.publishable is False
    return TABLE[state][EventType.LIFT] if unpublished and cell is not Word.REJECT else cell


def _check_issuer(held: EntryState | None, event: Event, batch: Batch) -> None:
    if batch.courts is not None and event.issuer not in batch.courts:
        raise InvalidFieldError("issuer", "UNKNOWN_COURT", "name a court of the directory in force")
    entry = event.body if isinstance(event.body, Entry) else held.entry if held else None
    if entry is not None and not has_authority(event.issuer, entry.court):
        raise InvalidFieldError("issuer", "NO_AUTHORITY", "only the entry's court or one above may say this")


def _without_effect(word: Word, state: State, held: EntryState | None, event: Event) -> Verdict:
    match word:
        case Word.HELD:
            return Verdict(Status.HELD, None, "entry_id", "NOT_LISTED_YET")
        case Word.SAME:
            return Verdict(Status.ACCEPTED, None, "type", f"ALREADY_{state}")
        case Word.OVERTAKEN if _buried_by_another(held, event):
            return Verdict(Status.QUARANTINED, None, "entry_id", "BURIED_BY_OTHER_COURT")
        case Word.OVERTAKEN:
            return Verdict(Status.OVERTAKEN, None, "entry_id", f"ALREADY_{state}")
        case _:
            return Verdict(Status.REJECTED, None, "type", f"NOT_WHEN_{state}")


def _buried_by_another(held: EntryState | None, event: Event) -> bool:
    return held is not None and isinstance(event.body, Entry) and not has_authority(held.court, event.body.court)


def _listed(case: _Case) -> Verdict:
    stated = _body(case, Entry)
    entry = lawful.listed(stated, case.batch.courts)
    # A part states whole seconds; rounded up, none starts before its time.
    starts_at = max(math.ceil(case.event.effective_at), start_of(entry.term.start), start_of(entry.served_on))
    state = EntryState(case.phase, entry, entry.court, starts_at)
    if state.ends_at is not None and state.ends_at <= max(case.batch.now_s, starts_at):
        raise InvalidFieldError(
            "entry.term_until", "TERM_ENDED", "the term ends before the entry starts; do not list it"
        )
    if len(entry.links) < len(stated.links):
        return Verdict(Status.ACCEPTED, state, "entry.links", "UNDER_18_LEFT_OUT")
    return Verdict(Status.ACCEPTED, state)


def _corrected(case: _Case) -> Verdict:
    change = _body(case, Correction)
    if change.publishable is False:
        return case.accepted(entry=replace(case.entry, publishable=False), retention=None)
    entry = lawful.listed(lawful.corrected(case.entry, change), case.batch.courts)
    starts_at = max(case.state.starts_at, start_of(entry.term.start), start_of(entry.served_on))
    return case.accepted(entry=entry, starts_at=starts_at)


def _linked(case: _Case) -> Verdict:
    link = _body(case, Link)
    lawful.check_link(case.entry, link)
    return case.accepted(entry=replace(case.entry, links=(*case.entry.links, link)))


def _link_ended(case: _Case) -> Verdict:
    body = _body(case, LinkEnd)
    link = case.entry.link(body.link_id)
    if link is None:
        raise InvalidFieldError("link_id", "UNKNOWN_ID", "name a link of this entry")
    if link.span.until is not None and body.until > link.span.until:
        raise InvalidFieldError("until", "WIDER", "the link already ends earlier")
    ended = replace(link, span=Span(link.span.start, body.until))
    return case.accepted(entry=replace(case.entry, links=tuple(ended if x is link else x for x in case.entry.links)))


def _objected(case: _Case) -> Verdict:
    filed = _body(case, Objection)
    others = tuple(x for x in case.entry.objections if (x.kind, x.filed_on) != (filed.kind, filed.filed_on))
    if len(others) >= lawful.MAX_OF_EACH:
        raise InvalidFieldError("kind", "TOO_MANY", f"an entry keeps at most {lawful.MAX_OF_EACH} objections")
    return case.accepted(entry=replace(case.entry, objections=(*others, filed)))


def _exempted(case: _Case) -> Verdict:
    """The lawful part applies at once; what goes beyond waits for a human, and the verdict says so."""
    stated = _body(case, Exemption)
    if stated.reason is ExemptionReason.PRIVATE_FUNDS and stated.holder == SUBJECT:
        return Verdict(Status.QUARANTINED, None, "exemption.reason_code", "LINKS_ONLY")
    allowed = lawful.lawful_part(case.entry, stated)
    if allowed is None:
        return Verdict(Status.QUARANTINED, None, "exemption.measures", "BEYOND_URGENT_TRAVEL")
    verdict = case.accepted(entry=replace(case.entry, exemptions=(*case.entry.exemptions, allowed)))
    if allowed == stated:
        return verdict
    field = "exemption.until" if allowed.measures == stated.measures else "exemption.measures"
    return Verdict(Status.QUARANTINED, verdict.state, field, "BEYOND_URGENT_TRAVEL")


def _exemption_ended(case: _Case) -> Verdict:
    wanted = _body(case, EndExemption).exemption_id
    ended = next((x for x in case.entry.exemptions if x.exemption_id == wanted), None)
    if ended is None:
        raise InvalidFieldError("exemption_id", "UNKNOWN_ID", "name an exemption of this entry")
    until = case.today if ended.span.until is None else min(ended.span.until, case.today)
    cut = replace(ended, span=Span(ended.span.start, until))
    return case.accepted(
        entry=replace(case.entry, exemptions=tuple(cut if x is ended else x for x in case.entry.exemptions))
    )


def _moved(case: _Case) -> Verdict:
    return case.accepted()


def _lifted(case: _Case) -> Verdict:
    if case.held is None:
        return _buried(case)
    lift = _body(case, Lift)
    late = case.today > lift.ground_on + _LIFT_WITHIN_DAYS
    note = ("ground_at", "LATE") if late else ("", "")
    # What an earlier retention left is all that a RETAIN in this batch may keep, so it is not forgotten here.
    return case.accepted(*note, lift=lift, lifted_in=case.batch.batch_id)


def _revoked(case: _Case) -> Verdict:
    return _buried(case) if case.held is None else case.accepted(retention=None)


def _buried(case: _Case) -> Verdict:
    return Verdict(Status.ACCEPTED, EntryState(case.phase, None, case.event.issuer), "entry_id", "BEFORE_LISTING")


def _retained(case: _Case) -> Verdict:
    """The subject's existing grants only, others are left out; links end. What is retained only becomes shorter."""
    wanted = _body(case, Retention)
    granted = held_measures(case.entry)
    known = case.state.retention or Retention(granted, wanted.until)
    if case.state.phase is not Phase.RETAINED and case.state.lifted_in != case.batch.batch_id:
        raise InvalidFieldError("type", "WITHOUT_ITS_LIFT", "send RETAIN and its LIFT in one batch")
    if wanted.measures & granted & ~known.measures:
        raise InvalidFieldError("measures", "WIDER", "a retention only becomes shorter")
    if wanted.until > known.until:
        raise InvalidFieldError("until", "WIDER", "a retention only becomes shorter")
    if wanted.until <= case.today:
        raise InvalidFieldError("until", "ENDED", "give a day to come")
    note = ("measures", "NOT_GRANTED_LEFT_OUT") if wanted.measures & ~granted else ("", "")
    return case.accepted(*note, retention=replace(wanted, measures=wanted.measures & granted))


def held_measures(entry: Entry) -> int:
    """Bit set of the measures that the subject of this entry holds."""
    return reduce(operator.or_, (grant.measures for grant in lawful.grants_of(entry, SUBJECT)), 0)


def _purged(case: _Case) -> Verdict:
    return Verdict(Status.ACCEPTED, EntryState(case.phase, None, case.state.court))


_EFFECTS: Final[Mapping[EventType, _Effect]] = {
    EventType.LIST: _listed,
    EventType.CORRECT: _corrected,
    EventType.LINK_ADD: _linked,
    EventType.OBJECT: _objected,
    EventType.EXEMPT: _exempted,
    EventType.END_EXEMPT: _exemption_ended,
    EventType.LINK_END: _link_ended,
    EventType.SUSPEND: _moved,
    EventType.RESUME: _moved,
    EventType.LIFT: _lifted,
    EventType.REVOKE: _revoked,
    EventType.RETAIN: _retained,
    EventType.PURGE: _purged,
}
