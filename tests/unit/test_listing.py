"""Names in the feed, and the fewest deltas from one version to the newest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restriction.listing import Listing, Step, snapshot_path

LISTING = Listing((Step(0, 2), Step(2, 3), Step(2, 5), Step(5, 6)), 3)


@pytest.mark.parametrize(
    ("held", "way"),
    [
        pytest.param(0, (Step(0, 2), Step(2, 5), Step(5, 6)), id="from the start, by the farthest steps"),
        pytest.param(1, (Step(0, 2), Step(2, 5), Step(5, 6)), id="from inside a folded delta"),
        pytest.param(4, (Step(2, 5), Step(5, 6)), id="from the middle"),
        pytest.param(6, (), id="from the newest"),
        pytest.param(9, (), id="from beyond the newest"),
    ],
)
def test_the_way_takes_the_fewest_deltas(held: int, way: tuple[Step, ...]) -> None:
    assert LISTING.way(held) == way


def test_a_gap_on_the_way_is_no_way() -> None:
    assert Listing((Step(0, 2), Step(3, 4)), None).way(0) is None


def test_a_snapshot_alone_is_no_way_to_it() -> None:
    assert Listing((), 7).way(3) is None


def test_names_are_read_as_they_are_written() -> None:
    paths = [step.path for step in LISTING.deltas] + [snapshot_path(3), snapshot_path(2)]
    assert Listing.of(paths) == LISTING


@pytest.mark.parametrize(
    "path",
    ["parameters.json", "deltas/05-6.delta", "deltas/6-5.delta", "deltas/5-5.delta", "x/deltas/1-2.delta",
     "deltas/1-2.delta.old", "snapshots/-1/manifest", "deltas/1-99999999999999999999.delta"],
)  # fmt: skip
def test_other_names_are_not_listed(path: str) -> None:
    assert Listing.of([path]) == Listing((), None)


@given(st.sets(st.tuples(st.integers(0, 30), st.integers(1, 30)).filter(lambda s: s[0] < s[1])), st.integers(0, 30))
def test_every_step_of_a_way_follows_on_the_one_before(drawn: set[tuple[int, int]], held: int) -> None:
    listing = Listing(tuple(sorted(Step(*step) for step in drawn)), None)
    reached = held
    for step in listing.way(held) or ():
        assert step.base <= reached < step.version
        reached = step.version
    assert listing.way(held) is None or reached >= listing.newest
