"""The plausibility guard's arithmetic: what may go without a second signer."""

from __future__ import annotations

import pytest

from publisher.budget import Budget, Size, measure_of, norm_of


@pytest.mark.parametrize(
    ("listed", "norm", "measure"),
    [
        pytest.param(0, 0.0, 1_000, id="the least"),
        pytest.param(200_199, 0.0, 1_000, id="half a percent below the least"),
        pytest.param(1_000_000, 0.0, 5_000, id="half a percent of the list"),
        pytest.param(1_000_000, 250.0, 5_000, id="a norm that says the same"),
        pytest.param(1_000_000, 251.0, 5_020, id="twenty times the norm"),
        pytest.param(10, 51.5, 1_030, id="half a subject of norm"),
    ],
)
def test_the_measure_is_the_largest_of_three(listed: int, norm: float, measure: int) -> None:
    assert measure_of(listed, norm) == measure


@pytest.mark.parametrize(
    ("days", "norm"),
    [
        pytest.param([], 0.0, id="no past"),
        pytest.param([500] * 6, 0.0, id="too short a past"),
        pytest.param([500] * 7, 500.0, id="a week"),
        pytest.param([100] * 6 + [1_000_000], 100.0, id="one wave is no norm"),
        pytest.param([300] * 20 + [0] * 8, 300.0, id="weekends"),
    ],
)
def test_the_norm_is_what_most_days_had(days: list[int], norm: float) -> None:
    assert norm_of(days) == norm


@pytest.mark.parametrize(
    ("batch", "spent", "goes"),
    [
        pytest.param(Size(1_000, 0), Size(), True, id="the measure itself"),
        pytest.param(Size(1_001, 0), Size(), False, id="one more"),
        pytest.param(Size(1, 1_000), Size(), False, id="lifts count for the size of a batch"),
        pytest.param(Size(1_000, 0), Size(2_000, 0), True, id="a full day"),
        pytest.param(Size(1_000, 0), Size(2_001, 0), False, id="a wave in many small batches"),
        pytest.param(Size(1, 0), Size(3_000, 0), False, id="the day is spent"),
        pytest.param(Size(1_000, 0), Size(0, 9_000), True, id="lifts of the day are no burden"),
    ],
)
def test_burdens_wait_above_the_measure_and_above_three_in_a_day(batch: Size, spent: Size, *, goes: bool) -> None:
    assert Budget(1_000, spent).lets_burden(batch) is goes


@pytest.mark.parametrize(
    ("batch", "more", "spent", "goes"),
    [
        pytest.param(Size(0, 1), Size(0, 1), Size(0, 99_999), True, id="a single lift"),
        pytest.param(Size(0, 100), Size(0, 100), Size(0, 99_999), True, id="a small batch"),
        pytest.param(Size(0, 101), Size(0, 101), Size(0, 9_899), True, id="the ceiling itself"),
        pytest.param(Size(0, 101), Size(0, 101), Size(0, 9_900), False, id="above the ceiling"),
        pytest.param(Size(0, 4_000), Size(0, 2_000), Size(0, 8_000), True, id="chunks before count once"),
        pytest.param(Size(9_000, 500), Size(0, 500), Size(), True, id="lifts go ahead of burdens that wait"),
    ],
)
def test_lifts_have_a_ceiling_of_their_own(batch: Size, more: Size, spent: Size, *, goes: bool) -> None:
    assert Budget(1_000, spent).lets_ease(batch, more) is goes
