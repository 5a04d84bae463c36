"""A live list is emptied only with the root threshold's approval, whoever holds the online keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest

from publisher import emptying
from publisher.key_files import new_key, write_key
from publisher.publish import publish_queued
from publisher.roots import SafeKey
from publisher.rotation import KeyRoom
from restriction.change import DIGEST_BYTES, ListId
from restriction.errors import SettingError
from restriction.record import decode
from sync_agent.agent import Agent
from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.court import lift_line
from tests.fakes.list_publisher import KEYS, LIST_ID, ListPublisher, lifted, listed, token_of
from tests.integration.test_approve_command import Desk

LIVE = ListId("test", "live", 1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def court(tmp_path: Path, clock: FakeClock) -> ListPublisher:
    court = ListPublisher(tmp_path / "court", clock, LIVE)
    court.publish(listed(1), listed(2))
    return court


@pytest.fixture
def host(tmp_path: Path, court: ListPublisher, clock: FakeClock) -> Iterator[AgentHost]:
    with court.serving() as url:
        yield AgentHost(FeedSource(url, court.root), tmp_path / "agent", clock)


async def synced(host: AgentHost) -> Agent:
    agent = host.start()
    await agent.sync_once()
    return agent


def root_key(court: ListPublisher, number: int) -> Path:
    return court.directory / "keys" / "offline" / f"root-{number}.pem"


def approve(court: ListPublisher, *numbers: int) -> None:
    for number in numbers:
        emptying.sign(court.feed, SafeKey.read(root_key(court, number)))
    publish_queued(court.book, court.feed, KEYS.digest_key, court.clock)


def wipe(court: ListPublisher) -> None:
    """What whoever holds the online keys signs: a delta that takes everybody off, with its true digest and count."""
    state = court.feed.state
    after = replace(state, version=state.version + 1, count=0, digest=bytes(DIGEST_BYTES))
    court.sign_delta(state.version, after, lifted(1), lifted(2))


# --- the court's side -------------------------------------------------------------------------------------------------


def test_the_last_record_stays_and_binds_nobody(court: ListPublisher) -> None:
    state = court.publish(lifted(1), lifted(2))

    assert state.count == 1
    [record] = court.book.records.values()
    assert all(part.suspended for part in decode(record).parts)
    assert emptying.is_pending(court.book, court.feed)


def test_signing_again_while_it_waits_signs_nothing(court: ListPublisher) -> None:
    version = court.publish(lifted(1), lifted(2)).version

    assert court.publish().version == version


@pytest.mark.parametrize("keys", [(1,), (2, 2)], ids=["one key", "one key twice"])
def test_less_than_the_threshold_empties_nothing(court: ListPublisher, keys: tuple[int, ...]) -> None:
    court.publish(lifted(1), lifted(2))

    approve(court, *keys)

    assert court.feed.state.count == 1


def test_two_root_keys_empty_the_list(court: ListPublisher) -> None:
    court.publish(lifted(1), lifted(2))

    approve(court, 1, 3)

    assert court.feed.state.count == 0
    assert court.feed.listing.approvals == (court.feed.state.version,)


def test_an_approval_is_for_one_version(court: ListPublisher) -> None:
    court.publish(lifted(1), lifted(2))
    emptying.sign(court.feed, SafeKey.read(root_key(court, 1)))
    court.publish(listed(3))
    court.publish(lifted(3))

    approve(court, 2)

    assert court.feed.state.count == 1


def test_the_signature_of_a_root_key_that_was_replaced_since_does_not_count(court: ListPublisher) -> None:
    court.publish(lifted(1), lifted(2))
    first, second, third = (SafeKey.read(root_key(court, number)) for number in (1, 2, 3))
    emptying.sign(court.feed, first)
    write_key(court.directory / "fresh.pem", new_key())
    rotation = KeyRoom(court.directory, court.feed)
    draft = rotation.draft_replacement(
        first.signer.public_key.keyid, SafeKey.read(court.directory / "fresh.pem"), (second, third), court.clock()
    )
    assert draft is not None
    with court.feed.lock():
        rotation.publish(draft, court.clock())

    assert emptying.sign(court.feed, second) == (1, 2)
    assert emptying.sign(court.feed, third) == (2, 2)


def test_an_online_key_is_no_root_key(court: ListPublisher) -> None:
    court.publish(lifted(1), lifted(2))

    with pytest.raises(SettingError, match="not a root key"):
        emptying.sign(court.feed, SafeKey.read(court.directory / "keys" / "online" / "targets.pem"))


def test_emptying_cannot_be_rejected_and_a_try_signs_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "court")
    desk.submit(lift_line(1))
    desk.key = desk.directory / "keys" / "offline" / "root-1.pem"

    refused = desk.approve("EMPTY", "--reject")

    assert refused.exit_code == click.UsageError.exit_code
    assert "EMPTY cannot be rejected" in refused.output
    assert "1 of 2" in desk.approve("EMPTY").output.splitlines()[-1]


def test_a_listing_that_comes_meanwhile_lets_the_last_record_go(court: ListPublisher) -> None:
    court.publish(lifted(1), lifted(2))

    court.publish(listed(3))

    assert set(court.book.records) == {token_of(3)}


def test_a_sandbox_list_is_emptied_by_its_lifts(tmp_path: Path, clock: FakeClock) -> None:
    court = ListPublisher(tmp_path / "sandbox", clock, LIST_ID)
    court.publish(listed(1))

    assert court.publish(lifted(1)).count == 0


# --- the agent --------------------------------------------------------------------------------------------------------


async def test_an_agent_refuses_an_empty_list_that_only_online_keys_signed(
    court: ListPublisher, host: AgentHost
) -> None:
    agent = await synced(host)
    wipe(court)

    await agent.sync_once()

    assert alarms_of(agent) == ["LIST_IMPLAUSIBLE"]
    assert set(await host.stored()) == {token_of(1), token_of(2)}


async def test_an_agent_refuses_an_empty_snapshot_after_a_gap(court: ListPublisher, host: AgentHost) -> None:
    agent = await synced(host)
    state = court.feed.state
    court.book.records = {}
    court.book.state = replace(state, version=state.version + 5, count=0, digest=bytes(DIGEST_BYTES))
    court.publish_snapshot()

    await agent.sync_once()

    assert alarms_of(agent) == ["LIST_IMPLAUSIBLE"]
    assert set(await host.stored()) == {token_of(1), token_of(2)}


async def test_an_agent_refuses_an_empty_list_after_its_own_copy_was_damaged(
    court: ListPublisher, host: AgentHost
) -> None:
    await synced(host)
    state = court.feed.state
    court.book.records = {}
    court.book.state = replace(state, version=state.version + 5, count=0, digest=bytes(DIGEST_BYTES))
    court.publish_snapshot()
    for manifest in host.directory.glob("**/manifest"):
        manifest.write_bytes(b"damaged")

    agent = await synced(host)

    assert "LIST_IMPLAUSIBLE" in alarms_of(agent)
    assert set(await host.stored()) == {token_of(1), token_of(2)}


async def test_an_approval_of_another_version_does_not_help(court: ListPublisher, host: AgentHost) -> None:
    agent = await synced(host)
    for number in (1, 2):
        emptying.sign(court.feed, SafeKey.read(root_key(court, number)))
    state = court.feed.state
    approval = emptying.approval(court.feed, state.version + 1)
    assert approval is not None
    after = replace(state, version=state.version + 2, count=0, digest=bytes(DIGEST_BYTES))
    wrong = {f"approvals/{version}.json": approval for version in (state.version + 1, state.version + 2)}
    with court.feed.lock():
        court.feed.replace(wrong, (), state, court.clock())
    court.sign_delta(state.version, after, lifted(1), lifted(2))

    await agent.sync_once()

    assert alarms_of(agent) == ["LIST_IMPLAUSIBLE"]


async def test_an_agent_follows_an_approved_emptying_also_after_a_restart(
    court: ListPublisher, host: AgentHost
) -> None:
    agent = await synced(host)
    court.publish(lifted(1), lifted(2))
    await agent.sync_once()
    approve(court, 1, 2)

    await agent.sync_once()

    assert alarms_of(agent) == []
    assert await host.stored() == {}
    again = await synced(host)
    assert again.in_service is not None
    assert again.in_service.state.count == 0
    court.publish(listed(5))
    await again.sync_once()
    assert set(await host.stored()) == {token_of(5)}


async def test_a_new_agent_walks_past_an_approved_emptying(court: ListPublisher, host: AgentHost) -> None:
    court.publish(lifted(1), lifted(2))
    approve(court, 1, 2)
    court.publish(listed(5))

    agent = await synced(host)

    assert alarms_of(agent) == []
    assert set(await host.stored()) == {token_of(5)}
