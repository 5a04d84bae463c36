"""A storm of cancelled checks crosses no answer, and one without defences is seen to."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from liststore.wiring import open_writer
from tests.fakes.court import NOW
from tests.faults import cancels
from tests.faults.cancels_calls import Calls, storm_of_calls
from tests.faults.cancels_people import KEYS, Crowd, Worth
from tests.faults.cancels_storm import Counts, Defence, Storm, rage

PLANTED = frozenset({Defence.CLOSE, Defence.SEAL, Defence.SEARCH})


async def raged(url: str, folder: Path, crowd: Crowd, lacking: frozenset[Defence]) -> Counts:
    writer = open_writer(url, KEYS.bucket_key)
    await crowd.people().put(writer)
    await writer.close()
    storm = Storm(Path(url.removeprefix("unix://")), folder, crowd, seed=1, cancels=300, lacking=lacking)
    return await asyncio.to_thread(rage, storm)


async def test_the_product_crosses_no_answer_and_answers_everybody_afterwards(valkey_url: str, tmp_path: Path) -> None:
    counts = await raged(valkey_url, tmp_path, Crowd(NOW, 200, 50), frozenset())
    assert list(cancels.broken("in process", counts)) == []
    assert counts.cancelled >= 300
    assert counts.afterwards[Worth.RIGHT] == 250


@pytest.mark.parametrize(
    ("lacking", "crosses"),
    [
        pytest.param(PLANTED | {Defence.COMPARE}, True, id="nothing-stands-between"),
        pytest.param(PLANTED, False, id="the-fingerprint-alone"),
        pytest.param(frozenset({Defence.CLOSE}), False, id="a-connection-that-is-used-again"),
    ],
)
async def test_a_connection_that_is_used_again_crosses_answers_unless_something_stands_between(
    valkey_url: str, tmp_path: Path, lacking: frozenset[Defence], *, crosses: bool
) -> None:
    counts = await raged(valkey_url, tmp_path, Crowd(NOW, 0, 0, is_sparse=True), lacking)
    assert (counts.wrong > 0) is crosses
    assert bool(list(cancels.broken("in process", counts))) is crosses


def test_calls_that_hang_up_or_run_out_of_time_cross_no_answer(tmp_path: Path) -> None:
    counts = storm_of_calls(Calls(tmp_path, 1, cancels.now_s(), 60))
    assert list(cancels.broken("through gRPC", counts)) == []
    assert counts.cancelled >= 60


@pytest.mark.parametrize("wrong", [Worth.CROSSED, Worth.CLEARED])
def test_a_wrong_answer_is_a_violation_though_all_others_are_right(wrong: Worth) -> None:
    counts = Counts(10, 5, Counter({Worth.RIGHT: 9, wrong: 1}), Counter({Worth.RIGHT: 3}))
    (said,) = cancels.broken("in process", counts)
    assert said.startswith("I10")


def test_a_storm_that_meets_no_reply_or_leaves_somebody_unanswered_is_a_violation() -> None:
    assert len(list(cancels.broken("in process", Counts(10, 0, Counter({Worth.RIGHT: 9}), Counter())))) == 1
    left = Counts(10, 5, Counter({Worth.RIGHT: 9}), Counter({Worth.RIGHT: 3, Worth.UNFIT: 1}))
    assert len(list(cancels.broken("in process", left))) == 1


def test_a_planted_fault_that_does_not_show_is_a_violation() -> None:
    nothing = [(each, Counts()) for each in cancels.LACKING]
    assert len(list(cancels.unseen(nothing))) == sum(shows for _, _, shows in cancels.LACKING)
