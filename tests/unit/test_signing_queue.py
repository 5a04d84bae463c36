"""From the book's queue to the signed feed: order, limits, and what a crash in between leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from publisher.publish import BESIDE_LIFTS, publish_queued
from restriction.change import Change, Digest, Lane, ListState
from restriction.envelope import MAX_DELTA_BYTES
from restriction.errors import GapError
from restriction.listing import Step
from restriction.record import Record, decode, encode
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import KEYS, ListPublisher, MemoryBook, lifted, listed, record_of, token_of


@pytest.fixture
def court(tmp_path: Path) -> ListPublisher:
    return ListPublisher(tmp_path, FakeClock())


class PowerCut(Exception):  # noqa: N818 nobody's error
    """The process ends here."""


class CutBook(MemoryBook):
    """A book whose process ends between signing and marking."""

    cut = False

    def mark_published(self, changes: Sequence[Change], state: ListState) -> None:
        if self.cut:
            raise PowerCut
        super().mark_published(changes, state)


def test_what_was_signed_and_not_marked_is_marked_and_not_signed_again(tmp_path: Path) -> None:
    court = ListPublisher(tmp_path, FakeClock())
    court.book = book = CutBook(court.book.state)
    book.cut = True
    with pytest.raises(PowerCut):
        court.publish(listed(1), listed(2))
    signed = court.feed.state
    first = court.feed.read_delta(Step(0, 1))
    book.cut = False
    state = court.publish(listed(3))
    assert (signed.version, state.version) == (1, 2)
    assert court.feed.read_delta(Step(0, 1)) == first
    assert court.feed.read_delta(Step(1, 2)).changes == (listed(3),)
    assert (book.state, book.waiting, len(book.records)) == (state, 0, 3)


def test_a_book_that_is_ahead_of_the_feed_is_published_as_a_snapshot(court: ListPublisher) -> None:
    ahead = ListPublisher(court.directory / "other", court.clock)
    ahead.publish(listed(1))
    ahead.publish(listed(2))
    court.book = ahead.book
    assert court.publish() == ahead.book.state
    assert court.feed.listing.snapshot == 2


def test_a_book_that_is_older_than_every_delta_stops_the_signing(court: ListPublisher) -> None:
    for number in range(60):
        court.publish(listed(number))
    court.publish_snapshot()
    court.book = MemoryBook()
    with pytest.raises(GapError, match="backup"):
        court.publish(lifted(1))


def test_a_lift_is_signed_ahead_of_additions_that_wait(court: ListPublisher) -> None:
    court.publish(listed(9_999))
    court.publish(*map(listed, range(4_500)), lifted(9_999))
    first = court.feed.read_delta(Step(1, 2))
    assert lifted(9_999) in first.changes
    assert len(first.changes) == 1 + BESIDE_LIFTS
    assert [len(court.feed.read_delta(step).changes) for step in court.feed.listing.deltas[2:]] == [2_000, 2_000, 300]


def test_a_lift_that_comes_while_additions_are_signed_is_the_next_delta(court: ListPublisher) -> None:
    court.publish(listed(9_999))
    instants = iter(range(100))

    def clock() -> float:
        # The queue is looked at twice before a delta is signed, so this comes while the first one is.
        if next(instants) == 3:
            court.book.queue([lifted(9_999)])
        return court.clock()

    court.book.queue(map(listed, range(6_000)))
    publish_queued(court.book, court.feed, KEYS.digest_key, clock)
    lanes = [{change.lane for change in court.feed.read_delta(step).changes} for step in court.feed.listing.deltas[1:]]
    assert lanes == [{Lane.BURDEN}, {Lane.EASE, Lane.BURDEN}, {Lane.BURDEN}, {Lane.BURDEN}]


def test_the_signed_state_is_that_of_the_records(court: ListPublisher) -> None:
    court.publish(*map(listed, range(50)))
    court.publish(*(listed(n, court=2) for n in range(25)), *map(lifted, range(40, 60)))
    digest = Digest(KEYS.digest_key)
    for token, record in court.book.records.items():
        digest.add(token, record)
    assert (court.feed.state.digest, court.feed.state.count) == (digest.value, 40)


def test_a_delta_stays_below_what_a_reader_takes(court: ListPublisher) -> None:
    (part,) = decode(record_of(1)).parts
    large = encode(Record(bytes(8), (part,) * 255))
    court.publish(*(Change(token_of(n), large, Lane.BURDEN) for n in range(500)))
    assert len(court.feed.listing.deltas) > 1
    assert court.feed.state.count == 500
    assert 500 * len(large) > MAX_DELTA_BYTES


def test_nothing_to_sign_signs_nothing(court: ListPublisher) -> None:
    before = court.feed.state
    assert court.publish() == before
    assert court.feed.listing.deltas == ()


def test_a_first_load_becomes_one_snapshot(tmp_path: Path) -> None:
    class LongBook(MemoryBook):
        """Claims a queue as long as a first load's."""

        @property
        def waiting(self) -> int:
            return 100_001 if super().waiting else 0

    court = ListPublisher(tmp_path, FakeClock())
    court.book = LongBook(court.book.state)
    state = court.publish(*map(listed, range(5_000)))
    assert court.feed.listing.deltas == ()
    assert (court.feed.listing.snapshot, state.count) == (state.version, 5_000)
