"""Books of tests: where they are, and what intake and publication make of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from publisher.book import Book
from publisher.intake import Form, Intake
from publisher.report import Row
from restriction.change import Change, ListId, ListState
from restriction.identity import Mode
from restriction.record import Record, decode
from tests.fakes.bad_lines import raw
from tests.fakes.court import KEYS, NOW, Json

EMPTY = ListState(ListId("test", "sandbox", 1), 0, bytes(32), 0, KEYS.key_id)


def sqlite_url(directory: Path) -> str:
    """A book file in this directory."""
    return f"sqlite:///{directory / 'book.sqlite'}"


def submit(
    book: Book, lines: Iterable[Json | bytes], batch: str = "batch-1", now_s: float = NOW, form: Form | None = None
) -> list[Row]:
    """Take in one batch of this court's lines; its rows in the order of the lines."""
    source = b"\n".join(line if isinstance(line, bytes) else raw(line) for line in lines)
    intake = Intake(book, KEYS, Mode.SANDBOX, chunk_lines=100)
    return sorted(intake.submit(io.BytesIO(source), batch, lambda: now_s, form), key=lambda row: row.line)


def publish(book: Book, limit: int = 1_000) -> list[Change]:
    """Publish all that waits; gives the changes in the order in which they were drawn."""
    told = []
    while changes := book.next_changes(limit):
        state, known = book.state, book.published([change.token for change in changes])
        count = state.count + sum(bool(change.record) for change in changes) - len(known)
        book.mark_published(changes, replace(state, version=state.version + 1, count=count))
        told += changes
    return told


def listed(book: Book) -> dict[bytes, Record]:
    """Every published record, decoded."""
    return {token: decode(record) for partition in range(256) for token, record in book.published_records(partition)}
