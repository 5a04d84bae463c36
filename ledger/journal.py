"""The worker's own append-only file of what it told about subjects.

Rules that hold here:
- I12: `append` returns only when the operating system has the record, so that it survives kill -9 of this process;
  it is on disk within `SYNC_INTERVAL_S`.
- A record that was written in part is cut off again before the next one, so that a reader never loses what follows.
- After a failed sync nobody knows what the disk holds: the file is refused and a fresh one is begun with every record
  that was not yet known to be on disk. A surplus record is harmless, a lost one is not.
- Nothing in a record names anybody: entries and booking are keyed hashes.

It does not order the records of several workers, nor count what was not recorded.

Byte form: per record, length u32 and CRC-32 u32 (little-endian) of the payload, then the payload, a JSON object.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from restriction.errors import LedgerUnavailableError

SYNC_INTERVAL_S: Final = 0.05  # half of the promised 100 ms, leaving the other half for the sync itself
MAX_RECORD_BYTES: Final = 1 << 16  # a record has some 60 bytes an entry; anything longer is a torn length
SUFFIX: Final = ".journal"
_FRAME: Final = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Told:
    """One answer about one subject. Numbers are those of the wire; `entries` and `booking` are keyed hashes."""

    time_ms: int
    unit: str
    measure: int
    outcome: int
    reason: int
    list_version: int
    entries: tuple[bytes, ...]
    booking: bytes
    decision_id: str


class Journal:
    """Appends records to a file of its own in `directory`, begun at the first record.

    `name` must be unlike that of every earlier run, so that a torn tail of theirs never precedes a record of ours.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._files_begun = 0
        self._descriptor: int | None = None
        self._whole_bytes = 0
        self._unsynced: list[bytes] = []

    def append(self, told: Told) -> None:
        """Hand one record to the operating system. Raises: LedgerUnavailableError, and then nothing was recorded."""
        frame = _frame(told)
        try:
            self._write(self._begin() if self._descriptor is None else self._descriptor, frame)
        except OSError as error:
            raise LedgerUnavailableError(f"journal: {error.strerror}: free or mend {self._directory}") from error
        self._unsynced.append(frame)

    async def keep_synced(self) -> None:
        """Bring records to disk until cancelled."""
        while True:
            await asyncio.sleep(SYNC_INTERVAL_S)
            await self.sync()

    async def sync(self) -> None:
        """Bring what was appended to disk; a file that cannot be is left for a fresh one."""
        descriptor, count = self._descriptor, len(self._unsynced)
        if descriptor is None or not count:
            return
        try:
            await asyncio.to_thread(os.fdatasync, descriptor)
        except OSError:
            self._abandon()
        else:
            del self._unsynced[:count]

    def close(self) -> None:
        """Bring the last records to disk and let go of the file. Raises: OSError."""
        if self._descriptor is not None:
            os.fdatasync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _begin(self) -> int:
        """A fresh file that starts with the records of an abandoned one."""
        self._files_begun += 1
        path = self._directory / f"{self._name}-{self._files_begun}{SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._whole_bytes = 0
        try:
            self._write(descriptor, b"".join(self._unsynced))
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return descriptor

    def _write(self, descriptor: int, frames: bytes) -> None:
        if os.fstat(descriptor).st_size != self._whole_bytes:
            os.ftruncate(descriptor, self._whole_bytes)
        written = os.write(descriptor, frames)
        if written != len(frames):
            raise OSError(errno.ENOSPC, "written in part")
        self._whole_bytes += written

    def _abandon(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_records(path: Path) -> Iterator[Told]:
    """The whole records of a journal file, in order; a torn tail ends them quietly."""
    raw = path.read_bytes()
    at = 0
    while at + _FRAME.size <= len(raw):
        length, checksum = _FRAME.unpack_from(raw, at)
        payload = raw[at + _FRAME.size : at + _FRAME.size + length]
        if length > MAX_RECORD_BYTES or len(payload) < length or zlib.crc32(payload) != checksum:
            return
        yield _decode(payload)
        at += _FRAME.size + length


def _frame(told: Told) -> bytes:
    payload = orjson.dumps(
        {
            "time_ms": told.time_ms,
            "unit": told.unit,
            "measure": told.measure,
            "outcome": told.outcome,
            "reason": told.reason,
            "list_version": told.list_version,
            "entries": [entry.hex() for entry in told.entries],
            "booking": told.booking.hex(),
            "decision_id": told.decision_id,
        }
    )
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _decode(payload: bytes) -> Told:
    values = orjson.loads(payload)
    entries = tuple(bytes.fromhex(entry) for entry in values.pop("entries"))
    return Told(entries=entries, booking=bytes.fromhex(values.pop("booking")), **values)
