"""What two shares of one entry have in common: the part of a change that eases, which need not wait for what burdens.

Rules that hold:
- What comes out restricts a name, a measure, a service date and an instant exactly where both shares do.
- A change that only eases comes out as it was asked for, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from restriction.calendar import earlier
from restriction.record import Exemption, Grant, Part, Record, decode, encode


def eased(old: Record | None, new: Record | None) -> Record | None:
    """The share that restricts only what both of these do; None when that is nothing."""
    if old is None or new is None:
        return None
    if old == new:
        return new
    parts = tuple(part for wanted in new.parts for part in _parts(old.parts, wanted))
    return replace(new, parts=parts) if parts else None


def idle(record: bytes) -> bytes:
    """An encoded record as one that binds nobody."""
    known = decode(record)
    return encode(replace(known, parts=tuple(replace(part, suspended=True) for part in known.parts)))


def _parts(known: tuple[Part, ...], wanted: Part) -> Iterator[Part]:
    common = [part for part in (_part(old, wanted) for old in known) if part.names and part.grants]
    yield from [wanted] if wanted in common else common


def _part(old: Part, new: Part) -> Part:
    return replace(
        new,
        starts_at=max(old.starts_at, new.starts_at),
        ends_at=earlier(old.ends_at, new.ends_at),
        until_day=earlier(old.until_day, new.until_day),
        names=tuple(name for name in new.names if name in old.names),
        grants=tuple(grant for wanted in new.grants for grant in _grants(old.grants, wanted)),
        exemptions=_exemptions(old.exemptions, new.exemptions),
        suspended=old.suspended or new.suspended,
        weak=old.weak or new.weak,
    )


def _grants(known: tuple[Grant, ...], wanted: Grant) -> Iterator[Grant]:
    common = [grant for grant in (_grant(old, wanted) for old in known) if grant.measures and not grant.span.is_empty]
    yield from [wanted] if wanted in common else common


def _grant(old: Grant, new: Grant) -> Grant:
    return Grant(old.measures & new.measures, old.explicit & new.explicit, old.span.common(new.span))


def _exemptions(old: tuple[Exemption, ...], new: tuple[Exemption, ...]) -> tuple[Exemption, ...]:
    lost = [known for known in old if not any(exemption.covers(known) for exemption in new)]
    return (*new, *lost)
