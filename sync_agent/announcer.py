"""Puts in service what was applied: first the parameters, then the announcement.

Rules:
- An announcement follows the commit of all partitions, and repeats itself when only the vouched instant is newer.
- `as_of` never goes down, and belongs to the state that is announced with it.
- A lost announcement is made again before the next one, so that followers find every step of the way in the history.
- Parameters that the store lost or altered are put there again within seconds.
- A generation that was replaced stays for a grace, since gateways may be in the middle of reading it.
"""

from __future__ import annotations

from typing import Final

from liststore.base import Announcement, ListWriter
from restriction.errors import StoreNotWholeError
from sync_agent.applier import Applied
from sync_agent.last import LastAnnounced, stored_announcement
from sync_agent.spares import Spares

# A gateway follows within a second or two; a minute covers one that builds its filter from the generation it reads.
_GRACE_S: Final = 60.0
# Every so many passes, which is every five seconds, the parameters are read: a document is some kilobytes.
_LOOK_EVERY: Final = 25


class Announcer:
    """Announces in one store."""

    def __init__(self, store: ListWriter, spares: Spares, last: LastAnnounced) -> None:
        self._store = store
        self._last = last
        self._spares = spares
        self._parameters: tuple[int, bytes] | None = None
        self._passes = 0

    async def announce(self, applied: Applied | None, parameters: bytes | None) -> Announcement | None:
        """What is in service now, None when nothing is. Raises: StoreUnavailableError, FencedError."""
        before = await stored_announcement(self._store)
        if applied is None:
            return before
        if before is None or applied.as_of >= before.as_of:
            await self._put_parameters(applied.generation.number, parameters or b"")
        after = Announcement(applied.generation, applied.state, applied.as_of)
        if before is not None and not _is_news(before, after):
            after = before
        else:
            replaced = before or await self._announce_again(after)
            if replaced is not None and replaced.generation != after.generation:
                # Remembered first: a crash right after the announcement would leave it in the store for good.
                self._spares.add(replaced.generation, _GRACE_S)
            self._last.note(after)
            await self._store.announce(after, applied.additions)
            self._spares.keep(after.generation)
        await self._spares.drop_due(self._store, after.generation)
        return after

    async def _announce_again(self, after: Announcement) -> Announcement | None:
        """What this agent announced last, put back if `after` goes on from there; None when there never was any."""
        last = self._last.announcement
        if last is not None and last.generation == after.generation and last.state.version < after.state.version:
            await self._store.announce(last, ())
        return last

    async def _put_parameters(self, generation: int, parameters: bytes) -> None:
        """Put them when they changed or are lost, and with every generation, since what lost the one lost the other."""
        self._passes += 1
        known = self._parameters == (generation, parameters)
        if known and (self._passes % _LOOK_EVERY or await self._stored_parameters() == parameters):
            return
        await self._store.put_parameters(parameters)
        self._parameters = (generation, parameters)

    async def _stored_parameters(self) -> bytes | None:
        """The parameters in the store; None when they are lost. Raises: StoreUnavailableError."""
        try:
            return await self._store.parameters()
        except StoreNotWholeError:
            return None


def _is_news(before: Announcement, after: Announcement) -> bool:
    return (before.generation, before.state) != (after.generation, after.state) or after.as_of > before.as_of
