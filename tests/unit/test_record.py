"""One record has one byte form, and whoever only looks at the bytes agrees with whoever reads them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from restriction.calendar import Span
from restriction.record import Exemption, Grant, Part, Record, decode, encode, is_canonical

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
UNTIL = st.none() | st.integers(1, 0xFFFF)
SPANS = st.builds(Span, U16, UNTIL)
TOKENS = st.binary(min_size=8, max_size=8)
PARTS = st.builds(
    Part,
    entry_ref=TOKENS,
    court=U32,
    starts_at=U32,
    ends_at=st.none() | st.integers(1, 0xFFFFFFFF),
    until_day=UNTIL,
    names=st.lists(TOKENS, max_size=3).map(tuple),
    grants=st.lists(st.builds(Grant, U16, U16, SPANS), max_size=3).map(tuple),
    exemptions=st.lists(st.builds(Exemption, U16, SPANS), max_size=3).map(tuple),
    suspended=st.booleans(),
    weak=st.booleans(),
)
RECORDS = st.builds(Record, TOKENS, st.lists(PARTS, max_size=3).map(tuple))
PLAIN = encode(Record(bytes(8), (Part(bytes(8), 1, 1, None, None, (bytes(8),), (Grant(1, 0, Span(1)),)),)))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A record's bytes with one byte altered, or a piece cut out or put in."""
    raw = encode(draw(RECORDS))
    at = draw(st.integers(0, len(raw)))
    return raw[:at] + draw(st.binary(max_size=3)) + raw[at + draw(st.integers(0, 3)) :]


@given(RECORDS)
def test_a_record_survives_its_byte_form(record: Record) -> None:
    raw = encode(record)
    assert decode(raw) == record
    assert is_canonical(raw)


@given(st.binary(max_size=120) | mutated())
@example(b"")
@example(bytes(9))
@example(bytes(8))
@example(PLAIN[:-1])
@example(PLAIN + b"\0")
def test_the_look_at_lengths_takes_what_decode_takes_and_encode_gives_back(raw: bytes) -> None:
    try:
        readable = encode(decode(raw)) == raw
    except ValueError:
        readable = False
    assert is_canonical(raw) == readable


@pytest.mark.parametrize("bit", range(2, 8))
def test_a_record_with_an_unknown_flag_is_refused(bit: int) -> None:
    raw = bytearray(PLAIN)
    raw[9] |= 1 << bit
    assert not is_canonical(bytes(raw))
    with pytest.raises(ValueError, match="flags"):
        decode(bytes(raw))
