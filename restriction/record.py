"""What the exact store holds about one token, and its byte form.

A record consists of parts, one per entry and holder; parts never lend each other names, grants or exemptions.
It holds tokens only: no name, no document number.
The codec is canonical: one value has exactly one byte form, so the state digest may be taken over stored bytes.
`decode` refuses anything `encode` could not have written; it never guesses.

Byte form, little-endian: fingerprint[8] · count of parts u8 · parts.
Part: flags u8 (1 suspended, 2 weak) · entry ref[8] · court u32 · starts_at u32 · ends_at u32 (0: open) ·
until day u16 (0: open) · counts u8 names, u8 grants, u8 exemptions · names [8] each ·
grants {measures u16, explicit u16, from u16, until u16 (0: open)} · exemptions {measures u16, from u16, until u16}.
A common record (one part, one name, one grant) is 55 bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from restriction.calendar import Span

FINGERPRINT_BYTES: Final = 8
NAME_TOKEN_BYTES: Final = 8
ENTRY_REF_BYTES: Final = 8
_SUSPENDED, _WEAK = 1, 2
_ALL_FLAGS: Final = _SUSPENDED | _WEAK
_PART: Final = struct.Struct("<B8sIIIHBBB")
_GRANT: Final = struct.Struct("<HHHH")
_EXEMPTION: Final = struct.Struct("<HHH")
_HEADER_BYTES: Final = FINGERPRINT_BYTES + 1
_ENDS_AT: Final = struct.calcsize("<B8sII")
_COUNTS_AT: Final = _PART.size - 3  # the counts of names, grants and exemptions close the fixed fields of a part


@dataclass(frozen=True, slots=True)
class Grant:
    """Measures in force over a span of service dates; `measures` and `explicit` are bit sets of `1 << Measure`."""

    measures: int
    explicit: int
    span: Span


@dataclass(frozen=True, slots=True)
class Exemption:
    """Measures released over a span of service dates. `measures` is a bit set of `1 << Measure`."""

    measures: int
    span: Span

    def covers(self, other: Exemption) -> bool:
        """Whether it releases all that the other does."""
        return not other.measures & ~self.measures and self.span.common(other.span) == other.span


@dataclass(frozen=True, slots=True)
class Part:
    """One holder's share in one entry.

    The entry restricts at instants `starts_at <= now < ends_at` (Unix seconds; None is open) and for service dates
    before `until_day` (None is open).
    `court` is the number of the court's code in the signed directory.
    """

    entry_ref: bytes
    court: int
    starts_at: int
    ends_at: int | None
    until_day: int | None
    names: tuple[bytes, ...]
    grants: tuple[Grant, ...]
    exemptions: tuple[Exemption, ...] = ()
    suspended: bool = False
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the list says about one token. `fingerprint` must equal the question's before any RESTRICTED."""

    fingerprint: bytes
    parts: tuple[Part, ...]


def encode(record: Record) -> bytes:
    """The canonical bytes of a record. Raises: struct.error when a number does not fit its field."""
    return b"".join([struct.pack("<8sB", record.fingerprint, len(record.parts)), *map(_encode_part, record.parts)])


def decode(raw: bytes) -> Record:
    """The record of these bytes. Raises: ValueError when they are not exactly one canonical record."""
    try:
        fingerprint, count = struct.unpack_from("<8sB", raw)
        offset = _HEADER_BYTES
        parts = []
        for _ in range(count):
            part, offset = _decode_part(raw, offset)
            parts.append(part)
    except struct.error as error:
        raise ValueError("record: truncated") from error
    if offset != len(raw):
        raise ValueError("record: trailing bytes")
    return Record(fingerprint, tuple(parts))


def is_canonical(raw: bytes) -> bool:
    """Whether `decode` takes these bytes. It walks lengths only, since a whole list passes here record by record."""
    size, at = len(raw), _HEADER_BYTES
    if size < at:
        return False
    for _ in range(raw[FINGERPRINT_BYTES]):
        if at + _PART.size > size or raw[at] > _ALL_FLAGS:
            return False
        counts = at + _COUNTS_AT
        names, grants, exemptions = raw[counts], raw[counts + 1], raw[counts + 2]
        at += _PART.size + NAME_TOKEN_BYTES * names + _GRANT.size * grants + _EXEMPTION.size * exemptions
    return at == size


def form_of(raw: bytes) -> bytes:
    """What decoding and deciding depend on: canonical records of one form differ in tokens, reference, court and begin.

    Those are compared or copied and never calculated with, so whoever has tried one record of a form has tried all.
    """
    pieces, at = [raw[FINGERPRINT_BYTES:_HEADER_BYTES]], _HEADER_BYTES
    for _ in range(raw[FINGERPRINT_BYTES]):
        counts = at + _COUNTS_AT
        names, grants, exemptions = raw[counts], raw[counts + 1], raw[counts + 2]
        after_names = at + _PART.size + NAME_TOKEN_BYTES * names
        end = after_names + _GRANT.size * grants + _EXEMPTION.size * exemptions
        pieces += raw[at : at + 1], raw[at + _ENDS_AT : at + _PART.size], raw[after_names:end]
        at = end
    return b"".join(pieces)


def _encode_part(part: Part) -> bytes:
    flags = _SUSPENDED * part.suspended | _WEAK * part.weak
    head = _PART.pack(
        flags, part.entry_ref, part.court, part.starts_at, part.ends_at or 0, part.until_day or 0,
        len(part.names), len(part.grants), len(part.exemptions),
    )  # fmt: skip
    grants = [_GRANT.pack(g.measures, g.explicit, g.span.start, g.span.until or 0) for g in part.grants]
    exemptions = [_EXEMPTION.pack(e.measures, e.span.start, e.span.until or 0) for e in part.exemptions]
    return b"".join([head, *part.names, *grants, *exemptions])


def _decode_part(raw: bytes, offset: int) -> tuple[Part, int]:
    flags, ref, court, starts, ends, until, names, grants, exemptions = _PART.unpack_from(raw, offset)
    if flags > _ALL_FLAGS:
        raise ValueError("record: unknown flags")
    at = offset + _PART.size
    name_tokens = tuple(raw[at + 8 * i : at + 8 * i + 8] for i in range(names))
    at += NAME_TOKEN_BYTES * names
    granted = tuple(
        Grant(measures, explicit, Span(start, end or None))
        for measures, explicit, start, end in (_GRANT.unpack_from(raw, at + _GRANT.size * i) for i in range(grants))
    )
    at += _GRANT.size * grants
    exempt = tuple(
        Exemption(measures, Span(start, end or None))
        for measures, start, end in (_EXEMPTION.unpack_from(raw, at + _EXEMPTION.size * i) for i in range(exemptions))
    )
    at += _EXEMPTION.size * exemptions
    part = Part(
        ref, court, starts, ends or None, until or None, name_tokens, granted, exempt,
        bool(flags & _SUSPENDED), bool(flags & _WEAK),
    )  # fmt: skip
    return part, at
