"""What is lost or altered in the store is repaired by the agent's own hand, and never leads it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from liststore.base import PARTITIONS
from liststore.keys import place_of
from restriction.errors import StoreNotWholeError
from restriction.filter import ListFilter
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from sync_agent.filters import FilterImages
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, lifted, listed, token_of
from tests.fakes.store_wrappers import Cut, WatchedWriter

UNREACHABLE = "http://127.0.0.1:1"
Damage = Callable[[dict[str, bytes], str], object]
DAMAGES: dict[str, Damage] = {
    "lost": lambda cells, key: cells.pop(key),
    "altered": lambda cells, key: cells.update({key: bytes([cells[key][0] ^ 1]) + cells[key][1:]}),
    "foreign": lambda cells, key: cells.update({key: b"of another"}),
}
every_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture
async def agent(court: ListPublisher, host: AgentHost) -> Agent:
    """An agent that has brought 300 records into the store, one or two a partition."""
    court.publish(*map(listed, range(300)))
    agent = host.start()
    await agent.sync_once()
    return agent


def bucket_of(agent: Agent, host: AgentHost, number: int) -> str:
    assert agent.in_service is not None
    return host.store.keys.bucket(place_of(agent.in_service.generation, token_of(number)))


def head_of(agent: Agent, host: AgentHost, number: int) -> str:
    assert agent.in_service is not None
    return host.store.keys.head(agent.in_service.generation.number, token_of(number)[0])


async def idle_until_whole(agent: Agent, host: AgentHost, court: ListPublisher, passes: int = 120) -> None:
    """Pass after pass without news; fails when that raises an alarm or does not end in the signed list."""
    for _ in range(passes):
        await agent.sync_once()
        assert alarms_of(agent) == []
    assert await host.stored() == court.book.records


@every_damage
@pytest.mark.parametrize("cell", [bucket_of, head_of], ids=["bucket", "head"])
async def test_a_damaged_partition_is_written_anew_where_it_is(
    court: ListPublisher, host: AgentHost, agent: Agent, cell: Callable[[Agent, AgentHost, int], str], damage: Damage
) -> None:
    before = agent.in_service
    damage(host.store.keyspace.cells, cell(agent, host, 3))
    await idle_until_whole(agent, host, court)
    assert agent.in_service == before


@every_damage
async def test_a_delta_that_meets_a_damaged_bucket_is_in_service_after_the_same_pass(
    court: ListPublisher, host: AgentHost, agent: Agent, damage: Damage
) -> None:
    before = agent.in_service
    damage(host.store.keyspace.cells, bucket_of(agent, host, 200))
    court.publish(lifted(200), lifted(7), listed(400), listed(200 + 256, court=4))
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert await host.stored() == court.book.records
    assert before is not None
    assert agent.in_service is not None
    assert (agent.in_service.generation, agent.in_service.state) == (before.generation, court.feed.state)


async def test_an_older_bucket_under_a_whole_head_is_found_by_its_digest(
    court: ListPublisher, host: AgentHost, agent: Agent
) -> None:
    key = bucket_of(agent, host, 2)
    older = host.store.keyspace.cells[key]
    court.publish(lifted(2))
    await agent.sync_once()
    host.store.keyspace.cells[key] = older
    await idle_until_whole(agent, host, court)


async def test_one_damage_has_every_partition_looked_at(
    court: ListPublisher, host: AgentHost, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is taken for one so long that its round never comes anywhere; a delta meets the first damage."""
    monkeypatch.setattr("sync_agent.scrubber._RECORDS_A_PASS", 0)
    for number in (1, 100, 250):
        host.store.keyspace.cells.pop(bucket_of(agent, host, number))
    court.publish(lifted(1))
    await idle_until_whole(agent, host, court, passes=300)


async def test_a_store_that_lost_much_is_loaded_into_another_generation(
    court: ListPublisher, host: AgentHost, agent: Agent
) -> None:
    before = agent.in_service
    for number in range(40):
        host.store.keyspace.cells.pop(head_of(agent, host, number))
    court.publish(lifted(200))
    await agent.sync_once()
    assert before is not None
    assert agent.in_service is not None
    assert agent.in_service.generation.number > before.generation.number
    assert await host.stored() == court.book.records


async def test_a_partition_is_not_rewritten_from_a_copy_that_does_not_come_out(
    court: ListPublisher, host: AgentHost, agent: Agent
) -> None:
    for delta in host.directory.glob("deltas/*"):
        delta.unlink()
    for chunk in host.directory.glob("snapshots/*/*.chunk"):
        chunk.unlink()
    host.store.keyspace.cells.pop(bucket_of(agent, host, 3))
    writer = WatchedWriter(host.store.writer())
    host.source = FeedSource(UNREACHABLE, court.root)
    again = host.start(writer)
    for _ in range(120):
        await again.sync_once()
    assert writer.changes == 0


@every_damage
async def test_a_damaged_announcement_is_made_again_of_what_is_in_service(
    court: ListPublisher, host: AgentHost, agent: Agent, damage: Damage
) -> None:
    before = agent.in_service
    damage(host.store.keyspace.cells, host.store.keys.announcement)
    again = host.start()
    await again.sync_once()
    assert alarms_of(again) == []
    assert again.in_service == before == await host.store.writer().announcement()
    assert await host.stored() == court.book.records


async def test_a_damaged_announcement_does_not_hold_up_a_lift(
    court: ListPublisher, host: AgentHost, agent: Agent
) -> None:
    DAMAGES["foreign"](host.store.keyspace.cells, host.store.keys.announcement)
    court.publish(lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert await host.stored() == court.book.records


async def test_an_agent_that_never_announced_loads_beside_a_damaged_announcement(
    court: ListPublisher, host: AgentHost, agent: Agent, tmp_path: Path
) -> None:
    before = agent.in_service
    DAMAGES["altered"](host.store.keyspace.cells, host.store.keys.announcement)
    other = AgentHost(host.source, tmp_path / "other", host.clock, store=host.store).start()
    await other.sync_once()
    assert alarms_of(other) == []
    assert before is not None
    assert other.in_service is not None
    assert other.in_service.generation != before.generation
    assert await host.stored() == court.book.records


async def test_a_lost_announcement_does_not_lead_back_behind_what_was_announced(
    court: ListPublisher, host: AgentHost, agent: Agent
) -> None:
    """The copy is lost too, and the feed is one that was photographed before the lift."""
    photograph = court.photograph()
    court.publish(lifted(3))
    await agent.sync_once()
    host.lose_store()
    for name in ("deltas", "snapshots", "metadata"):
        for path in sorted(host.directory.glob(f"{name}/**/*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    court.replay(photograph)
    again = host.start()
    await again.sync_once()
    assert "STORE_NOT_WHOLE" in alarms_of(again)
    assert again.in_service is None
    assert await host.store.writer().announcement() is None


async def test_the_generation_behind_a_lost_announcement_is_not_left_in_the_store(
    court: ListPublisher, host: AgentHost, agent: Agent, clock: FakeClock
) -> None:
    before = agent.in_service
    assert before is not None
    for number in range(40):
        host.store.keyspace.cells.pop(head_of(agent, host, number))
    host.store.keyspace.cells.pop(host.store.keys.announcement)
    await agent.sync_once()
    clock.advance(61)
    court.heartbeat()
    await agent.sync_once()
    assert agent.in_service is not None
    assert agent.in_service.generation != before.generation
    assert await host.store.writer().heads(before.generation.number) == {}


@every_damage
async def test_damaged_parameters_are_put_there_again_within_a_few_idle_passes(
    court: ListPublisher, host: AgentHost, agent: Agent, damage: Damage
) -> None:
    damage(host.store.keyspace.cells, host.store.keys.parameters)
    await idle_until_whole(agent, host, court, passes=25)
    assert await host.store.reader().parameters() == b""


async def test_a_delta_that_meets_a_lost_announcement_leaves_its_page_in_the_history(
    court: ListPublisher, host: AgentHost, agent: Agent
) -> None:
    """So that a gateway advances its filter and does not have to build another."""
    host.store.keyspace.cells.pop(host.store.keys.announcement)
    court.publish(listed(400))
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert agent.in_service is not None
    generation, version = agent.in_service.generation.number, agent.in_service.state.version
    assert await host.store.reader().additions(generation, version - 1, version) == [token_of(400)]


@every_damage
async def test_a_damaged_filter_image_is_made_anew_though_the_list_did_not_move(
    host: AgentHost, agent: Agent, damage: Damage
) -> None:
    assert agent.in_service is not None
    number = agent.in_service.generation.number
    images = FilterImages(host.store.writer(), interval_s=0.0)
    keeping = asyncio.create_task(images.keep(lambda: agent.in_service))
    damage(host.store.keyspace.cells, host.store.keys.filter_image(number))
    while True:
        await asyncio.sleep(0)
        with suppress(StoreNotWholeError):
            image = await host.store.writer().filter_image(number)
            if image is not None:
                break
    keeping.cancel()
    assert all(ListFilter.from_image(image.image).might_contain(token_of(number)) for number in range(300))


async def test_a_crash_right_after_an_announcement_leaves_no_generation_in_the_store(
    court: ListPublisher, host: AgentHost, agent: Agent, clock: FakeClock
) -> None:
    before = agent.in_service
    assert before is not None
    for number in range(40):
        host.store.keyspace.cells.pop(head_of(agent, host, number))
    court.publish(lifted(200))
    writer = WatchedWriter(host.store.writer(), PARTITIONS + 2, after=True)  # after the filter and the parameters
    with pytest.raises(Cut):
        await host.start(writer).sync_once()
    (announced,) = writer.announcements
    assert announced.generation != before.generation
    again = host.start()
    await again.sync_once()
    clock.advance(61)
    court.heartbeat()
    await again.sync_once()
    assert again.in_service is not None
    assert again.in_service.generation == announced.generation
    assert await host.store.writer().heads(before.generation.number) == {}


@every_damage
async def test_a_question_about_a_damaged_bucket_has_it_written_anew_long_before_the_round_comes_there(
    court: ListPublisher, host: AgentHost, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is taken for one so long that its round never comes anywhere."""
    monkeypatch.setattr("sync_agent.scrubber._RECORDS_A_PASS", 0)
    court.publish(*map(listed, range(300)))
    agent, stop, reader = host.start(), asyncio.Event(), host.store.reader()
    running = asyncio.create_task(agent.run(stop, interval_s=0.01))
    while agent.in_service is None:  # noqa: ASYNC110 watched from outside
        await asyncio.sleep(0)
    damage(host.store.keyspace.cells, bucket_of(agent, host, 3))
    with pytest.raises(StoreNotWholeError):
        await reader.find(token_of(3), agent.in_service)
    async with asyncio.timeout(10):
        while await _is_damaged(host):  # noqa: ASYNC110 watched from outside
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert alarms_of(agent) == []
    assert await host.stored() == court.book.records
    await reader.close()


async def _is_damaged(host: AgentHost) -> bool:
    try:
        await host.stored()
    except StoreNotWholeError:
        return True
    return False
