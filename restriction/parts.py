"""From an entry as the court holds it to the parts of records that the list carries: tokens only, no name, no number.

Rules that hold:
- An entry that is not publishable (三(一)), lifted, revoked or purged has no part.
- Parts never lend each other anything: a token that two entries hold has a part of each.
- A grant reaches no further than its entry's term and its link; under RETAIN the subject's kept measures reach to the
  retention's end and links have no part.
- Grants over equal spans are one set of bits, so that an entry with default grants has a single grant.
- The order is canonical: one list has one byte form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from restriction import entry as court
from restriction.calendar import Span, start_of
from restriction.change import Lane
from restriction.events import EntryState
from restriction.identity import Identity
from restriction.lawful import grants_of
from restriction.measures import Measure
from restriction.record import ENTRY_REF_BYTES, Exemption, Grant, Part, Record
from restriction.states import Phase
from restriction.token import TokenKeys

_HELD: Final = frozenset({Phase.LISTED, Phase.SUSPENDED, Phase.RETAINED})
# A record counts its parts in one byte. Whoever is held by more entries keeps some of them, of every measure at least
# one; every change rebuilds the record, so the others move up as these end.
MAX_PARTS: Final = 255
_NEVER: Final = 1 << 32  # after every instant that a part can state


@dataclass(frozen=True, slots=True, repr=False)
class _Holder(court.Opaque):
    """The subject or a link, as grants and exemptions call it; its grants may not leave `reach`."""

    label: str
    names: tuple[str, ...]
    documents: tuple[Identity, ...]
    reach: Span


def parts_of(held: EntryState, keys: TokenKeys) -> Mapping[bytes, Record]:
    """What this entry alone puts on the list: a record by token."""
    entry = held.entry
    if entry is None or held.phase not in _HELD or not entry.publishable:
        return {}
    shares: dict[bytes, Record] = {}
    entry_ref = keys.audit(entry.entry_id)[:ENTRY_REF_BYTES]
    for holder in _holders(held, entry):
        grants = _grants(held, entry, holder)
        if not grants:
            continue
        part = Part(
            entry_ref=entry_ref,
            court=int(entry.court),
            starts_at=held.starts_at,
            ends_at=held.ends_at,
            until_day=held.retention.until if held.retention else entry.term.until,
            names=tuple(sorted({keys.name(name) for name in holder.names})),
            grants=grants,
            exemptions=_exemptions(entry, holder.label),
            suspended=held.phase is Phase.SUSPENDED,
        )
        for identity in _strongest(holder.documents):
            token = keys.token(identity)
            earlier = shares[token].parts if token in shares else ()
            own = replace(part, weak=True) if identity.weak else part
            shares[token] = Record(keys.fingerprint(identity), (*earlier, own))
    return shares


def record_of(shares: Iterable[Record]) -> Record | None:
    """The one record of a token from what each entry puts on it; None when nothing does."""
    held = list(shares)
    if not held:
        return None
    parts = _kept([part for share in held for part in share.parts])
    return Record(held[0].fingerprint, tuple(sorted(parts, key=_canonical)))


def _kept(parts: list[Part]) -> list[Part]:
    """As many as a record counts: of every measure the part that binds it soonest, then those that bind longest."""
    if len(parts) <= MAX_PARTS:
        return parts
    longest = sorted(parts, key=_longest_first)
    binding = sorted(longest, key=lambda part: (part.suspended, bool(part.exemptions), part.starts_at))
    bound_by = {
        measure: part
        for part in reversed(binding)
        for grant in part.grants
        for measure in Measure
        if grant.measures >> measure & 1
    }
    return list(dict.fromkeys((*bound_by.values(), *longest)))[:MAX_PARTS]


def ends_at(share: Record) -> int | None:
    """The instant (Unix seconds) from which no part of it can apply; None is open."""
    last = max(map(_part_ends_at, share.parts), default=0)
    return None if last == _NEVER else last


def _part_ends_at(part: Part) -> int:
    spans = [_NEVER if grant.span.until is None else start_of(grant.span.until) for grant in part.grants]
    return min(max(spans, default=0), _NEVER if part.ends_at is None else part.ends_at)


def _longest_first(part: Part) -> tuple[bool, int, bytes]:
    return part.suspended, -_part_ends_at(part), part.entry_ref


def _canonical(part: Part) -> tuple[bytes, tuple[bytes, ...], tuple[int, ...]]:
    return part.entry_ref, part.names, tuple(grant.measures for grant in part.grants)


def _holders(held: EntryState, entry: court.Entry) -> Iterator[_Holder]:
    subject = entry.subject
    if held.retention is not None:
        yield _Holder(court.SUBJECT, subject.names, subject.documents, Span(entry.term.start, held.retention.until))
        return
    yield _Holder(court.SUBJECT, subject.names, subject.documents, entry.term)
    for link in entry.links:
        yield _Holder(link.holder, (link.name,), link.documents, link.span.common(entry.term))


def _grants(held: EntryState, entry: court.Entry, holder: _Holder) -> tuple[Grant, ...]:
    kept = held.retention.measures if held.retention else ~0
    merged: dict[Span, tuple[int, int]] = {}
    for grant in grants_of(entry, holder.label):
        span = grant.span.common(holder.reach)
        if grant.measures & kept and not span.is_empty:
            measures, explicit = merged.get(span, (0, 0))
            merged[span] = measures | grant.measures & kept, explicit | grant.explicit & kept
    return tuple(Grant(*merged[span], span) for span in sorted(merged, key=_by_days))


def _exemptions(entry: court.Entry, holder: str) -> tuple[Exemption, ...]:
    own = [Exemption(x.measures, x.span) for x in entry.exemptions if x.holder == holder and not x.span.is_empty]
    return tuple(sorted(own, key=lambda exemption: (_by_days(exemption.span), exemption.measures)))


def _strongest(documents: Sequence[Identity]) -> Iterable[Identity]:
    """One identity per number: a number stated in full is not weak because it was stated with 15 digits too."""
    if len(documents) == 1:
        return documents
    best: dict[tuple[int, str], Identity] = {}
    for identity in sorted(documents, key=lambda identity: not identity.weak):
        best[identity.type, identity.number] = identity
    return best.values()


def _by_days(span: Span) -> tuple[int, int]:
    return span.start, _NEVER if span.until is None else span.until


def lane_between(old: Record | None, new: Record | None) -> Lane:
    """Which lane the change of one entry's share travels in; whatever eases anything in any way is EASE."""
    if old is None:
        return Lane.BURDEN
    if new is None or len(new.parts) < len(old.parts):
        return Lane.EASE
    return Lane.EASE if any(map(_eases, old.parts, new.parts)) else Lane.BURDEN


def _eases(old: Part, new: Part) -> bool:
    """Whether the part releases anything that it bound: after a listing, all but these two only ever narrow."""
    burdens = replace(old, suspended=new.suspended, exemptions=new.exemptions)
    if burdens != new or (new.suspended and not old.suspended):
        return True
    return any(not any(known.covers(exemption) for known in old.exemptions) for exemption in new.exemptions)
