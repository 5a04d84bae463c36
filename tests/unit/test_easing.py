"""What a change eases, apart from what it burdens."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from restriction.calendar import Span
from restriction.change import Lane
from restriction.easing import eased
from restriction.parts import lane_between
from restriction.record import Exemption, Grant, Part, Record

_DAYS = st.integers(1, 4)
_SPANS = st.builds(Span, _DAYS, st.none() | _DAYS)
_MEASURES = st.integers(1, 3)
_PARTS = st.builds(
    Part,
    entry_ref=st.just(bytes(8)),
    court=st.just(1),
    starts_at=st.integers(0, 3),
    ends_at=st.none() | st.integers(1, 4),
    until_day=st.none() | _DAYS,
    names=st.sets(st.sampled_from([b"a" * 8, b"b" * 8]), min_size=1).map(lambda names: tuple(sorted(names))),
    grants=st.lists(st.builds(Grant, _MEASURES, st.just(0), _SPANS), min_size=1, max_size=2).map(tuple),
    exemptions=st.lists(st.builds(Exemption, _MEASURES, _SPANS), max_size=2).map(tuple),
    suspended=st.booleans(),
    weak=st.booleans(),
)
_SHARES = st.none() | st.lists(_PARTS, min_size=1, max_size=2).map(lambda parts: Record(bytes(8), tuple(parts)))
_QUESTIONS = [
    (name, measure, day, now_s) for name in (b"a" * 8, b"b" * 8) for measure in (1, 2) for day in range(6)
    for now_s in range(5)
]  # fmt: skip


def restricts(share: Record | None, name: bytes, measure: int, day: int, now_s: int) -> bool:
    return share is not None and any(
        name in part.names
        and not part.suspended
        and part.starts_at <= now_s
        and (part.ends_at is None or now_s < part.ends_at)
        and (part.until_day is None or day < part.until_day)
        and any(grant.measures & measure and grant.span.contains(day) for grant in part.grants)
        and not any(exempt.measures & measure and exempt.span.contains(day) for exempt in part.exemptions)
        for part in share.parts
    )


@given(_SHARES, _SHARES)
def test_what_is_in_force_meanwhile_restricts_exactly_what_both_shares_do(old: Record, new: Record) -> None:
    common = eased(old, new)

    for question in _QUESTIONS:
        assert restricts(common, *question) is (restricts(old, *question) and restricts(new, *question))


PART = Part(bytes(8), 1, 0, None, None, (b"a" * 8,), (Grant(3, 0, Span(1, 9)), Grant(4, 0, Span(2))))
SHARE = Record(bytes(8), (PART, replace(PART, names=(b"b" * 8,))))


def _with(**changes: object) -> Record:
    return replace(SHARE, parts=(replace(PART, **changes), SHARE.parts[1]))  # type: ignore[arg-type]  # fields of a part


def test_a_change_that_only_eases_goes_as_it_is() -> None:
    for new in (
        _with(exemptions=(Exemption(1, Span(1, 3)),)),
        _with(suspended=True),
        _with(ends_at=7),
        _with(grants=(Grant(3, 0, Span(1, 4)),)),
        replace(SHARE, parts=SHARE.parts[1:]),
        None,
    ):
        assert eased(SHARE, new) == new
        assert lane_between(SHARE, new) is Lane.EASE


def test_of_a_change_that_only_burdens_nothing_goes() -> None:
    for old in (_with(exemptions=(Exemption(1, Span(1, 3)),)), _with(suspended=True), None):
        assert eased(old, SHARE) == old
        assert lane_between(old, SHARE) is Lane.BURDEN
