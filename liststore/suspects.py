"""Tells of partitions that a gateway met damaged, so that the agent looks at them before its round comes there.

Rules that hold here:
- A hint only: it is lossy, it writes no key, and the one thing it says is the number of a partition.
- Nobody waits for it: it goes out beside the answer, one at a time, and what becomes of it changes nothing.
- Each partition at most once in `EVERY_S`, whatever is asked; so at most `PARTITIONS` wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from restriction.errors import StoreUnavailableError

EVERY_S: Final = 1.0  # an agent that heard it is done sooner, and one that did not hears it soon


class Teller:
    """Passes partition numbers to `publish`."""

    def __init__(self, publish: Callable[[int], Awaitable[None]]) -> None:
        self._publish = publish
        self._silent_until_s = dict[int, float]()
        self._waiting = set[int]()
        self._telling: asyncio.Task[None] | None = None

    def tell(self, partition: int, now_s: float) -> None:
        """Tell of it soon, unless that was done lately; `now_s` is monotonic."""
        if now_s < self._silent_until_s.get(partition, now_s):
            return
        self._silent_until_s[partition] = now_s + EVERY_S
        self._waiting.add(partition)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        """Forget what waits."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])

    async def _tell(self) -> None:
        while self._waiting:
            with suppress(StoreUnavailableError):  # also where publishing is forbidden
                await self._publish(self._waiting.pop())
