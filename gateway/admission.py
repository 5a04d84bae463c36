"""How many calls are worked on at once: beyond that a caller is told within microseconds to come back.

I16: whatever arrives, no more than `limit` calls hold memory, store connections and a turn of the event loop.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from restriction.errors import NotReadyError, OverloadedError

RETRY_AFTER_S: Final = 0.05  # a full house empties in a few milliseconds; a little more spreads those who come back


class Admission:
    """A house with `limit` places, of one event loop; a `with` block holds a place."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()
        self.in_flight = 0

    def __enter__(self) -> None:
        """Take a place. Raises: OverloadedError when there is none, NotReadyError when the house is closed."""
        if self._closed:
            raise NotReadyError("draining")
        if self.in_flight >= self._limit:
            raise OverloadedError(f"{self._limit} calls are under way: ask again shortly", retry_after_s=RETRY_AFTER_S)
        self.in_flight += 1
        self._empty.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the place back, however the call ended."""
        self.in_flight -= 1
        if not self.in_flight:
            self._empty.set()

    async def close(self) -> None:
        """Let nobody in any more, and return when everybody has left."""
        self._closed = True
        await self._empty.wait()
