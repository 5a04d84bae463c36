"""When a server that does not answer is no longer waited for, and when it is tried again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from liststore.breaker import NEXT, Breaker, BreakerRule, BreakerState, Event

RULE = BreakerRule(failures_to_open=3, probe_every_s=1.0)
ASKED, ANSWERED, FAILED = Event
CLOSED, HALF_OPEN, OPEN = BreakerState


def after(events: Sequence[Event], now_s: float = 0.0) -> Breaker:
    breaker = Breaker(RULE)
    for event in events:
        breaker = breaker.after(event, now_s)
    return breaker


def test_the_table_knows_every_event_in_every_state() -> None:
    assert set(NEXT) == set(itertools.product(BreakerState, Event))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], CLOSED),
        ([ASKED], CLOSED),
        ([FAILED] * 2, CLOSED),
        ([FAILED] * 2 + [ASKED], CLOSED),
        ([FAILED] * 2 + [ANSWERED], CLOSED),
        ([FAILED] * 3, OPEN),
        ([FAILED, FAILED, ANSWERED, FAILED, FAILED], CLOSED),
        ([FAILED] * 4, OPEN),
        ([FAILED] * 9, OPEN),
        ([FAILED] * 3 + [ASKED], HALF_OPEN),
        ([FAILED] * 3 + [ASKED, ASKED], HALF_OPEN),
        ([FAILED] * 3 + [ASKED, FAILED], OPEN),
        ([FAILED] * 3 + [ASKED, ANSWERED], CLOSED),
        ([FAILED] * 3 + [ANSWERED], CLOSED),
        ([FAILED] * 3 + [ASKED, ANSWERED, FAILED, FAILED], CLOSED),
    ],
    ids=lambda value: value.name if isinstance(value, BreakerState) else "-".join(event.value for event in value),
)
def test_state_after_events(events: Sequence[Event], state: BreakerState) -> None:
    assert after(events).state is state


def test_a_closed_breaker_lets_everybody_through() -> None:
    assert all(after([FAILED] * 2).lets_through(now_s) for now_s in (0.0, 0.5))


def test_an_open_breaker_lets_nobody_through_until_it_is_time_to_try() -> None:
    breaker = after([FAILED] * 3, now_s=10.0)
    assert [breaker.lets_through(now_s) for now_s in (10.0, 10.999, 11.0)] == [False, False, True]


def test_while_one_question_tries_the_others_do_not_wait() -> None:
    trying = after([FAILED] * 3, now_s=10.0).after(ASKED, 11.0)
    assert not trying.lets_through(11.0)


def test_a_try_that_nobody_reported_on_is_followed_by_another() -> None:
    """Whoever asked may have gone away."""
    trying = after([FAILED] * 3, now_s=10.0).after(ASKED, 11.0)
    assert trying.lets_through(12.0)


def test_a_failed_try_is_followed_by_another_in_its_time() -> None:
    failed = after([FAILED] * 3, now_s=10.0).after(ASKED, 11.0).after(FAILED, 11.02)
    assert [failed.lets_through(now_s) for now_s in (12.0, 12.02)] == [False, True]
