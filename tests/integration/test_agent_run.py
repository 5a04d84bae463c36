"""An agent that runs: until told to stop, keeping filter images fresh and what it replaced for a grace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from liststore.base import Announcement, Generation
from liststore.wiring import open_writer
from restriction.errors import StoreUnavailableError
from restriction.filter import ListFilter
from sync_agent.fetcher import FeedSource
from sync_agent.filters import FilterImages
from sync_agent.loader import bucket_bits_for
from sync_agent.report import read_report
from sync_agent.spares import Spares
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import KEYS, ListPublisher, lifted, listed, token_of
from tests.faults.attacks_server import half_open, serving


async def test_a_running_agent_follows_and_stops_when_told(court: ListPublisher, host: AgentHost) -> None:
    agent, stop = host.start(), asyncio.Event()
    running = asyncio.create_task(agent.run(stop, interval_s=0.001))
    for number in range(3):
        state = court.publish(listed(number))
        while agent.in_service is None or agent.in_service.state != state:  # noqa: ASYNC110 watched from outside
            await asyncio.sleep(0)
    stop.set()
    await running
    assert read_report(host.directory / "status.json", 0.0)["list"]["version"] == 3


async def test_a_server_that_never_comes_to_an_end_cannot_hide_a_frozen_list(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    agent = host.start()
    await agent.sync_once()
    with serving(court.directory / "feed") as server:
        server.deeds["*"] = half_open(b"")
        host.source = FeedSource(server.url, court.root)
        agent, stop = host.start(), asyncio.Event()
        running = asyncio.create_task(agent.run(stop, interval_s=0.001))
        while not server.asked:  # noqa: ASYNC110 watched from outside
            await asyncio.sleep(0.001)
        while alarms_of(agent) != ["LIST_FROZEN"]:
            assert alarms_of(agent) == []
            clock.advance(0.3)
            await asyncio.sleep(0.01)
        stop.set()
    await running


async def _image(host: AgentHost, announced: Announcement) -> ListFilter:
    image = await host.store.reader().filter_image(announced.generation.number)
    assert image is not None
    made = ListFilter.from_image(image.image)
    assert (made.stamp.generation, made.stamp.version) == (image.generation, image.version)
    return made


async def test_a_load_leaves_a_filter_with_every_token(court: ListPublisher, host: AgentHost) -> None:
    court.publish(*map(listed, range(500)))
    agent = host.start()
    await agent.sync_once()
    assert agent.in_service is not None
    made = await _image(host, agent.in_service)
    assert made.stamp.version == 1
    assert all(made.might_contain(token) for token in court.book.records)


async def test_a_refreshed_filter_has_what_came_and_not_what_went(court: ListPublisher, host: AgentHost) -> None:
    court.publish(listed(1), listed(2))
    agent = host.start()
    await agent.sync_once()
    court.publish(lifted(1), listed(3))
    await agent.sync_once()
    assert agent.in_service is not None
    assert (await _image(host, agent.in_service)).stamp.version == 1
    images = FilterImages(host.store.writer(), interval_s=0.0)
    keeping = asyncio.create_task(images.keep(lambda: agent.in_service))
    while (made := await _image(host, agent.in_service)).stamp.version == 1:
        court.publish(listed(4))
        await agent.sync_once()
    keeping.cancel()
    assert made.might_contain(token_of(3))
    assert not made.might_contain(token_of(1))


async def test_a_filter_is_not_refreshed_from_a_store_that_fell_back(court: ListPublisher, host: AgentHost) -> None:
    """I9: an image of a replica that lags behind would state a version whose tokens it lacks."""
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    older = dict(host.store.keyspace.cells)
    court.publish(listed(2))
    await agent.sync_once()
    host.store.keyspace.cells.update(older)
    assert agent.in_service is not None
    with pytest.raises(StoreUnavailableError):
        await FilterImages(host.store.writer()).refresh(agent.in_service)


async def test_a_generation_that_was_replaced_stays_for_its_grace_over_a_restart(
    host: AgentHost, tmp_path: Path, clock: FakeClock
) -> None:
    file, store = tmp_path / "generations.json", host.store.writer()
    old, new = Generation(1, 0, "k1"), Generation(2, 0, "k1")
    spares = Spares(file, clock)
    spares.add(old, 60)
    spares.add(new, 60)
    spares.keep(new)
    clock.advance(59)
    await spares.drop_due(store, new)
    assert file.read_bytes() == b'[[1,0,"k1"]]'
    await Spares(file, clock).drop_due(store, new)
    assert file.read_bytes() == b"[]"


def test_buckets_hold_about_as_many_records_as_they_should() -> None:
    assert [bucket_bits_for(count) for count in (0, 16_384, 16_385, 32_768, 1_000_000, 10_000_000)] == [
        0,
        0,
        1,
        1,
        6,
        10,
    ]


async def test_a_list_that_grew_out_of_its_buckets_is_spread_over_more(court: ListPublisher, host: AgentHost) -> None:
    agent = host.start()
    await agent.sync_once()
    court.publish(*map(listed, range(66_000)))
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert agent.in_service is not None
    assert agent.in_service.generation.bucket_bits == 3
    assert agent.in_service.state.count == 66_000


async def test_the_same_way_into_a_real_valkey(court: ListPublisher, host: AgentHost, valkey_url: str) -> None:
    writer = open_writer(valkey_url, KEYS.bucket_key)
    try:
        agent = host.start(writer)
        court.publish(*map(listed, range(1_000)))
        await agent.sync_once()
        court.publish(*map(lifted, range(500)), listed(2_000))
        await agent.sync_once()
        assert alarms_of(agent) == []
        assert agent.in_service is not None
        stored = [await writer.records(agent.in_service.generation, partition) for partition in range(256)]
        assert {token: record for some in stored for token, record in some.items()} == court.book.records
    finally:
        await writer.close()
