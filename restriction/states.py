"""The states of an entry and what each event does to them: the table of the design, as data.

Rules for editing: a row is a state, a column an event, in the order of the design's table, so that both can be laid
side by side; a cell names the state after the event, or one of the words below.
The clock's states (PENDING, ACTIVE, EXPIRED, and LIFTED after a retention) are computed from `now` and never stored;
what is stored is the phase.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class EventType(enum.StrEnum):
    """What a court can say about an entry."""

    LIST = "LIST"
    CORRECT = "CORRECT"
    LINK_ADD = "LINK_ADD"
    OBJECT = "OBJECT"
    EXEMPT = "EXEMPT"
    END_EXEMPT = "END_EXEMPT"
    LINK_END = "LINK_END"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    LIFT = "LIFT"
    REVOKE = "REVOKE"
    RETAIN = "RETAIN"
    PURGE = "PURGE"


# What can only release somebody. CORRECT is not among them: it may move an entry to another document.
EASING: Final = frozenset(
    {EventType.EXEMPT, EventType.LINK_END, EventType.SUSPEND, EventType.LIFT, EventType.REVOKE}
)  # fmt: skip


class State(enum.StrEnum):
    """Where an entry stands at an instant."""

    NONE = "NONE"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    LIFTED = "LIFTED"
    RETAINED = "RETAINED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    TOMBSTONE = "TOMBSTONE"
    PURGED = "PURGED"


class Word(enum.StrEnum):
    """Cells that are no state."""

    REJECT = "REJECT"
    HELD = "HELD"  # kept until the entry is listed, then applied
    SAME = "SAME"  # accepted, nothing changes
    OVERTAKEN = "OVERTAKEN"  # reported, no effect
    BY_CLOCK = "BY_CLOCK"  # PENDING or ACTIVE
    NEVER = "NEVER"  # the clock does nothing here


class Phase(enum.StrEnum):
    """What is stored of a state: all but the clock's part of it."""

    LISTED = "LISTED"
    SUSPENDED = "SUSPENDED"
    LIFTED = "LIFTED"
    RETAINED = "RETAINED"
    REVOKED = "REVOKED"
    TOMBSTONE = "TOMBSTONE"
    PURGED = "PURGED"


class Clock(enum.StrEnum):
    """The two things that time alone does."""

    START = "START"
    END = "END"


Cell = State | Word
Column = EventType | Clock

_E, _S, _W = EventType, State, Word
_COLUMNS: Final[tuple[tuple[Column, ...], ...]] = (
    (_E.LIST,), (_E.CORRECT,), (_E.LINK_ADD, _E.OBJECT), (_E.EXEMPT, _E.END_EXEMPT, _E.LINK_END), (_E.SUSPEND,),
    (_E.RESUME,), (_E.LIFT,), (_E.REVOKE,), (_E.RETAIN,), (Clock.START,), (Clock.END,), (_E.PURGE,),
)  # fmt: skip

# Short spellings keep a row on a line; `?` is PENDING or ACTIVE by the clock.
_WORDS: Final[Mapping[str, Word]] = {
    "x": _W.REJECT, "h": _W.HELD, "=": _W.SAME, "-": _W.NEVER, "o": _W.OVERTAKEN, "?": _W.BY_CLOCK,
}  # fmt: skip

_ROWS: Final = """
from      | LIST | CORRECT   | LINK_ADD  | EXEMPT..  | SUSPEND   | RESUME | LIFT      | REVOKE    | RETAIN   | start  | end     | PURGE
NONE      | ?    | x         | x         | h         | h         | x      | TOMBSTONE | TOMBSTONE | x        | -      | -       | x
PENDING   | x    | PENDING   | PENDING   | PENDING   | SUSPENDED | x      | LIFTED    | REVOKED   | x        | ACTIVE | EXPIRED | x
ACTIVE    | x    | ACTIVE    | ACTIVE    | ACTIVE    | SUSPENDED | x      | LIFTED    | REVOKED   | x        | -      | EXPIRED | x
SUSPENDED | x    | SUSPENDED | SUSPENDED | SUSPENDED | =         | ?      | LIFTED    | REVOKED   | x        | -      | EXPIRED | x
LIFTED    | x    | x         | x         | x         | x         | x      | =         | REVOKED   | RETAINED | -      | -       | PURGED
RETAINED  | x    | RETAINED  | x         | RETAINED  | x         | x      | LIFTED    | REVOKED   | RETAINED | -      | LIFTED  | x
EXPIRED   | x    | x         | x         | x         | x         | x      | =         | REVOKED   | x        | -      | -       | PURGED
REVOKED   | x    | x         | x         | x         | x         | x      | =         | =         | x        | -      | -       | PURGED
TOMBSTONE | o    | x         | x         | x         | x         | x      | =         | =         | x        | -      | -       | PURGED
PURGED    | o    | x         | x         | x         | x         | x      | =         | =         | x        | -      | -       | =
"""  # noqa: E501  one row a line, beside the design's table

_PHASES: Final[Mapping[Cell, Phase]] = {
    _S.PENDING: Phase.LISTED,
    _S.ACTIVE: Phase.LISTED,
    _W.BY_CLOCK: Phase.LISTED,
    _S.SUSPENDED: Phase.SUSPENDED,
    _S.LIFTED: Phase.LIFTED,
    _S.RETAINED: Phase.RETAINED,
    _S.REVOKED: Phase.REVOKED,
    _S.TOMBSTONE: Phase.TOMBSTONE,
    _S.PURGED: Phase.PURGED,
}


def phase_of(cell: Cell) -> Phase:
    """What is stored of the state that a cell leads to. Raises: KeyError for a cell that leads nowhere."""
    return _PHASES[cell]


def _cell(text: str) -> Cell:
    return _WORDS.get(text) or State(text)


def _read(rows: str) -> Mapping[State, Mapping[Column, Cell]]:
    table: dict[State, Mapping[Column, Cell]] = {}
    for line in rows.strip().splitlines()[1:]:
        state, *cells = (text.strip() for text in line.split("|"))
        columns = zip(_COLUMNS, cells, strict=True)
        table[State(state)] = {column: _cell(text) for group, text in columns for column in group}
    return table


TABLE: Final = _read(_ROWS)
