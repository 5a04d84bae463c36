"""What the court's side does without being told: vouch every two seconds, sign what waits, clear up every minute."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from publisher.heartbeat import Duty
from publisher.publish import publish_queued
from publisher.wiring import Publisher


def duties(publisher: Publisher, clock: Callable[[], float]) -> tuple[Duty, ...]:
    """The duties of one list."""
    book, feed = publisher.book, publisher.feed

    def vouch() -> None:
        with feed.lock():
            feed.heartbeat(clock())

    def sign() -> None:
        with alone(publisher.directory) as nobody_submits:
            if nobody_submits:
                publisher.bench.settle_abandoned(clock())
            # A first load waits for its submitter's end, to become one snapshot.
            if nobody_submits and not book.state.count and book.waiting:
                publish_queued(book, feed, publisher.keys.digest_key, clock)
        # A list in service is signed while others submit: whoever brings a lift must not wait for a long queue.
        if book.state.count and book.waiting:
            publish_queued(book, feed, publisher.keys.digest_key, clock)

    def clear_up() -> None:
        book.sweep(clock())
        with feed.lock():
            feed.sweep(clock())

    # Agents alarm after 30 s without a heartbeat; what ends by the clock is off the list within a minute.
    return Duty("heartbeat", 2.0, vouch), Duty("sign", 1.0, sign), Duty("clear up", 60.0, clear_up)


@contextmanager
def submitting(directory: Path) -> Iterator[None]:
    """Submit beside others who do; whoever submits also signs, so that a first load becomes one snapshot."""
    with (directory / ".submitting").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(directory: Path) -> Iterator[bool]:
    """Whether nobody submits now; nobody begins to before this ends."""
    with (directory / ".submitting").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
