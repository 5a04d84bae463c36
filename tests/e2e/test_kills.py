"""Each part killed with SIGKILL under load: nobody is told anything wrong, and answers come back by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from loadtests.asking import Finding
from loadtests.house import House, standing
from loadtests.restarts import PARTS, one_round

STEADY_S = 8.0  # a started gateway imports, reads its filter and is found again by callers


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with standing(subjects=300, seed=7) as house:
        yield house


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_makes_no_answer_wrong(house: House, part: str) -> None:
    seen = asyncio.run(one_round(house, part, seed=PARTS.index(part)))
    assert seen["wrong"] == []
    assert seen["findings"][Finding.RIGHT.value] > 1_000
    assert seen["seconds to steady"] < STEADY_S
