"""Lifts go ahead of queued additions at a real court's desk, and a run that does not show it is a violation."""

from __future__ import annotations

import datetime as dt
import io
import multiprocessing
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from liststore.effects import Effect
from loadtests.lifts import probe
from publisher.report import Report
from publisher.submission import form_of, submit
from publisher.wiring import Founding, found, opened
from restriction.calendar import date_from_day, day_of
from restriction.decision import Outcome
from restriction.identity import Document, DocumentType, Mode
from tests.faults import lifts
from tests.faults.cancels import now_s
from tests.faults.history import NEVER, Answer, Kind, violations
from tests.faults.lifts_clerk import Additions, Begun, Filed, Order, file_lifts, queue_additions

ADDITIONS = 5_000


@pytest.fixture
def today() -> dt.date:
    return date_from_day(day_of(now_s()))


@pytest.fixture
def court(tmp_path: Path, today: dt.date) -> Path:
    """A court whose list holds two persons, with a queue of additions that nobody has signed."""
    found(tmp_path / "court", Founding("sandbox", Mode.SANDBOX), now_s())
    lines = "\n".join(line for place in range(2) for line in probe(place).lines(today))
    with opened(tmp_path / "court") as publisher, Report() as report:
        submit(publisher, io.BytesIO(lines.encode()), form_of(publisher, csv=False), now_s, report)
    assert queue_additions(tmp_path / "court", Additions(1, 0, ADDITIONS, today)) > ADDITIONS
    return tmp_path / "court"


def test_lifts_are_signed_ahead_of_additions_that_waited_before_them(court: Path, today: dt.date) -> None:
    people = [probe(place) for place in range(2)]
    lines = [list(replace(each, state="LIFTED").lines(today))[-1] for each in people]
    papers = [Document(DocumentType.RESIDENT_ID, each.paper.number) for each in people]
    order = Order(court, dict(enumerate(zip(lines, papers, strict=True))), 0.0)
    with opened(court) as publisher:
        before = publisher.feed.state.version
    ours, theirs = multiprocessing.Pipe()
    ours.send("go")
    filing = threading.Thread(target=file_lifts, args=(order, theirs))
    filing.start()
    assert ours.recv() is None
    told = list(iter(ours.recv, None))
    filing.join()
    filed = [each for each in told if isinstance(each, Filed)]
    assert [each.number for each in told if isinstance(each, Begun)] == [each.number for each in filed] == [0, 1]
    assert {each.version for each in filed} <= {before + 1, before + 2}
    assert all(each.waiting > ADDITIONS - 4_000 for each in filed)
    with opened(court) as publisher:
        assert publisher.book.waiting > 0


def test_an_answer_after_the_acknowledgement_is_held_against_the_lift() -> None:
    course = lifts.Course()
    course.filed[0] = Filed(0, submitted_s=10.0, signed_s=11.0, version=5, waiting=1)
    course.effects[5] = Effect(1, 5, eased_at=1_011.5, lifts_acknowledged_at=1_012.0)
    (_, lift) = course.changes(1, offset_s=1_000.0)
    assert (lift.kind, lift.acknowledged) == (Kind.LIFT, 12.0)
    told = [Answer("g", 0, 11.9, 12.1, Outcome.RESTRICTED, 4), Answer("g", 0, 12.1, 12.2, Outcome.RESTRICTED, 4)]
    assert [each.answer.start for each in violations(told, course.changes(1, 1_000.0))] == [12.1]


def test_a_lift_whose_effect_nobody_told_is_never_acknowledged() -> None:
    course = lifts.Course()
    course.filed[0] = Filed(0, submitted_s=10.0, signed_s=11.0, version=5, waiting=1)
    assert course.open_versions() == [5]
    assert [each.acknowledged for each in course.changes(1, 0.0)][1] == NEVER


@pytest.mark.parametrize(
    ("acknowledged", "waited", "owed"),
    [pytest.param(9, 100, 1, id="one-not-acknowledged"), pytest.param(10, 0, 1, id="nothing-overtaken"), (10, 1, 0)],
)
def test_a_row_that_does_not_show_what_it_should_is_a_violation(acknowledged: int, waited: int, owed: int) -> None:
    row = lifts.Row("all well", 10, 100_000, 0.01)
    found_there = {"lifts": 10, "acknowledged": acknowledged, "changes that waited at each lift": {"p50": waited}}
    assert len(list(lifts.lacking([row], {row.name: found_there}))) == owed
