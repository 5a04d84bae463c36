"""Says when versions took effect, and learns when the primary and every configured replica have them.

Rules:
- A pass only notes what it has done; writing that down and waiting for replicas is a duty beside the passes, so that
  no pass is ever later for it.
- What was noted while a confirmation was awaited is the next one's matter: a confirmation speaks of what was noted
  before it was asked for. One confirmation is for all that is open, so a backlog costs no more than a lift.
- What was not acknowledged may have been lost with a primary; where a later pass writes it again, it counts from then.
- Acknowledged stays acknowledged. An acknowledgement is never guessed: what an agent that died left open is asked
  about again, and a version whose time nobody saw counts from when it was first seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from liststore.base import ListWriter
from liststore.effects import KEPT, Confirmation, Effect
from restriction.change import ListState
from restriction.errors import LintelError

_log = logging.getLogger(__name__)
# A replica is told by the primary at once and says so at once; more than this is a replica that is away or stuck.
_WAIT_S: Final = 0.1
# Between two confirmations of the same, so that a replica that is away costs nothing; a note is taken up at once.
_SHORTEST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


class Acknowledger:
    """The effects of one list in one store."""

    def __init__(self, store: ListWriter, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._noted = asyncio.Event()
        self._begin(-1)

    def _begin(self, epoch: int) -> None:
        self._epoch = epoch
        self._open: dict[int, Effect] = {}
        self._written: dict[int, Effect] = {}
        self._guessed: set[int] = set()
        self._seen: int | None = None
        self._is_recalled = False

    def eased(self, base: ListState, reached: ListState) -> None:
        """The primary has committed, in what is in service, whatever eases on the way from `base` to `reached`."""
        self._enter(reached.list_id.epoch)
        now_s = self._clock()
        for version in _after(base.version, reached.version):
            known = self._open.get(version)
            if known is None or known.lifts_acknowledged_at is None:
                self._open[version] = Effect(self._epoch, version, now_s)
        self._noted.set()

    def announced(self, state: ListState) -> None:
        """The list is in service at this state; said again by every pass."""
        self._enter(state.list_id.epoch)
        now_s, seen = self._clock(), self._seen if self._seen is not None else state.version - 1
        for version in _after(seen, state.version):
            if version not in self._open:
                self._open[version] = Effect(self._epoch, version, now_s)
                self._guessed.add(version)
        self._seen = max(seen, state.version)
        for effect in list(self._open.values()):
            if effect.applied_at is None and effect.version <= state.version:
                self._open[effect.version] = replace(effect, applied_at=now_s)
                self._noted.set()

    async def run(self) -> None:
        """Write down and have confirmed what is noted, until cancelled."""
        pause_s: float | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):  # `wait_for` of Python 3.11 can lose a cancellation
                    await self._noted.wait()
            self._noted.clear()
            if await self._tried():
                pause_s = None
            else:
                pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s) if pause_s else _SHORTEST_PAUSE_S

    async def turn(self) -> bool:
        """Write down what is noted and ask for one confirmation of it; whether nothing is left open.

        Raises: StoreUnavailableError.
        """
        await self._recall()
        asked = dict(self._open)
        if not asked:
            return True
        await self._write()
        replicas = await self._store.confirm(_WAIT_S)
        now_s = self._clock()
        for version, effect in asked.items():
            current = self._open.get(version)
            if current is not None and current.eased_at == effect.eased_at:
                self._open[version] = _confirmed(current, effect, replicas, now_s)
        await self._write()
        for version in [effect.version for effect in self._open.values() if effect.acknowledged_at is not None]:
            del self._open[version], self._written[version]
        return not self._open

    async def _tried(self) -> bool:
        try:
            return await self.turn()
        except LintelError as error:  # the pass raises the alarm of a store that is away
            _log.info("nothing is acknowledged now: %s", error)
            return False

    async def _recall(self) -> None:
        """Take over what the store knows of versions that an earlier run, or another agent, has brought."""
        if self._seen is None or (self._is_recalled and not self._guessed):
            return
        guessed, seen = set(self._guessed), self._seen
        versions = sorted(guessed) if self._is_recalled else list(_after(0, seen))
        for version, effect in (await self._store.effects(self._epoch, versions)).items():
            if version in self._open and version not in guessed:
                continue
            self._open[version] = replace(effect, applied_at=effect.applied_at or self._clock())
            self._written[version] = effect
            if effect.acknowledged_at is not None:
                del self._open[version], self._written[version]
        self._guessed -= guessed
        self._is_recalled = True

    async def _write(self) -> None:
        """Keep in the store what is not yet there; of more than it keeps, the newest."""
        for version in sorted(self._open)[:-KEPT]:
            del self._open[version]
            self._written.pop(version, None)
        changed = {version: effect for version, effect in self._open.items() if self._written.get(version) != effect}
        await self._store.put_effects(list(changed.values()))
        self._written |= changed

    def _enter(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._begin(epoch)


def _after(base: int, version: int) -> range:
    """The versions above `base` up to `version`, as far as they are kept."""
    return range(max(base, version - KEPT) + 1, version + 1)


def _confirmed(current: Effect, asked: Effect, replicas: Confirmation, now_s: float) -> Effect:
    """What is known of a version after a confirmation that was asked for when `asked` was known."""
    if not replicas.is_whole:
        return replace(current, replicas=replicas)
    return replace(
        current,
        replicas=replicas,
        lifts_acknowledged_at=current.lifts_acknowledged_at or now_s,
        acknowledged_at=now_s if asked.applied_at is not None else None,
    )
