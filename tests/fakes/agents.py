"""An agent with a store in memory, made anew as often as a test restarts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from liststore.base import PARTITIONS, ListWriter
from liststore.memory_store import MemoryStore
from restriction.change import Digest
from restriction.token import Secrets
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource, Tryer
from sync_agent.transport import Transport
from sync_agent.trial import Trial
from sync_agent.wiring import AgentPlace, build_agent
from tests.fakes.list_publisher import KEYS, SECRETS


def no_progress(what: str, done: int, of: int) -> None:
    """Show nothing."""


@dataclass
class AgentHost:
    """The machine an agent runs on: its state directory, its store, and the feed it follows."""

    source: FeedSource
    directory: Path
    clock: Callable[[], float]
    secrets: Secrets = SECRETS
    store: MemoryStore = field(default_factory=lambda: MemoryStore(KEYS.bucket_key))
    canary: Tryer = field(default_factory=Trial)  # in this process, which is quicker to start
    transport: Transport | None = None

    def start(self, writer: ListWriter | None = None) -> Agent:
        """A new agent process on this machine."""
        place = AgentPlace(self.source, self.directory, self.canary, self.transport, self.clock)
        return build_agent(place, writer or self.store.writer(), self.secrets, no_progress, self.clock)

    def lose_store(self) -> None:
        """Flush the store."""
        self.store = MemoryStore(KEYS.bucket_key)

    async def stored(self) -> dict[bytes, bytes]:
        """Every record of the generation in service; fails when a head does not say what its partition holds."""
        writer = self.store.writer()
        announced = await writer.announcement()
        assert announced is not None
        heads = await writer.heads(announced.generation.number)
        found: dict[bytes, bytes] = {}
        for partition in range(PARTITIONS):
            records = await writer.records(announced.generation, partition)
            digest = Digest(KEYS.digest_key)
            for token, record in records.items():
                digest.add(token, record)
            assert heads[partition].digest == digest.value
            found |= records
        return found


def alarms_of(agent: Agent) -> list[str]:
    """Names of the alarms raised."""
    return [alarm.name for alarm in agent.alarms.raised]
