"""Alarms say what is wrong for as long as it is."""

from __future__ import annotations

import pytest

from restriction.errors import FeedUnreachableError, FencedError, RefusedListError, StoreUnavailableError
from sync_agent.alarms import FEED, MEANINGS, STORE, Alarm, Alarms
from sync_agent.transport import ALARMS
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000.0)


@pytest.fixture
def alarms(clock: FakeClock) -> Alarms:
    return Alarms(clock)


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
    assert alarms.raised == (Alarm("FEED_UNREACHABLE", 1_000.0, 1_005.0, "x"),)


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
    alarms.heartbeat(501)
    assert _names(alarms) == []


def test_every_alarm_of_the_transport_has_a_meaning_and_is_cleared_by_the_feed() -> None:
    assert {row[1] for row in ALARMS} <= FEED <= MEANINGS.keys()
    assert FEED | STORE | {"LIST_FROZEN"} == MEANINGS.keys()
