"""Follows the list: sees what is announced, fills the filter up to it, and swaps the view that answers are made from.

Rules that hold here:
- I5: the floor never goes down; an announcement below it is refused and the view in service stays.
- I9: a view is shown only when its filter contains every token up to its version, or without a filter.
- A filter that cannot follow for `MAX_LAG_S` is left out: the exact store is asked about everybody until it can.
- Whatever fails, the last view stays in service at its true age: it is measured from the court side's signed time, and
  by a clock that nobody sets. A signed time ahead of this host's clock is told; no list becomes younger by being seen
  again, so a clock that is behind hides no more than what was missed before the list was first seen.
- A store that fell back (a stale replica, a failover) takes nothing back: neither a version, nor a signed time, nor the
  parameters of a lower version in one epoch.

A hint is only a reason to look. What is read is sealed and checked by the store's reader.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import structlog

from gateway.filters import Reach, build_reach, filled
from gateway.floor import Floor
from gateway.question import Clocks
from gateway.views import View
from liststore.base import Announcement, ListReader
from restriction.errors import LintelError, NotReadyError, SettingError, StoreUnavailableError
from restriction.parameters import Parameters
from restriction.token import Secrets, TokenKeys

POLL_INTERVAL_S: Final = 0.2
MAX_LAG_S: Final = 2.0
SKEW_ALARM_S: Final = 5.0  # signed times are whole seconds, and hosts that keep time at all are closer than this
_log: Final = structlog.get_logger(__name__)

OnView = Callable[[View], Awaitable[None]]


class Follower:
    """Holds the view in service and moves it forward."""

    def __init__(self, store: ListReader, secrets: Secrets, floor: Floor, clocks: Clocks, on_view: OnView) -> None:
        self._store = store
        self._keys = {keys.key_id: keys for keys in (secrets.current, secrets.successor) if keys is not None}
        self._floor = floor
        self._clocks = clocks
        self._on_view = on_view
        self._view: View | None = None
        self._reach: Reach | None = None
        self._build: asyncio.Task[Reach] | None = None
        self._behind_since_s: float | None = None
        self._document: tuple[int, bytes | None] | None = None
        self._hinted = asyncio.Event()
        self.problem = "no list was read yet"
        self.clock_skew_s = 0.0  # how far the court side's newest signed time was ahead of this host's clock when seen

    def current(self) -> View:
        """The view in service. Raises: NotReadyError while there is none."""
        if self._view is None:
            raise NotReadyError(f"nothing is loaded: {self.problem}")
        return self._view

    async def advance(self) -> None:
        """One step: see what is announced, read what is lacking, set its bits, raise the floor, swap the view, tell.

        Raises: LintelError when the step cannot be made; the view in service stays.
        """
        announced = await self._store.announcement()
        if announced is None:
            raise NotReadyError("no list is announced: start the agent, or wait for its first load")
        announced = self._latest_of(announced)
        if self._is_shown(announced):
            return
        self._floor.require_at_or_above(announced.state)
        keys, parameters = self._keys_of(announced), await self._parameters(announced.state.list_id.epoch)
        reach = await self._follow(announced)
        await asyncio.to_thread(self._floor.rise_to, announced.state)
        await self._show(
            View(announced, keys, parameters, None if reach is None else reach.filter, self._born_s(announced))
        )

    def why_not_ready(self) -> str:
        """What keeps this gateway from answering, and how each server of the store fares."""
        fares = (f"{server.name} {server.breaker.name.lower()}" for server in self._store.servers())
        return f"{self.problem} (store: {', '.join(fares)})"

    async def run(self) -> None:
        """Follow until cancelled: a step at every hint, and one at least every `POLL_INTERVAL_S`."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                await self._step()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await self._hinted.wait()
                self._hinted.clear()
        finally:
            listener.cancel()
            if self._build is not None:
                self._build.cancel()

    def _latest_of(self, announced: Announcement) -> Announcement:
        """What was announced, or what is shown where that differs by an earlier signed time alone."""
        if self._view is None:
            return announced
        shown = self._view.announcement
        is_earlier = announced.as_of < shown.as_of and replace(announced, as_of=shown.as_of) == shown
        return shown if is_earlier else announced

    def _is_shown(self, announced: Announcement) -> bool:
        """Whether there is nothing to do: this is shown with a filter, and no better filter is ready."""
        view, ready = self._view, self._build is not None and self._build.done()
        return view is not None and view.announcement == announced and view.filter is not None and not ready

    async def _follow(self, announced: Announcement) -> Reach | None:
        """A reach of the announced version; None when it is so late that the store must be asked about everybody.

        Raises: StoreUnavailableError while it is not yet that late.
        """
        now_s = self._clocks.monotonic()
        self._behind_since_s = now_s if self._behind_since_s is None else self._behind_since_s
        grace_s = self._behind_since_s + MAX_LAG_S - now_s
        try:
            self._reach = await self._reach_of(announced, grace_s)
        except StoreUnavailableError:
            if grace_s > 0:
                raise
            return None
        if self._reach is not None:
            self._behind_since_s = None
        return self._reach

    async def _reach_of(self, announced: Announcement, grace_s: float) -> Reach | None:
        """The filter built beside, or else the one in service, filled up to the announced version."""
        reach = await filled(self._take_build(), self._store, announced)
        reach = reach or await filled(self._reach, self._store, announced)
        if reach is None:
            build = self._build_beside(announced, use_image=True)
            await asyncio.wait([build], timeout=max(0.0, grace_s))
            reach = await filled(self._take_build(), self._store, announced)
        if reach is not None and reach.is_nearly_full:
            _ = self._build_beside(announced, use_image=False)
        return reach

    def _build_beside(self, announced: Announcement, *, use_image: bool) -> asyncio.Task[Reach]:
        """The build that is under way, begun now if there is none."""
        if self._build is None:
            self._build = asyncio.create_task(build_reach(self._store, announced, use_image=use_image))
        return self._build

    def _take_build(self) -> Reach | None:
        """The finished build, once; a failed one is reported, and the next step begins another."""
        if self._build is None or not self._build.done():
            return None
        finished, self._build = self._build, None
        error = finished.exception()
        if error is not None:
            _log.error("filter_build_failed", error=type(error).__name__)
            return None
        return finished.result()

    def _keys_of(self, announced: Announcement) -> TokenKeys:
        key_id = announced.state.key_id
        if key_id not in self._keys:
            raise SettingError(f"token key {key_id} is unknown here: bring the successor's line into the secret file")
        return self._keys[key_id]

    async def _parameters(self, epoch: int) -> Parameters:
        """The parameters in force, parsed again only when the document or the list's epoch changed."""
        document = (epoch, await self._store.parameters())
        if self._view is not None and document == self._document:
            return self._view.parameters
        try:
            parameters = await asyncio.to_thread(_parsed, document[1])
            self._require_no_older(parameters, epoch)
        except SettingError as error:
            if self._view is None:
                raise
            _log.error("parameters_refused", problem=str(error), in_force=self._view.parameters.version)
            parameters = self._view.parameters
        self._document = document
        return parameters

    def _require_no_older(self, parameters: Parameters, epoch: int) -> None:
        view = self._view
        if view is None or view.announcement.state.list_id.epoch != epoch:
            return
        if parameters.version < view.parameters.version:
            raise SettingError(f"parameters: version {parameters.version} is older than those in force")

    def _born_s(self, announced: Announcement) -> float:
        """The monotonic instant of its signed time; for a signed time that was seen before, never a later one."""
        ahead_s = announced.as_of - self._clocks.wall()
        born_s = self._clocks.monotonic() - max(0.0, -ahead_s)
        if self._view is not None and self._view.announcement.as_of == announced.as_of:
            return min(born_s, self._view.born_s)
        self._note_skew(max(0.0, ahead_s))
        return born_s

    def _note_skew(self, ahead_s: float) -> None:
        if (ahead_s > SKEW_ALARM_S) != (self.clock_skew_s > SKEW_ALARM_S):
            _log.warning("clock_skew", court_ahead_s=round(ahead_s, 1), alarm=ahead_s > SKEW_ALARM_S)
        self.clock_skew_s = ahead_s

    async def _show(self, view: View) -> None:
        before, self._view = self._view, view
        if before is None or (before.filter is None) != (view.filter is None):
            _log.info("view_changed", version=view.version, filter_in_use=view.filter is not None)
        await self._on_view(view)

    async def _step(self) -> None:
        """A step whose failure is reported once and changes nothing: the follower outlives every store."""
        problem = ""
        try:
            await self.advance()
        except LintelError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - a follower that ends leaves a gateway that silently ages
            problem = type(error).__name__
        if problem != self.problem:
            _log.info("following", problem=problem or "none")
            self.problem = problem

    async def _listen(self) -> None:
        """Wake the follower at every hint; when hints end, polling goes on."""
        while True:
            with contextlib.suppress(LintelError):
                async for _ in self._store.hints():
                    self._hinted.set()
            await asyncio.sleep(POLL_INTERVAL_S)


def _parsed(document: bytes | None) -> Parameters:
    """The parameters of a document; an empty one says that nothing was settled. Raises: SettingError (it is lost)."""
    if document is None:
        raise SettingError("parameters: lost from the store: restart the agent, which puts them back")
    return Parameters.from_bytes(document) if document else Parameters()
