"""The court side's book: every entry with its names and numbers, what it puts on the list, and what waits to be signed.

Rules that hold:
- One writing is one transaction: the events of a chunk, the entries, their shares and the marks in the outbox are there
  together or not at all.
- Writers queue: a writing locks the book's one row before it reads.
- The record of a token is made from the shares of all entries that hold it, when it is drawn for signing; so the last
  writing wins, whatever the order in which marks were made.
- An outbox mark is deleted only by the publication of a record drawn after it.

Whoever signs needs neither names nor keys: shares are tokens already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final, Self

import sqlalchemy as sa

from publisher import tables
from publisher.writing import Quarantined, Writing
from restriction.change import Change, Lane, ListId, ListState
from restriction.errors import SettingError
from restriction.parts import record_of
from restriction.record import decode, encode

SWEEP_LIMIT: Final = 5_000
_READ_ROWS: Final = 5_000
_PARTITION_END: Final = 255


class Book:
    """One book. Several processes may hold it open; close it when done."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        # The last drawn records by token, with the outbox marks that they answer.
        self._drawn: dict[bytes, tuple[int, bytes]] = {}

    @classmethod
    def create(cls, url: str, state: ListState) -> Self:
        """The book at this URL, made with this (empty) list when there is none. Raises: SettingError."""
        engine = tables.connect(url)
        tables.metadata.create_all(engine)
        with engine.connect().execution_options(**{tables.WRITES: True}) as connection, connection.begin():
            first = tables.upsert(connection, tables.book).on_conflict_do_nothing()
            connection.execute(first, {"one": 1, "mark": 0, "state": _stated(state)})
        return cls(engine)

    @classmethod
    def open(cls, url: str) -> Self:
        """The book at this URL. Raises: SettingError when there is none."""
        engine = tables.connect(url)
        if not tables.are_made(engine):
            engine.dispose()
            raise SettingError("book: there is none at this URL; restore it, or found a list with `init`")
        tables.metadata.create_all(engine)  # a book of an earlier release has fewer tables
        return cls(engine)

    def close(self) -> None:
        """Let go of connections."""
        self._engine.dispose()

    @property
    def state(self) -> ListState:
        """The state that the published records amount to."""
        with self._engine.connect() as connection:
            return _read_state(connection.execute(sa.select(tables.book.c.state)).scalar_one())

    @property
    def waiting(self) -> int:
        """How many tokens wait to be looked at."""
        return self._count(tables.outbox)

    @property
    def easing(self) -> int:
        """How many tokens that wait were eased; they are always few."""
        query = sa.select(sa.func.count()).where(tables.outbox.c.lane == int(Lane.EASE))
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    @property
    def newest_mark(self) -> int:
        """The number of the last writing."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(tables.book.c.mark)).scalar_one())

    def lane_since(self, mark: int) -> Lane | None:
        """The lane of the last token to be signed of those that writings after this one marked; None: none waits."""
        query = sa.select(sa.func.max(tables.outbox.c.lane)).where(tables.outbox.c.mark > mark)
        with self._engine.connect() as connection:
            lane = connection.execute(query).scalar_one()
        return None if lane is None else Lane(lane)

    def is_waiting(self, lane: Lane, mark: int) -> bool:
        """Whether a token of this lane or a better one waits that a writing after this one marked."""
        table = tables.outbox
        query = sa.select(sa.exists().where(table.c.lane <= int(lane), table.c.mark > mark))
        with self._engine.connect() as connection:
            return bool(connection.execute(query).scalar_one())

    @property
    def entries(self) -> int:
        """How many entries are held, in whatever state."""
        return self._count(tables.entries)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A transaction of intake; committed at the end, or undone whole when an error leaves it."""
        with self._write() as connection:
            number = sa.update(tables.book).values(mark=tables.book.c.mark + 1).returning(tables.book.c.mark)
            yield Writing(connection, connection.execute(number).scalar_one())

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A look at the tables that holds nobody up."""
        with self._engine.connect() as connection:
            yield connection

    def sweep(self, now_s: float) -> int:
        """Mark tokens whose share of an entry has ended by the clock, so that it leaves the list; says how many."""
        swept = 0
        while True:
            with self.writing() as writing:
                tokens = writing.forget_ended(now_s, SWEEP_LIMIT)
                writing.mark(dict.fromkeys(tokens, Lane.EASE))
            swept += len(tokens)
            if len(tokens) < SWEEP_LIMIT:
                return swept

    def next_changes(self, limit: int) -> list[Change]:
        """The changes to sign next, those that ease first, one for each token; empty when nothing waits."""
        while True:
            drawn, changes = self._draw(limit)
            changed = {change.token for change in changes}
            self._delete_marks({token: mark for token, mark in drawn.items() if token not in changed})
            if changes or not drawn:
                self._drawn = {change.token: (drawn[change.token], change.record) for change in changes}
                return changes

    def published(self, tokens: Iterable[bytes]) -> dict[bytes, bytes]:
        """The published records of these tokens; a token without one is left out."""
        with self._engine.connect() as connection:
            return _published(connection, list(tokens))

    def published_records(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """All published records of a partition (first token byte), in token order."""
        table = tables.published
        query = sa.select(table.c.token, table.c.record).where(table.c.token >= bytes([partition]))
        if partition < _PARTITION_END:
            query = query.where(table.c.token < bytes([partition + 1]))
        with self._engine.connect().execution_options(yield_per=_READ_ROWS) as connection:
            yield from connection.execute(query.order_by(table.c.token))

    def mark_published(self, changes: Sequence[Change], state: ListState) -> None:
        """Take these changes out of the outbox and into the published records, in one step. Doing it twice is once."""
        records = [{"token": change.token, "record": change.record} for change in changes if change.record]
        removed = [{"its_token": change.token} for change in changes if not change.record]
        with self._write() as connection:
            if records:
                insert = tables.upsert(connection, tables.published)
                newer = {"record": insert.excluded.record}
                connection.execute(insert.on_conflict_do_update(index_elements=["token"], set_=newer), records)
            if removed:
                gone = sa.delete(tables.published).where(tables.published.c.token == sa.bindparam("its_token"))
                connection.execute(gone, removed)
            answered = {change.token: mark for change in changes if (mark := self._answered_by(change))}
            _delete_marks(connection, answered)
            connection.execute(sa.update(tables.book).values(state=_stated(state)))
        for token in answered:
            del self._drawn[token]

    def quarantined(self) -> list[Quarantined]:
        """What a human must look at."""
        table = tables.quarantine
        with self._engine.connect() as connection:
            return [Quarantined(**row) for row in connection.execute(sa.select(table).order_by("event_id")).mappings()]

    def wrong_hits(self) -> list[tuple[str, bytes, int]]:
        """Entry, token and Unix seconds of every document number that a correction withdrew."""
        table = tables.wrong_hits
        query = sa.select(table.c.entry_id, table.c.token, table.c.corrected_at)
        with self._engine.connect() as connection:
            return list(connection.execute(query).all())

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._engine.connect().execution_options(**{tables.WRITES: True}) as connection, connection.begin():
            yield connection

    def _answered_by(self, change: Change) -> int | None:
        """The outbox mark that this change answers; none when it was not drawn, or another record was."""
        mark, record = self._drawn.get(change.token, (None, b""))
        return mark if record == change.record else None

    def _count(self, table: sa.Table) -> int:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()

    def _draw(self, limit: int) -> tuple[dict[bytes, int], list[Change]]:
        """Marks by token, and the changes among them that differ from what is published."""
        table = tables.outbox
        query = sa.select(table).order_by(table.c.lane, table.c.mark, table.c.token).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
            tokens = [row.token for row in rows]
            before, after = _published(connection, tokens), _records(connection, tokens)
        changes = [
            Change(row.token, after.get(row.token, b""), Lane(row.lane))
            for row in rows
            if after.get(row.token, b"") != before.get(row.token, b"")
        ]
        return {row.token: row.mark for row in rows}, changes

    def _delete_marks(self, marks: Mapping[bytes, int]) -> None:
        if marks:
            with self._write() as connection:
                _delete_marks(connection, marks)


def _published(connection: sa.Connection, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
    table = tables.published
    query = sa.select(table.c.token, table.c.record).where(table.c.token.in_(tokens))
    return dict(connection.execute(query).all())


def _records(connection: sa.Connection, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
    table = tables.shares
    query = sa.select(table.c.token, table.c.share).where(table.c.token.in_(tokens))
    held: dict[bytes, list[bytes]] = defaultdict(list)
    for token, share in connection.execute(query):
        held[token].append(share)
    return {token: _record(own) for token, own in held.items()}


def _record(own: Sequence[bytes]) -> bytes:
    """The record of one token; a single share is one already."""
    if len(own) == 1:
        return own[0]
    record = record_of(map(decode, own))
    return encode(record) if record else b""


def _delete_marks(connection: sa.Connection, marks: Mapping[bytes, int]) -> None:
    table = tables.outbox
    gone = sa.delete(table).where(table.c.token == sa.bindparam("its_token"), table.c.mark <= sa.bindparam("its_mark"))
    if marks:
        connection.execute(gone, [{"its_token": token, "its_mark": mark} for token, mark in marks.items()])


def _stated(state: ListState) -> dict[str, Any]:
    return asdict(state) | {"digest": state.digest.hex()}


def _read_state(raw: Mapping[str, Any]) -> ListState:
    return ListState(
        list_id=ListId(**raw["list_id"]),
        version=raw["version"],
        digest=bytes.fromhex(raw["digest"]),
        count=raw["count"],
        key_id=raw["key_id"],
    )
