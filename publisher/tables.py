"""The book's tables, the same on SQLite and PostgreSQL, and how a connection to each is made.

SQLite: write-ahead log, synchronous FULL (what was reported is on disk), a busy timeout, and a writer that takes its
lock at once, so that two writers queue and never fail half way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection

from restriction.errors import SettingError

WRITES: Final = "lintel_writes"  # execution option of a connection that is going to write
_BUSY_TIMEOUT_S: Final = 30  # a chunk of intake is committed in a second; more is an operator's copy or a full disk
_CACHE_KIB: Final = 65_536

metadata: Final = sa.MetaData()

# Every event that had an effect or waits for its LIST, so that it is applied once.
events: Final = sa.Table(
    "events", metadata,
    sa.Column("event_id", sa.String, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
# Every entry as `publisher.bodies` writes it. Names and numbers are here, in `waiting`, `quarantine`, `held_entries`,
# `held_lines` and `rejected_lines` alone.
entries: Final = sa.Table(
    "entries", metadata,
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)  # fmt: skip
# What each entry alone puts on the list: one encoded record by token, and when nothing of it can apply any more.
shares: Final = sa.Table(
    "shares", metadata,
    sa.Column("token", sa.LargeBinary, primary_key=True),
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("share", sa.LargeBinary, nullable=False),
    sa.Column("ends_at", sa.BigInteger),
    sa.Index("shares_ends_at", "ends_at", sqlite_where=sa.text("ends_at IS NOT NULL")),
    sqlite_with_rowid=False,
)  # fmt: skip
# Events that came before their LIST, in order of arrival.
waiting: Final = sa.Table(
    "waiting", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("entry_id", sa.String, nullable=False, index=True),
    sa.Column("line", sa.LargeBinary, nullable=False),
)  # fmt: skip
# What a human must look at.
quarantine: Final = sa.Table(
    "quarantine", metadata,
    sa.Column("event_id", sa.String, primary_key=True),
    sa.Column("entry_id", sa.String, nullable=False),
    sa.Column("field", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("line", sa.LargeBinary, nullable=False),
)  # fmt: skip
# Whom a wrong document number hit before it was corrected.
wrong_hits: Final = sa.Table(
    "wrong_hits", metadata,
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("token", sa.LargeBinary, primary_key=True),
    sa.Column("corrected_at", sa.BigInteger, nullable=False),
)  # fmt: skip
# Tokens whose record may have changed since it was published; `mark` is the writing that said so last.
outbox: Final = sa.Table(
    "outbox", metadata,
    sa.Column("token", sa.LargeBinary, primary_key=True),
    sa.Column("lane", sa.SmallInteger, nullable=False),
    sa.Column("mark", sa.BigInteger, nullable=False),
    sa.Index("outbox_order", "lane", "mark", "token"),
    sqlite_with_rowid=False,
)  # fmt: skip
published: Final = sa.Table(
    "published", metadata,
    sa.Column("token", sa.LargeBinary, primary_key=True),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
# --- the plausibility guard ---
# Batches that are being taken in, wait for a second signer, or began the list. `burdens` and `eases` count records.
batches: Final = sa.Table(
    "batches", metadata,
    sa.Column("batch_id", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("begun_at", sa.BigInteger, nullable=False),
    sa.Column("burdens", sa.BigInteger, nullable=False),
    sa.Column("eases", sa.BigInteger, nullable=False),
)  # fmt: skip
# Shares that wait for a batch to be approved (none: a share that is to be taken away); `shares` has what is in force.
held_shares: Final = sa.Table(
    "held_shares", metadata,
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("token", sa.LargeBinary, primary_key=True),
    sa.Column("batch_id", sa.String, nullable=False, index=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("share", sa.LargeBinary),
    sa.Column("ends_at", sa.BigInteger),
    sqlite_with_rowid=False,
)  # fmt: skip
# Every entry with such a share: the batch it waits for, and the entry as it was before (none: not there).
held_entries: Final = sa.Table(
    "held_entries", metadata,
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("batch_id", sa.String, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary),
)  # fmt: skip
# What was said of such an entry since, in order; `waits` marks what its batch waits with. Lines hold names and numbers.
held_lines: Final = sa.Table(
    "held_lines", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("entry_id", sa.String, nullable=False, index=True),
    sa.Column("event_id", sa.String, nullable=False),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("waits", sa.Boolean, nullable=False),
    sa.Column("line", sa.LargeBinary, nullable=False),
)  # fmt: skip
# What was submitted and rejected by the second signer. Lines hold names and numbers.
rejected_lines: Final = sa.Table(
    "rejected_lines", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("batch_id", sa.String, nullable=False),
    sa.Column("event_id", sa.String, nullable=False),
    sa.Column("line", sa.LargeBinary, nullable=False),
)  # fmt: skip
# Who approved or rejected which batch, by the statement that they signed.
approvals: Final = sa.Table(
    "approvals", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("batch_id", sa.String, nullable=False, index=True),
    sa.Column("approver", sa.String, nullable=False),
    sa.Column("decision", sa.String, nullable=False),
    sa.Column("decided_at", sa.BigInteger, nullable=False),
    sa.Column("statement", sa.LargeBinary, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
)  # fmt: skip
# Records changed in each hour since 1970: what went by itself, and what was approved.
changed: Final = sa.Table(
    "changed", metadata,
    sa.Column("hour", sa.BigInteger, primary_key=True),
    sa.Column("burdens", sa.BigInteger, nullable=False),
    sa.Column("eases", sa.BigInteger, nullable=False),
    sa.Column("approved", sa.BigInteger, nullable=False),
)  # fmt: skip
# One row: the published state, and the number of the last writing.
book: Final = sa.Table(
    "book", metadata,
    sa.Column("one", sa.SmallInteger, primary_key=True),
    sa.Column("mark", sa.BigInteger, nullable=False),
    sa.Column("state", sa.JSON, nullable=False),
)  # fmt: skip


def connect(url: str) -> sa.Engine:
    """An engine for `sqlite:///FILE` or `postgresql://…`, whose errors quote no row. Raises: SettingError."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise SettingError("book URL: give sqlite:///FILE or postgresql://…") from error
    match parsed.get_backend_name():
        case "sqlite":
            engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_S}, hide_parameters=True)
            sa.event.listen(engine, "connect", _prepare)
            sa.event.listen(engine, "begin", _begin)
            return engine
        case "postgresql":
            return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), hide_parameters=True)
        case _:
            raise SettingError("book URL: give sqlite:///FILE or postgresql://…")


def are_made(engine: sa.Engine) -> bool:
    """Whether the tables are there. A missing SQLite file is not looked into, since the look would make it."""
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return (file is None or Path(file).is_file()) and sa.inspect(engine).has_table(book.name)


def upsert(connection: sa.Connection, table: sa.Table) -> Any:  # noqa: ANN401  both dialects' insert, whose APIs are equal
    """An insert that has `on_conflict_do_update`, in the dialect of this connection."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def better_lane(insert: Any) -> Any:  # noqa: ANN401  as `upsert` gives it
    """An upsert into the outbox with which a token that is there already keeps the better lane."""
    held, said = outbox.c.lane, insert.excluded.lane
    better = {"lane": sa.case((held < said, held), else_=said), "mark": insert.excluded.mark}
    return insert.on_conflict_do_update(index_elements=["token"], set_=better)


def delete_shares(connection: sa.Connection, table: sa.Table, keys: Iterable[tuple[bytes, str]]) -> None:
    """Delete the rows of these tokens and entries from `shares` or `held_shares`."""
    gone = sa.delete(table).where(
        table.c.token == sa.bindparam("its_token"), table.c.entry_id == sa.bindparam("its_entry")
    )
    execute_many(connection, gone, [{"its_token": token, "its_entry": entry_id} for token, entry_id in keys])


def execute_many(connection: sa.Connection, statement: sa.UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement for each row; all rows have the same keys, and values that the driver takes as they are.

    The driver is handed the rows directly: converting nothing, row by row, takes longer than the database does.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = compiled.positiontup
    given = rows if order is None else [tuple(map(row.__getitem__, order)) for row in rows]
    connection.exec_driver_sql(compiled.string, given)


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing of its own; `_begin` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"cache_size=-{_CACHE_KIB}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
