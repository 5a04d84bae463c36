"""The watched folder: whoever may put a file into `drop/` submits it.

Rules that hold:
- A file is taken when its name ends in `.ndjson` or `.csv` and does not begin with a dot; it must be renamed into
  place, since what is there is taken to be whole.
- A file is first claimed by renaming it into `.taken/`, so that another of its name never passes for it. It leaves only
  when its report is on disk: to `done/`, or with a reason to `refused/`.
- After a crash the claimed file is submitted again, and what had been committed is reported as duplicate.
- What is wrong with the file refuses it and lets the next go on. What is wrong with this side (disk, book, keys) keeps
  it claimed and stops the round, so that files keep their order.
- No file of an earlier day is overwritten, and no report holds a name or a number.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import IO, Final

import orjson
import sqlalchemy as sa

from publisher.report import Report
from publisher.submission import CSV_SUFFIX, form_of, is_csv, submit
from publisher.wiring import Publisher
from restriction.errors import FitnessError, LintelError, SettingError
from settings.files import replacing, sync_directory

_log = logging.getLogger(__name__)
_SUFFIXES: Final = (".ndjson", CSV_SUFFIX)
_FOLDER_MODE: Final = 0o700  # files of courts hold names and numbers
_FILE_MODE: Final = 0o600
_NOT_THE_FILE: Final = (FitnessError, OSError, sa.exc.OperationalError)


@dataclass(frozen=True, slots=True)
class Drop:
    """The folder of one list."""

    publisher: Publisher
    clock: Callable[[], float]

    @property
    def directory(self) -> Path:
        """Where files are put."""
        return self.publisher.directory / "drop"

    def take_in(self) -> None:
        """Submit what was claimed before a crash, then what lies there, in the order of names."""
        taken = self._folder(".taken")
        for path in [*_files(taken), *_files(self.directory)]:
            claimed = path.rename(taken / path.name)
            sync_directory(taken)
            try:
                self._submit(claimed)
            except _Refused as refusal:
                folder = self._folder("refused")
                _log.error("a dropped file was refused; its report in %s says why", folder)
                with _leaving(claimed, folder) as report:
                    report.write(orjson.dumps({"refused": refusal.reason}))

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        return folder

    def _submit(self, claimed: Path) -> None:
        """Raises: _Refused when nothing can be made of the file."""
        try:
            form = form_of(self.publisher, csv=is_csv(claimed.name))
            source = claimed.open("rb")
        except (SettingError, OSError) as error:
            raise _Refused(error) from error
        with source, Report() as report:
            try:
                version = submit(self.publisher, source, form, self.clock, report)
            except _NOT_THE_FILE:
                raise
            except (
                Exception
            ) as error:  # whatever else a file does to us is the file's, and must not stop those after it
                raise _Refused(error) from error
            with _leaving(claimed, self._folder("done")) as out:
                report.write_json(out, version)
        _log.info("a dropped file was taken in: list version %d", version)
        for row in report.alarms:
            _log.error("a dropped file: line %d: %s", row.line, row.reason)


class _Refused(Exception):  # noqa: N818  a turn within this room, not an error that leaves it
    """A file that is wrong as a whole. The reason quotes no foreign error, which could quote a line."""

    def __init__(self, error: Exception) -> None:
        own = str(error) if isinstance(error, LintelError) else getattr(error, "strerror", None)
        self.reason = own or type(error).__name__
        super().__init__(self.reason)


def _files(directory: Path) -> Iterator[Path]:
    """The files to take in from a folder, by name."""
    for path in sorted(directory.iterdir()):
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


@contextmanager
def _leaving(claimed: Path, folder: Path) -> Iterator[IO[bytes]]:
    """The report to write; then the file goes beside it. A crash between the two submits it again and loses nothing."""
    kept = folder / _free_name(folder, claimed)
    with replacing(kept.with_name(f"{kept.name}.report.json"), _FILE_MODE) as report:
        yield report
    claimed.rename(kept)
    sync_directory(folder)


def _free_name(folder: Path, path: Path) -> str:
    later = (f"{path.stem}~{number}{path.suffix}" for number in count(2))
    return next(name for name in chain((path.name,), later) if not (folder / name).exists())
