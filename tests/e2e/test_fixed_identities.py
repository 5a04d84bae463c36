"""Every fixed sandbox identity gives the answer that the README promises, our own faults included."""

from __future__ import annotations

import time

import pytest

from sandbox.faults import SLOW_S
from sandbox.identities import IDENTITIES
from tests.e2e import people
from tests.e2e.asking import Desk, said


@pytest.mark.parametrize("slug", IDENTITIES)
def test_a_fixed_identity_gives_its_answer(desk: Desk, slug: str) -> None:
    fixed = IDENTITIES[slug]
    promised = fixed.answer.removesuffix(" CHECK_DIGIT").removesuffix(", after a second")
    heard = said(desk.check(fixed.question(people.today())))
    assert heard == (f"{promised} 1000" if promised == "CAPPED" else promised)


def test_the_slow_answer_is_slow(desk: Desk) -> None:
    started_s = time.monotonic()
    desk.check(IDENTITIES["slow-answer"].question(people.today()))
    assert time.monotonic() - started_s >= SLOW_S
