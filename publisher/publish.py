"""From the book's queue to the signed feed, one delta at a time.

Rules:
- Whatever eases leaves the queue first (the book's order), in a small delta, which is in effect sooner: few additions
  go with it, so that a stream of lifts never stops them. The lock is let go after every delta, so that a lift submitted
  later goes ahead of additions that still wait.
- The signed metadata is the truth. A crash between signing and marking leaves the book behind: what was signed is
  marked again. A book that is ahead (a first load, or a feed restored from an older backup) is published as a snapshot.
- Digest and count of a delta are computed from the records that it replaces.
- No delta empties a live list without the root threshold (`publisher.emptying`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import Final, Protocol

from publisher import emptying
from publisher.feed import Feed
from publisher.folding import make_room, publish_snapshot, write_snapshot
from restriction.change import MAX_CHANGES_PER_DELTA, Change, Delta, Digest, ListState
from restriction.errors import GapError, SettingError
from restriction.folding import MAX_RECORD_BYTES_PER_DELTA
from restriction.listing import approval_path

# A list that begins with more than this is read faster as a snapshot; one in service keeps its lock free for lifts.
SNAPSHOT_BACKLOG: Final = 100_000
PARTITIONS: Final = 256
BESIDE_LIFTS: Final = 200  # additions: about 10 ms of an agent's pass
# Versions have 18 digits at most; above a tenth of that a list is founded again.
MAX_OVERTAKEN: Final = 10**17


class Outbox(Protocol):
    """What the book offers to whoever signs: changes that wait, and the records that were signed."""

    @property
    def state(self) -> ListState:
        """The state that the published records amount to."""

    @property
    def waiting(self) -> int:
        """How many changes wait."""

    @property
    def easing(self) -> int:
        """How many of the changes that wait ease."""

    def next_changes(self, limit: int) -> Sequence[Change]:
        """The changes to sign next, those that ease first, one for each token."""

    def published(self, tokens: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """The published records of these tokens; a token without one is left out."""

    def published_records(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        """All published records of a partition, in token order."""

    def mark_published(self, changes: Sequence[Change], state: ListState) -> None:
        """Take these changes out of the queue and into the published records, in one step. Doing it twice is once."""


def publish_queued(
    book: Outbox,
    feed: Feed,
    digest_key: bytes,
    clock: Callable[[], float],
    is_done: Callable[[], bool] = lambda: False,
) -> ListState:
    """Sign whatever the book has queued, or until `is_done` after a delta; gives the newest signed state."""
    with feed.lock():
        repair(book, feed, clock())
        if _is_first_load(book):
            _publish_whole(book, feed, digest_key, clock())
    while True:
        make_room(feed, clock())
        with feed.lock():
            repair(book, feed, clock())
            changes = _fitting(book.next_changes(_delta_size(book)))
            if not changes or not _publish_delta(book, feed, changes, digest_key, clock()) or is_done():
                return feed.state


def _publish_delta(book: Outbox, feed: Feed, changes: Sequence[Change], digest_key: bytes, now_s: float) -> bool:
    """Sign these changes as one delta, all but the one that would empty a live list; whether anything was signed."""
    after, with_it = _after(book, changes, digest_key), {}
    if emptying.needs_approval(book.state, after):
        approval = emptying.approval(feed, after.version)
        if approval is None:
            changes = emptying.sparing_last(changes, book.published([change.token for change in changes]))
            after = _after(book, changes, digest_key)
        else:
            with_it = {approval_path(after.version): approval}
    if changes:
        delta = Delta(book.state.version, after, tuple(changes))
        feed.publish_delta(delta, now_s, with_it)
        book.mark_published(changes, delta.after)
    return bool(changes)


def overtake(book: Outbox, feed: Feed, version: int, now_s: float) -> ListState:
    """Sign the list as it is above a version that a thief had put in service; a crash on the way is repaired as ever.

    Raises: SettingError when the list is above that version.
    """
    with feed.lock():
        repair(book, feed, now_s)
        if version < book.state.version:
            raise SettingError(f"{version}: the list is at {book.state.version}, so agents that are at this one follow")
        book.mark_published((), replace(book.state, version=version + 1))
        repair(book, feed, now_s)
        return feed.state


def repair(book: Outbox, feed: Feed, now_s: float) -> None:
    """Make book and feed agree after a crash between signing and marking. The caller holds the lock."""
    signed = feed.state
    if book.state.version > signed.version:
        _publish_book(book, feed, now_s)
    elif book.state.version < signed.version:
        way = feed.listing.way(book.state.version)
        if way is None:
            raise GapError("the book is older than every signed delta; restore the book from its backup")
        for delta in map(feed.read_delta, way):
            book.mark_published(delta.changes, delta.after)


def _is_first_load(book: Outbox) -> bool:
    return book.waiting > SNAPSHOT_BACKLOG and not book.state.count


def _publish_whole(book: Outbox, feed: Feed, digest_key: bytes, now_s: float) -> None:
    while changes := book.next_changes(MAX_CHANGES_PER_DELTA):
        book.mark_published(changes, _after(book, changes, digest_key))
    _publish_book(book, feed, now_s)


def _publish_book(book: Outbox, feed: Feed, now_s: float) -> None:
    partitions = ((partition, dict(book.published_records(partition))) for partition in range(PARTITIONS))
    publish_snapshot(feed, write_snapshot(feed, book.state, partitions), now_s)


def _delta_size(book: Outbox) -> int:
    """How many changes to sign as one: few beside what eases, and many where nothing does."""
    easing = book.easing
    return min(MAX_CHANGES_PER_DELTA, easing + BESIDE_LIFTS) if easing else MAX_CHANGES_PER_DELTA


def _fitting(changes: Sequence[Change]) -> Sequence[Change]:
    """As many of the changes, from the first, as one delta may hold; at least one."""
    sizes = accumulate(len(change.record) for change in changes)
    return changes[: max(1, sum(1 for _ in takewhile(lambda size: size <= MAX_RECORD_BYTES_PER_DELTA, sizes)))]


def _after(book: Outbox, changes: Sequence[Change], digest_key: bytes) -> ListState:
    """The next state of the list, once these changes replaced what was published of their tokens."""
    before = book.published([change.token for change in changes])
    digest = Digest(digest_key, book.state.digest)
    count = book.state.count
    for change in changes:
        old = before.get(change.token, b"")
        digest.remove(change.token, old)
        digest.add(change.token, change.record)
        count += bool(change.record) - bool(old)
    state = book.state
    return ListState(state.list_id, state.version + 1, digest.value, count, state.key_id)
