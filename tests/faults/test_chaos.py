"""Chaos run small, and what its record of changes makes of a lie."""

from __future__ import annotations

import pytest

from loadtests.house import now
from restriction.decision import Outcome as Told
from tests.faults import chaos
from tests.faults.chaos import FLIPPED, Flips
from tests.faults.history import Answer, Rule, violations
from tests.faults.house_list import Course
from tests.faults.plan import Plan


@pytest.mark.timeout(240)  # a whole house of processes is started, on a machine that may be busy
def test_a_few_seconds_of_chaos_make_no_answer_wrong(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos, "PARTS", ("store", "court", "agent", "gateway"))
    monkeypatch.setattr(chaos, "GATEWAYS", ("gateway",))
    monkeypatch.setattr(chaos, "WAYS", (("agent", "court"), ("gateway", "store"), ("client", "gateway")))
    monkeypatch.setattr(chaos, "KINDS", {"kill": 1, "stop": 1, "link": 2, "bucket": 1})
    monkeypatch.setattr(chaos, "EVERY_S", 0.5)
    monkeypatch.setattr(chaos, "LONGEST_S", 0.5)
    outcome = chaos.run(Plan(3, tmp_path_factory.mktemp("c"), scale=0.01, seconds=2.0))
    assert outcome.violations == ()
    assert outcome.figures["wrongly RESTRICTED"] == outcome.figures["wrongly NOT_RESTRICTED"] == 0
    assert sum(outcome.figures["faults"].values()) > 0
    assert 0.0 < outcome.figures["share answered"] <= 1.0
    assert outcome.figures["flips"] > 0


def test_persons_are_listed_and_lifted_in_turn_as_the_oracle_knows() -> None:
    flips, today = Flips(now().date()), now().date()
    course = Course.of([], now())
    course.serving(1)
    for version, outcome in enumerate(["RESTRICTED", "NOT_RESTRICTED"] * 2, 2):
        everybody = list(range(FLIPPED))
        batch = course.begin(list(flips.lines(everybody)), now(), float(version))
        assert batch.accepted == FLIPPED
        batch.version, batch.acknowledged_s = version, version + 0.5
        flips.done(everybody, batch)
        asked = flips.person(0).question(today)
        assert course.verdict(version, asked, batch.step, now()).outcome == outcome


def test_whoever_is_restricted_after_an_acknowledged_lift_is_found() -> None:
    flips, course = Flips(now().date()), Course.of([], now())
    for version in (2, 3):
        batch = course.begin(list(flips.lines([0])), now(), float(version))
        batch.version, batch.acknowledged_s = version, version + 0.5
        flips.done([0], batch)
    told = [Answer("gateway", 0, start, start + 0.1, Told.RESTRICTED, 2) for start in (3.2, 3.6)]
    assert [(each.rule, each.answer) for each in violations(told, flips.changes())] == [(Rule.I3, told[1])]
