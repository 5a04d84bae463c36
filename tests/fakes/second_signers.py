"""A guarded book of tests, with its second signers; its limits are small, so that few lines are a wave."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from publisher import approvers
from publisher.approvers import Signed
from publisher.book import Book
from publisher.budget import Limits
from publisher.intake import Intake
from publisher.report import Row
from publisher.second_signer import Bench, WaitingBatch
from restriction.identity import Mode
from tests.fakes.bad_lines import raw
from tests.fakes.books import EMPTY, publish
from tests.fakes.court import KEYS, NOW, Json

SMALL: Final = Limits(least_subjects=3, small_lifts=1, lift_factor=2)


class GuardedCourt:
    """A court whose list is guarded; `limits` of None guard nothing."""

    def __init__(self, directory: Path, url: str, limits: Limits | None = SMALL) -> None:
        self.book = Book.create(url, EMPTY)
        self.bench = Bench(self.book, KEYS, Mode.SANDBOX, limits or SMALL)
        self._limits = limits
        self._directory = directory
        self._key = directory / "judge.pem"
        if not self._key.exists():
            approvers.add(directory, "judge", self._key)

    def submit(self, *lines: Json, batch: str = "batch-1", now_s: float = NOW, chunk_lines: int = 100) -> list[Row]:
        """Take a batch in and publish what may be; the rows in the order of the lines."""
        intake = Intake(self.book, KEYS, Mode.SANDBOX, chunk_lines=chunk_lines, limits=self._limits)
        rows: list[Row] = []
        for some in intake.chunks(io.BytesIO(b"\n".join(map(raw, lines))), batch, lambda: now_s):
            rows += some
            publish(self.book)
        publish(self.book)
        return sorted(rows, key=lambda row: row.line)

    def begin(self, *lines: Json) -> None:
        """The first load."""
        self.submit(*lines, batch="first-load")

    def waiting(self) -> list[WaitingBatch]:
        """What waits."""
        return self.bench.waiting()

    def signed(self, batch: str = "batch-1", decision: str = "approve") -> Signed:
        """The judge's signature of what waits now."""
        statement = self.bench.statement(self.bench.find(batch), self.book.state.list_id, decision)
        return approvers.verified(self._directory, statement, approvers.sign(statement, self._key, lambda _: []))

    def approve(self, batch: str = "batch-1", now_s: float = NOW) -> None:
        """Approve a batch and publish it."""
        self.bench.approve(self.signed(batch), now_s)
        publish(self.book)

    def reject(self, batch: str = "batch-1", now_s: float = NOW) -> None:
        """Reject a batch and publish what follows."""
        self.bench.reject(self.signed(batch, "reject"), now_s)
        publish(self.book)


@contextmanager
def guarded_court(directory: Path, url: str, limits: Limits | None = SMALL) -> Iterator[GuardedCourt]:
    """A guarded court, closed at the end."""
    court = GuardedCourt(directory, url, limits)
    try:
        yield court
    finally:
        court.book.close()


def statuses(rows: Iterable[Row]) -> list[str]:
    """The status of each row."""
    return [row.status.value for row in rows]
