"""Intake: from a stream of lines to the book, with one report row for every line.

Rules that hold:
- A bad line never stops good ones, and its row names field and reason, never a value.
- A chunk of lines is one transaction; rows are given out after it is committed.
- Events of one entry take effect in the order of their lines, but for a RETAIN that comes before the LIFT of its batch:
  it waits for that LIFT, and is judged at the end of the batch when none comes.
- Memory is bounded by the chunk, whatever the length of the stream or of a line.

Nothing is signed here: `publisher.publish` draws what the book marks.
"""

from __future__ import annotations

import gc
import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final, Protocol

import orjson

from publisher.book import Book
from publisher.lines import MAX_LINE_BYTES, JsonLines, LineReader, event_id_of
from publisher.page import Line, Page
from publisher.report import Row
from restriction.calendar import day_of
from restriction.errors import InvalidFieldError
from restriction.events import Batch, Status, Verdict
from restriction.identity import Mode
from restriction.states import EventType
from restriction.token import TokenKeys

CHUNK_LINES: Final = 2_000  # as many changes as a delta carries; more at once outgrow the caches
MAX_EARLY: Final = 10_000  # RETAIN lines kept in memory for the LIFT of their batch, 64 KiB each at worst
_DIGEST_BYTES: Final = 16
_BOM: Final = b"\xef\xbb\xbf"
_SKIP_BYTES: Final = 1 << 16


class Form(Protocol):
    """How the lines of a stream are written."""

    def begin(self, lines: Iterator[tuple[int, bytes]]) -> None:
        """Take what stands before the first event out of the numbered lines."""

    def parse(self, line: bytes) -> Mapping[str, object]:
        """The object of an event line. Raises: InvalidFieldError."""

    def column(self, field: str) -> str:
        """What this form calls a field of that object."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Where lines go: the book, the keys of its list, whose identities it holds, and the court codes in force."""

    book: Book
    keys: TokenKeys
    mode: Mode
    courts: Collection[str] | None = None
    chunk_lines: int = CHUNK_LINES

    def submit(
        self, source: BinaryIO, batch_id: str, clock: Callable[[], float], form: Form | None = None
    ) -> Iterator[Row]:
        """Take a stream in. `batch_id` must differ between batches and is best the digest of a file.

        The rows come chunk by chunk; whoever stops reading them stops the intake after a whole chunk.
        """
        if not batch_id:
            raise ValueError("intake: a batch needs an id")
        form = form or JsonLines()
        submission = _Submission(self, batch_id, clock, form)
        numbered = enumerate(read_lines(source), 1)
        form.begin(numbered)
        while chunk := list(islice(numbered, self.chunk_lines)):
            with _uncollected():
                rows = submission.take(chunk)
            yield from rows
        yield from submission.finish()


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cycles: a chunk makes hundreds of thousands of values and no cycle, and searching takes a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream without their ends; of a line that is too long, as much as shows that it is."""
    limit = MAX_LINE_BYTES + len(_BOM) + 2
    first = True
    while line := source.readline(limit):
        if len(line) == limit and not line.endswith(b"\n"):
            _skip_rest(source)
        yield (line.removeprefix(_BOM) if first else line).rstrip(b"\r\n")
        first = False


def _skip_rest(source: BinaryIO) -> None:
    while (rest := source.readline(_SKIP_BYTES)) and not rest.endswith(b"\n"):
        pass


class _Submission:
    """One batch on its way: what it is judged with, and the RETAIN lines that wait for their LIFT."""

    def __init__(self, intake: Intake, batch_id: str, clock: Callable[[], float], form: Form) -> None:
        self._intake = intake
        self._batch_id = batch_id
        self._clock = clock
        self._form = form
        self._early: dict[str, list[Line]] = defaultdict(list)
        self._early_count = 0

    def take(self, chunk: Iterable[tuple[int, bytes]]) -> list[Row]:
        """Judge and commit a chunk."""
        batch = self._batch()
        reader = LineReader(self._intake.mode, day_of(batch.now_s))
        read = [self._read(reader, number, raw) for number, raw in chunk]
        lines = [line for line in read if isinstance(line, Line)]
        rows = [row for row in read if isinstance(row, Row)]
        return rows + self._commit(lines, reader, batch, last=False)

    def finish(self) -> list[Row]:
        """Judge the RETAIN lines whose LIFT never came."""
        lines = sorted((line for waiting in self._early.values() for line in waiting), key=lambda line: line.number)
        batch = self._batch()
        return self._commit(lines, LineReader(self._intake.mode, day_of(batch.now_s)), batch, last=True)

    def _batch(self) -> Batch:
        return Batch(self._batch_id, self._clock(), self._intake.courts)

    def _read(self, reader: LineReader, number: int, raw: bytes) -> Line | Row:
        content: Mapping[str, object] = {}
        try:
            content = self._form.parse(raw)
            event = reader.event(content)
        except InvalidFieldError as error:
            field = self._form.column(error.field)
            return Row(number, Status.REJECTED, event_id_of(content), "", field, error.problem)
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return Line(number, canonical, event, hashlib.blake2b(canonical, digest_size=_DIGEST_BYTES).digest())

    def _commit(self, lines: list[Line], reader: LineReader, batch: Batch, *, last: bool) -> list[Row]:
        if not lines:
            return []
        rows: list[Row] = []
        with self._intake.book.writing() as writing:
            page = Page(writing, [*lines, *self._early_of(lines)], self._intake.keys, batch)
            for line in lines:
                verdict = page.take(line, reader)
                if not last and self._waits(line, verdict):
                    continue
                rows.append(self._row(line, verdict))
                if line.event.type is EventType.LIFT:
                    rows += [
                        self._row(retain, page.take(retain, reader)) for retain in self._awaited(line.event.entry_id)
                    ]
            writing.save(page.writes(), batch.now_s)
        return rows

    def _early_of(self, lines: list[Line]) -> Iterator[Line]:
        lifted = {line.event.entry_id for line in lines if line.event.type is EventType.LIFT}
        return (retain for entry_id in lifted & self._early.keys() for retain in self._early[entry_id])

    def _awaited(self, entry_id: str) -> list[Line]:
        """The RETAIN lines that waited for this entry's LIFT; they wait no longer."""
        awaited = self._early.pop(entry_id, [])
        self._early_count -= len(awaited)
        return awaited

    def _waits(self, line: Line, verdict: Verdict) -> bool:
        """Keep a RETAIN that came before its LIFT, unless too many wait already."""
        too_early = verdict.status is Status.REJECTED and verdict.field == "type"
        if line.event.type is not EventType.RETAIN or not too_early or self._early_count >= MAX_EARLY:
            return False
        self._early[line.event.entry_id].append(line)
        self._early_count += 1
        return True

    def _row(self, line: Line, verdict: Verdict) -> Row:
        event, field = line.event, self._form.column(verdict.field)
        return Row(line.number, verdict.status, event.event_id, event.entry_id, field, verdict.reason)
