"""A store in memory for tests, demos and single processes: the same sealed bytes as on a server, in a dictionary.

`cells` is open on purpose: whoever tests what a lost or altered value does, loses or alters it there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from liststore.base import ListReader, ListWriter
from liststore.keys import Keys
from liststore.keyspace import MAX_PAGES, News, Row, Swap
from liststore.reader import KeyspaceReader
from liststore.server import Server
from liststore.writer import KeyspaceWriter
from restriction.errors import StoreUnavailableError


class MemoryKeyspace:
    """A `Keyspace` in this process. Every move is one step of the event loop, so it is atomic."""

    def __init__(self) -> None:
        self.cells: dict[str, bytes] = {}
        self._pages: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._listeners: defaultdict[str, set[asyncio.Queue[int]]] = defaultdict(set)

    async def read(self, rows: Sequence[Sequence[str]]) -> list[Row | StoreUnavailableError]:
        """See `Keyspace.read`."""
        found: list[Row | StoreUnavailableError] = [[self.cells.get(key) for key in row] for row in rows]
        await asyncio.sleep(0)  # as on a server, others get between reading and writing
        return found

    async def put(self, cells: Mapping[str, bytes]) -> None:
        """See `Keyspace.put`."""
        self.cells.update(cells)

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """See `Keyspace.swap`."""
        return [self._swap(swap) for swap in swaps]

    async def announce(self, swap: Swap, news: News) -> bool:
        """See `Keyspace.announce`."""
        if not self._swap(swap):
            return False
        history = self._pages[news.stream]
        history += [(news.version, page) for page in news.pages]
        del history[:-MAX_PAGES]
        await self.hint(news.channel, news.version)
        return True

    async def pages(self, stream: str, after: int) -> list[bytes]:
        """See `Keyspace.pages`."""
        return [page for version, page in self._pages[stream] if version > after]

    async def remove(self, keys: Sequence[str]) -> None:
        """See `Keyspace.remove`."""
        for key in keys:
            self.cells.pop(key, None)
            self._pages.pop(key, None)

    async def hint(self, channel: str, number: int) -> None:
        """See `Keyspace.hint`."""
        for listener in self._listeners[channel]:
            listener.put_nowait(number)

    async def hints(self, channel: str) -> AsyncIterator[int]:
        """See `Keyspace.hints`."""
        listener = asyncio.Queue[int]()
        self._listeners[channel].add(listener)
        try:
            while True:
                yield await listener.get()
        finally:
            self._listeners[channel].discard(listener)

    async def close(self) -> None:
        """See `Keyspace.close`; there is nothing to let go of."""

    def _swap(self, swap: Swap) -> bool:
        if self.cells.get(swap.fence) != swap.expected:
            return False
        self.cells.update(swap.cells)
        return True


class MemoryStore:
    """One list in memory; its readers and writers see each other's work at once."""

    def __init__(self, bucket_key: bytes) -> None:
        self.keyspace = MemoryKeyspace()
        self.keys = Keys()
        self._key = bucket_key

    def reader(self) -> ListReader:
        """A reader of this list."""
        return KeyspaceReader([Server("memory", self.keyspace, self.keyspace)], self.keys, self._key)

    def writer(self) -> ListWriter:
        """A writer of this list."""
        return KeyspaceWriter(self.keyspace, self.keys, self._key)
