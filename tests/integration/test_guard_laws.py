"""The guard's laws, against the same events on a list without a guard: any order of batches, approvals and lifts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from publisher import tables
from restriction.record import Record, decode
from tests.fakes.books import sqlite_url
from tests.fakes.court import NOW, Json, exempt_line, head, lift_line, list_line, number
from tests.fakes.second_signers import SMALL, GuardedCourt, guarded_court
from tests.unit.test_easing import restricts

_PEOPLE: Final = range(1, 7)


def _line(kind: str, person: int, step: int) -> Json:
    entry = {"entry_id": f"n-{person}"}
    lines: Mapping[str, Json] = {
        "LIST": list_line(person),
        "LIFT": lift_line(person),
        "SUSPEND": head("SUSPEND", "", **entry),
        "RESUME": head("RESUME", "", **entry),
        "EXEMPT": exempt_line(person, id=f"x-{step}"),
        "END": head("END_EXEMPT", "", **entry, exemption_id="x-0"),
        # Another person's document: two entries on one record.
        "CORRECT": head("CORRECT", "", **entry, version=step + 2, changes={"subject": {"documents": [
            {"type": "RESIDENT_ID", "number": number(person)}, {"type": "RESIDENT_ID", "number": number(person + 1)},
        ]}}),
    }  # fmt: skip
    return lines[kind] | {"event_id": f"e-{step}"}


_EVENTS = st.tuples(
    st.sampled_from(["LIST", "LIST", "LIFT", "SUSPEND", "RESUME", "EXEMPT", "END", "CORRECT"]),
    st.sampled_from(_PEOPLE),
)
_BATCHES = st.lists(_EVENTS, min_size=1, max_size=8)
_STEPS = st.lists(_BATCHES | st.integers(0, 3), min_size=1, max_size=8)


# A run publishes two whole books and takes a fifth of a second.
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_STEPS, chunk_lines=st.sampled_from([1, 3, 100]), lifts_go=st.booleans())
# A lift of an entry of which only a part waits.
@example(steps=[[("LIST", 5)], [("CORRECT", 5), ("LIFT", 5), ("LIST", 6)]], chunk_lines=1, lifts_go=True)
def test_the_guard_delays_burdens_and_nothing_else(
    *, steps: list[list[tuple[str, int]] | int], chunk_lines: int, lifts_go: bool
) -> None:
    limits = replace(SMALL, lift_factor=1_000) if lifts_go else SMALL
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "free").mkdir()
        with (
            guarded_court(directory, sqlite_url(directory), limits) as guarded,
            guarded_court(directory / "free", sqlite_url(directory / "free"), None) as free,
        ):
            first = [list_line(1), exempt_line(1, id="x-0") | {"event_id": "x"}, list_line(9)]
            guarded.begin(*first)
            free.begin(*first)
            for step, what in enumerate(steps):
                if isinstance(what, int):
                    _approve(guarded, what)
                else:
                    lines = [_line(kind, person, step * 100 + at) for at, (kind, person) in enumerate(what)]
                    guarded.submit(*lines, batch=f"batch-{step:04}", chunk_lines=chunk_lines)
                    free.submit(*lines, batch=f"batch-{step:04}", chunk_lines=chunk_lines)
                if lifts_go:
                    _require_no_more(_listed(guarded), _listed(free))
                if not guarded.waiting():
                    assert _listed(guarded) == _listed(free)
            while guarded.waiting():
                _approve(guarded, 0)
            assert _listed(guarded) == _listed(free)


def _listed(court: GuardedCourt) -> dict[bytes, Record]:
    with court.book.reading() as connection:
        return {row.token: decode(row.record) for row in connection.execute(sa.select(tables.published))}


def _approve(court: GuardedCourt, which: int) -> None:
    waiting = court.waiting()
    if which < len(waiting):
        court.approve(waiting[which].batch_id)


_NAMES_AND_TIMES: Final = [
    (measure, day, NOW) for measure in (1, 2) for day in (20_588, 20_594, 20_600)
]  # a day before, in and after the exemptions


def _require_no_more(guarded: Mapping[bytes, Record], free: Mapping[bytes, Record]) -> None:
    """Whoever is restricted is so by what the courts say now, lifts included."""
    for token, record in guarded.items():
        for part in record.parts:
            own = Record(record.fingerprint, (part,))
            for name in part.names:
                for measure, day, now_s in _NAMES_AND_TIMES:
                    if restricts(own, name, measure, day, now_s):
                        assert restricts(free.get(token), name, measure, day, now_s)
