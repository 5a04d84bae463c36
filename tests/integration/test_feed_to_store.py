"""The list's way from the signed feed over HTTP into a store, and back on its feet after cuts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liststore.keys import place_of
from publisher.folding import KEPT_DELTAS, compact
from restriction.change import DIGEST_BYTES, MAX_DELTAS, Change, Lane
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from sync_agent.transport import Transport
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, lifted, listed, record_of, token_of
from tests.fakes.store_wrappers import Cut, WatchedWriter

UNREACHABLE = "http://127.0.0.1:1"


class NotingTransport(Transport):
    """A transport that notes what is asked for."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic)
        self.asked: list[str] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.asked.append(url)
        return super()._fetch(url)


async def test_what_is_signed_is_in_service_after_one_pass(court: ListPublisher, host: AgentHost) -> None:
    agent = host.start()
    court.publish(listed(1), listed(2))
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert agent.in_service is not None
    assert agent.in_service.state == court.feed.state
    assert await host.stored() == {token_of(1): record_of(1), token_of(2): record_of(1)}


async def test_a_chain_of_deltas_ends_in_what_the_last_one_says(court: ListPublisher, host: AgentHost) -> None:
    agent = host.start()
    await agent.sync_once()
    court.publish(listed(1, court=1))
    court.publish(listed(1, court=2), listed(2))
    court.publish(lifted(2))
    await agent.sync_once()
    assert await host.stored() == {token_of(1): record_of(2)}


async def test_a_heartbeat_moves_the_age_and_nothing_else(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(listed(1))
    writer = WatchedWriter(host.store.writer())
    agent = host.start(writer)
    await agent.sync_once()
    before, moves = agent.in_service, len(writer.moves)
    clock.advance(2)
    court.heartbeat()
    await agent.sync_once()
    assert before is not None
    assert await writer.announcement() == agent.in_service == replace(before, as_of=before.as_of + 2)
    assert len(writer.moves) == moves


async def test_an_idle_pass_asks_for_the_timestamp_alone(court: ListPublisher, host: AgentHost) -> None:
    court.publish(listed(1))
    host.transport = NotingTransport(time.monotonic)
    agent = host.start()
    await agent.sync_once()
    assert any("targets" in url for url in host.transport.asked)
    host.transport.asked.clear()
    for _ in range(3):
        await agent.sync_once()
    assert [url.rpartition("/")[2] for url in host.transport.asked] == ["timestamp.json"] * 3


async def test_parameters_are_there_even_when_nothing_was_settled(court: ListPublisher, host: AgentHost) -> None:
    """So that their loss is told apart from there being none."""
    court.publish(listed(1))
    await host.start().sync_once()
    assert await host.store.reader().parameters() == b""


async def test_an_agent_that_is_behind_leaves_the_parameters_alone(court: ListPublisher, host: AgentHost) -> None:
    court.publish(listed(1))
    await host.start().sync_once()
    newer = host.store.writer()
    announced = await newer.announcement()
    assert announced is not None
    await newer.announce(replace(announced, as_of=announced.as_of + 1), ())
    await newer.put_parameters(b"newer")
    cut_off = replace(host, source=FeedSource(UNREACHABLE, host.source.root))
    await cut_off.start().sync_once()
    assert await host.store.reader().parameters() == b"newer"
    assert await newer.announcement() == replace(announced, as_of=announced.as_of + 1)


async def test_lifts_are_written_before_additions(court: ListPublisher, host: AgentHost) -> None:
    court.publish(*map(listed, range(20)))
    await host.start().sync_once()
    writer = WatchedWriter(host.store.writer())
    court.publish(*map(listed, range(100, 120)), *map(lifted, range(10)), Change(token_of(15), record_of(7), Lane.EASE))
    await host.start(writer).sync_once()
    lanes = [change.lane for move in writer.moves for change in move.changes]
    assert lanes == [Lane.EASE] * 11 + [Lane.BURDEN] * 20
    eases = [move for move in writer.moves if any(change.lane is Lane.EASE for change in move.changes)]
    assert all(move.base.version == move.after.version for move in eases)


async def test_additions_are_announced_so_that_filters_can_follow(court: ListPublisher, host: AgentHost) -> None:
    court.publish(listed(1), listed(2))
    agent = host.start()
    await agent.sync_once()
    court.publish(listed(3), lifted(1), Change(token_of(2), record_of(5), Lane.EASE))
    await agent.sync_once()
    at = agent.in_service
    assert at is not None
    added = await host.store.reader().additions(at.generation.number, 1, 2)
    assert set(added) == {token_of(2), token_of(3)}


async def test_a_list_that_outgrew_its_deltas_is_folded_and_read_all_the_same(
    court: ListPublisher, host: AgentHost
) -> None:
    """One agent follows from the start, one comes late, one sleeps from version 3 until everything was folded."""
    sleeper = host.start()
    for number in range(3):
        court.publish(listed(number))
    await sleeper.sync_once()
    for number in range(3, MAX_DELTAS + 5):
        court.publish(listed(number), lifted(number + 1))
    assert len(court.feed.listing.deltas) < 100
    await sleeper.sync_once()
    assert alarms_of(sleeper) == []
    assert await host.stored() == court.book.records
    newcomer = AgentHost(host.source, host.directory / "newcomer", host.clock)
    await newcomer.start().sync_once()
    assert await newcomer.stored() == court.book.records


async def test_a_snapshot_made_of_the_feed_is_the_list_and_does_not_disturb_a_follower(
    court: ListPublisher, host: AgentHost
) -> None:
    agent = host.start()
    for number in range(70):
        court.publish(listed(number), lifted(number + 1))
    await agent.sync_once()
    before = agent.in_service
    compact(court.feed, court.clock())
    court.publish(listed(500))
    await agent.sync_once()
    assert (court.feed.listing.snapshot, len(court.feed.listing.deltas)) == (70, KEPT_DELTAS + 1)
    assert before is not None
    assert agent.in_service is not None
    assert agent.in_service.generation == before.generation
    newcomer = AgentHost(host.source, host.directory / "newcomer", host.clock)
    await newcomer.start().sync_once()
    assert await newcomer.stored() == await host.stored() == court.book.records


@pytest.fixture
async def gapped(court: ListPublisher, host: AgentHost, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """An agent with tokens 1 and 300 in service, that slept while the feed left out the deltas it would need."""
    court.publish(listed(1), listed(300))
    agent = host.start()
    await agent.sync_once()
    monkeypatch.setattr("publisher.folding.KEPT_DELTAS", 1)
    court.publish(lifted(1))
    court.publish(*(listed(number, court=3) for number in range(2, 60)))
    court.publish_snapshot()
    assert court.feed.listing.way(1) is None
    return agent


async def test_after_a_gap_what_differs_is_written_in_place_and_lifts_first(
    court: ListPublisher, host: AgentHost, gapped: Agent
) -> None:
    before, writer = gapped.in_service, WatchedWriter(host.store.writer())
    again = host.start(writer)
    await again.sync_once()
    assert alarms_of(again) == []
    assert before is not None
    assert again.in_service is not None
    assert (again.in_service.generation, again.in_service.state) == (before.generation, court.feed.state)
    assert await host.stored() == court.book.records
    changes = [change for move in writer.moves for change in move.changes]
    assert changes[0] == lifted(1)
    assert {change.token for change in changes[1:]} == {token_of(number) for number in range(2, 60)}
    added = await host.store.reader().additions(before.generation.number, 1, court.feed.state.version)
    assert set(added) == {token_of(number) for number in range(2, 60)}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", [0, 1, 100, 256, 257])
@pytest.mark.usefixtures("gapped")
async def test_a_move_that_is_cut_short_is_made_again(
    court: ListPublisher, host: AgentHost, cut_at: int, *, after: bool
) -> None:
    with suppress(Cut):
        await host.start(WatchedWriter(host.store.writer(), cut_at, after=after)).sync_once()
    assert token_of(1) not in await host.stored() or (cut_at, after) == (0, False)
    again = host.start()
    await again.sync_once()
    assert alarms_of(again) == []
    assert await host.stored() == court.book.records


async def test_nothing_is_moved_to_a_list_that_does_not_come_out_as_signed(
    court: ListPublisher, host: AgentHost, gapped: Agent
) -> None:
    court.book.state = replace(court.book.state, digest=bytes(DIGEST_BYTES), version=200)
    court.publish_snapshot()
    writer = WatchedWriter(host.store.writer())
    again = host.start(writer)
    for _ in range(4):
        await again.sync_once()
        assert alarms_of(again) == ["DIGEST_MISMATCH"]
    assert writer.changes == 0
    assert gapped.in_service is not None
    assert gapped.in_service.state.version == 1


async def test_another_list_of_the_same_version_is_not_moved_in_place(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    """Gateways at that version would never learn what was added."""
    court.publish(listed(1))
    await host.start().sync_once()
    writer = host.store.writer()
    announced = await writer.announcement()
    assert announced is not None
    other = replace(announced, state=replace(announced.state, digest=bytes(DIGEST_BYTES)))
    await writer.announce(other, ())
    newcomer = replace(host, directory=tmp_path / "newcomer").start()
    await newcomer.sync_once()
    assert newcomer.in_service is not None
    assert newcomer.in_service.state == court.feed.state
    assert newcomer.in_service.generation != announced.generation


@pytest.fixture(params=["too much differs", "a head is lost", "a bucket is lost"])
def no_move(request: pytest.FixtureRequest, host: AgentHost, gapped: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why a load is better."""
    cells = host.store.keyspace.cells
    assert gapped.in_service is not None
    generation = gapped.in_service.generation
    match request.param:
        case "too much differs":
            monkeypatch.setattr("sync_agent.mover._MAX_CHANGES", 10)
        case "a head is lost":
            del cells[host.store.keys.head(generation.number, 7)]
        case _:
            del cells[host.store.keys.bucket(place_of(generation, token_of(7)))]


@pytest.mark.usefixtures("no_move")
async def test_where_a_move_is_no_better_the_list_is_loaded_beside(
    court: ListPublisher, host: AgentHost, gapped: Agent, clock: FakeClock
) -> None:
    before = gapped.in_service
    await gapped.sync_once()
    assert alarms_of(gapped) == []
    assert before is not None
    assert gapped.in_service is not None
    assert gapped.in_service.generation.number > before.generation.number
    assert await host.stored() == court.book.records
    clock.advance(61)
    court.heartbeat()
    await gapped.sync_once()
    assert await host.store.writer().heads(before.generation.number) == {}


async def test_a_lost_store_is_rebuilt_without_the_court_at_the_true_age(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(listed(1))
    court.publish(listed(2))
    await host.start().sync_once()
    vouched = court.feed.as_of
    host.lose_store()
    host.source = FeedSource(UNREACHABLE, court.root)
    clock.advance(3_600)
    agent = host.start()
    await agent.sync_once()
    assert alarms_of(agent) == ["FEED_UNREACHABLE"]
    assert agent.in_service is not None
    assert agent.in_service.as_of == vouched
    assert await host.stored() == court.book.records


async def test_a_lost_state_directory_is_fetched_anew_and_the_store_is_left_alone(
    court: ListPublisher, host: AgentHost
) -> None:
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    host.directory = host.directory.with_name("other")
    again = host.start()
    await again.sync_once()
    assert again.in_service == agent.in_service


async def test_damaged_files_of_the_copy_are_fetched_anew(court: ListPublisher, host: AgentHost) -> None:
    court.publish(*map(listed, range(40)))
    court.publish_snapshot()
    await host.start().sync_once()
    chunk = next(host.directory.glob("snapshots/*/*.chunk"))
    chunk.write_bytes(bytes(len(chunk.read_bytes())))
    host.lose_store()
    agent = host.start()
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert await host.stored() == court.book.records


@pytest.mark.parametrize("after", [False, True], ids=["before the change", "after the change"])
async def test_a_cut_anywhere_in_apply_leaves_old_or_new_and_redoing_ends_the_same(
    court: ListPublisher, host: AgentHost, *, after: bool
) -> None:
    """Kill the agent before or after single changes of the store that one delta causes."""
    court.publish(*map(listed, range(6)))
    await host.start().sync_once()
    before = dict(court.book.records)
    photograph = dict(host.store.keyspace.cells)
    court.publish(lifted(0), lifted(1), Change(token_of(2), record_of(8), Lane.EASE), listed(3, court=9), listed(200))
    whole = WatchedWriter(host.store.writer())
    await host.start(whole).sync_once()
    final = dict(court.book.records)
    assert await host.stored() == final
    # Every change with content, some of the 256 heads that only move on, and the announcement.
    for cut_at in (*range(8), *range(8, whole.changes, 41), *range(whole.changes - 3, whole.changes)):
        host.store.keyspace.cells.clear()
        host.store.keyspace.cells.update(photograph)
        with pytest.raises(Cut):
            await host.start(WatchedWriter(host.store.writer(), cut_at, after=after)).sync_once()
        for token, record in (await host.stored()).items():
            assert record in {before.get(token), final.get(token)}
        agent = host.start()
        await agent.sync_once()
        assert alarms_of(agent) == []
        assert await host.stored() == final


async def test_a_cut_anywhere_in_a_first_load_ends_the_same_and_leaves_no_generation_behind(
    court: ListPublisher, host: AgentHost
) -> None:
    court.publish(*map(listed, range(6)))
    for cut_at in (0, 1, 100, 255, 256, 257):
        host.lose_store()
        with pytest.raises(Cut):
            await host.start(WatchedWriter(host.store.writer(), cut_at)).sync_once()
        agent = host.start()
        await agent.sync_once()
        await agent.sync_once()
        assert agent.in_service is not None
        assert await host.stored() == court.book.records
        number = str(agent.in_service.generation.number)
        heads = [key for key in host.store.keyspace.cells if "head" in key]
        assert len(heads) == 256
        assert all(number in key for key in heads)


async def test_two_agents_on_one_store_end_in_the_signed_state(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    other_host = AgentHost(host.source, tmp_path / "other", host.clock, store=host.store)
    one, other = host.start(), other_host.start()
    for number in range(30):
        court.publish(listed(number), lifted(number + 2))
        await (one if number % 3 else other).sync_once()
        if number % 4:
            await other.sync_once()
    await one.sync_once()
    await other.sync_once()
    assert one.in_service == other.in_service
    assert await host.stored() == court.book.records


async def test_a_stale_agent_never_moves_the_store_back(court: ListPublisher, host: AgentHost, tmp_path: Path) -> None:
    stale = AgentHost(host.source, tmp_path / "stale", host.clock, store=host.store)
    court.publish(listed(1))
    await stale.start().sync_once()
    court.publish(lifted(1))
    agent = host.start()
    await agent.sync_once()
    stale.source = FeedSource(UNREACHABLE, court.root)
    late = stale.start()
    await late.sync_once()
    assert late.in_service == agent.in_service
    assert await host.stored() == {}


async def test_what_another_agent_left_half_done_is_not_mistaken_for_damage(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    """One agent is killed before it announces version 3; one that is at 2 waits for the feed, and loads nothing."""
    behind = AgentHost(host.source, tmp_path / "behind", host.clock)
    court.publish(listed(1))
    await host.start().sync_once()
    court.publish(listed(2))
    await behind.start().sync_once()
    court.publish(listed(3))
    writer = WatchedWriter(host.store.writer(), 256)
    with pytest.raises(Cut):
        await host.start(writer).sync_once()
    assert len(writer.moves) == 256
    behind.store, behind.source = host.store, FeedSource(UNREACHABLE, court.root)
    announced = await host.store.writer().announcement()
    loads = WatchedWriter(host.store.writer())
    await behind.start(loads).sync_once()
    assert loads.changes == 0
    assert await host.store.writer().announcement() == announced


CHANGES = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([None, 1, 2]), st.booleans()).map(
        lambda drawn: Change(
            token_of(drawn[0]),
            b"" if drawn[1] is None else record_of(drawn[1]),
            Lane.EASE if drawn[1] is None or drawn[2] else Lane.BURDEN,
        )
    ),
    max_size=6,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(CHANGES, st.booleans(), st.booleans()), max_size=8))
async def test_a_snapshot_equals_the_deltas_replayed(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[list[Change], bool, bool]]
) -> None:
    """Whichever way an agent came, through every delta or through the last snapshot, it holds the same."""
    place = tmp_path_factory.mktemp("case")
    clock = FakeClock()
    court = ListPublisher(place / "court", clock)
    with court.serving() as url:
        source = FeedSource(url, court.root)
        follower = AgentHost(source, place / "follower", clock)
        agent = follower.start()
        for changes, look, snapshot in batches:
            court.publish(*changes)
            if look:
                await agent.sync_once()
            if snapshot:
                court.publish_snapshot()
        await agent.sync_once()
        court.publish_snapshot()
        newcomer = AgentHost(source, place / "newcomer", clock)
        await newcomer.start().sync_once()
    assert await follower.stored() == await newcomer.stored() == court.book.records
