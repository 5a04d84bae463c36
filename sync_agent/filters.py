"""Ready-made filter images, made anew from the store now and then, so that a gateway starts in seconds.

An image that the store lost or altered is made anew at the next look; until then gateways build their own filters.

An image holds every token of its generation up to its version and may hold more; a gateway adds what came since.
Tokens that were lifted leave the filter only here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from liststore.base import PARTITIONS, Announcement, FilterImage, ListWriter
from restriction.errors import FitnessError, StoreNotWholeError
from restriction.filter import FilterStamp
from sync_agent.loader import empty_filter

_log = logging.getLogger(__name__)
# Ten minutes of a busy list are some hundred additions: a moment for a gateway to read.
REFRESH_S: Final = 600.0


class FilterImages:
    """Keeps the filter image of the generation in service fresh."""

    def __init__(self, store: ListWriter, interval_s: float = REFRESH_S) -> None:
        self._store = store
        self._interval_s = interval_s

    async def keep(self, in_service: Callable[[], Announcement | None]) -> None:
        """Refresh the image at every interval in which the list moved or the image was lost, until cancelled."""
        last = in_service()
        while True:
            await asyncio.sleep(self._interval_s)
            announced = in_service()
            if announced is None:
                continue
            try:
                if last is None or announced.state != last.state or not await self._is_there(announced):
                    await self.refresh(announced)
                last = announced
            except FitnessError as error:
                _log.warning("the filter image is not refreshed, the older one stays: %s", error)

    async def _is_there(self, announced: Announcement) -> bool:
        try:
            return await self._store.filter_image(announced.generation.number) is not None
        except StoreNotWholeError:
            return False

    async def refresh(self, announced: Announcement) -> None:
        """Make the image of what the generation holds now. Raises: StoreUnavailableError, FilterFullError."""
        generation, state = announced.generation, announced.state
        fresh = empty_filter(state.count, FilterStamp(generation.number, state.version, generation.key_id))
        for partition in range(PARTITIONS):
            records = await self._store.records(generation, partition, state.version)
            await asyncio.to_thread(fresh.add_all, records)
        await self._store.put_filter_image(FilterImage(generation.number, state.version, fresh.to_image()))
