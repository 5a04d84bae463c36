"""A real agent that takes one changed feed after another from memory, and a judge of what it made of each.

Everything is real but the wire: `FromMemory` stands in for HTTP at the transport, and time stands still for alarms.
After an input that was refused the agent goes on as it is; after anything else it is made anew
from what it held before.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuf.api.exceptions import DownloadHTTPError

from liststore.base import Announcement
from liststore.memory_store import MemoryStore
from sync_agent.agent import Agent
from sync_agent.canary import Canary
from sync_agent.fetcher import FeedSource
from sync_agent.transport import Transport
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.list_publisher import KEYS
from tests.faults.attacks_keys import Overlay
from tests.faults.mutations_feeds import Feeds

# After these nothing of the input is left in the agent but what is put back here.
_CLEAN: Final = frozenset(
    {"LIST_FORGED", "LIST_ROLLBACK", "LIST_OVERSIZED", "LIST_EXPIRED", "LIST_WRONG", "LIST_UNFIT", "FEED_UNREACHABLE"}
)
_METADATA: Final = ("timestamp.json", "snapshot.json", "targets.json")


class FromMemory(Transport):
    """Files by path, in the place of a web server."""

    def __init__(self) -> None:
        super().__init__(time.monotonic)
        self.files: Mapping[str, bytes] = {}

    def _fetch(self, url: str) -> Iterator[bytes]:
        content = self.files.get(url.removeprefix("memory:/"))
        if content is None:
            raise DownloadHTTPError("status 404", 404)
        return iter((content,))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an input: REFUSED by `alarm`, SAME as what the court signed, NOTHING, ACCEPTED or CRASHED."""

    came_to: str
    alarm: str = ""


class Machine:
    """One agent, its disk and its store."""

    def __init__(self, feeds: Feeds, folder: Path) -> None:
        self._feeds = feeds
        self._folder = folder
        self._canary = Canary(time.monotonic)
        self._transport = FromMemory()
        self._now_s = time.time()  # noqa: TID251 - signatures are of the real clock
        self._host = self._new_host()
        self._agent: Agent
        self._loop = asyncio.Runner()
        self._cells: dict[str, bytes] = {}
        self._before: Announcement | None = None
        self._as_of: dict[str, int] = {}
        self._prepare()

    def close(self) -> None:
        """End the canary's process and the loop."""
        self._canary.close()
        self._loop.close()

    def play(self, way: str, overlay: Overlay) -> Verdict:
        """Offer this way's feed with these files changed."""
        self._transport.files = {**self._feeds.ways[way], **overlay}
        try:
            self._loop.run(self._agent.sync_once())
        except Exception as error:  # noqa: BLE001 - whatever leaves a pass would end the agent
            verdict = Verdict("CRASHED", type(error).__name__)
        else:
            verdict = self._loop.run(self._judged(way))
        self._put_back(verdict)
        return verdict

    def _prepare(self) -> None:
        """Bring the agent to what it holds before, and see what each honest feed comes to."""
        self._agent = self._start()
        self._transport.files = self._feeds.before
        self._loop.run(self._agent.sync_once())
        self._before = self._agent.in_service
        if self._before is None or self._before.state.count != len(self._feeds.records[0]):
            raise RuntimeError(f"the agent did not come to the honest list: {alarms_of(self._agent)}")
        self._cells = dict(self._host.store.keyspace.cells)
        shutil.copytree(self._host.directory, self._folder / "before", symlinks=True)
        for way in self._feeds.ways:
            self._as_of[way] = -1
            verdict = self.play(way, {})
            if verdict.came_to != "ACCEPTED" or self._as_of[way] < 0:
                raise RuntimeError(f"the honest feed by {way} is {verdict}")

    async def _judged(self, way: str) -> Verdict:
        store = self._host.store
        alarm = next(iter(alarms_of(self._agent)), "")
        if store.keyspace.cells == self._cells:
            return Verdict("REFUSED" if alarm else "NOTHING", alarm)
        at = await store.writer().announcement()
        if at is None:
            return Verdict("ACCEPTED", "nothing is announced any more")
        records, document = await self._host.stored(), await store.reader().parameters()
        if at == self._before and records == self._feeds.records[0] and document == self._feeds.parameters[0]:
            # Something was written beside what is in service, and not announced.
            return Verdict("REFUSED" if alarm else "NOTHING", alarm)
        honest = records == self._feeds.records[1] and document == self._feeds.parameters[1]
        honest = honest and (at.state.version, at.state.count) == (3, len(records))
        if self._as_of[way] < 0 and honest:
            self._as_of[way] = at.as_of
            self._state = at.state
            return Verdict("ACCEPTED")
        same = honest and at.as_of == self._as_of[way] and at.state == self._state
        return Verdict("SAME" if same else "ACCEPTED", alarm)

    def _put_back(self, verdict: Verdict) -> None:
        if verdict.came_to not in {"REFUSED", "NOTHING"} or (verdict.alarm and verdict.alarm not in _CLEAN):
            self._anew()
            return
        metadata, kept = self._host.directory / "metadata", self._folder / "before" / "metadata"
        for name in _METADATA:
            (metadata / name).write_bytes((kept / name).read_bytes())
        for path in (metadata / "root_history").iterdir():
            if path.name != "1.root.json":
                path.unlink()
        for path in (self._host.directory / "snapshots").iterdir():
            if not (self._folder / "before" / "snapshots" / path.name).exists():
                shutil.rmtree(path)

    def _anew(self) -> None:
        shutil.rmtree(self._host.directory)
        shutil.copytree(self._folder / "before", self._host.directory, symlinks=True)
        self._host = self._new_host()
        self._host.store.keyspace.cells.update(self._cells)
        self._agent = self._start()

    def _new_host(self) -> AgentHost:
        source = FeedSource("memory:/", self._feeds.root)
        store = MemoryStore(KEYS.bucket_key)
        return AgentHost(
            source,
            self._folder / "agent",
            lambda: self._now_s,
            store=store,
            canary=self._canary,
            transport=self._transport,
        )

    def _start(self) -> Agent:
        return self._host.start()
