"""The four fixed identities of faults, each through a screener with one part broken; everybody else unharmed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.question import Answer, Question, decision_ids
from restriction.calendar import day_of
from restriction.decision import Outcome, Reason
from restriction.identity import Document, DocumentType, Identity, Mode, normalise
from sandbox.faults import SLOW_S, FaultScreener
from sandbox.identities import IDENTITIES
from tests.fakes.court import NOW
from tests.fakes.gateway import HOTEL, Desk, question, record

REASONS = {
    "store-down": Reason.STORE_UNAVAILABLE, "ledger-down": Reason.LEDGER_UNAVAILABLE, "stale-list": Reason.STALE_LIST,
}  # fmt: skip
LISTED = ("lodge", "slow-answer", *REASONS)


def asked(slug: str) -> Question:
    fixed = IDENTITIES[slug]
    return question(1, document=Document(DocumentType[fixed.paper.type], fixed.paper.number), name=fixed.name)


def identity(slug: str) -> Identity:
    return normalise(asked(slug).document, Mode.SANDBOX, day_of(NOW))


@pytest.fixture
async def screener(tmp_path: Path) -> FaultScreener:
    desk = Desk(tmp_path)
    await desk.list.load({identity(slug): record(identity(slug), IDENTITIES[slug].name) for slug in LISTED})
    await desk.follower.advance()
    return FaultScreener(desk.follower, desk.reader, desk.journal, desk.clocks, decision_ids("test"))


@pytest.mark.parametrize("slug", REASONS)
async def test_identity_of_a_fault_meets_it(screener: FaultScreener, slug: str) -> None:
    answer = await screener.check(HOTEL, asked(slug))
    assert (answer.decision.outcome, answer.decision.reason) == (Outcome.UNDETERMINED, REASONS[slug])


async def test_everybody_else_is_answered_as_ever(screener: FaultScreener) -> None:
    assert (await screener.check(HOTEL, asked("lodge"))).decision.outcome is Outcome.RESTRICTED


async def test_faults_of_a_batch_are_their_own_questions_alone(screener: FaultScreener) -> None:
    slugs = ["lodge", *REASONS, "lodge"]
    answers = await screener.check_many(HOTEL, [asked(slug) for slug in slugs])
    found = [answer.decision.reason for answer in answers if isinstance(answer, Answer)]
    assert found == [REASONS.get(slug) for slug in slugs]


@pytest.mark.parametrize("batch", [False, True], ids=["check", "batch"])
async def test_slow_answer_keeps_its_caller_waiting(screener: FaultScreener, batch: bool) -> None:
    slow = asked("slow-answer")
    work = screener.check_many(HOTEL, [slow]) if batch else screener.check(HOTEL, slow)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work, SLOW_S / 20)
