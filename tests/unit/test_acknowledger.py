"""When versions are said to have taken effect, and that none is called acknowledged before every replica has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from liststore.base import ListWriter
from liststore.effects import KEPT, Confirmation, Effect
from liststore.keys import Keys
from liststore.memory_store import MemoryKeyspace
from liststore.writer import KeyspaceWriter
from restriction.change import ListState
from restriction.errors import StoreUnavailableError
from sync_agent.acknowledger import Acknowledger
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import EMPTY


class Replicas:
    """Replicas that confirm as they are told; `meanwhile` happens while they are waited for."""

    def __init__(self) -> None:
        self.answer = Confirmation(1, 1)
        self.is_away = False
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def confirm(self, wait_s: float) -> Confirmation:
        del wait_s
        self.asked += 1
        if self.is_away:
            raise StoreUnavailableError("away")
        answer, meanwhile, self.meanwhile = self.answer, self.meanwhile, lambda: None
        meanwhile()
        return answer

    async def close(self) -> None:
        """There is nothing to let go of."""


class Agent:
    """An acknowledger over a store in memory, and what the store says of versions."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.start_s = self.clock()
        self.replicas = Replicas()
        self.store: ListWriter = KeyspaceWriter(MemoryKeyspace(), Keys(), bytes(32), self.replicas)
        self.restart()

    def restart(self) -> None:
        self.effects = Acknowledger(self.store, self.clock)

    def ease(self, base: int, version: int) -> None:
        self.effects.eased(at(base), at(version))
        self.clock.advance(1)

    def announce(self, version: int) -> None:
        self.effects.announced(at(version))
        self.clock.advance(1)

    async def kept(self, version: int, epoch: int = 1) -> Effect | None:
        return (await self.store.effects(epoch, [version])).get(version)


def at(version: int, epoch: int = 1) -> ListState:
    return replace(EMPTY, version=version, list_id=replace(EMPTY.list_id, epoch=epoch))


@pytest.fixture
def agent() -> Agent:
    return Agent()


async def test_each_instant_is_the_one_at_which_it_happened(agent: Agent) -> None:
    agent.ease(4, 5)
    agent.announce(5)
    assert await agent.effects.turn()
    start_s = agent.start_s
    assert await agent.kept(5) == Effect(1, 5, start_s, start_s + 1, start_s + 2, start_s + 2, Confirmation(1, 1))


async def test_lifts_are_acknowledged_before_the_version_is_announced(agent: Agent) -> None:
    agent.ease(4, 5)
    assert not await agent.effects.turn()
    kept = await agent.kept(5)
    assert kept is not None
    assert kept.lifts_acknowledged_at == agent.start_s + 1
    assert (kept.applied_at, kept.acknowledged_at) == (None, None)


async def test_what_is_announced_during_a_confirmation_is_not_acknowledged_by_it(agent: Agent) -> None:
    agent.ease(4, 5)
    agent.replicas.meanwhile = lambda: agent.announce(5)
    assert not await agent.effects.turn()
    kept = await agent.kept(5)
    assert kept is not None
    assert kept.applied_at is not None
    assert kept.acknowledged_at is None
    assert await agent.effects.turn()


async def test_what_is_eased_again_during_a_confirmation_is_not_acknowledged_by_it(agent: Agent) -> None:
    """The primary that confirmed may have been another one, which lost it."""
    agent.ease(4, 5)
    agent.replicas.meanwhile = lambda: agent.ease(4, 5)
    assert not await agent.effects.turn()
    kept = await agent.kept(5)
    assert kept is not None
    assert (kept.eased_at, kept.lifts_acknowledged_at) == (agent.start_s + 1, None)


async def test_lifts_that_were_acknowledged_stay_so_when_a_later_pass_writes_them_again(agent: Agent) -> None:
    agent.ease(4, 5)
    assert not await agent.effects.turn()
    before = await agent.kept(5)
    agent.ease(4, 5)
    agent.announce(5)
    assert await agent.effects.turn()
    after = await agent.kept(5)
    assert before is not None
    assert after is not None
    assert (after.eased_at, after.lifts_acknowledged_at) == (before.eased_at, before.lifts_acknowledged_at)


async def test_a_replica_that_does_not_confirm_leaves_it_unacknowledged_until_it_does(agent: Agent) -> None:
    agent.replicas.answer = Confirmation(1, 2)
    agent.ease(4, 5)
    agent.announce(5)
    assert not await agent.effects.turn()
    kept = await agent.kept(5)
    assert kept is not None
    assert (kept.replicas, kept.lifts_acknowledged_at, kept.acknowledged_at) == (Confirmation(1, 2), None, None)
    agent.replicas.answer = Confirmation(2, 2)
    assert await agent.effects.turn()
    later = await agent.kept(5)
    assert later is not None
    assert later.acknowledged_at is not None
    assert (later.eased_at, later.applied_at) == (kept.eased_at, kept.applied_at)


async def test_one_confirmation_is_for_all_that_is_open(agent: Agent) -> None:
    agent.ease(4, 5)
    agent.announce(5)
    agent.ease(5, 7)
    agent.announce(7)
    assert await agent.effects.turn()
    assert agent.replicas.asked == 1
    assert all([(await agent.kept(version)) for version in (5, 6, 7)])


async def test_a_primary_that_is_away_leaves_everything_open(agent: Agent) -> None:
    agent.replicas.is_away = True
    agent.ease(4, 5)
    agent.announce(5)
    with pytest.raises(StoreUnavailableError):
        await agent.effects.turn()
    agent.replicas.is_away = False
    assert await agent.effects.turn()


async def test_what_a_dead_agent_left_open_is_asked_about_again(agent: Agent) -> None:
    agent.replicas.answer = Confirmation(0, 1)
    for version in (5, 6):
        agent.ease(version - 1, version)
        agent.announce(version)
    await agent.effects.turn()
    before = await agent.kept(5)
    agent.restart()
    agent.replicas.answer = Confirmation(1, 1)
    agent.ease(6, 7)
    agent.announce(7)
    assert await agent.effects.turn()
    after = await agent.kept(5)
    assert before is not None
    assert after is not None
    assert (after.eased_at, after.applied_at) == (before.eased_at, before.applied_at)
    assert after.acknowledged_at is not None


async def test_what_was_acknowledged_is_not_asked_about_after_a_restart(agent: Agent) -> None:
    agent.ease(4, 5)
    agent.announce(5)
    assert await agent.effects.turn()
    before = await agent.kept(5)
    agent.restart()
    agent.announce(5)
    assert await agent.effects.turn()
    assert (agent.replicas.asked, await agent.kept(5)) == (1, before)


async def test_versions_that_came_by_a_load_or_unseen_count_from_when_they_were_first_seen(agent: Agent) -> None:
    agent.announce(5)
    agent.announce(7)
    assert await agent.effects.turn()
    kept = [await agent.kept(version) for version in (4, 5, 6, 7)]
    assert [None if effect is None else effect.eased_at - agent.start_s for effect in kept] == [None, 0, 1, 1]


async def test_what_another_agent_brought_keeps_the_times_that_it_saw(agent: Agent) -> None:
    await agent.store.put_effects([Effect(1, 5, 7.0, 8.0)])
    agent.announce(5)
    assert await agent.effects.turn()
    kept = await agent.kept(5)
    assert kept is not None
    assert (kept.eased_at, kept.applied_at) == (7.0, 8.0)


async def test_another_epoch_begins_anew(agent: Agent) -> None:
    agent.ease(4, 5)
    agent.announce(5)
    agent.effects.announced(at(1, epoch=2))
    assert await agent.effects.turn()
    assert await agent.kept(5) is None
    assert await agent.kept(1, epoch=2) is not None


async def test_no_more_is_held_open_than_is_kept(agent: Agent) -> None:
    agent.replicas.answer = Confirmation(0, 1)
    agent.ease(0, KEPT)
    agent.ease(KEPT, KEPT + 5)
    agent.announce(KEPT + 5)
    await agent.effects.turn()
    assert await agent.kept(5) is None
    assert await agent.kept(6) is not None
    assert await agent.kept(KEPT + 5) is not None


class Unconfirmed(Acknowledger):
    """One whose every turn leaves something open, so that it waits for a while each time."""

    async def turn(self) -> bool:
        return False


@pytest.mark.parametrize("steps", range(6))
async def test_it_ends_when_it_is_told_to_at_whatever_step_a_note_comes(steps: int) -> None:
    acknowledger = Unconfirmed(KeyspaceWriter(MemoryKeyspace(), Keys(), bytes(32)), FakeClock())
    running = asyncio.create_task(acknowledger.run())
    acknowledger.announced(EMPTY)
    await asyncio.sleep(0.01)  # it waits for its pause, which is longer
    acknowledger.announced(replace(EMPTY, version=1))
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    assert await asyncio.wait({running}, timeout=1.0) == ({running}, set())
