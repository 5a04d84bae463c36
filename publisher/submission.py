"""One submission: a file or stream of a court taken in, and what it changes signed.

The command and the drop folder both submit here, so that a file is judged alike whichever way it came.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import PurePath
from typing import BinaryIO, Final

from publisher.csv_lines import CsvLines
from publisher.duties import submitting
from publisher.intake import Form
from publisher.lines import JsonLines
from publisher.publish import publish_queued
from publisher.report import Report
from publisher.wiring import Publisher
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

    A list in service is signed after every chunk, so that its lifts do not wait for the rest.
    """
    book, feed, intake = publisher.book, publisher.feed, publisher.intake
    with submitting(publisher.directory):
        for rows in intake.chunks(source, _batch_id(source), clock, form):
            report.add(rows)
            if book.state.count:
                publish_queued(book, feed, publisher.keys.digest_key, clock)
        return publish_queued(book, feed, publisher.keys.digest_key, clock).version


def _batch_id(source: BinaryIO) -> str:
    """The digest of a file, so that submitting it again is the same batch; a random one for a stream."""
    if not source.seekable():
        return secrets.token_hex(_STREAM_ID_BYTES)
    digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads into a buffer
    source.seek(0)
    return digest
