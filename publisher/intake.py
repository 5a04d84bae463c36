"""Intake: from a stream of lines to the book, with one report row for every line.

Rules that hold:
- A bad line never stops good ones, and its row names field and reason, never a value.
- A chunk of lines is one transaction; rows are given out after it is committed.
- Events of one entry take effect in the order of their lines, but for a RETAIN that comes before the LIFT of its batch:
  it waits for that LIFT, and is judged at the end of the batch when none comes.
- On a guarded list, a line whose effect waits for a second signer is `held`; which lines do is known at the end of the
  batch, so their rows come last.
- Memory is bounded by the chunk, whatever the length of the stream or of a line.

Nothing is signed here: `publisher.publish` draws what the book marks.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, Final, Protocol, Self

import orjson

from publisher.book import Book
from publisher.budget import Limits
from publisher.gate import BURDENING, Gate
from publisher.holding import BatchState
from publisher.lines import MAX_LINE_BYTES, JsonLines, LineReader, event_id_of
from publisher.page import Line, Page, digest_of
from publisher.report import Row, Spool
from publisher.writing import Writing
from restriction.calendar import day_of
from restriction.errors import InvalidFieldError
from restriction.events import Batch, Status, Verdict
from restriction.identity import Mode
from restriction.states import EventType
from restriction.token import TokenKeys

CHUNK_LINES: Final = 2_000  # as many changes as a delta carries; more at once outgrow the caches
MAX_EARLY: Final = 10_000  # RETAIN lines kept in memory for the LIFT of their batch, 64 KiB each at worst
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
    """Where lines go: the book, the keys of its list, whose identities it holds, and the court codes in force.

    With `limits`, no batch changes more than is plausible without a second signer; without, nothing waits.
    """

    book: Book
    keys: TokenKeys
    mode: Mode
    courts: Collection[str] | None = None
    chunk_lines: int = CHUNK_LINES
    limits: Limits | None = None

    def submit(
        self, source: BinaryIO, batch_id: str, clock: Callable[[], float], form: Form | None = None
    ) -> Iterator[Row]:
        """Take a stream in, row by row; see `chunks`."""
        for rows in self.chunks(source, batch_id, clock, form):
            yield from rows

    def chunks(
        self, source: BinaryIO, batch_id: str, clock: Callable[[], float], form: Form | None = None
    ) -> Iterator[Iterable[Row]]:
        """Take a stream in. `batch_id` must differ between batches and is best the digest of a file.

        The rows come chunk by chunk; whoever stops reading them stops the intake after a whole chunk.
        """
        if not batch_id:
            raise ValueError("intake: a batch needs an id")
        form = form or JsonLines()
        numbered = enumerate(read_lines(source), 1)
        form.begin(numbered)
        with _Submission(self, batch_id, clock, form) as submission:
            chunk = list(islice(numbered, self.chunk_lines))
            while chunk:
                following = list(islice(numbered, self.chunk_lines))
                with _uncollected():
                    rows = submission.take(chunk, last=not following)
                yield rows
                chunk = following
            yield submission.late_rows()


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
    """One batch on its way.

    It keeps the RETAIN lines that wait for their LIFT, and the rows of lines that may yet wait for a second signer.
    """

    def __init__(self, intake: Intake, batch_id: str, clock: Callable[[], float], form: Form) -> None:
        self._intake = intake
        self._batch_id = batch_id
        self._clock = clock
        self._form = form
        self._early: dict[str, list[Line]] = defaultdict(list)
        self._early_count = 0
        self._undecided = Spool()
        self._went = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._undecided.close()

    def take(self, chunk: Iterable[tuple[int, bytes]], *, last: bool) -> list[Row]:
        """Judge and commit a chunk; with the last one, the RETAIN lines whose LIFT never came."""
        batch = self._batch()
        reader = LineReader(self._intake.mode, day_of(batch.now_s))
        read = [self._read(reader, number, raw) for number, raw in chunk]
        lines = [line for line in read if isinstance(line, Line)]
        rows = [row for row in read if isinstance(row, Row)]
        return rows + self._commit(lines, reader, batch, last=last)

    def late_rows(self) -> Iterator[Row]:
        """The rows of which the last chunk decided."""
        for row in self._undecided:
            yield row if self._went else _held(row, self._batch_id)

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
        return Line(number, canonical, event, digest_of(canonical))

    def _commit(self, lines: list[Line], reader: LineReader, batch: Batch, *, last: bool) -> list[Row]:
        if not lines and not last:
            return []
        with self._intake.book.writing() as writing:
            gate = self._gate(writing, batch, last=last)
            page = Page(writing, [*lines, *self._early_of(lines, last=last)], self._intake.keys, batch, gate)
            judged = list(self._judged(page, lines, reader, last=last))
            writing.save(page.writes(), batch.now_s)
            self._went = gate is not None and gate.close(batch.now_s)
        return [row for line, verdict in judged if (row := self._told(page, line, verdict, last=last))]

    def _gate(self, writing: Writing, batch: Batch, *, last: bool) -> Gate | None:
        if self._intake.limits is None:
            return None
        standing = writing.holding.standing(self._batch_id, batch.now_s, self._intake.limits)
        first_load = standing.state is BatchState.FIRST_LOAD
        return None if first_load else Gate(writing.holding, standing, last=last)

    def _judged(
        self, page: Page, lines: list[Line], reader: LineReader, *, last: bool
    ) -> Iterator[tuple[Line, Verdict]]:
        for line in lines:
            verdict = page.take(line, reader)
            if self._is_early(line, verdict):
                continue
            yield line, verdict
            if line.event.type is EventType.LIFT:
                for retain in self._awaited(line.event.entry_id):
                    yield retain, page.take(retain, reader)
        if last:
            early = [line for waiting in self._early.values() for line in waiting]
            for line in sorted(early, key=lambda line: line.number):
                yield line, page.take(line, reader)

    def _told(self, page: Page, line: Line, verdict: Verdict, *, last: bool) -> Row | None:
        """The row of a line; None for one that the end of the batch decides."""
        row = self._row(line, verdict)
        waits_for = page.waits_for(line.event) if verdict.status is Status.ACCEPTED else None
        if waits_for is None:
            return row
        if last or waits_for != self._batch_id or line.event.type not in BURDENING:
            return _held(row, waits_for, "WAITS" if line.event.type in BURDENING else "LIFTS_WAIT")
        self._undecided.add(row)
        return None

    def _early_of(self, lines: list[Line], *, last: bool) -> Iterator[Line]:
        lifted = {line.event.entry_id for line in lines if line.event.type is EventType.LIFT}
        due = self._early.keys() if last else lifted & self._early.keys()
        return (retain for entry_id in due for retain in self._early[entry_id])

    def _awaited(self, entry_id: str) -> list[Line]:
        """The RETAIN lines that waited for this entry's LIFT; they wait no longer."""
        awaited = self._early.pop(entry_id, [])
        self._early_count -= len(awaited)
        return awaited

    def _is_early(self, line: Line, verdict: Verdict) -> bool:
        """Keep a RETAIN that came before its LIFT, unless too many wait already; the end of the batch judges it."""
        too_early = verdict.status is Status.REJECTED and verdict.field == "type"
        if line.event.type is not EventType.RETAIN or not too_early or self._early_count >= MAX_EARLY:
            return False
        self._early[line.event.entry_id].append(line)
        self._early_count += 1
        return True

    def _row(self, line: Line, verdict: Verdict) -> Row:
        event, field = line.event, self._form.column(verdict.field)
        return Row(line.number, verdict.status, event.event_id, event.entry_id, field, verdict.reason)


def _held(row: Row, batch_id: str, word: str = "WAITS") -> Row:
    return replace(row, status=Status.HELD, field="batch", reason=f"{word}: lintel publisher approve {batch_id[:12]}")
