"""One submission: a file or stream of a court taken in, and what it changes signed.

The command and the drop folder both submit here, so that a file is judged alike whichever way it came.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import BinaryIO, Final

from publisher.book import Book
from publisher.csv_lines import CsvLines
from publisher.duties import submitting
from publisher.intake import Form
from publisher.lines import JsonLines
from publisher.publish import publish_queued
from publisher.report import Report
from publisher.wiring import Publisher
from restriction.change import Lane
from restriction.errors import SettingError

CSV_SUFFIX: Final = ".csv"
_STREAM_ID_BYTES: Final = 16


def is_csv(name: str) -> bool:
    """Whether a file of this name holds rows of the public list."""
    return PurePath(name).suffix.lower() == CSV_SUFFIX


def form_of(publisher: Publisher, *, csv: bool) -> Form:
    """How the lines are written. Raises: SettingError for CSV without a court directory, which its names need."""
    if not csv:
        return JsonLines()
    courts = publisher.parameters.courts
    if not courts:
        raise SettingError(
            "csv: no court directory is signed, so no row can name its court; sign one with "
            "`lintel publisher parameters`, then submit again"
        )
    return CsvLines(courts)


def submit(publisher: Publisher, source: BinaryIO, form: Form, clock: Callable[[], float], report: Report) -> int:
    """Take the lines in and sign what they change; gives the version of the list that carries them.

    A list in service is signed after every chunk, so that its lifts do not wait for the rest, and no further than its
    own last lane: lifts do not wait for what was submitted before them. A submission with nothing to sign, such as a
    file that is submitted again, signs whatever waits.
    """
    book, intake = publisher.book, publisher.intake
    sign = partial(publish_queued, book, publisher.feed, publisher.keys.digest_key, clock)
    with submitting(publisher.directory):
        since, state = book.newest_mark, None
        for rows in intake.chunks(source, _batch_id(source), clock, form):
            report.add(rows)
            lane = book.lane_since(since)
            if book.state.count and lane is not None:
                state = sign(is_done=partial(_is_signed, book, lane, since))
        return (state or sign()).version


def _is_signed(book: Book, lane: Lane, since: int) -> bool:
    return not book.is_waiting(lane, since)


def _batch_id(source: BinaryIO) -> str:
    """The digest of a file, so that submitting it again is the same batch; a random one for a stream."""
    if not source.seekable():
        return secrets.token_hex(_STREAM_ID_BYTES)
    digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads into a buffer
    source.seek(0)
    return digest
