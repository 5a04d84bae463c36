"""What the load of the fault runs takes for right, for harm, and for neither, while the list moves."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace

import grpc
import pytest

from lintel.v1 import answer_pb2
from loadtests.asking import Finding
from loadtests.house import now
from sandbox import documents
from sandbox.identities import Fixed
from tests.faults.house_list import NEVER, Course
from tests.faults.house_load import WINDOW_S, Load, Pool, Said, Seen

TODAY = now().date()
ONE = Fixed("one", "RESTRICTED", "LODGE", "沙盒壹", documents.resident(3 * 10**9 + 900_000))
LISTING = list(ONE.lines(TODAY))
LIFT = list(replace(ONE, state="LIFTED").lines(TODAY))[1:]
RESTRICTED = answer_pb2.OUTCOME_RESTRICTED
CLEAR = answer_pb2.OUTCOME_NOT_RESTRICTED
UNDETERMINED = answer_pb2.OUTCOME_UNDETERMINED


def course(*, lifted_at_s: float, version: float = NEVER, acknowledged_s: float = NEVER) -> Course:
    """Somebody is listed at version 1, and the lift is submitted at this time."""
    made = Course.of(LISTING, now())
    made.serving(1)
    batch = made.begin(LIFT, now(), lifted_at_s)
    assert batch.accepted == 1
    batch.version, batch.acknowledged_s = version, acknowledged_s
    return made


def judged(of: Course, said: Said, start_s: float, end_s: float) -> Seen:
    """What one answer about that person is counted as."""
    question = ONE.question(TODAY)
    load = Load(Pool((question,), (), ()), of, {})
    load.judge_one(0, said, start_s, end_s)
    return load.seen


def answer(
    outcome: answer_pb2.Outcome.ValueType,
    version: int,
    reason: answer_pb2.Reason.ValueType = answer_pb2.REASON_UNSPECIFIED,
) -> Said:
    return answer_pb2.CheckResponse(outcome=outcome, list_version=version, reason=reason)


LATE = {"lifted_at_s": 100.0}
KNOWN = {"lifted_at_s": 0.0, "version": 2.0, "acknowledged_s": 5.0}


@pytest.mark.parametrize(
    ("when", "said", "harm"),
    [
        pytest.param(LATE, answer(RESTRICTED, 1), "", id="listed-before-the-lift"),
        pytest.param(LATE, answer(CLEAR, 1), "wrongly NOT_RESTRICTED", id="cleared-before-the-lift"),
        pytest.param({"lifted_at_s": 10.5}, answer(RESTRICTED, 1), "", id="old-during-the-lift"),
        pytest.param({"lifted_at_s": 10.5}, answer(CLEAR, 1), "", id="new-during-the-lift"),
        pytest.param(KNOWN, answer(CLEAR, 1), "", id="cleared-after-the-lift"),
        pytest.param(KNOWN, answer(RESTRICTED, 1), "wrongly RESTRICTED", id="listed-after-the-lift-was-acknowledged"),
        pytest.param(
            {"lifted_at_s": 0.0, "version": 2.0},
            answer(RESTRICTED, 2),
            "wrongly RESTRICTED",
            id="listed-at-its-version",
        ),
        pytest.param({"lifted_at_s": 0.0, "version": 2.0}, answer(RESTRICTED, 1), "", id="listed-and-unacknowledged"),
        pytest.param(
            LATE,
            answer(UNDETERMINED, 1, answer_pb2.REASON_IDENTITY_MISMATCH),
            "otherwise wrong",
            id="unclear-without-cause",
        ),
        pytest.param(LATE, grpc.StatusCode.INVALID_ARGUMENT, "otherwise wrong", id="refused-without-cause"),
    ],
)
def test_an_answer_must_be_one_that_the_list_allowed_meanwhile(when: dict[str, float], said: Said, harm: str) -> None:
    seen = judged(course(**when), said, 10.0, 11.0)
    assert seen.harms == ({harm: 1} if harm else {})
    assert seen.findings == {Finding.WRONG if harm else Finding.RIGHT: 1}
    assert len(seen.wrong) == bool(harm)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (answer(UNDETERMINED, 1, answer_pb2.REASON_STORE_UNAVAILABLE), Finding.ABOUT_US),
        (grpc.StatusCode.UNAVAILABLE, Finding.UNANSWERED),
    ],
    ids=["about-us", "unavailable"],
)
def test_no_answer_and_an_answer_about_us_are_no_harm(said: Said, found: Finding) -> None:
    seen = judged(course(lifted_at_s=100.0), said, 10.0, 11.0)
    assert (seen.findings, seen.harms) == ({found: 1}, {})


def test_a_listing_binds_from_its_version_on_and_not_from_its_announcement() -> None:
    made = Course.of([], now())
    made.serving(1)
    batch = made.begin(LISTING, now(), 0.0)
    batch.version = 2
    made.acknowledge(2, 5.0)
    assert batch.acknowledged_s == 5.0
    assert judged(made, answer(CLEAR, 1), 10.0, 11.0).findings == {Finding.RIGHT: 1}
    assert judged(made, answer(CLEAR, 2), 10.0, 11.0).harms == {"wrongly NOT_RESTRICTED": 1}


def test_verdicts_are_kept_by_day() -> None:
    made, question = course(lifted_at_s=100.0), ONE.question(TODAY)
    step = made.batches[0].step
    assert made.verdict(0, question, step, now()).outcome == "RESTRICTED"
    assert made.verdict(0, question, step, now() + dt.timedelta(days=9)).outcome == "INVALID_ARGUMENT"


def test_steady_is_after_the_last_half_second_with_too_many_unfit_answers() -> None:
    seen, begin_s = Seen(), (time.monotonic() // WINDOW_S) * WINDOW_S
    for window in range(6):
        for place in range(1_000):
            unfit = place < {1: 500, 2: 11, 3: 10, 4: 1}.get(window, 0)
            seen.take(Finding.ABOUT_US if unfit else Finding.RIGHT, begin_s + window * WINDOW_S)
    end_s = begin_s + 6 * WINDOW_S
    assert seen.steady_at_s(begin_s, end_s) == begin_s + 3 * WINDOW_S
    assert seen.last_unfit_s(begin_s) == begin_s + 5 * WINDOW_S
    assert not seen.is_quiet(begin_s, end_s)
    assert seen.is_quiet(begin_s + 5 * WINDOW_S, end_s)
    assert not seen.is_quiet(begin_s + 5 * WINDOW_S, end_s + WINDOW_S)  # nobody asked in the last half second


def test_half_seconds_without_a_question_are_not_steady() -> None:
    seen, begin_s = Seen(), 100.0
    seen.take(Finding.RIGHT, begin_s)
    assert seen.steady_at_s(begin_s, begin_s + 3 * WINDOW_S) == begin_s + 3 * WINDOW_S
