"""How a gateway follows the list: filters, floor, age, restarts, and stores that fail on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.filters import MAX_TOKENS_IN_A_TURN
from gateway.follower import MAX_LAG_S
from restriction.change import ListId
from restriction.errors import GapError, LintelError, NotReadyError, SettingError, StoreUnavailableError
from restriction.filter import FilterStamp, ListFilter
from restriction.identity import Mode
from restriction.parameters import Parameters
from restriction.token import Secrets
from tests.fakes.gateway import KEYS, LATER_KEYS, Desk, SampleList, identity, record

FIRST, SECOND, THIRD = 1, 2, 3
PARAMETERS = Parameters.parse({"version": 1, "date": "2026-01-01", "authority": "court", "values": {"VENUE_MIN": 100}})


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    await made.open(FIRST)
    return made


async def add(desk: Desk, *sequences: int) -> None:
    await desk.list.change({identity(one): record(identity(one)) for one in sequences})


def lacks(desk: Desk, sequence: int) -> bool:
    return desk.follower.current().lacks(KEYS.token(identity(sequence)))


def version(desk: Desk) -> int:
    return desk.follower.current().version


def asks_the_store_about_everybody(desk: Desk) -> bool:
    return desk.follower.current().filter is None


async def test_announced_version_is_shown_with_a_filter(desk: Desk) -> None:
    assert (version(desk), asks_the_store_about_everybody(desk)) == (1, False)
    assert desk.follower.current().mode is Mode.SANDBOX
    assert lacks(desk, SECOND)
    assert not lacks(desk, FIRST)


class TestI9:
    async def test_filter_holds_every_addition_of_the_version_that_is_shown(self, desk: Desk) -> None:
        for sequence in range(2, 12):
            await add(desk, sequence)
            await desk.follower.advance()
            assert version(desk) == sequence
            assert not any(lacks(desk, earlier) for earlier in range(1, sequence + 1))

    async def test_several_versions_at_once_are_all_added(self, desk: Desk) -> None:
        await add(desk, SECOND)
        await add(desk, THIRD)
        await desk.follower.advance()
        assert not lacks(desk, SECOND)
        assert not lacks(desk, THIRD)

    async def test_version_is_not_shown_while_its_additions_cannot_be_read(self, desk: Desk) -> None:
        await add(desk, SECOND)
        desk.reader.failing["additions"] = StoreUnavailableError("away")
        with pytest.raises(StoreUnavailableError):
            await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (1, False)

    async def test_lost_history_is_made_good_by_reading_every_token(self, desk: Desk) -> None:
        await add(desk, SECOND)
        desk.reader.failing["additions"] = GapError("lost")
        await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (2, False)
        assert not lacks(desk, SECOND)

    async def test_tokens_of_a_store_that_fell_back_make_no_filter(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        await desk.list.load({identity(FIRST): record(identity(FIRST))})
        behind = dict(desk.memory.keyspace.cells)
        del behind[desk.memory.keys.announcement]
        await add(desk, SECOND)
        desk.memory.keyspace.cells.update(behind)
        await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (2, True)

    async def test_long_list_is_read_in_turns(self, desk: Desk) -> None:
        many = range(2, MAX_TOKENS_IN_A_TURN + 300)
        await add(desk, *many)
        await desk.follower.advance()
        assert not any(lacks(desk, sequence) for sequence in many)

    async def test_generation_that_was_loaded_beside_is_read_anew(self, desk: Desk) -> None:
        await desk.list.load({identity(one): record(identity(one)) for one in (SECOND, THIRD)}, number=2)
        await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (2, False)
        assert lacks(desk, FIRST)
        assert not lacks(desk, SECOND)

    async def test_generation_at_the_same_version_is_read_anew_too(self, desk: Desk) -> None:
        desk.list.version -= 1
        await desk.list.load({identity(SECOND): record(identity(SECOND))}, number=2)
        await desk.follower.advance()
        assert (version(desk), lacks(desk, SECOND)) == (1, False)


class TestReadyMadeFilter:
    async def test_is_taken_and_filled_instead_of_reading_every_token(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        await desk.list.load({identity(FIRST): record(identity(FIRST))})
        await desk.list.put_image()
        await add(desk, SECOND)
        await desk.follower.advance()
        assert "tokens" not in desk.reader.calls
        assert not lacks(desk, FIRST)
        assert not lacks(desk, SECOND)
        assert lacks(desk, THIRD)

    @pytest.mark.parametrize(
        "fault", ["altered", "unsealed", "full", "of another generation", "of another key", "ahead"]
    )
    async def test_that_cannot_be_used_is_left_for_the_tokens_themselves(self, tmp_path: Path, fault: str) -> None:
        desk = Desk(tmp_path)
        await desk.list.load({identity(FIRST): record(identity(FIRST))})
        await desk.list.put_image(capacity=1)
        image = await desk.memory.reader().filter_image(1)
        assert image is not None
        await add(desk, SECOND)
        if fault == "altered":
            desk.reader.replies["filter_image"] = replace(image, image=image.image[:-1] + b"\0")
        if fault == "unsealed":
            desk.reader.failing["filter_image"] = StoreUnavailableError("altered")
        if fault == "of another generation":
            await desk.list.load({identity(one): record(identity(one)) for one in (FIRST, SECOND)}, number=2)
            desk.reader.replies["filter_image"] = image
        if fault in {"of another key", "ahead"}:
            stamp = FilterStamp(1, 9, KEYS.key_id) if fault == "ahead" else FilterStamp(1, 2, LATER_KEYS.key_id)
            lacking = ListFilter.empty(9, 0.001, stamp)
            desk.reader.replies["filter_image"] = replace(image, image=lacking.to_image())
        await desk.follower.advance()
        assert "tokens" in desk.reader.calls
        assert not lacks(desk, FIRST)
        assert not lacks(desk, SECOND)

    async def test_that_is_nearly_full_is_used_while_a_larger_one_is_built(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        await desk.list.load({identity(one): record(identity(one)) for one in (FIRST, SECOND)})
        await desk.list.put_image(capacity=2)
        await desk.follower.advance()
        small = desk.follower.current().filter
        assert small is not None
        assert small.capacity == 2
        await settled(desk)
        larger = desk.follower.current().filter
        assert larger is not None
        assert larger.capacity > 1_000
        assert not lacks(desk, FIRST)


async def settled(desk: Desk) -> None:
    """Let the build beside finish, and take the step that follows it."""
    build = desk.follower._build  # noqa: SLF001 - the only sign of a build that is not over
    assert build is not None
    await asyncio.wait([build])
    await desk.follower.advance()


class TestLag:
    async def test_filter_too_far_behind_is_left_out_and_the_store_asked(self, desk: Desk) -> None:
        await add(desk, SECOND)
        desk.reader.failing["additions"] = StoreUnavailableError("away")
        with pytest.raises(StoreUnavailableError):
            await desk.follower.advance()
        desk.pass_time(MAX_LAG_S)
        await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (2, True)

    async def test_filter_comes_back_when_it_can_follow(self, desk: Desk) -> None:
        await self.test_filter_too_far_behind_is_left_out_and_the_store_asked(desk)
        del desk.reader.failing["additions"]
        await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (2, False)
        assert not lacks(desk, SECOND)

    async def test_grace_begins_anew_after_the_filter_came_back(self, desk: Desk) -> None:
        await self.test_filter_comes_back_when_it_can_follow(desk)
        await add(desk, THIRD)
        desk.reader.failing["additions"] = StoreUnavailableError("away")
        with pytest.raises(StoreUnavailableError):
            await desk.follower.advance()
        assert version(desk) == 2

    async def test_tokens_that_cannot_be_read_leave_the_store_to_be_asked(self, desk: Desk) -> None:
        await add(desk, SECOND)
        desk.reader.failing |= {"additions": GapError("lost"), "tokens": StoreUnavailableError("away")}
        await desk.follower.advance()
        assert (version(desk), asks_the_store_about_everybody(desk)) == (2, True)
        desk.reader.failing.clear()
        await desk.follower.advance()
        assert not asks_the_store_about_everybody(desk)


class TestI5:
    async def test_earlier_version_is_refused_and_the_view_stays(self, desk: Desk) -> None:
        await add(desk, SECOND)
        await desk.follower.advance()
        desk.reader.replies["announcement"] = desk.list.announcement(version=1)
        with pytest.raises(NotReadyError, match="below"):
            await desk.follower.advance()
        assert version(desk) == 2

    async def test_earlier_version_is_refused_after_a_restart_too(self, desk: Desk) -> None:
        await add(desk, SECOND)
        await desk.follower.advance()
        desk.reader.replies["announcement"] = desk.list.announcement(version=1)
        restarted = desk.start_follower()
        with pytest.raises(NotReadyError, match="below"):
            await restarted.advance()
        with pytest.raises(NotReadyError):
            restarted.current()

    @pytest.mark.parametrize(
        "other",
        [ListId("zhanjiang", "live", 1), ListId("maoming", "sandbox", 1), ListId("zhanjiang", "sandbox", 0)],
        ids=["environment", "name", "earlier epoch"],
    )
    async def test_another_list_is_refused(self, desk: Desk, other: ListId) -> None:
        announced = desk.list.announcement()
        state = replace(announced.state, list_id=other, version=9)
        desk.reader.replies["announcement"] = replace(announced, state=state)
        with pytest.raises(NotReadyError):
            await desk.follower.advance()
        assert version(desk) == 1

    async def test_later_epoch_is_followed_but_not_to_a_lower_version(self, desk: Desk) -> None:
        announced = desk.list.announcement()
        later = replace(announced.state, list_id=ListId("zhanjiang", "sandbox", 2))
        desk.reader.replies["announcement"] = replace(announced, state=replace(later, version=0))
        with pytest.raises(NotReadyError):
            await desk.follower.advance()
        desk.reader.replies["announcement"] = replace(announced, state=later)
        await desk.follower.advance()
        assert desk.follower.current().announcement.state.list_id.epoch == 2

    async def test_floor_is_on_disk_before_a_version_is_shown(self, desk: Desk) -> None:
        await add(desk, SECOND)
        desk.home.joinpath("floor.json").unlink()
        desk.home.joinpath("floor.json").mkdir()
        with pytest.raises(OSError, match="floor"):
            await desk.follower.advance()
        assert version(desk) == 1

    async def test_unreadable_floor_is_refused_at_the_start(self, desk: Desk) -> None:
        desk.home.joinpath("floor.json").write_text("{")
        with pytest.raises(SettingError, match="remove it"):
            desk.start_follower()


class TestAge:
    async def test_counts_from_the_signed_time(self, desk: Desk) -> None:
        desk.pass_time(10)
        assert desk.follower.current().age_s(desk.monotonic()) == 10

    async def test_heartbeat_makes_the_list_young_again(self, desk: Desk) -> None:
        desk.pass_time(10)
        await desk.list.announce()
        await desk.follower.advance()
        assert desk.follower.current().age_s(desk.monotonic()) == 0
        assert version(desk) == 1

    async def test_list_that_was_old_when_found_is_old(self, desk: Desk) -> None:
        desk.pass_time(3_600)
        restarted = desk.start_follower()
        await restarted.advance()
        assert restarted.current().age_s(desk.monotonic()) == 3_600

    async def test_clock_behind_the_court_makes_no_negative_age(self, desk: Desk) -> None:
        desk.wall.advance(-50)
        restarted = desk.start_follower()
        await restarted.advance()
        assert restarted.current().age_s(desk.monotonic()) == 0

    async def test_earlier_signed_time_of_the_same_version_takes_nothing_back(self, desk: Desk) -> None:
        behind = desk.list.announcement()
        desk.pass_time(10)
        await desk.list.announce()
        await desk.follower.advance()
        desk.reader.replies["announcement"] = behind
        await desk.follower.advance()
        assert desk.follower.current().age_s(desk.monotonic()) == 0
        assert len(desk.shown) == 2

    async def test_list_that_is_seen_again_by_a_clock_behind_the_court_grows_older(self, tmp_path: Path) -> None:
        """Without a filter every step shows the list again."""
        desk = Desk(tmp_path)
        desk.reader.failing |= {"filter_image": StoreUnavailableError("away"), "tokens": StoreUnavailableError("away")}
        await desk.list.load({identity(FIRST): record(identity(FIRST))})
        desk.wall.advance(-3_600)
        await desk.follower.advance()
        assert asks_the_store_about_everybody(desk)
        desk.pass_time(60)
        await desk.follower.advance()
        assert desk.follower.current().age_s(desk.monotonic()) == 60

    @pytest.mark.parametrize(("behind_s", "skew_s"), [(50, 50), (0, 0), (-50, 0)])
    async def test_signed_time_ahead_of_the_clock_is_told(self, desk: Desk, behind_s: float, skew_s: float) -> None:
        await desk.list.announce()
        desk.wall.advance(-behind_s)
        restarted = desk.start_follower()
        await restarted.advance()
        assert restarted.clock_skew_s == skew_s


class TestParameters:
    @pytest.mark.parametrize("older", [b"", PARAMETERS.to_bytes()], ids=["none were settled", "lower version"])
    async def test_of_a_lower_version_are_taken_in_another_epoch_alone(self, desk: Desk, older: bytes) -> None:
        in_force = replace(PARAMETERS, version=2)
        await desk.writer.put_parameters(in_force.to_bytes())
        await add(desk, SECOND)
        await desk.follower.advance()
        await desk.writer.put_parameters(older)
        await add(desk, THIRD)
        await desk.follower.advance()
        assert (version(desk), desk.follower.current().parameters) == (3, in_force)
        announced = desk.list.announcement()
        later = replace(announced.state, list_id=replace(announced.state.list_id, epoch=2))
        desk.reader.replies["announcement"] = replace(announced, state=later)
        await desk.follower.advance()
        assert desk.follower.current().parameters.version == (1 if older else 0)

    async def test_are_unset_until_there_are_any_and_reloaded_when_changed(self, desk: Desk) -> None:
        assert desk.follower.current().parameters == Parameters()
        await desk.writer.put_parameters(PARAMETERS.to_bytes())
        await desk.list.announce(())
        desk.pass_time(2)
        await desk.list.announce()
        await desk.follower.advance()
        assert desk.follower.current().parameters.venue_min_fen == 10_000

    async def test_unchanged_document_is_not_read_twice(self, desk: Desk) -> None:
        before = desk.follower.current().parameters
        await add(desk, SECOND)
        await desk.follower.advance()
        assert desk.follower.current().parameters is before

    async def test_unreadable_document_leaves_the_last_ones_in_force_and_the_list_going(self, desk: Desk) -> None:
        await desk.writer.put_parameters(PARAMETERS.to_bytes())
        await add(desk, SECOND)
        await desk.follower.advance()
        await desk.writer.put_parameters(b"not parameters")
        await add(desk, THIRD)
        await desk.follower.advance()
        assert version(desk) == 3
        assert desk.follower.current().parameters == PARAMETERS

    async def test_lost_document_leaves_the_last_ones_in_force_and_the_list_going(self, desk: Desk) -> None:
        """I11: its loss would read as a list of lodgings on which there is none."""
        await desk.writer.put_parameters(PARAMETERS.to_bytes())
        await add(desk, SECOND)
        await desk.follower.advance()
        del desk.memory.keyspace.cells[desk.memory.keys.parameters]
        await add(desk, THIRD)
        await desk.follower.advance()
        assert version(desk) == 3
        assert desk.follower.current().parameters == PARAMETERS

    async def test_lost_document_at_the_start_loads_nothing(self, desk: Desk) -> None:
        del desk.memory.keyspace.cells[desk.memory.keys.parameters]
        with pytest.raises(SettingError):
            await desk.start_follower().advance()

    async def test_unreadable_document_at_the_start_loads_nothing(self, desk: Desk) -> None:
        await desk.writer.put_parameters(b"not parameters")
        with pytest.raises(SettingError):
            await desk.start_follower().advance()


class TestKeys:
    async def test_list_under_an_unknown_key_is_not_shown(self, desk: Desk) -> None:
        state = replace(desk.list.announcement().state, key_id="k2", version=2)
        desk.reader.replies["announcement"] = replace(desk.list.announcement(), state=state)
        with pytest.raises(SettingError, match="k2"):
            await desk.follower.advance()
        assert version(desk) == 1

    async def test_list_under_the_successor_key_is_shown_with_it(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        await SampleList(desk.writer, desk.wall, LATER_KEYS).load({})
        follower = desk.start_follower(Secrets(KEYS, LATER_KEYS))
        await follower.advance()
        assert follower.current().keys is LATER_KEYS


class TestRun:
    async def test_hint_is_followed_without_waiting_for_the_poll(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.follower.POLL_INTERVAL_S", 3_600.0)
        running = asyncio.create_task(desk.follower.run())
        async with asyncio.timeout(5):
            while not desk.memory.keyspace._listeners:  # noqa: SLF001, ASYNC110 - until it listens
                await asyncio.sleep(0)
            await add(desk, SECOND)
            while version(desk) != 2:  # noqa: ASYNC110 - the follower moves by itself
                await asyncio.sleep(0)
        running.cancel()
        assert [view.version for view in desk.shown] == [1, 2]

    @pytest.mark.parametrize(
        "fault", [StoreUnavailableError("away"), LintelError("x"), OSError("x"), RuntimeError("secret")], ids=repr
    )
    async def test_fault_is_told_and_outlived(self, desk: Desk, fault: Exception) -> None:
        desk.reader.failing["announcement"] = fault
        running = asyncio.create_task(desk.follower.run())
        async with asyncio.timeout(5):
            while "read" in desk.follower.problem:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert "secret" not in desk.follower.problem
            desk.reader.failing.clear()
            while desk.follower.problem:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        running.cancel()

    async def test_nothing_announced_is_told(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        with pytest.raises(NotReadyError, match="start the agent"):
            await desk.follower.advance()
        with pytest.raises(NotReadyError):
            desk.follower.current()
