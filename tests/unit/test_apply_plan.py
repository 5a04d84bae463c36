"""The arithmetic before a write: what the partitions will hold, in which order, and what it adds up to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liststore.base import PARTITIONS, Head
from restriction.change import Change, Delta, Lane, fold
from sync_agent.digests import Found, digest_of, plan, total
from tests.fakes.list_publisher import EMPTY as STATE
from tests.fakes.list_publisher import lifted, listed, record_of, token_of

KEY = b"digest key"


def _heads(records: dict[bytes, bytes], version: int = 4) -> dict[int, Head]:
    return {
        partition: Head(
            1, 1, version, 100, "k1", digest_of(KEY, {t: record for t, record in records.items() if t[0] == partition})
        )
        for partition in range(PARTITIONS)
    }


STORED = {token_of(n): record_of(1) for n in range(6)}
FOUND = Found(_heads(STORED), STORED)


def test_round_one_eases_under_the_version_there_is() -> None:
    made = plan(KEY, FOUND, [lifted(1), listed(2, court=9)], 5, 200)
    (move,) = made.ease
    assert move.changes == (lifted(1),)
    assert (move.base, move.after.version, move.after.as_of) == (FOUND.heads[1], 4, 100)


def test_round_two_takes_every_partition_to_the_version() -> None:
    made = plan(KEY, FOUND, [lifted(1), listed(2, court=9)], 5, 200)
    assert [move.partition for move in made.rest] == list(range(PARTITIONS))
    assert all((move.after.version, move.after.as_of) == (5, 200) for move in made.rest)
    assert [change for move in made.rest for change in move.changes] == [listed(2, court=9)]
    assert made.rest[1].base == made.ease[0].after


def test_a_lift_whose_token_was_burdened_again_is_not_later_than_other_lifts() -> None:
    """Its last record goes out in round one: early, but a record of the verified list."""
    deltas = [
        Delta(4, STATE, (lifted(1), listed(2, court=8))),
        Delta(5, STATE, (listed(1, court=9), listed(2, court=9))),
    ]
    made = plan(KEY, FOUND, fold(deltas), 6, 200)
    (early,) = made.ease
    assert early.changes == (replace(listed(1, court=9), lane=Lane.EASE),)
    assert early.after.version == 4
    assert [change for move in made.rest for change in move.changes] == [listed(2, court=9)]
    assert made.digest == digest_of(KEY, STORED | {token_of(1): record_of(9), token_of(2): record_of(9)})


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ((Lane.BURDEN,), Lane.BURDEN),
        ((Lane.EASE, Lane.BURDEN), Lane.EASE),
        ((Lane.BURDEN, Lane.EASE), Lane.EASE),
        ((Lane.BURDEN, Lane.EASE, Lane.BURDEN), Lane.EASE),
        ((Lane.BURDEN, Lane.BURDEN), Lane.BURDEN),
    ],
)
def test_folded_changes_travel_in_the_best_lane_of_theirs(lanes: tuple[Lane, ...], expected: Lane) -> None:
    deltas = [Delta(n, STATE, (replace(listed(1, court=n), lane=lane),)) for n, lane in enumerate(lanes, 1)]
    assert fold(deltas) == (replace(listed(1, court=len(lanes)), lane=expected),)


def test_a_plan_that_is_carried_out_leaves_nothing_to_do() -> None:
    changes = [lifted(1), listed(2, court=9)]
    made = plan(KEY, FOUND, changes, 5, 200)
    after = {token: record for token, record in STORED.items() if token != token_of(1)} | {token_of(2): record_of(9)}
    heads = {move.partition: move.after for move in made.rest}
    again = plan(KEY, Found(heads, after), changes, 5, 200)
    assert (again.ease, again.rest, again.digest) == ((), (), made.digest)


@given(
    changed=st.dictionaries(st.integers(0, 9), st.tuples(st.sampled_from([None, 1, 2]), st.sampled_from(Lane))),
    done=st.sets(st.integers(0, 9)),
)
def test_the_digest_is_that_of_the_records_however_many_were_written_before(
    changed: dict[int, tuple[int | None, Lane]], done: set[int]
) -> None:
    """A crash leaves some partitions with their changes made; the plan comes out at the same digest."""
    changes = [
        Change(token_of(n), b"" if court is None else record_of(court), lane) for n, (court, lane) in changed.items()
    ]
    final = {t: r for t, r in (STORED | {c.token: c.record for c in changes}).items() if r}
    cut = {t: r for t, r in (STORED | {c.token: c.record for c in changes if c.token[0] in done}).items() if r}
    heads = {p: replace(head, version=5 if p in done else 4) for p, head in _heads(cut).items()}
    made = plan(KEY, Found(heads, cut), changes, 5, 200)
    assert made.digest == digest_of(KEY, final)


def test_digests_of_parts_add_up_to_the_digest_of_the_whole() -> None:
    assert total(head.digest for head in FOUND.heads.values()) == digest_of(KEY, STORED)
