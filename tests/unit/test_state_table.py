"""The state table, cell by cell, written by hand from the design and compared with what the engine does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from restriction.calendar import Span
from restriction.events import EntryState, Status, apply, state_at
from restriction.lawful import measures_in
from restriction.measures import Measure
from restriction.statements import Retention
from restriction.states import TABLE, Clock, EventType, Phase, State, Word
from tests.fakes.court import BATCH, BODIES, NOW, day, event, held, instant, unit_entry

NEXT_MONTH = instant("2026-06-15T00:00:00")
RETAINED_BUILD = Retention(measures_in([Measure.BUILD]), day("2027-01-31"))

HELD_IN: dict[State, EntryState | None] = {
    State.NONE: None,
    State.PENDING: held(starts_at=NEXT_MONTH),
    State.ACTIVE: held(),
    State.SUSPENDED: held(Phase.SUSPENDED),
    State.LIFTED: held(Phase.LIFTED, lifted_in=BATCH.batch_id),
    State.RETAINED: held(Phase.RETAINED, retention=RETAINED_BUILD),
    State.EXPIRED: held(of=unit_entry(term=Span(day("2026-05-01"), day("2026-05-15")))),
    State.REVOKED: held(Phase.REVOKED),
    State.TOMBSTONE: EntryState(Phase.TOMBSTONE, None, "4408"),
    State.PURGED: EntryState(Phase.PURGED, None, "4408"),
}

# In the order of the design's table. A state means: accepted, and the entry then stands there.
EXPECTED = """
          LIST      CORRECT   LINK_ADD  OBJECT    EXEMPT    END_EXEMPT LINK_END  SUSPEND   RESUME   LIFT      REVOKE    RETAIN   PURGE
NONE      ACTIVE    rejected  rejected  rejected  held      held       held      held      rejected TOMBSTONE TOMBSTONE rejected rejected
PENDING   rejected  PENDING   PENDING   PENDING   PENDING   PENDING    PENDING   SUSPENDED rejected LIFTED    REVOKED   rejected rejected
ACTIVE    rejected  ACTIVE    ACTIVE    ACTIVE    ACTIVE    ACTIVE     ACTIVE    SUSPENDED rejected LIFTED    REVOKED   rejected rejected
SUSPENDED rejected  SUSPENDED SUSPENDED SUSPENDED SUSPENDED SUSPENDED  SUSPENDED SUSPENDED ACTIVE   LIFTED    REVOKED   rejected rejected
LIFTED    rejected  rejected  rejected  rejected  rejected  rejected   rejected  rejected  rejected LIFTED    REVOKED   RETAINED PURGED
RETAINED  rejected  RETAINED  rejected  rejected  RETAINED  RETAINED   RETAINED  rejected  rejected LIFTED    REVOKED   RETAINED rejected
EXPIRED   rejected  rejected  rejected  rejected  rejected  rejected   rejected  rejected  rejected EXPIRED   REVOKED   rejected PURGED
REVOKED   rejected  rejected  rejected  rejected  rejected  rejected   rejected  rejected  rejected REVOKED   REVOKED   rejected PURGED
TOMBSTONE overtaken rejected  rejected  rejected  rejected  rejected   rejected  rejected  rejected TOMBSTONE TOMBSTONE rejected PURGED
PURGED    overtaken rejected  rejected  rejected  rejected  rejected   rejected  rejected  rejected PURGED    PURGED    rejected PURGED
"""  # noqa: E501  one row a line, as in the design


def cells() -> Iterator[tuple[State, EventType, str]]:
    header, *rows = EXPECTED.strip().splitlines()
    for row in rows:
        state, *expected = row.split()
        yield from ((State(state), EventType(name), cell) for name, cell in zip(header.split(), expected, strict=True))


@pytest.mark.parametrize(("state", "kind", "expected"), list(cells()), ids=str)
def test_every_cell_of_the_table(state: State, kind: EventType, expected: str) -> None:
    before = HELD_IN[state]
    assert state_at(before, NOW) is state

    verdict = apply(before, event(kind), BATCH)

    if expected.islower():
        assert (verdict.status, verdict.state) == (Status(expected), None)
    else:
        assert verdict.status is Status.ACCEPTED
        assert state_at(verdict.state or before, NOW) is State(expected)


def test_the_hand_written_table_has_every_cell() -> None:
    assert {(state, kind) for state, kind, _ in cells()} == {(state, kind) for state in State for kind in EventType}


@pytest.mark.parametrize("state", State)
def test_what_an_event_leaves_unchanged_is_not_written_again(state: State) -> None:
    for kind in EventType:
        if TABLE[state][kind] is Word.SAME:
            assert apply(HELD_IN[state], event(kind), BATCH).state is None


CLOCK = {
    (State.PENDING, Clock.START): (held(starts_at=NEXT_MONTH), NEXT_MONTH, State.ACTIVE),
    (State.PENDING, Clock.END): (
        held(starts_at=NEXT_MONTH, of=unit_entry(term=Span(day("2026-05-01"), day("2026-06-01")))),
        instant("2026-06-01T00:00:00"),
        State.EXPIRED,
    ),
    (State.ACTIVE, Clock.END): (held(), instant("2027-05-01T00:00:00"), State.EXPIRED),
    (State.SUSPENDED, Clock.END): (held(Phase.SUSPENDED), instant("2027-05-01T00:00:00"), State.EXPIRED),
    (State.RETAINED, Clock.END): (HELD_IN[State.RETAINED], instant("2027-01-31T00:00:00"), State.LIFTED),
}


@pytest.mark.parametrize(("state", "column"), [(state, column) for state in State for column in Clock])
def test_the_clock_moves_an_entry_at_the_exact_second(state: State, column: Clock) -> None:
    if (state, column) not in CLOCK:
        before = HELD_IN[state]
        assert TABLE[state][column] is Word.NEVER
        assert column is Clock.START or state_at(before, instant("2050-01-01T00:00:00")) is state
        return
    before, at, after = CLOCK[state, column]
    assert state_at(before, at - 1) is state
    assert state_at(before, at - 0.001) is state
    assert state_at(before, at) is after
    assert TABLE[state][column] is after


def test_resume_returns_to_pending_while_the_start_is_to_come() -> None:
    verdict = apply(held(Phase.SUSPENDED, starts_at=NEXT_MONTH), event(EventType.RESUME), BATCH)

    assert state_at(verdict.state, NOW) is State.PENDING


def test_a_listing_that_starts_later_is_pending() -> None:
    later = replace(event(EventType.LIST, BODIES[EventType.LIST]), effective_at=NEXT_MONTH)

    assert state_at(apply(None, later, BATCH).state, NOW) is State.PENDING
