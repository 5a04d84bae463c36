"""One writing of the book: what a chunk of intake looks up and what it changes, in one transaction."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from publisher import bodies, tables
from publisher.holding import Holding, Holds
from restriction.change import Lane
from restriction.events import EntryState
from restriction.parts import ends_at
from restriction.record import Record, encode


@dataclasses.dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that a human must look at. `line` holds names and numbers."""

    event_id: str
    entry_id: str
    field: str
    reason: str
    line: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """An event that came before its LIST. `line` holds names and numbers."""

    entry_id: str
    line: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(slots=True)
class Writes:
    """What one chunk of intake changes. A share of None is taken away."""

    events: dict[str, bytes] = dataclasses.field(default_factory=dict)
    entries: dict[str, EntryState] = dataclasses.field(default_factory=dict)
    shares: dict[tuple[bytes, str], Record | None] = dataclasses.field(default_factory=dict)
    marks: dict[bytes, Lane] = dataclasses.field(default_factory=dict)
    waiting: list[Waiting] = dataclasses.field(default_factory=list)
    released: set[str] = dataclasses.field(default_factory=set)
    quarantine: dict[str, Quarantined] = dataclasses.field(default_factory=dict)
    wrong_hits: set[tuple[str, bytes]] = dataclasses.field(default_factory=set)
    holds: Holds = dataclasses.field(default_factory=Holds)


class Writing:
    """One transaction that writes. Nothing is seen by others before it ends."""

    def __init__(self, connection: sa.Connection, mark: int) -> None:
        self.connection = connection
        self._mark = mark
        self.holding = Holding(connection, mark)

    def events(self, event_ids: Collection[str]) -> dict[str, bytes]:
        """Digests of those of these events that are known."""
        table = tables.events
        query = sa.select(table.c.event_id, table.c.digest).where(table.c.event_id.in_(event_ids))
        return dict(self.connection.execute(query).all())

    def entries(self, entry_ids: Collection[str]) -> dict[str, EntryState]:
        """Those of these entries that are held."""
        table = tables.entries
        query = sa.select(table.c.entry_id, table.c.body).where(table.c.entry_id.in_(entry_ids))
        return {entry_id: bodies.decode(body) for entry_id, body in self.connection.execute(query)}

    def waiting(self, entry_ids: Collection[str]) -> dict[str, list[bytes]]:
        """Lines that wait for the LIST of these entries, in order of arrival."""
        table = tables.waiting
        query = (
            sa.select(table.c.entry_id, table.c.line).where(table.c.entry_id.in_(entry_ids)).order_by(table.c.number)
        )
        lines = defaultdict(list)
        for entry_id, line in self.connection.execute(query):
            lines[entry_id].append(line)
        return lines

    def save(self, writes: Writes, now_s: float) -> None:
        """Write it all."""
        self._save_events(writes)
        self._save_entries(writes)
        hits = [
            {"entry_id": entry_id, "token": token, "corrected_at": int(now_s)} for entry_id, token in writes.wrong_hits
        ]
        tables.execute_many(
            self.connection, tables.upsert(self.connection, tables.wrong_hits).on_conflict_do_nothing(), hits
        )
        self.mark(writes.marks)
        self.holding.save(writes.holds)

    def mark(self, lanes: Mapping[bytes, Lane]) -> None:
        """Put these tokens in the outbox; one that is there already keeps the better lane."""
        rows = [{"token": token, "lane": int(lane), "mark": self._mark} for token, lane in lanes.items()]
        insert = tables.better_lane(tables.upsert(self.connection, tables.outbox))
        tables.execute_many(self.connection, insert, rows)

    def quarantine(self, events: Iterable[Quarantined]) -> None:
        """Put these events before a human; one that is there already takes what is said now."""
        again = tables.upsert(self.connection, tables.quarantine)
        rows = [dataclasses.asdict(one) for one in events]
        fresh = {name: again.excluded[name] for name in ("entry_id", "field", "reason", "line")}
        tables.execute_many(self.connection, again.on_conflict_do_update(index_elements=["event_id"], set_=fresh), rows)

    def forget_ended(self, now_s: float, limit: int) -> list[bytes]:
        """Take away shares that can no longer apply, and forget those that wait; gives the tokens of the former."""
        table = tables.shares
        query = sa.select(table.c.token, table.c.entry_id).where(table.c.ends_at <= int(now_s)).limit(limit)
        ended = self.connection.execute(query).all()
        tables.delete_shares(self.connection, table, ended)
        self.holding.forget_ended(now_s)
        return [token for token, _ in ended]

    def _save_events(self, writes: Writes) -> None:
        known = [{"event_id": event_id, "digest": digest} for event_id, digest in writes.events.items()]
        tables.execute_many(self.connection, sa.insert(tables.events), known)
        done = sa.delete(tables.quarantine).where(tables.quarantine.c.event_id.in_(list(writes.events)))
        self.connection.execute(done)
        self.quarantine(writes.quarantine.values())
        if writes.released:
            gone = sa.delete(tables.waiting).where(tables.waiting.c.entry_id.in_(writes.released))
            self.connection.execute(gone)
        tables.execute_many(
            self.connection, sa.insert(tables.waiting), [dataclasses.asdict(one) for one in writes.waiting]
        )

    def _save_entries(self, writes: Writes) -> None:
        entries = tables.upsert(self.connection, tables.entries)
        tables.execute_many(
            self.connection,
            entries.on_conflict_do_update(index_elements=["entry_id"], set_={"body": entries.excluded.body}),
            [{"entry_id": entry_id, "body": bodies.encode(state)} for entry_id, state in writes.entries.items()],
        )
        gone = [key for key, share in writes.shares.items() if share is None]
        tables.delete_shares(self.connection, tables.shares, gone)
        shares = tables.upsert(self.connection, tables.shares)
        tables.execute_many(
            self.connection,
            shares.on_conflict_do_update(
                index_elements=["token", "entry_id"],
                set_={"share": shares.excluded.share, "ends_at": shares.excluded.ends_at},
            ),
            [
                {"token": token, "entry_id": entry_id, "share": encode(share), "ends_at": ends_at(share)}
                for (token, entry_id), share in writes.shares.items()
                if share is not None
            ],
        )
