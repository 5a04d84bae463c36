"""Batches that wait for a second signer: what they are, and how they are approved, rejected or let go.

Rules that hold:
- A batch is decided once its submitter is done, or known to be gone: nothing of it comes after its decision.
- Approval is one transaction: what the approver signed is compared with what waits, and all of it may then be signed
  into the feed. A crash leaves the batch waiting, or approved and for `publish_queued` to sign.
- What a later event eased is no longer among what waits, so no approval brings it back.
- Rejection takes entries back to how they were, then lets every line about them that did not wait say its part again.
  What waited is kept under the batch; what waited of other batches goes to a human. Its events may be sent again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from publisher import tables
from publisher.approvers import Signed, Statement
from publisher.book import Book
from publisher.budget import LIMITS, Budget, Limits, Size
from publisher.gate import Gate
from publisher.holding import BatchState, Kind, Standing
from publisher.lines import LineReader, parse
from publisher.page import Line, Page, digest_of
from publisher.writing import Quarantined, Writing
from restriction.calendar import day_of
from restriction.change import Digest, ListId
from restriction.errors import SettingError
from restriction.events import Batch
from restriction.identity import Mode
from restriction.token import TokenKeys

_SHORTEST_ID: Final = 8  # characters of a batch id that suffice to name it
_ENTRIES_AT_ONCE: Final = 500
_ROWS: Final = 5_000
_COUNTED: Final[Mapping[Kind, str]] = {Kind.LISTS: "lists", Kind.CHANGES: "changes", Kind.LIFTS: "lifts"}


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A batch of which something waits: how many records it would list, change and lift."""

    batch_id: str
    state: BatchState
    begun_at: int
    lists: int
    changes: int
    lifts: int


@dataclass(frozen=True, slots=True)
class Bench:
    """Where approvals are given: the book, the keys and the mode of its list."""

    book: Book
    keys: TokenKeys
    mode: Mode
    limits: Limits = LIMITS

    def waiting(self) -> list[WaitingBatch]:
        """Every batch of which something waits, the oldest first."""
        with self.book.reading() as connection:
            return _waiting(connection)

    def find(self, name: str) -> WaitingBatch:
        """The batch whose id begins so. Raises: SettingError when none or several do, saying what became of it."""
        with self.book.reading() as connection:
            found = [batch for batch in _waiting(connection) if _is_named(batch.batch_id, name)]
            if len(found) == 1:
                return found[0]
            decided = _decided(connection, name)
        raise SettingError(decided or f"batch {name}: none waits under this id; see `lintel publisher status`")

    def statement(self, batch: WaitingBatch, list_id: ListId, decision: str) -> Statement:
        """What an approver of this batch signs."""
        with self.book.reading() as connection:
            waits = _what_waits(connection, batch.batch_id, self.keys.digest_key)
        return Statement(list_id, batch.batch_id, decision, *waits)

    def approve(self, signed: Signed, now_s: float) -> None:
        """Let the batch go, if it is still what was signed. Raises: SettingError otherwise."""
        statement = signed.statement
        with self.book.writing() as writing:
            _require_taken_in(writing.connection, statement.batch_id)
            _require_unchanged(writing.connection, statement, self.keys.digest_key)
            _record(writing.connection, signed, now_s)
            writing.holding.release(statement.batch_id, now_s, lifts=True)
            writing.holding.count(Size(), statement.lists + statement.changes + statement.lifts, now_s)
            writing.holding.close(statement.batch_id)

    def reject(self, signed: Signed, now_s: float) -> None:
        """Drop what waits for the batch, if it is still what was signed. Raises: SettingError otherwise."""
        batch_id = signed.statement.batch_id
        with self.book.writing() as writing:
            _require_taken_in(writing.connection, batch_id)
            _require_unchanged(writing.connection, signed.statement, self.keys.digest_key)
            _record(writing.connection, signed, now_s)
        while self._take_back(batch_id, now_s):
            pass
        with self.book.writing() as writing:
            writing.holding.close(batch_id)

    def settle_abandoned(self, now_s: float) -> None:
        """Judge batches whose submitter died, by what they brought. The caller knows that nobody submits."""
        with self.book.reading() as connection:
            abandoned = _open_batches(connection)
        for batch_id in abandoned:
            with self.book.writing() as writing:
                gate = Gate(writing.holding, writing.holding.standing(batch_id, now_s, self.limits), last=True)
                gate.pass_on(())
                gate.close(now_s)

    def _take_back(self, batch_id: str, now_s: float) -> bool:
        """Take some entries of a batch back; whether there were any."""
        with self.book.writing() as writing:
            before = _entries(writing.connection, batch_id)
            lines = _lines(writing.connection, list(before))
            _archive(writing, batch_id, lines)
            _restore(writing.connection, before, [line.event_id for line in lines])
            replayed = [line for line in lines if not line.waits]
            everything = Standing(batch_id, BatchState.OPEN, Size(), Budget(sys.maxsize))
            gate = Gate(writing.holding, everything, last=True)
            batch = Batch(batch_id, now_s)
            reader = LineReader(self.mode, day_of(now_s))
            read = [_read(reader, line.number, line.line) for line in replayed]
            page = Page(writing, read, self.keys, batch, gate)
            page.revisit(before, writing, gate)
            for line in read:
                page.take(line, reader)
            writing.save(page.writes(), now_s)
        return bool(before)


def _waiting(connection: sa.Connection) -> list[WaitingBatch]:
    batches, held = tables.batches, tables.held_shares
    rows = connection.execute(
        sa.select(batches.c.batch_id, batches.c.state, batches.c.begun_at, held.c.kind, sa.func.count())
        .join_from(batches, held, batches.c.batch_id == held.c.batch_id)
        .group_by(batches.c.batch_id, batches.c.state, batches.c.begun_at, held.c.kind)
        .order_by(batches.c.begun_at, batches.c.batch_id)
    )
    found: dict[str, WaitingBatch] = {}
    for batch_id, state, begun_at, kind, count in rows:
        known = found.get(batch_id) or WaitingBatch(batch_id, BatchState(state), begun_at, 0, 0, 0)
        found[batch_id] = replace(known, **{_COUNTED[Kind(kind)]: count})
    return list(found.values())


def _is_named(batch_id: str, name: str) -> bool:
    return batch_id == name or (len(name) >= _SHORTEST_ID and batch_id.startswith(name))


def _decided(connection: sa.Connection, name: str) -> str:
    """What was decided of a batch, in words; empty when nothing was."""
    table = tables.approvals
    rows = connection.execute(sa.select(table.c.batch_id, table.c.approver, table.c.decision).order_by(table.c.number))
    told = [row for row in rows if _is_named(row.batch_id, name)]
    return f"batch {name}: {told[-1].approver} decided `{told[-1].decision}`; nothing of it waits" if told else ""


def _open_batches(connection: sa.Connection) -> list[str]:
    table = tables.batches
    query = sa.select(table.c.batch_id).where(table.c.state == BatchState.OPEN.value)
    return list(connection.execute(query).scalars())


def _what_waits(connection: sa.Connection, batch_id: str, key: bytes) -> tuple[int, int, int, str]:
    """How many records a batch would list, change and lift, and one value for all of it, whatever its order."""
    table, digest, counts = tables.held_shares, Digest(key), Counter[int]()
    query = sa.select(table.c.token, table.c.entry_id, table.c.kind, table.c.share).where(table.c.batch_id == batch_id)
    for row in connection.execute(query, execution_options={"yield_per": _ROWS}):
        counts[row.kind] += 1
        digest.add(row.token, b"%d %s\0%s" % (row.kind, row.entry_id.encode(), row.share or b""))
    return counts[Kind.LISTS], counts[Kind.CHANGES], counts[Kind.LIFTS], digest.value.hex()


def _require_taken_in(connection: sa.Connection, batch_id: str) -> None:
    if batch_id in _open_batches(connection):
        raise SettingError(f"batch {batch_id}: still being taken in; wait until its submitter is done")


def _require_unchanged(connection: sa.Connection, statement: Statement, key: bytes) -> None:
    said = (statement.lists, statement.changes, statement.lifts, statement.digest)
    if _what_waits(connection, statement.batch_id, key) != said:
        raise SettingError(
            f"{statement.decision}: what waits has changed since it was signed; look again, and sign again"
        )


def _record(connection: sa.Connection, signed: Signed, now_s: float) -> None:
    said = signed.statement
    row = {
        "batch_id": said.batch_id, "approver": signed.approver, "decision": said.decision, "decided_at": int(now_s),
        "statement": said.to_bytes(), "signature": signed.signature,
    }  # fmt: skip
    connection.execute(sa.insert(tables.approvals), row)


def _entries(connection: sa.Connection, batch_id: str) -> dict[str, bytes | None]:
    """Some entries that wait for this batch, as they were before."""
    table = tables.held_entries
    query = sa.select(table.c.entry_id, table.c.body).where(table.c.batch_id == batch_id).limit(_ENTRIES_AT_ONCE)
    return dict(connection.execute(query).all())


def _lines(connection: sa.Connection, entry_ids: Sequence[str]) -> Sequence[sa.Row[tuple[object, ...]]]:
    table = tables.held_lines
    return connection.execute(sa.select(table).where(table.c.entry_id.in_(entry_ids)).order_by(table.c.number)).all()


def _archive(writing: Writing, batch_id: str, lines: Sequence[sa.Row[tuple[object, ...]]]) -> None:
    """Keep what waited: the batch's own lines as rejected, those of other batches for a human."""
    late = [line for line in lines if line.waits]
    own = [
        {"batch_id": batch_id, "event_id": line.event_id, "line": line.line} for line in late if line.source == batch_id
    ]
    tables.execute_many(writing.connection, sa.insert(tables.rejected_lines), own)
    writing.quarantine(
        Quarantined(line.event_id, line.entry_id, "batch", f"JOINED_REJECTED_BATCH {batch_id[:12]}", line.line)
        for line in late
        if line.source != batch_id
    )


def _restore(connection: sa.Connection, before: Mapping[str, bytes | None], event_ids: Sequence[str]) -> None:
    """Entries as they were, and events as if never heard."""
    table = tables.entries
    known = [{"entry_id": entry_id, "body": body} for entry_id, body in before.items() if body is not None]
    insert = tables.upsert(connection, table)
    again = insert.on_conflict_do_update(index_elements=["entry_id"], set_={"body": insert.excluded.body})
    tables.execute_many(connection, again, known)
    unknown = [entry_id for entry_id, body in before.items() if body is None]
    connection.execute(sa.delete(table).where(table.c.entry_id.in_(unknown)))
    connection.execute(sa.delete(tables.events).where(tables.events.c.event_id.in_(event_ids)))


def _read(reader: LineReader, number: int, raw: bytes) -> Line:
    return Line(number, raw, reader.event(parse(raw)), digest_of(raw))
