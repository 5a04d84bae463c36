"""How a gateway comes by a filter that contains every token up to a version, and keeps it so.

Rules that hold here:
- I9: a `Reach` says how far its filter is filled, and is made only after every token up to there is in it.
- Bits are only ever set: a filter that is in service may be filled further in place.
- Building gives way to answers: no slice of it holds the event loop for longer than about half a millisecond.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from liststore.base import Announcement, ListReader
from restriction.errors import FilterCorruptError, FilterFullError, GapError, StoreUnavailableError
from restriction.filter import FilterStamp, ListFilter

ERROR_RATE: Final = 0.0005  # one absent subject in two thousand costs a store trip; 16 bits a subject
HEAD_ROOM: Final = 1.25  # of the list's size: a year of net additions, in 22 MB for ten million subjects
SPARE: Final = 10_000  # so that a small list takes a burst of additions without a rebuild
NEARLY_FULL: Final = 0.9
MAX_TOKENS_IN_A_TURN: Final = 64  # set between two turns of the event loop: 0.4 ms on a busy core


@dataclass(frozen=True, slots=True)
class Reach:
    """A filter, and the generation and version of which it contains every token."""

    filter: ListFilter
    generation: int
    version: int

    @property
    def is_nearly_full(self) -> bool:
        """Whether a larger filter should be built before this one is full."""
        return len(self.filter) >= NEARLY_FULL * self.filter.capacity


async def filled(reach: Reach | None, store: ListReader, announced: Announcement) -> Reach | None:
    """The reach filled up to the announced version; None when it cannot be (another generation, a gap, full).

    Raises: StoreUnavailableError.
    """
    if reach is None or reach.generation != announced.generation.number or reach.version > announced.state.version:
        return None
    if reach.version == announced.state.version:
        return reach
    try:
        await _add(reach.filter, await store.additions(reach.generation, reach.version, announced.state.version))
    except (GapError, FilterFullError):
        return None
    return replace(reach, version=announced.state.version)


async def build_reach(store: ListReader, announced: Announcement, *, use_image: bool) -> Reach:
    """A fresh reach up to the announced version or beyond, from the ready-made image or by reading every token.

    Raises: StoreUnavailableError.
    """
    reach = await _from_image(store, announced) if use_image else None
    return reach or await _scanned(store, announced)


async def _from_image(store: ListReader, announced: Announcement) -> Reach | None:
    """The image filled up to the announced version; None when there is none that is whole and can be filled."""
    try:
        image = await store.filter_image(announced.generation.number)
        ready = None if image is None else await asyncio.to_thread(ListFilter.from_image, image.image)
    except (StoreUnavailableError, FilterCorruptError):
        return None
    if ready is None or ready.stamp.key_id != announced.generation.key_id:
        return None
    return await filled(Reach(ready, ready.stamp.generation, ready.stamp.version), store, announced)


async def _scanned(store: ListReader, announced: Announcement) -> Reach:
    state, generation = announced.state, announced.generation
    capacity = int(state.count * HEAD_ROOM) + SPARE
    fresh = ListFilter.empty(capacity, ERROR_RATE, FilterStamp(generation.number, state.version, generation.key_id))
    async for tokens in store.tokens(generation, state.version):
        await _add(fresh, tokens)
    return Reach(fresh, generation.number, state.version)


async def _add(target: ListFilter, tokens: list[bytes]) -> None:
    for start in range(0, len(tokens), MAX_TOKENS_IN_A_TURN):
        target.add_all(tokens[start : start + MAX_TOKENS_IN_A_TURN])
        await asyncio.sleep(0)
