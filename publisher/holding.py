"""What waits for a second signer, inside one writing of the book.

Rules that hold:
- An entry's body is always what the courts have said; `shares` is what of it may be signed; what is said and may not be
  signed yet is in `held_shares`. Once nothing is held, shares are those of the bodies.
- An entry waits for one batch. Whatever burdens it later joins that wait; whatever eases it does not.
- An entry that waits keeps how it was before, and every line about it since, so that a batch can be rejected.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from publisher import bodies, tables
from publisher.budget import NORM_DAYS, Budget, Limits, Size, measure_of, norm_of
from restriction.calendar import day_of
from restriction.change import Lane
from restriction.events import EntryState
from restriction.parts import ends_at
from restriction.record import Record, decode, encode

_HOUR_S: Final = 3_600
_DAY_HOURS: Final = 24
_AT_ONCE: Final = 5_000  # values of one query; SQLite takes six times as many


class BatchState(enum.StrEnum):
    """Where a batch of a guarded list stands. One that went by itself is not kept."""

    FIRST_LOAD = "FIRST_LOAD"
    OPEN = "OPEN"
    WAITING = "WAITING"


class Kind(enum.IntEnum):
    """What a held share would do to the list."""

    LISTS = 1
    CHANGES = 2
    LIFTS = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """A batch so far, and what is plausible now."""

    batch_id: str
    state: BatchState
    size: Size
    budget: Budget


@dataclass(frozen=True, slots=True)
class Held:
    """A share that waits; None is to be taken away."""

    batch_id: str
    kind: Kind
    share: Record | None


@dataclass(frozen=True, slots=True)
class HeldLine:
    """A line about an entry that waits. `line` holds names and numbers."""

    entry_id: str
    event_id: str
    source: str
    waits: bool
    line: bytes = field(repr=False)


@dataclass(slots=True)
class Holds:
    """What one chunk of intake changes of what waits. A held share of None waits no longer."""

    shares: dict[tuple[bytes, str], Held | None] = field(default_factory=dict)
    entries: dict[str, tuple[str, EntryState | None]] = field(default_factory=dict)
    lines: list[HeldLine] = field(default_factory=list)
    freed: set[str] = field(default_factory=set)


class Holding:
    """What waits, seen and changed by one transaction."""

    def __init__(self, connection: sa.Connection, mark: int) -> None:
        self._connection = connection
        self._mark = mark

    def standing(self, batch_id: str, now_s: float, limits: Limits) -> Standing:
        """The batch, begun now when it is not known; a list without a record is on its first load."""
        table = tables.batches
        row = self._connection.execute(sa.select(table).where(table.c.batch_id == batch_id)).one_or_none()
        if row is None:
            state = BatchState.OPEN if self._listed() else BatchState.FIRST_LOAD
            begun = {"batch_id": batch_id, "state": state.value, "begun_at": int(now_s), "burdens": 0, "eases": 0}
            self._connection.execute(sa.insert(table), begun)
            return Standing(batch_id, state, Size(), self._budget(now_s, limits))
        return Standing(batch_id, BatchState(row.state), Size(row.burdens, row.eases), self._budget(now_s, limits))

    def entries(self, entry_ids: Collection[str]) -> dict[str, str]:
        """The batch that each of these entries waits for; one that waits for none is left out."""
        table = tables.held_entries
        query = sa.select(table.c.entry_id, table.c.batch_id).where(table.c.entry_id.in_(entry_ids))
        return dict(self._connection.execute(query).all())

    def shares(self, entry_ids: Collection[str]) -> dict[tuple[bytes, str], Held]:
        """What waits of these entries."""
        table = tables.held_shares
        tokens = sa.select(table).where(table.c.entry_id.in_(entry_ids))
        return {
            (row.token, row.entry_id): Held(row.batch_id, Kind(row.kind), decode(row.share) if row.share else None)
            for row in self._connection.execute(tokens)
        }

    def in_force(self, keys: Collection[tuple[bytes, str]]) -> dict[tuple[bytes, str], Record]:
        """The shares of these tokens and entries that may be signed."""
        table, found = tables.shares, {}
        tokens = iter({token for token, _ in keys})
        while some := list(islice(tokens, _AT_ONCE)):
            for row in self._connection.execute(sa.select(table).where(table.c.token.in_(some))):
                if (row.token, row.entry_id) in keys:
                    found[row.token, row.entry_id] = decode(row.share)
        return found

    def save(self, holds: Holds) -> None:
        """Write what a chunk changes of what waits."""
        connection = self._connection
        gone = [key for key, held in holds.shares.items() if held is None]
        tables.delete_shares(connection, tables.held_shares, gone)
        insert = tables.upsert(connection, tables.held_shares)
        fresh = {name: insert.excluded[name] for name in ("batch_id", "kind", "share", "ends_at")}
        rows = [_row(key, held) for key, held in holds.shares.items() if held is not None]
        again = insert.on_conflict_do_update(index_elements=["token", "entry_id"], set_=fresh)
        tables.execute_many(connection, again, rows)
        known = [
            {"entry_id": entry_id, "batch_id": batch_id, "body": bodies.encode(before) if before else None}
            for entry_id, (batch_id, before) in holds.entries.items()
        ]
        tables.execute_many(connection, tables.upsert(connection, tables.held_entries).on_conflict_do_nothing(), known)
        tables.execute_many(connection, sa.insert(tables.held_lines), [asdict(line) for line in holds.lines])
        for table in (tables.held_entries, tables.held_lines):
            its_own = sa.delete(table).where(table.c.entry_id == sa.bindparam("its_entry"))
            tables.execute_many(connection, its_own, [{"its_entry": entry_id} for entry_id in holds.freed])

    def move_on(self, standing: Standing) -> None:
        """Keep where the batch stands."""
        table = tables.batches
        change = {"state": standing.state.value, **asdict(standing.size)}
        self._connection.execute(sa.update(table).where(table.c.batch_id == standing.batch_id).values(change))

    def close(self, batch_id: str) -> None:
        """Forget a batch of which nothing waits."""
        self._connection.execute(sa.delete(tables.batches).where(tables.batches.c.batch_id == batch_id))

    def holds(self, batch_id: str) -> bool:
        """Whether anything waits for this batch."""
        table = tables.held_shares
        found = self._connection.execute(sa.select(table.c.token).where(table.c.batch_id == batch_id).limit(1))
        return found.first() is not None

    def release(self, batch_id: str, now_s: float, *, lifts: bool) -> None:
        """Let what waits for this batch be signed; its lifts only with `lifts`."""
        held = tables.held_shares
        mine = held.c.batch_id == batch_id
        if not lifts:
            mine &= held.c.kind != Kind.LIFTS.value
        self._mark_held(mine)
        alive = held.c.share.is_not(None) & (held.c.ends_at.is_(None) | (held.c.ends_at > int(now_s)))
        columns = ("token", "entry_id", "share", "ends_at")
        insert = tables.upsert(self._connection, tables.shares).from_select(
            columns, sa.select(*(held.c[name] for name in columns)).where(mine & alive)
        )
        fresh = {name: insert.excluded[name] for name in ("share", "ends_at")}
        self._connection.execute(insert.on_conflict_do_update(index_elements=["token", "entry_id"], set_=fresh))
        taken = sa.select(held.c.token).where(
            mine & ~alive & (held.c.token == tables.shares.c.token)
            & (held.c.entry_id == tables.shares.c.entry_id)
        )  # fmt: skip
        self._connection.execute(sa.delete(tables.shares).where(taken.exists()))
        self._connection.execute(sa.delete(held).where(mine))
        self._free_entries()

    def forget_ended(self, now_s: float) -> None:
        """Forget what waits and can no longer apply, and batches and entries of which nothing waits then.

        What would replace a share in force waits on: with it the person's way off the list would be forgotten.
        """
        held, batches, shares = tables.held_shares, tables.batches, tables.shares
        in_force = sa.select(shares.c.token).where(
            (shares.c.token == held.c.token) & (shares.c.entry_id == held.c.entry_id)
        )
        self._connection.execute(sa.delete(held).where((held.c.ends_at <= int(now_s)) & ~in_force.exists()))
        self._free_entries()
        waits = sa.select(held.c.token).where(held.c.batch_id == batches.c.batch_id).exists()
        done = (batches.c.state == BatchState.WAITING.value) & ~waits
        self._connection.execute(sa.delete(batches).where(done))

    def count(self, changed: Size, approved: int, now_s: float) -> None:
        """Add to what changed in this hour."""
        insert = tables.upsert(self._connection, tables.changed)
        more = {"burdens": changed.burdens, "eases": changed.eases, "approved": approved}
        if any(more.values()):
            sums = {name: tables.changed.c[name] + insert.excluded[name] for name in more}
            row = {"hour": _hour(now_s), **more}
            self._connection.execute(insert.on_conflict_do_update(index_elements=["hour"], set_=sums), row)
            old = tables.changed.c.hour < _hour(now_s) - (NORM_DAYS + 2) * _DAY_HOURS
            self._connection.execute(sa.delete(tables.changed).where(old))

    def _listed(self) -> int:
        state: Mapping[str, Any] = self._connection.execute(sa.select(tables.book.c.state)).scalar_one()
        return int(state["count"])

    def _budget(self, now_s: float, limits: Limits) -> Budget:
        table, spent = tables.changed, Size()
        days: defaultdict[int, int] = defaultdict(int)
        for row in self._connection.execute(sa.select(table)):
            days[day_of(row.hour * _HOUR_S)] += row.burdens + row.eases + row.approved
            if row.hour > _hour(now_s) - _DAY_HOURS:
                spent += Size(row.burdens, row.eases)
        today = day_of(now_s)
        first = max(min(days, default=today), today - NORM_DAYS)
        norm = norm_of([days[day] for day in range(first, today)])
        return Budget(measure_of(self._listed(), norm, limits), spent, limits)

    def _mark_held(self, mine: sa.ColumnElement[bool]) -> None:
        held = tables.held_shares
        lane = sa.case((held.c.kind == Kind.LIFTS.value, Lane.EASE.value), else_=Lane.BURDEN.value)
        marks = sa.select(held.c.token, sa.func.min(lane), sa.literal(self._mark)).where(mine).group_by(held.c.token)
        insert = tables.upsert(self._connection, tables.outbox).from_select(("token", "lane", "mark"), marks)
        self._connection.execute(tables.better_lane(insert))

    def _free_entries(self) -> None:
        """Entries of which nothing waits any more are as any other."""
        held, entries, lines = tables.held_shares, tables.held_entries, tables.held_lines
        waits = sa.select(held.c.token).where(held.c.entry_id == entries.c.entry_id).exists()
        self._connection.execute(sa.delete(entries).where(~waits))
        waits = sa.select(entries.c.entry_id).where(entries.c.entry_id == lines.c.entry_id).exists()
        self._connection.execute(sa.delete(lines).where(~waits))


def _row(key: tuple[bytes, str], held: Held) -> dict[str, Any]:
    token, entry_id = key
    share = encode(held.share) if held.share else None
    end = ends_at(held.share) if held.share else None
    return {
        "entry_id": entry_id, "token": token, "batch_id": held.batch_id, "kind": held.kind.value, "share": share,
        "ends_at": end,
    }  # fmt: skip


def _hour(now_s: float) -> int:
    return int(now_s // _HOUR_S)
