"""What became of every line: one row each, as JSON and as a table.

A row never holds a name or a document number.
Rows are spooled, so that the report of a million lines needs no memory.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final, Self

import orjson
from rich.table import Table

from restriction.events import Status

# Reasons that an operator must hear of at once, up to a colon; of some, once for a batch.
ALARMS: Final = frozenset({"EVENT_ID_REUSED", "LIFTS_WAIT"})
_ONCE: Final = frozenset({"LIFTS_WAIT"})
ACKNOWLEDGED: Final = "acknowledged"
_IN_MEMORY_BYTES: Final = 1 << 20
_SHOWN_ROWS: Final = 1_000  # a table is for reading; the JSON form has every row


@dataclass(frozen=True, slots=True)
class VersionEffect:
    """What gateways tell of the version; `state` in words, instants in ISO 8601, None while they are not known."""

    version: int
    state: str
    lifts_in_effect_at: str | None = None
    applied_at: str | None = None
    lifts_acknowledged_at: str | None = None
    acknowledged_at: str | None = None
    replicas_confirmed: int = 0
    replicas_configured: int = 0

    @property
    def is_acknowledged(self) -> bool:
        """Whether the primary and every configured replica have confirmed it."""
        return self.state == ACKNOWLEDGED

    def __str__(self) -> str:
        replicas = f"{self.replicas_confirmed} of {self.replicas_configured} replicas"
        said = [f"version {self.version}: {self.state}", f"primary and {replicas}" if self.applied_at else ""]
        instants = {
            "lifts in effect": self.lifts_in_effect_at,
            "applied": self.applied_at,
            "lifts acknowledged": self.lifts_acknowledged_at,
            "acknowledged": self.acknowledged_at,
        }
        return "; ".join([*filter(None, said), *(f"{what} {when}" for what, when in instants.items() if when)])


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a batch. `event_id` and `entry_id` are empty where they could not be read."""

    line: int
    status: Status
    event_id: str = ""
    entry_id: str = ""
    field: str = ""
    reason: str = ""


class Spool:
    """Rows in order of arrival, on disk once they are many. Close it."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  `close` closes it

    def add(self, row: Row) -> None:
        """Take a row in."""
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def lines(self) -> Iterator[bytes]:
        """Each row as JSON."""
        self._file.seek(0)
        for line in self._file:
            yield line.rstrip()

    def __iter__(self) -> Iterator[Row]:
        for line in self.lines():
            written = orjson.loads(line)
            yield Row(**written | {"status": Status(written["status"])})

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Report:
    """The rows of one batch, by status. Close it, or use it in `with`."""

    def __init__(self) -> None:
        self.counts: Counter[Status] = Counter()
        self.alarms: list[Row] = []
        self._told: set[str] = set()
        self._rows = {status: Spool() for status in Status}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the spools."""
        for spool in self._rows.values():
            spool.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows in, in any order."""
        for row in rows:
            self.counts[row.status] += 1
            word = row.reason.partition(":")[0]
            if word in ALARMS - (_ONCE & self._told):
                self.alarms.append(row)
                self._told.add(word)
            self._rows[row.status].add(row)

    def write_json(self, out: IO[bytes], version: int, effect: VersionEffect | None = None) -> None:
        """The whole report: `version` of the feed that carries it, one list a status, and `effect` if waited for."""
        out.write(b'{"version":%d' % version)
        for status, spool in self._rows.items():
            out.write(b',"%s":[' % status.encode())
            for number, line in enumerate(spool.lines()):
                out.write(b"," * bool(number) + line)
            out.write(b"]")
        if effect is not None:
            out.write(b',"effect":' + orjson.dumps(effect))
        out.write(b"}\n")

    def table(self) -> Table:
        """Every status with its count, then the first lines that were not simply accepted."""
        counts = ", ".join(f"{self.counts[status]} {status}" for status in Status if self.counts[status])
        table = Table("line", "status", "event", "entry", "field", "reason", title=counts or "no lines")
        shown = 0
        for status in Status:
            for row in self._rows[status]:
                if (status is Status.ACCEPTED and not row.reason) or shown == _SHOWN_ROWS:
                    continue
                shown += 1
                table.add_row(str(row.line), row.status, row.event_id, row.entry_id, row.field, row.reason)
        return table
