"""An agent in a process of its own: passes over a real feed into a real store, and a gap in which one is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liststore.base import Announcement, ListWriter
from liststore.keys import Keys
from liststore.redis_client import BULK, connect
from liststore.redis_keyspace import RedisKeyspace
from liststore.writer import KeyspaceWriter
from restriction.change import ListState
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from sync_agent.trial import Trial
from sync_agent.wiring import AgentPlace, build_agent
from tests.fakes.agents import alarms_of, no_progress
from tests.fakes.list_publisher import KEYS, SECRETS
from tests.faults.crash.steps import SteppedKeyspace, Steps, killing

_INTERVAL_S: Final = 0.2  # as `lintel agent run` waits between two passes


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent works: its directory, the feed, the pinned root, the store's address and the time it is."""

    directory: Path
    feed: str
    root: bytes
    store: str
    now_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a process that lived to its end says: its steps, what it left in service, and what it raised on the way.

    `seconds` is from the beginning of the process's work until the list was in service without an alarm.
    """

    steps: tuple[str, ...]
    in_service: Announcement | None
    alarms: tuple[str, ...]
    raised: frozenset[str]
    passes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Passes:
    """The job of an agent: passes until `until` is in service without an alarm, at most `most`.

    In gap `gap` the process `victim` is killed: this one, unless another is named.
    `is_held`: it stops itself when the agent is built, until it is continued. It has two threads by then, its own and
    one for what blocks, and never more, so that whoever traces it knows them.
    """

    place: Place
    until: ListState
    most: int = 1
    gap: int | None = None
    victim: int | None = None
    is_held: bool = False

    def __call__(self) -> Told:
        """Make the passes."""
        logging.disable(logging.CRITICAL)
        steps = Steps(self.gap, killing(self.victim or os.getpid()))
        steps.watch_files(self.place.directory)
        return asyncio.run(self._made(steps))

    def made_here(self) -> Told:
        """Make the passes in this process, counting no files."""
        return asyncio.run(self._made(Steps(None, killing(0))))

    def keyspace(self, steps: Steps) -> SteppedKeyspace:
        """The store's, of which every call is a step."""
        return SteppedKeyspace(RedisKeyspace(connect(self.place.store, BULK)), steps)

    async def _made(self, steps: Steps) -> Told:
        began_s = time.monotonic()
        keyspace = self.keyspace(steps)
        store = KeyspaceWriter(keyspace, Keys(), KEYS.bucket_key)
        agent = agent_at(self.place, store)
        if self.is_held:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
            await asyncio.to_thread(os.getpid)
            os.kill(os.getpid(), signal.SIGSTOP)
            began_s = time.monotonic()
        raised, passes, steady = set[str](), 0, False
        while passes < self.most and not steady:
            if passes:
                await asyncio.sleep(_INTERVAL_S)
            await agent.sync_once()
            passes += 1
            raised |= set(alarms_of(agent))
            steady = is_steady(agent, self.until)
        steps.end()
        await keyspace.close()
        seconds = time.monotonic() - began_s
        return Told(tuple(steps.names), agent.in_service, tuple(alarms_of(agent)), frozenset(raised), passes, seconds)


def agent_at(place: Place, store: ListWriter) -> Agent:
    """An agent there. Documents are tried in this process: the canary's is another's to kill."""
    clock: Callable[[], float] = lambda: place.now_s  # noqa: E731 - a constant that is called
    source = FeedSource(place.feed, place.root)
    return build_agent(AgentPlace(source, place.directory, Trial()), store, SECRETS, no_progress, clock)


def is_steady(agent: Agent, state: ListState) -> bool:
    """Whether this is in service and nothing is wrong."""
    return not agent.alarms.raised and agent.in_service is not None and agent.in_service.state == state
