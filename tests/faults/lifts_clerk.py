"""The court's clerk, in a process of its own: puts additions into the queue, and files lifts ahead of them.

Lifts are filed through the publisher's library, one submission each. The two halves of a submission go side by side
here: one thread takes lifts in, another signs delta after delta of what waits, so that a thousand lifts can be under
way while the queue is long; the court's own `publisher serve` signs as well.
Which delta carries a lift is read from the feed, by the lift's token.
"""

from __future__ import annotations

import datetime as dt
import io
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from typing import Any, cast

from publisher.book import Book
from publisher.duties import submitting
from publisher.feed import Feed
from publisher.publish import Outbox, publish_queued
from publisher.wiring import Publisher, opened
from restriction.calendar import day_of
from restriction.change import Change
from restriction.events import Status
from restriction.identity import Document, normalise
from sandbox.generator import addition_line


@dataclass(frozen=True, slots=True)
class Additions:
    """So many listings of persons whom the sample does not hold: its seed, and the first one's number in it."""

    seed: int
    first: int
    count: int
    today: dt.date


@dataclass(frozen=True, slots=True)
class Begun:
    """The lift of this number is being filed."""

    number: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Filed:
    """A lift that `version` carries. `waiting`: how many changes were in the queue when it was filed."""

    number: int
    submitted_s: float
    signed_s: float
    version: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Order:
    """Lifts by number, to be filed one every `every_s`; of each its line and whom it lifts."""

    court: Path
    lifts: Mapping[int, tuple[str, Document]]
    every_s: float


def queue_additions(court: Path, additions: Additions) -> int:
    """Take them in, all of them, and sign none; gives how many wait. Raises: ValueError when one is not accepted."""
    lines = (
        addition_line(additions.seed, additions.first + place, additions.today, 0) for place in range(additions.count)
    )
    with opened(court) as publisher, submitting(court):
        _take_in(publisher, "\n".join(lines).encode())
        return publisher.book.waiting


def file_lifts(order: Order, told: Connection) -> None:
    """File the lifts, say so of each (`Begun`, `Filed`), and end with None. It begins when it is told anything."""
    taken_in = Queue[_TakenIn | None]()
    with opened(order.court) as publisher, submitting(order.court):
        told.send(None)
        told.recv()
        signing = threading.Thread(target=_sign, args=(order.court, taken_in, told))
        signing.start()
        began_s = time.monotonic()
        for place, (number, (line, whom)) in enumerate(order.lifts.items()):
            time.sleep(max(0.0, began_s + place * order.every_s - time.monotonic()))
            token = publisher.keys.token(normalise(whom, publisher.mode, day_of(_clock())))
            lift = _TakenIn(number, token, time.monotonic(), publisher.book.waiting)
            told.send(Begun(number, lift.at_s))
            _take_in(publisher, line.encode())
            taken_in.put(lift)
        taken_in.put(None)
        signing.join()
    told.send(None)


@dataclass(frozen=True, slots=True)
class _TakenIn:
    number: int
    token: bytes
    at_s: float
    waiting: int


def _sign(court: Path, taken_in: Queue[_TakenIn | None], told: Connection) -> None:
    """Sign a delta whenever lifts were taken in, and say which version carries each."""
    with opened(court) as publisher:
        carried, version = dict[bytes, int](), publisher.feed.state.version
        while (lift := taken_in.get()) is not None:
            if lift.token not in carried:
                book = cast("Outbox", _OneDelta(publisher.book))
                publish_queued(book, publisher.feed, publisher.keys.digest_key, _clock)
                version = _read_deltas(publisher.feed, version, carried)
            told.send(Filed(lift.number, lift.at_s, time.monotonic(), carried[lift.token], lift.waiting))


def _read_deltas(feed: Feed, after: int, carried: dict[bytes, int]) -> int:
    """Note the version of each removal since then, and say which version was reached."""
    with feed.lock():
        reached = feed.state.version
        for step in feed.listing.way(after) or ():
            carried |= {change.token: step.version for change in feed.read_delta(step).changes if not change.record}
    return reached


def _take_in(publisher: Publisher, lines: bytes) -> None:
    rows = publisher.intake.submit(io.BytesIO(lines), secrets.token_hex(16), _clock)
    refused = [row for row in rows if row.status is not Status.ACCEPTED]
    if refused:
        raise ValueError(f"{len(refused)} lines were not accepted, first: {refused[0]}")


def _clock() -> float:
    return time.time()  # noqa: TID251 - an edge


@dataclass
class _OneDelta:
    """The book's queue as far as the next delta."""

    book: Book
    is_drawn: bool = False

    def next_changes(self, limit: int) -> Sequence[Change]:
        """See `Outbox.next_changes`."""
        if self.is_drawn:
            return ()
        self.is_drawn = True
        return self.book.next_changes(limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.book, name)
