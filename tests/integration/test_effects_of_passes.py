"""When an agent's passes say that something took effect, and that they wait for nobody's confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from liststore.base import Announcement, Generation, Head, ListWriter, Move
from liststore.effects import Confirmation
from tests.fakes.agents import AgentHost
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, lifted, listed
from tests.fakes.store_wrappers import WatchedWriter


class TimedWriter(WatchedWriter):
    """A writer each of whose changes takes a second; it notes when each had been made, and when replicas are asked."""

    def __init__(self, inner: ListWriter, clock: FakeClock) -> None:
        super().__init__(inner)
        self._clock = clock
        self.made_s: dict[bytes, float] = {}
        self.announced_s: dict[int, float] = {}
        self.is_followed = asyncio.Event()
        self.is_stuck = self.is_waiting = False
        self.meanwhile: Callable[[], object] = lambda: None

    async def write(self, generation: Generation, moves: Sequence[Move]) -> None:
        for move in moves:
            self._clock.advance(1)
            await super().write(generation, [move])
            self.made_s.update((change.token, self._clock()) for change in move.changes)

    async def load(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        await super().load(generation, partition, records, head)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()

    async def announce(self, announcement: Announcement, additions: Sequence[bytes]) -> None:
        self._clock.advance(1)
        await super().announce(announcement, additions)
        self.announced_s[announcement.state.version] = self._clock()
        if announcement.state.version >= 3:
            self.is_followed.set()

    async def confirm(self, wait_s: float) -> Confirmation:
        if self.is_stuck:
            self.is_waiting = True
            await asyncio.Event().wait()
        return await super().confirm(wait_s)


async def test_lifts_count_as_in_effect_once_they_are_all_written_and_before_anything_else_is(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(*(listed(number) for number in range(4)))
    writer = TimedWriter(host.store.writer(), clock)
    agent = host.start(writer)
    await agent.sync_once()
    lifts, listings = [lifted(1), lifted(3)], [listed(number) for number in range(5, 20)]
    court.publish(*listings[:7], *lifts, *listings[7:])
    await agent.sync_once()
    assert await agent.acknowledger.turn()
    version = court.feed.state.version
    effect = (await writer.effects(1, [version]))[version]
    assert max(writer.made_s[lift.token] for lift in lifts) == effect.eased_at
    assert effect.eased_at < min(writer.made_s[listing.token] for listing in listings)
    assert effect.applied_at == writer.announced_s[version]


async def test_what_is_loaded_beside_the_list_in_service_is_in_effect_with_its_announcement(
    court: ListPublisher, host: AgentHost, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lift that comes during the load is eased in what nobody asks yet."""
    monkeypatch.setattr("sync_agent.loader._RECORDS_AT_A_TIME", 1)  # a pause after every partition
    court.publish(listed(1), listed(2))
    writer = TimedWriter(host.store.writer(), clock)
    writer.meanwhile = lambda: court.publish(lifted(1))
    agent = host.start(writer)
    await agent.sync_once()
    assert await agent.acknowledger.turn()
    version = court.feed.state.version
    assert lifted(1).token in writer.made_s
    effect = (await writer.effects(1, [version]))[version]
    assert effect.eased_at == effect.applied_at == writer.announced_s[version]


async def test_passes_go_on_while_replicas_are_waited_for(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(listed(1))
    writer = TimedWriter(host.store.writer(), clock)
    writer.is_stuck = True
    agent, stop = host.start(writer), asyncio.Event()
    async with asyncio.timeout(30):
        running = asyncio.create_task(agent.run(stop, 0.01))
        court.publish(listed(2))
        court.publish(lifted(1))
        await writer.is_followed.wait()
        stop.set()
        await running
    assert writer.is_waiting
