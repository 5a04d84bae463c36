"""A lift ends RESTRICTED, a listing begins it, and an answer says which list it is from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from lintel.v1 import answer_pb2
from sandbox import documents
from sandbox.identities import IDENTITIES, Question
from sandbox.stage import Stage
from tests.e2e import people
from tests.e2e.asking import Desk, said

SOMEBODY, SOMEBODY_ELSE = (documents.resident(3 * 10**9 + 30_000 + place) for place in range(2))
HOTEL = IDENTITIES["lodge"].question(people.today())
PATIENCE_S = 10.0


def about(paper: documents.Paper) -> Question:
    return replace(HOTEL, number=paper.number, name=people.NAME)


def until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold in time."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline_s:
            return False
    return True


def test_a_listing_and_its_lift_take_effect_one_after_the_other(stage: Stage, desk: Desk) -> None:
    question = about(SOMEBODY)
    assert said(desk.check(question)) == "NOT_RESTRICTED"
    listed = stage.submit([people.listing("to-be-lifted", SOMEBODY, people.today())])
    assert until(lambda: said(desk.check(question)) == "RESTRICTED")
    lifted = stage.submit([people.lift("to-be-lifted", people.today())])
    assert lifted["version"] > listed["version"]
    assert until(lambda: said(desk.check(question)) == "NOT_RESTRICTED")
    assert said(desk.check(about(people.P))) == "RESTRICTED"


def test_a_lift_that_overtakes_its_listing_leaves_nobody_listed(stage: Stage, desk: Desk) -> None:
    today = people.today()
    report = stage.submit([people.lift("overtaken", today), people.listing("overtaken", SOMEBODY_ELSE, today)])
    assert [len(report[kind]) for kind in ("accepted", "overtaken")] == [1, 1]
    answer = desk.check(about(SOMEBODY_ELSE))
    assert isinstance(answer, answer_pb2.CheckResponse)
    assert said(answer) == "NOT_RESTRICTED"


def test_answers_of_somebody_lifted_and_somebody_never_listed_are_alike(desk: Desk) -> None:
    """But for request, decision and list version and time, byte for byte (promise: no history)."""
    answers = []
    for paper in (people.LIFTED, people.COMPANION):
        answer = desk.check(about(paper))
        assert isinstance(answer, answer_pb2.CheckResponse)
        for field in ("request_id", "decision_id", "list_version", "list_as_of"):
            answer.ClearField(field)
        answers.append(answer.SerializeToString(deterministic=True))
    assert answers[0] == answers[1]
