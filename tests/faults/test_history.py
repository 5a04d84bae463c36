"""The judge of histories accuses every planted violation, and no history that a correct list gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from restriction.decision import Outcome
from tests.faults.history import ALWAYS, NEVER, Answer, Change, Kind, Rule, violations

LISTED = Change("a", Kind.LIST, 1, ALWAYS, ALWAYS)
LIFT = Change("a", Kind.LIFT, 5, submitted=10, acknowledged=12)
YES, NO, UNKNOWN = Outcome.RESTRICTED, Outcome.NOT_RESTRICTED, Outcome.UNDETERMINED


def answer(start: float, end: float, outcome: Outcome, version: int = 1, *beside: Outcome) -> Answer:
    return Answer("g", "a", start, end, outcome, version, beside)


def rules(answers: list[Answer], *changes: Change) -> list[str]:
    return [found.rule.value for found in violations(answers, changes)]


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        pytest.param(answer(12.1, 13, YES), ["I3"], id="restricted-after-the-acknowledgement"),
        pytest.param(answer(12.1, 13, Outcome.CAPPED), ["I3"], id="capped-after-the-acknowledgement"),
        pytest.param(answer(12, 13, YES), [], id="restricted-as-it-is-acknowledged"),
        pytest.param(answer(11, 20, YES), [], id="restricted-when-begun-before-the-acknowledgement"),
        pytest.param(answer(12.1, 13, UNKNOWN), [], id="we-do-not-know-is-no-restriction"),
        pytest.param(answer(8, 9, NO), ["I4"], id="cleared-before-the-lift-was-submitted"),
        pytest.param(answer(8, 10, NO), [], id="cleared-as-the-lift-is-submitted"),
        pytest.param(answer(8, 9, YES), [], id="restricted-before-the-lift"),
        pytest.param(answer(11, 11.5, YES, 5), ["I4"], id="restricted-at-a-version-that-holds-the-lift"),
        pytest.param(answer(11, 11.5, YES, 4), [], id="restricted-at-the-version-before-the-lift"),
        pytest.param(answer(11, 11.5, NO, 4), [], id="cleared-ahead-of-the-version"),
        pytest.param(answer(11, 11.5, YES, 1, NO), ["I4"], id="one-grant-old-and-one-new"),
        pytest.param(answer(11, 11.5, YES, 1, YES), [], id="both-grants-old"),
        pytest.param(answer(11, 11.5, UNKNOWN, 1, NO), [], id="an-unknown-grant-is-beside-any"),
        pytest.param(answer(13, 14, NO, 5, YES), ["I4"], id="one-grant-left-behind"),
    ],
)
def test_a_lift_is_seen_whole_between_its_submission_and_its_acknowledgement(found: Answer, broken: list[str]) -> None:
    assert rules([found], LISTED, LIFT) == broken


def test_a_lift_that_nobody_acknowledged_binds_by_its_version_alone() -> None:
    open_lift = replace(LIFT, acknowledged=NEVER)
    assert rules([answer(90, 91, YES, 4), answer(92, 93, YES, 5)], LISTED, open_lift) == ["I4"]


def test_one_who_was_never_listed_is_never_restricted() -> None:
    assert rules([answer(1, 2, YES)]) == ["I4"]
    assert rules([answer(1, 2, NO)]) == []


def test_a_listing_is_owed_from_its_version_on() -> None:
    listing = Change("a", Kind.LIST, 7, submitted=10)
    assert rules([answer(20, 21, NO, 6), answer(22, 23, NO, 7), answer(24, 25, YES, 7)], listing) == ["I4"]


def test_listed_again_after_a_lift_is_restricted_again() -> None:
    again = Change("a", Kind.LIST, 9, submitted=20, acknowledged=22)
    answers = [answer(13, 14, NO, 5), answer(19, 21, YES, 5), answer(23, 24, YES, 9), answer(25, 26, NO, 9)]
    assert rules(answers, again, LIFT, LISTED) == ["I4"]


def test_a_change_of_one_subject_excuses_no_other() -> None:
    others = Change("b", Kind.LIST, 1, ALWAYS, ALWAYS)
    assert rules([replace(answer(13, 14, NO, 5), subject="b")], LISTED, LIFT, others) == ["I4"]


@pytest.mark.parametrize(
    ("second", "broken"),
    [
        pytest.param(answer(2.1, 3, NO, 8), ["I5"], id="lower-after-the-first-ended"),
        pytest.param(answer(2, 3, NO, 8), [], id="lower-but-begun-as-the-first-ended"),
        pytest.param(answer(2.1, 3, NO, 9), [], id="the-same"),
        pytest.param(replace(answer(2.1, 3, NO, 8), gateway="other"), [], id="lower-at-another-gateway"),
    ],
)
def test_versions_never_go_down_at_one_gateway(second: Answer, broken: list[str]) -> None:
    assert rules([second, answer(1, 2, NO, 9)]) == broken


def test_a_long_call_does_not_hide_the_short_one_that_ended_before() -> None:
    answers = [answer(0, 100, NO, 4), answer(1, 2, NO, 9), answer(3, 4, NO, 8)]
    assert rules(answers) == ["I5"]


def test_a_fall_is_measured_from_the_highest_and_not_from_the_last() -> None:
    assert rules([answer(1, 2, NO, 9), answer(3, 4, NO, 8), answer(5, 6, NO, 8)]) == ["I5", "I5"]


@dataclass(frozen=True)
class World:
    """A history that a correct list gave."""

    answers: list[Answer]
    changes: list[Change]


def world(seed: int) -> World:
    """Subjects in listings and lifts, each in effect at one instant between its submission and acknowledgement."""
    chance = random.Random(seed)  # noqa: S311 - a model's dice
    subjects = range(chance.randint(1, 4))
    effects = sorted(chance.uniform(0, 100) for _ in range(chance.randint(0, 30)))
    states: dict[int, list[tuple[float, bool]]] = {subject: [(ALWAYS, False)] for subject in subjects}
    changes = []
    for version, effect in enumerate(effects, 1):
        subject = chance.choice(subjects)
        kind = Kind.LIFT if states[subject][-1][1] else Kind.LIST
        states[subject].append((effect, kind is Kind.LIST))
        acknowledged = chance.choice([NEVER, effect + chance.expovariate(0.3)])
        changes.append(Change(subject, kind, version, effect - chance.expovariate(0.3), acknowledged))
    return World(list(_answers(chance, states, effects)), changes)


def _answers(
    chance: random.Random, states: dict[int, list[tuple[float, bool]]], effects: list[float]
) -> Iterator[Answer]:
    for gateway in range(chance.randint(1, 3)):
        # A gateway learns of versions at its own pace, and names one that it knew when the call began.
        follows = list(accumulate((effect + chance.expovariate(0.2) for effect in effects), max))
        for _ in range(chance.randint(1, 40)):
            start = chance.uniform(0, 110)
            read = start + chance.expovariate(0.5)
            subject = chance.choice(list(states))
            listed = [state for since, state in states[subject] if since <= read][-1]
            yield Answer(
                gateway, subject, start, read + chance.expovariate(0.5),
                chance.choice([UNKNOWN, *[YES if listed else NO] * 5]),
                sum(at <= start for at in follows), (YES if listed else NO,) * chance.randint(0, 2),
            )  # fmt: skip


@given(st.integers(0, 2**32))
def test_what_a_correct_list_gives_is_never_accused(seed: int) -> None:
    given_world = world(seed)
    assert violations(given_world.answers, given_world.changes) == ()


def _restricted_after_a_lift(whole: World) -> World | None:
    for change in whole.changes:
        if change.kind is Kind.LIFT and change.acknowledged < NEVER:
            late = change.acknowledged + 1
            if not any(other.subject == change.subject and other.version > change.version for other in whole.changes):
                return World([Answer("g", change.subject, late, late + 1, YES, 99)], whole.changes)
    return None


def _cleared_while_listed(whole: World) -> World | None:
    for change in whole.changes:
        later = [each for each in whole.changes if each.subject == change.subject and each.version > change.version]
        free = min((each.submitted for each in later), default=change.acknowledged + 2)
        if change.kind is Kind.LIST and change.acknowledged < free < NEVER:
            between = (change.acknowledged + free) / 2
            return World([Answer("g", change.subject, between, between, NO, 0)], whole.changes)
    return None


def _torn(whole: World) -> World | None:
    known = [each for each in whole.answers if each.outcome is not UNKNOWN]
    if not known:
        return None
    torn = replace(known[0], beside=(NO if known[0].outcome is YES else YES,))
    return replace(whole, answers=[torn, *(each for each in whole.answers if each is not known[0])])


def _went_down(whole: World) -> World | None:
    last = max(whole.answers, key=lambda each: each.end)
    if last.list_version == 0:
        return None
    later = replace(last, start=last.end + 1, end=last.end + 2, outcome=UNKNOWN, beside=(), list_version=0)
    return replace(whole, answers=[later, *whole.answers])


@pytest.mark.parametrize(
    ("mutate", "rule"),
    [
        pytest.param(_restricted_after_a_lift, Rule.I3, id="restricted-after-a-lift"),
        pytest.param(_cleared_while_listed, Rule.I4, id="cleared-while-listed"),
        pytest.param(_torn, Rule.I4, id="torn"),
        pytest.param(_went_down, Rule.I5, id="went-down"),
    ],
)
@given(seed=st.integers(0, 2**32))
def test_what_no_correct_list_gives_is_accused(mutate: Callable[[World], World | None], rule: Rule, seed: int) -> None:
    mutated = mutate(world(seed))
    assume(mutated is not None)
    assert mutated is not None
    (found,) = violations(mutated.answers, mutated.changes)
    assert found.rule is rule


def test_a_hundred_thousand_answers_are_judged_without_comparing_each_with_each() -> None:
    """A comparison of each with each would take minutes here."""
    changes = [Change("a", (Kind.LIST, Kind.LIFT)[v % 2], v, v, v + 0.5) for v in range(20_000)]
    answers = [Answer("g", "a", t / 5, t / 5 + 0.1, UNKNOWN, t // 5) for t in range(100_000)]
    assert violations(answers, changes) == ()
