"""The rules by which a list becomes more trusted, each with the offer that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restriction.change import Change, Delta, Lane, ListId, ListState, Snapshot
from restriction.errors import RefusedListError
from restriction.trusted_list import TrustedList

PINNED = ListId("test", "live", 3)
HELD = ListState(PINNED, 10, b"h" * 32, 5, "k1")
AFTER = replace(HELD, version=11, digest=b"a" * 32, count=6)
CHANGE = Change(bytes(16), b"", Lane.EASE)
DELTA = Delta(10, AFTER, (CHANGE,))
TRUSTED = TrustedList(PINNED, HELD)


def test_a_delta_that_follows_is_accepted() -> None:
    assert TRUSTED.accept_delta(DELTA) == TrustedList(PINNED, AFTER)


def test_a_folded_delta_that_starts_before_the_held_version_is_accepted() -> None:
    assert TRUSTED.accept_delta(replace(DELTA, base_version=3)).held == AFTER


def test_a_delta_without_changes_that_alters_nothing_is_a_heartbeat() -> None:
    beat = replace(HELD, version=11)
    assert TRUSTED.accept_delta(Delta(10, beat, ())).held == beat


@pytest.mark.parametrize(
    ("offered", "alarm"),
    [
        pytest.param(replace(AFTER, list_id=replace(PINNED, name="x")), "LIST_WRONG", id="another name"),
        pytest.param(replace(AFTER, list_id=replace(PINNED, environment="sandbox")), "LIST_WRONG", id="another world"),
        pytest.param(replace(AFTER, list_id=replace(PINNED, epoch=2)), "LIST_WRONG", id="an earlier epoch"),
        pytest.param(replace(AFTER, list_id=replace(PINNED, epoch=4)), "LIST_WRONG", id="a later epoch"),
        pytest.param(replace(AFTER, version=10), "LIST_ROLLBACK", id="replayed"),
        pytest.param(replace(AFTER, version=9), "LIST_ROLLBACK", id="older"),
        pytest.param(replace(AFTER, key_id="k2"), "LIST_GAP", id="another key"),
    ],
)
def test_a_delta_to_a_state_that_does_not_follow_is_refused(offered: ListState, alarm: str) -> None:
    _refused(TRUSTED, Delta(8, offered, (CHANGE,)), alarm)


def test_a_delta_after_a_gap_is_refused() -> None:
    _refused(TRUSTED, replace(DELTA, base_version=11, after=replace(AFTER, version=12)), "LIST_GAP")


def test_a_delta_before_any_snapshot_is_refused() -> None:
    _refused(TrustedList(PINNED), replace(DELTA, base_version=0), "LIST_GAP")


@pytest.mark.parametrize(
    "altered",
    [replace(HELD, version=11, count=0), replace(HELD, version=11, digest=bytes(32))],
    ids=["count", "digest"],
)
def test_a_delta_without_changes_never_wipes(altered: ListState) -> None:
    _refused(TRUSTED, Delta(10, altered, ()), "LIST_FORGED")


def test_a_refused_delta_leaves_the_list_as_it_was() -> None:
    with pytest.raises(RefusedListError):
        TRUSTED.accept_delta(replace(DELTA, base_version=99))
    assert TRUSTED.held == HELD


def test_a_first_snapshot_is_accepted() -> None:
    assert TrustedList(PINNED).accept_snapshot(Snapshot(HELD, ())).held == HELD


def test_the_held_state_may_come_again_as_a_snapshot() -> None:
    assert TRUSTED.accept_snapshot(Snapshot(HELD, ())) == TRUSTED


def test_a_snapshot_behind_the_held_version_is_good_with_the_deltas_since() -> None:
    old = replace(HELD, version=7)
    assert TRUSTED.accept_snapshot(Snapshot(old, ()), [replace(DELTA, base_version=7)]).held == AFTER


def test_a_new_token_key_comes_with_a_snapshot() -> None:
    rotated = replace(AFTER, key_id="k2")
    assert TRUSTED.accept_snapshot(Snapshot(rotated, ())).held == rotated


@pytest.mark.parametrize(
    ("offered", "alarm"),
    [
        pytest.param(replace(HELD, version=9), "LIST_ROLLBACK", id="older"),
        pytest.param(replace(HELD, digest=bytes(32)), "LIST_ROLLBACK", id="another state of the same version"),
        pytest.param(replace(HELD, key_id="k2"), "LIST_ROLLBACK", id="another key at the same version"),
        pytest.param(replace(AFTER, list_id=replace(PINNED, epoch=4)), "LIST_WRONG", id="another epoch"),
    ],
)
def test_a_snapshot_that_is_not_ahead_is_refused(offered: ListState, alarm: str) -> None:
    with pytest.raises(RefusedListError) as refusal:
        TRUSTED.accept_snapshot(Snapshot(offered, ()))
    assert refusal.value.alarm == alarm


def test_a_feed_that_ends_below_the_held_version_is_a_rollback() -> None:
    TRUSTED.require_reached(10)
    with pytest.raises(RefusedListError) as refusal:
        TRUSTED.require_reached(9)
    assert refusal.value.alarm == "LIST_ROLLBACK"


EMPTIED = replace(AFTER, count=0)


def test_a_live_list_is_not_emptied_by_a_delta_without_the_root_threshold() -> None:
    _refused(TRUSTED, replace(DELTA, after=EMPTIED), "LIST_IMPLAUSIBLE")
    approved = replace(TRUSTED, may_be_empty={EMPTIED.version})
    assert approved.accept_delta(replace(DELTA, after=EMPTIED)).held == EMPTIED


@pytest.mark.parametrize("was", [TRUSTED, TrustedList(PINNED, was_filled=True)], ids=["held", "held and lost"])
def test_a_live_list_is_not_emptied_by_a_snapshot_without_the_root_threshold(was: TrustedList) -> None:
    with pytest.raises(RefusedListError) as refusal:
        was.accept_snapshot(Snapshot(EMPTIED, ()))
    assert refusal.value.alarm == "LIST_IMPLAUSIBLE"
    approved = replace(was, may_be_empty={EMPTIED.version})
    assert approved.accept_snapshot(Snapshot(EMPTIED, ())).held == EMPTIED


def test_an_approval_of_another_version_empties_nothing() -> None:
    _refused(replace(TRUSTED, may_be_empty={EMPTIED.version + 1}), replace(DELTA, after=EMPTIED), "LIST_IMPLAUSIBLE")


def test_a_list_that_lists_nothing_yet_may_be_empty() -> None:
    fresh = replace(EMPTIED, version=0)
    assert TrustedList(PINNED, was_filled=True).accept_snapshot(Snapshot(fresh, ())).held == fresh


def test_a_sandbox_list_may_be_emptied() -> None:
    pinned = replace(PINNED, environment="sandbox")
    emptied = replace(EMPTIED, list_id=pinned)
    held = TrustedList(pinned, replace(HELD, list_id=pinned))
    assert held.accept_delta(replace(DELTA, after=emptied)).held == emptied


def _refused(trusted: TrustedList, delta: Delta, alarm: str) -> None:
    with pytest.raises(RefusedListError) as refusal:
        trusted.accept_delta(delta)
    assert refusal.value.alarm == alarm
