"""Alarms say what is wrong for as long as it is."""

from __future__ import annotations

import pytest

from restriction.errors import FeedUnreachableError, FencedError, RefusedListError, StoreUnavailableError
from sync_agent.alarms import DISK, FEED, HEARTBEAT, MEANINGS, STORE, Alarm, Alarms
from sync_agent.transport import ALARMS
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000.0)


@pytest.fixture
def alarms(clock: FakeClock) -> Alarms:
    return Alarms(clock, clock)


def _fail(alarms: Alarms, step: frozenset[str], error: Exception) -> None:
    with alarms.watching(step):
        raise error


def _names(alarms: Alarms) -> list[str]:
    return [alarm.name for alarm in alarms.raised]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (RefusedListError("LIST_GAP", "x"), "LIST_GAP"),
        (FeedUnreachableError("x"), "FEED_UNREACHABLE"),
        (StoreUnavailableError("x"), "STORE_UNAVAILABLE"),
        (OSError("disk full"), "DISK_FAILED"),
    ],
    ids=lambda drawn: drawn if isinstance(drawn, str) else "",
)
def test_what_goes_wrong_is_an_alarm_with_a_meaning(alarms: Alarms, error: Exception, name: str) -> None:
    _fail(alarms, FEED, error)
    assert _names(alarms) == [name]
    assert name in MEANINGS


def test_an_alarm_keeps_its_first_sighting_and_moves_its_last(alarms: Alarms, clock: FakeClock) -> None:
    _fail(alarms, FEED, FeedUnreachableError("x"))
    clock.advance(5)
    _fail(alarms, FEED, FeedUnreachableError("y"))
    assert alarms.raised == (Alarm("FEED_UNREACHABLE", 1_000.0, 1_005.0, "x", lasted_s=5.0),)


def test_a_pass_without_its_cause_clears_an_alarm(alarms: Alarms) -> None:
    _fail(alarms, FEED, RefusedListError("LIST_FORGED", "x"))
    _fail(alarms, FEED, FeedUnreachableError("x"))
    assert _names(alarms) == ["FEED_UNREACHABLE"]
    with alarms.watching(FEED):
        pass
    assert _names(alarms) == []


def test_a_good_feed_says_nothing_of_the_store(alarms: Alarms) -> None:
    _fail(alarms, STORE, StoreUnavailableError("x"))
    with alarms.watching(FEED):
        pass
    assert _names(alarms) == ["STORE_UNAVAILABLE"]


def test_another_agent_at_work_is_no_alarm(alarms: Alarms) -> None:
    _fail(alarms, STORE, FencedError("x"))
    assert _names(alarms) == []


def test_an_error_that_nobody_foresaw_is_not_swallowed(alarms: Alarms) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail(alarms, STORE, ZeroDivisionError())


def test_a_list_is_frozen_after_thirty_seconds_without_a_later_instant(alarms: Alarms, clock: FakeClock) -> None:
    alarms.heartbeat(500)
    clock.advance(30)
    alarms.heartbeat(500)
    assert _names(alarms) == []
    clock.advance(1)
    alarms.heartbeat(500)
    assert _names(alarms) == ["LIST_FROZEN"]
    alarms.heartbeat(int(clock.now_s))
    assert _names(alarms) == []


def test_how_long_a_list_is_frozen_does_not_depend_on_the_wall_clock() -> None:
    wall, monotonic = FakeClock(1_000.0), FakeClock(0.0)
    alarms = Alarms(wall, monotonic)
    alarms.heartbeat(1_000)
    wall.advance(86_400)
    alarms.heartbeat(1_000)
    assert _names(alarms) == []
    wall.advance(-2 * 86_400)
    monotonic.advance(31)
    alarms.heartbeat(1_000)
    assert _names(alarms) == ["LIST_FROZEN"]


@pytest.mark.parametrize(
    ("apart_s", "names"),
    [(5, []), (6, ["CLOCK_SKEW"]), (-60, []), (-61, ["CLOCK_SKEW"])],
    ids=["a little ahead", "ahead", "a little late", "late"],
)
def test_a_heartbeat_far_from_now_is_a_clock_that_is_wrong(
    alarms: Alarms, clock: FakeClock, apart_s: int, names: list[str]
) -> None:
    alarms.heartbeat(500)
    alarms.heartbeat(int(clock.now_s) + apart_s)
    assert _names(alarms) == names
    clock.advance(2)
    alarms.heartbeat(int(clock.now_s) + 5)
    assert _names(alarms) == []


def test_where_nothing_ever_went_wrong_there_is_no_last_alarm(alarms: Alarms) -> None:
    assert alarms.last is None


def test_an_agent_that_starts_while_the_feed_is_old_blames_no_clock(alarms: Alarms) -> None:
    alarms.heartbeat(500)
    assert _names(alarms) == []


def test_the_alarm_that_was_raised_last_is_known_also_when_it_is_over(alarms: Alarms, clock: FakeClock) -> None:
    _fail(alarms, STORE, StoreUnavailableError("x"))
    clock.advance(1)
    _fail(alarms, FEED, RefusedListError("LIST_FORGED", "y"))
    clock.advance(7)
    with alarms.watching(FEED):
        pass
    assert alarms.last == Alarm("LIST_FORGED", 1_001.0, 1_001.0, "LIST_FORGED: y", 1_008.0, 7.0)
    clock.advance(1)
    _fail(alarms, FEED, FeedUnreachableError("z"))
    assert alarms.last == Alarm("FEED_UNREACHABLE", 1_009.0, 1_009.0, "z")


def test_an_earlier_alarm_that_is_over_later_is_not_the_one_raised_last(alarms: Alarms, clock: FakeClock) -> None:
    _fail(alarms, STORE, StoreUnavailableError("x"))
    clock.advance(1)
    _fail(alarms, FEED, FeedUnreachableError("y"))
    for step in (FEED, STORE):
        clock.advance(1)
        with alarms.watching(step):
            pass
    assert alarms.last == Alarm("FEED_UNREACHABLE", 1_001.0, 1_001.0, "y", 1_002.0, 1.0)


@pytest.mark.parametrize("set_by_s", [-86_400, 86_400], ids=["back", "forward"])
def test_how_long_an_alarm_lasts_does_not_depend_on_the_wall_clock(set_by_s: int) -> None:
    wall, monotonic = FakeClock(1_000.0), FakeClock(0.0)
    alarms = Alarms(wall, monotonic)
    _fail(alarms, FEED, FeedUnreachableError("x"))
    wall.advance(set_by_s)
    monotonic.advance(5)
    _fail(alarms, FEED, FeedUnreachableError("x"))
    assert [alarm.lasted_s for alarm in alarms.raised] == [5.0]
    monotonic.advance(2)
    with alarms.watching(FEED):
        pass
    assert alarms.last == Alarm("FEED_UNREACHABLE", 1_000.0, 1_000.0 + set_by_s, "x", 1_000.0 + set_by_s, 7.0)


def test_every_alarm_of_the_transport_has_a_meaning_and_is_cleared_by_the_feed() -> None:
    assert {row[1] for row in ALARMS} <= FEED <= MEANINGS.keys()
    assert MEANINGS.keys() == FEED | STORE | HEARTBEAT


@pytest.mark.parametrize("error", [OSError("disk full"), RefusedListError("COPY_DAMAGED", "x")], ids=["disk", "copy"])
def test_what_one_step_saw_is_not_over_because_another_step_is_well(alarms: Alarms, error: Exception) -> None:
    _fail(alarms, FEED, error)
    for step in (STORE, DISK):
        with alarms.watching(step):
            pass
        assert len(_names(alarms)) == 1
    with alarms.watching(FEED):
        pass
    assert _names(alarms) == []
