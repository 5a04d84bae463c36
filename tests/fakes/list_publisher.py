"""A court's side that signs for real and misbehaves on request.

It is the real feed over a book in memory. What misbehaves does to the files what an attacker who holds the web server,
or a court's side gone wrong, could do.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from publisher.feed import Feed
from publisher.folding import KEPT_DELTAS, publish_snapshot, write_snapshot
from publisher.heartbeat import FeedServer
from publisher.publish import publish_queued
from publisher.sign import OnlineSigners, create_keys, sign_root
from restriction.calendar import Span
from restriction.change import DIGEST_BYTES, Change, Delta, Lane, ListId, ListState
from restriction.record import Grant, Part, Record, encode
from restriction.token import Secrets, TokenKeys

LIST_ID = ListId("test", "sandbox", 1)
KEYS = TokenKeys.expand("k1", bytes(range(32)))
SECRETS = Secrets(KEYS)
EMPTY = ListState(LIST_ID, 0, bytes(DIGEST_BYTES), 0, KEYS.key_id)


def token_of(number: int) -> bytes:
    """A token; neighbours lie in different partitions."""
    return bytes([number % 256]) + number.to_bytes(15, "big")


def record_of(court: int) -> bytes:
    """A record that differs by `court`."""
    part = Part(bytes(8), court, 1, None, None, (bytes(8),), (Grant(2, 0, Span(1)),))
    return encode(Record(bytes(8), (part,)))


def listed(number: int, court: int = 1) -> Change:
    """A change that lists a token."""
    return Change(token_of(number), record_of(court), Lane.BURDEN)


def lifted(number: int) -> Change:
    """A change that lifts a token."""
    return Change(token_of(number), b"", Lane.EASE)


class MemoryBook:
    """The publisher's outbox, in memory."""

    def __init__(self, state: ListState = EMPTY) -> None:
        self.state = state
        self.records: dict[bytes, bytes] = {}
        self._queue: dict[bytes, Change] = {}

    def queue(self, changes: Iterable[Change]) -> None:
        """Let changes wait; the last one of a token counts."""
        self._queue.update((change.token, change) for change in changes)

    @property
    def waiting(self) -> int:
        """See `Outbox`."""
        return len(self._queue)

    @property
    def easing(self) -> int:
        """See `Outbox`."""
        return sum(change.lane is Lane.EASE for change in self._queue.values())

    def next_changes(self, limit: int) -> Sequence[Change]:
        """See `Outbox`."""
        return sorted(self._queue.values(), key=lambda change: change.lane)[:limit]

    def published(self, tokens: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """See `Outbox`."""
        return {token: self.records[token] for token in tokens if token in self.records}

    def published_records(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        """See `Outbox`."""
        return sorted((token, record) for token, record in self.records.items() if token[0] == partition)

    def mark_published(self, changes: Sequence[Change], state: ListState) -> None:
        """See `Outbox`."""
        for change in changes:
            self.records[change.token] = change.record
            if self._queue.get(change.token) == change:
                del self._queue[change.token]
        self.records = {token: record for token, record in self.records.items() if record}
        self.state = state


class ListPublisher:
    """One court's side in one directory."""

    def __init__(self, directory: Path, clock: Callable[[], float], list_id: ListId = LIST_ID) -> None:
        self.directory = directory
        self.clock = clock
        self.book = MemoryBook(replace(EMPTY, list_id=list_id))
        create_keys(directory / "keys")
        signers = OnlineSigners(directory / "keys")
        self.feed = Feed.create(directory / "feed", signers, sign_root(directory / "keys", list_id, clock()))
        self.publish_snapshot()

    @property
    def root(self) -> bytes:
        """What agents pin."""
        return (self.directory / "feed" / "root.json").read_bytes()

    @property
    def metadata(self) -> Path:
        """Where the signed metadata lies."""
        return self.directory / "feed" / "metadata"

    def reopen(self) -> None:
        """Sign with the keys that lie there now, the present metadata first."""
        self.feed = Feed(self.directory / "feed", OnlineSigners(self.directory / "keys"))
        with self.feed.lock():
            self.feed.replace({}, (), self.feed.state, self.clock())

    def publish(self, *changes: Change) -> ListState:
        """Queue these changes and sign all that wait."""
        self.book.queue(changes)
        return publish_queued(self.book, self.feed, KEYS.digest_key, self.clock)

    def publish_snapshot(self) -> None:
        """Sign a snapshot of what is published."""
        partitions = ((partition, dict(self.book.published_records(partition))) for partition in range(256))
        with self.feed.lock():
            publish_snapshot(self.feed, write_snapshot(self.feed, self.book.state, partitions), self.clock())

    def heartbeat(self) -> None:
        """Vouch that nothing newer exists."""
        with self.feed.lock():
            self.feed.heartbeat(self.clock())

    def outdate(self) -> None:
        """Sign fifty deltas that change nothing, and a snapshot, so that whoever is behind needs the snapshot."""
        state = self.feed.state
        for _ in range(KEPT_DELTAS + 1):
            base, state = state.version, replace(state, version=state.version + 1)
            self.sign_delta(base, state)
        self.book.state = state
        self.publish_snapshot()

    def sign_delta(self, base_version: int, after: ListState, *changes: Change) -> None:
        """Sign a delta that says whatever the caller wants, true or not."""
        with self.feed.lock():
            self.feed.publish_delta(Delta(base_version, after, tuple(changes)), self.clock())

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the feed on a port of its own; gives the URL."""
        server = FeedServer(("127.0.0.1", 0), self.directory / "feed")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def photograph(self) -> Path:
        """A copy of the whole feed as it is now, to be replayed later."""
        copy = self.directory / f"photograph-{self.feed.state.version}"
        shutil.copytree(self.directory / "feed", copy)
        return copy

    def replay(self, photograph: Path) -> None:
        """Put an older feed in the place of the present one, signatures and all."""
        shutil.rmtree(self.directory / "feed")
        shutil.copytree(photograph, self.directory / "feed")

    def newest_delta(self) -> Path:
        """The file of the newest delta."""
        deltas = (self.directory / "feed" / "targets" / "deltas").iterdir()
        return max(deltas, key=lambda path: int(path.suffixes[0].strip(".").partition("-")[2]))
