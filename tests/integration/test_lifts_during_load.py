"""A list that is loaded beside the one in service does not hold up what comes meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest

from liststore.base import Generation, Head, ListWriter
from restriction.filter import ListFilter
from sync_agent.agent import Agent
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.list_publisher import ListPublisher, lifted, listed, token_of
from tests.fakes.store_wrappers import WatchedWriter

Happening = Callable[[], Awaitable[None]]


class Interrupted(WatchedWriter):
    """A writer under whose loads things happen: each when its partition is about to be loaded."""

    def __init__(self, inner: ListWriter, happenings: Mapping[int, Happening]) -> None:
        super().__init__(inner)
        self._happenings = dict(happenings)

    async def load(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        happening = self._happenings.pop(partition, None)
        if happening is not None:
            await happening()
        await super().load(generation, partition, records, head)


@pytest.fixture
async def loaded(court: ListPublisher, host: AgentHost, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """300 records in service; the next pass finds them crowded, and loads with a pause after every partition."""
    court.publish(*map(listed, range(300)))
    agent = host.start()
    await agent.sync_once()
    monkeypatch.setattr("sync_agent.applier._CROWDED_BITS", -1)
    monkeypatch.setattr("sync_agent.loader._RECORDS_AT_A_TIME", 1)
    return agent


async def test_a_lift_that_comes_during_a_load_is_in_effect_before_the_load_ends(
    court: ListPublisher, host: AgentHost, loaded: Agent
) -> None:
    seen = []

    async def lift() -> None:
        court.publish(lifted(3), listed(500))

    async def look() -> None:
        seen.append((await host.store.writer().announcement(), await host.stored()))

    agent = host.start(Interrupted(host.store.writer(), {100: lift, 110: look}))
    await agent.sync_once()
    ((announced, records),) = seen
    assert announced is not None
    assert loaded.in_service is not None
    assert (announced.generation, announced.state) == (loaded.in_service.generation, court.feed.state)
    assert records == court.book.records
    assert alarms_of(agent) == []


async def test_what_came_during_a_load_is_in_what_was_loaded_and_in_its_filter(
    court: ListPublisher, host: AgentHost, loaded: Agent
) -> None:
    async def change() -> None:
        court.publish(lifted(3), listed(500))

    agent = host.start(Interrupted(host.store.writer(), {100: change}))
    await agent.sync_once()
    assert loaded.in_service is not None
    assert agent.in_service is not None
    assert agent.in_service.generation.number > loaded.in_service.generation.number
    assert agent.in_service.state == court.feed.state
    assert await host.stored() == court.book.records
    image = await host.store.reader().filter_image(agent.in_service.generation.number)
    assert image is not None
    made = ListFilter.from_image(image.image)
    assert (image.version, made.stamp.version) == (2, 2)
    assert made.might_contain(token_of(500))


@pytest.mark.parametrize("most", [0, 1_000], ids=["loaded anew", "moved in place"])
async def test_a_load_whose_snapshot_went_meanwhile_is_given_up(
    court: ListPublisher, host: AgentHost, loaded: Agent, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The feed leaves deltas out that the agent has not seen, so the pass in a pause takes another snapshot in.

    The next pass moves what is in service there, where that is worth it, so that lifts do not wait for another load.
    """
    monkeypatch.setattr("sync_agent.mover._MAX_CHANGES", most)

    async def leave_behind() -> None:
        court.publish(lifted(3))
        for number in range(4, 60):
            court.publish(listed(number, court=3))
        court.publish_snapshot()
        monkeypatch.setattr("sync_agent.applier._CROWDED_BITS", 2)

    agent = host.start(Interrupted(host.store.writer(), {100: leave_behind}))
    passes = 0
    while agent.in_service is None or agent.in_service.state != court.feed.state:
        await agent.sync_once()
        passes += 1
        assert passes < 4
    assert loaded.in_service is not None
    assert (agent.in_service.generation == loaded.in_service.generation) == bool(most)
    assert await host.stored() == court.book.records
