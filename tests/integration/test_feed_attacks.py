"""What whoever holds the web server, the network or a court's side gone wrong may try, and what the agent makes of it.

Every story ends the same: the last good list stays in service, and the alarm has a name.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from publisher.folding import write_snapshot
from restriction.change import DIGEST_BYTES, Digest, ListId
from restriction.envelope import encode_snapshot
from restriction.errors import FeedUnreachableError
from restriction.listing import snapshot_path
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from sync_agent.transport import Transport, renamed
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import KEYS, ListPublisher, lifted, listed, record_of, token_of
from tests.faults.attacks_keys import ONLINE, rotate


@pytest.fixture
async def agent(court: ListPublisher, host: AgentHost) -> AsyncIterator[Agent]:
    """An agent that has version 2 in service: tokens 1 and 2 are listed. Afterwards it still has."""
    court.publish(listed(1))
    court.publish(listed(2))
    agent = host.start()
    await agent.sync_once()
    good = await host.stored()
    assert set(good) == {token_of(1), token_of(2)}
    yield agent
    assert await host.stored() == good
    assert agent.in_service is not None
    assert agent.in_service.state.version == 2


async def test_a_flipped_byte_in_a_delta_is_forged(agent: Agent, court: ListPublisher) -> None:
    court.publish(lifted(1))
    path = court.newest_delta()
    raw = path.read_bytes()
    for at in range(0, len(raw), 9):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        await agent.sync_once()
        assert alarms_of(agent) == ["LIST_FORGED"]


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
async def test_flipped_bytes_in_metadata_are_forged(agent: Agent, court: ListPublisher, role: str) -> None:
    court.publish(lifted(1))
    path = max(court.metadata.glob(f"*{role}.json"), key=lambda path: path.stat().st_mtime_ns)
    raw = path.read_bytes()
    for at in range(0, len(raw), 101):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        await agent.sync_once()
        assert alarms_of(agent), at


async def test_a_truncated_delta_is_refused(agent: Agent, court: ListPublisher) -> None:
    court.publish(lifted(1))
    path = court.newest_delta()
    path.write_bytes(path.read_bytes()[:-1])
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]


async def test_an_endless_delta_is_oversized(agent: Agent, court: ListPublisher) -> None:
    court.publish(lifted(1))
    with court.newest_delta().open("ab") as file:
        file.write(bytes(10_000_000))
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_OVERSIZED"]


@pytest.mark.usefixtures("agent")
async def test_an_empty_timestamp_is_forged_for_an_agent_that_has_just_started_too(
    court: ListPublisher, host: AgentHost
) -> None:
    (court.metadata / "timestamp.json").write_bytes(b"")
    again = host.start()
    await again.sync_once()
    assert alarms_of(again) == ["LIST_FORGED"]


async def test_an_endless_timestamp_is_oversized(agent: Agent, court: ListPublisher) -> None:
    (court.metadata / "timestamp.json").write_bytes(b" " * 1_000_000)
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_OVERSIZED"]


@pytest.mark.parametrize(
    ("name", "size"),
    [("2.root.json", 100_000), ("*.snapshot.json", 20_000), ("*.targets.json", 600_000)],
    ids=["root", "snapshot", "targets"],
)
async def test_metadata_larger_than_any_may_be_is_oversized_before_it_is_read(
    agent: Agent, court: ListPublisher, name: str, size: int
) -> None:
    """Spaces at the end of a document leave its JSON what it was."""
    court.publish(lifted(1))
    found = sorted(court.metadata.glob(name), key=lambda path: path.stat().st_mtime_ns)
    path = found[-1] if found else court.metadata / name
    path.write_bytes((found[-1].read_bytes() if found else b"{}") + b" " * size)
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_OVERSIZED"]


async def test_metadata_larger_than_any_may_be_is_oversized_even_when_its_length_is_signed(
    agent: Agent, court: ListPublisher
) -> None:
    court.sign_delta(2, replace(court.feed.state, version=3, key_id="k" * 600_000), lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_OVERSIZED"]


async def test_an_older_feed_with_true_signatures_is_a_rollback(
    agent: Agent, court: ListPublisher, host: AgentHost
) -> None:
    """An attacker keeps yesterday's feed and serves it today, to an agent that has restarted meanwhile."""
    old = court.photograph()
    court.heartbeat()
    await agent.sync_once()
    court.replay(old)
    again = host.start()
    await again.sync_once()
    assert alarms_of(again) == ["LIST_ROLLBACK"]
    assert again.in_service == agent.in_service


async def test_a_stopped_heartbeat_is_a_frozen_list(agent: Agent, court: ListPublisher, clock: FakeClock) -> None:
    """The web server goes on serving the last timestamp, so that a lift never arrives."""
    clock.advance(29)
    await agent.sync_once()
    assert alarms_of(agent) == []
    clock.advance(2)
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FROZEN"]
    court.heartbeat()
    await agent.sync_once()
    assert alarms_of(agent) == []


async def test_signatures_that_ran_out_stop_acceptance_and_not_service(
    agent: Agent, court: ListPublisher, clock: FakeClock
) -> None:
    clock.advance(-3_600)
    court.publish(lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_EXPIRED"]


async def test_a_clock_that_is_wrong_wipes_nothing_and_what_comes_when_it_is_right_is_taken(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    """All signatures seem to have run out, as for a host whose clock is ahead; it is restarted meanwhile, twice."""
    court.publish(listed(1))
    await host.start().sync_once()
    kept = {path.relative_to(host.directory): path.read_bytes() for path in host.directory.glob("[sd]*/**/*.*")}
    clock.advance(-3_600)
    court.publish(lifted(1))
    await host.start().sync_once()
    agent = host.start()
    await agent.sync_once()
    assert alarms_of(agent) == ["CLOCK_SKEW", "LIST_EXPIRED"]
    assert agent.in_service is not None
    assert set(await host.stored()) == {token_of(1)}
    assert (
        kept.items()
        <= {path.relative_to(host.directory): path.read_bytes() for path in host.directory.glob("[sd]*/**/*.*")}.items()
    )
    clock.advance(3_602)
    court.heartbeat()
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert await host.stored() == {}


async def test_a_list_vouched_for_in_the_future_is_taken_and_the_clock_blamed(
    agent: Agent, court: ListPublisher, clock: FakeClock
) -> None:
    clock.advance(3_600)
    court.heartbeat()
    clock.advance(-3_600)
    await agent.sync_once()
    assert alarms_of(agent) == ["CLOCK_SKEW"]


async def test_another_courts_feed_is_forged(agent: Agent, court: ListPublisher, tmp_path: Path) -> None:
    """Signed by keys of its own, for whoever redirects the agent there."""
    other = ListPublisher(tmp_path / "impostor", court.clock)
    other.publish(lifted(1))
    shutil.rmtree(court.directory / "feed")
    shutil.copytree(other.directory / "feed", court.directory / "feed")
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]


@pytest.mark.parametrize(
    "wrong",
    [ListId("other", "sandbox", 1), ListId("test", "live", 1), ListId("test", "sandbox", 2)],
    ids=["another list", "another environment", "another epoch"],
)
async def test_a_delta_of_another_list_is_wrong_even_when_signed(
    agent: Agent, court: ListPublisher, wrong: ListId
) -> None:
    court.sign_delta(2, replace(court.feed.state, list_id=wrong, version=3), lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_WRONG"]


async def test_a_delta_whose_digest_is_not_true_is_never_written(agent: Agent, court: ListPublisher) -> None:
    """The count is right, so that nothing but the digest can tell."""
    state = court.feed.state
    court.sign_delta(2, replace(state, version=3, digest=bytes(DIGEST_BYTES), count=state.count - 1), lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == ["DIGEST_MISMATCH"]
    for _ in range(4):
        await agent.sync_once()
    assert alarms_of(agent) == ["DIGEST_MISMATCH"]


async def test_a_delta_without_changes_cannot_empty_the_list(agent: Agent, court: ListPublisher) -> None:
    court.sign_delta(2, replace(court.feed.state, version=3, digest=bytes(DIGEST_BYTES), count=0))
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]


@pytest.mark.parametrize(
    ("count", "alarm"),
    [(0, "DIGEST_MISMATCH"), (2, "DIGEST_MISMATCH"), (1 << 40, "LIST_OVERSIZED")],
    ids=["one too low", "one too high", "more than any memory holds"],
)
async def test_a_count_that_is_not_true_is_never_put_in_service(
    agent: Agent, court: ListPublisher, count: int, alarm: str
) -> None:
    """The digest is right; whoever makes room for the list would be misled."""
    digest = Digest(KEYS.digest_key, court.feed.state.digest)
    digest.remove(token_of(1), record_of(1))
    court.sign_delta(2, replace(court.feed.state, version=3, digest=digest.value, count=count), lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == [alarm]


async def test_a_snapshot_of_another_version_than_it_is_listed_as_is_forged(agent: Agent, court: ListPublisher) -> None:
    later = replace(court.book.state, version=9)
    partitions = ((partition, dict(court.book.published_records(partition))) for partition in range(256))
    with court.feed.lock():
        manifest = encode_snapshot(write_snapshot(court.feed, later, partitions))
        court.feed.replace({snapshot_path(3): manifest}, (), later, court.clock())
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]


async def test_once_stolen_keys_are_replaced_what_they_signed_is_no_obstacle(
    court: ListPublisher, host: AgentHost
) -> None:
    """The thief signed a whole list under a token key that nobody has, and no delta leads on from it."""
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    honest, state = court.photograph(), court.book.state
    court.book.state = replace(state, key_id="k9", version=2)
    court.publish_snapshot()
    await agent.sync_once()
    assert alarms_of(agent) == ["KEY_UNKNOWN"]
    court.book.state = state
    court.replay(honest)
    rotate(court, *ONLINE)
    court.publish(lifted(1))
    await agent.sync_once()
    await agent.sync_once()
    assert alarms_of(agent) == []
    assert await host.stored() == {}


async def test_a_gap_is_named_and_the_snapshot_awaited(agent: Agent, court: ListPublisher) -> None:
    court.sign_delta(7, replace(court.feed.state, version=8), lifted(1))
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_GAP"]


async def test_a_feed_under_an_unknown_token_key_is_not_loaded(agent: Agent, court: ListPublisher) -> None:
    court.book.state = replace(court.book.state, key_id="k9", version=3)
    court.publish_snapshot()
    await agent.sync_once()
    await agent.sync_once()
    assert "KEY_UNKNOWN" in alarms_of(agent)


async def test_a_feed_that_is_away_is_unreachable(agent: Agent, court: ListPublisher) -> None:
    (court.metadata / "timestamp.json").unlink()
    await agent.sync_once()
    assert alarms_of(agent) == ["FEED_UNREACHABLE"]


@pytest.mark.usefixtures("agent")
async def test_an_answer_that_is_cut_short_is_not_taken(host: AgentHost) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        host.source = FeedSource(f"http://127.0.0.1:{port}", host.source.root)
        again = host.start()
        await again.sync_once()
    assert alarms_of(again) == ["FEED_UNREACHABLE"]


def test_a_server_that_drips_bytes_is_let_go(host: AgentHost) -> None:
    """Eleven seconds pass between any two looks at the clock."""
    transport = Transport(itertools.count(step=11).__next__)
    with pytest.raises(FeedUnreachableError), renamed():
        transport.download_bytes(f"{host.source.url}/metadata/1.root.json", 100_000)
    transport.close()
