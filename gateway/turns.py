"""Long work in turns with everybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

TURN: Final = 32  # items of a batch, about a millisecond: what a check beside it may wait
T = TypeVar("T")


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The items in order; after every `TURN` of them whatever else is ready runs first.

    A batch that held the loop for its whole length would make every store reply beside it late.
    """
    for place, item in enumerate(items, 1):
        yield item
        if place % TURN == 0:
            await asyncio.sleep(0)
