"""The agent: moves the list in the store forward, a fifth of a second after the court's side has signed.

Rules:
- One pass is fetch · accept · apply · announce; each step is one call into one room, and no step reaches back.
- A feed that is refused, expired or away stops acceptance, not service: the verified copy is applied all the same, so a
  lost store is rebuilt from it and the list stays in service at its true age.
- Whatever goes wrong is an alarm, and the next pass is the retry.
- Apply is given the pass itself for one reason: while a whole list is loaded, passes are made in the load's pauses, so
  that what is in service moves on; these load nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from liststore.base import Announcement
from sync_agent.acknowledger import Acknowledger
from sync_agent.alarms import DISK, FEED, STORE, Alarms
from sync_agent.announcer import Announcer
from sync_agent.applier import Applier
from sync_agent.copy import VerifiedCopy
from sync_agent.fetcher import FeedFetcher
from sync_agent.filters import FilterImages
from sync_agent.report import Backlog

_log = logging.getLogger(__name__)
_WATCH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Rooms:
    """What a pass calls into, in the order of the calls."""

    fetcher: FeedFetcher
    copy: VerifiedCopy
    applier: Applier
    announcer: Announcer
    images: FilterImages
    acknowledger: Acknowledger


class Agent:
    """Follows one feed into one store; `in_service` is what the last pass left announced."""

    def __init__(self, rooms: Rooms, alarms: Alarms, report: Callable[[Announcement | None, Backlog], None]) -> None:
        self._fetcher = rooms.fetcher
        self._copy = rooms.copy
        self._applier = rooms.applier
        self._announcer = rooms.announcer
        self._images = rooms.images
        self.acknowledger = rooms.acknowledger
        self.alarms = alarms
        self._report = report
        self.in_service: Announcement | None = None

    async def sync_once(self) -> None:
        """Move the list forward once: fetch · accept · apply · announce."""
        with self.alarms.watching(FEED):
            fetched = await self._fetcher.fetch(self._copy.position)
            self._copy.accept(fetched)
        self.alarms.heartbeat(self._copy.as_of)  # before a load, which may take longer than a heartbeat may
        with self.alarms.watching(STORE):
            applied = await self._applier.apply(self._copy, self.sync_once)
            self.in_service = await self._announcer.announce(applied, self._copy.parameters)
            if self.in_service is not None:
                self.acknowledger.announced(self.in_service.state)
        self._tell()

    async def run(self, stop: asyncio.Event, interval_s: float) -> None:
        """Pass after pass until `stop` is set; a pass under way is finished first."""
        duties = [
            asyncio.create_task(self._images.keep(lambda: self.in_service)),
            asyncio.create_task(self.acknowledger.run()),
            asyncio.create_task(self._applier.listen()),
            asyncio.create_task(self._watch()),
        ]
        try:
            while not stop.is_set():
                await self.sync_once()
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval_s):
                        await stop.wait()
        finally:
            for duty in duties:
                duty.cancel()
                with suppress(asyncio.CancelledError):
                    await duty

    async def _watch(self) -> None:
        """Look for heartbeats during a pass too: a server may be so slow that it never comes to an end."""
        while True:
            await asyncio.sleep(_WATCH_S)
            self.alarms.heartbeat(self._copy.as_of)
            self._tell()

    def _tell(self) -> None:
        """Say what is in service, what waits and what is wrong."""
        state = self.in_service.state if self.in_service else None
        with self.alarms.watching(DISK):
            newest = max(self._fetcher.newest, self._copy.position.version or 0)
            versions = max(0, newest - (state.version if state else 0))
            self._report(self.in_service, Backlog(versions, self._copy.waiting(state)))
