"""A few of the changed feeds, and that one which is taken, or ends a pass, is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from restriction.change import Change, Digest, Lane
from restriction.envelope import decode_delta, encode_delta
from tests.fakes.list_publisher import KEYS
from tests.faults.attacks_stage import listed
from tests.faults.mutations import Family, outcome, run
from tests.faults.mutations_feeds import DELTA, Feeds, Resigner, feeds
from tests.faults.mutations_kinds import json_texts, messages
from tests.faults.mutations_machine import Machine, Verdict
from tests.faults.plan import Plan


@pytest.fixture
def made(tmp_path: Path) -> Feeds:
    return feeds(tmp_path / "court", time.time)  # noqa: TID251 - python-tuf looks at the real clock


@pytest.fixture
def machine(made: Feeds, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(made, tmp_path / "machine")
    yield machine
    machine.close()


def test_no_changed_feed_is_accepted_and_none_goes_by_without_a_word(tmp_path: Path) -> None:
    found = run(Plan(seed=1, folder=tmp_path, scale=0.001))
    assert found.violations == ()
    assert found.figures["inputs"] == 104
    assert found.figures["refused"] + found.figures["same_meaning"] + found.figures["nothing_newer"] == 104


def test_a_true_list_that_the_honest_court_did_not_sign_counts_as_accepted(made: Feeds, machine: Machine) -> None:
    """Signed with every key and the token secret, so that nothing is left to refuse it."""
    delta = decode_delta(made.document("delta", "2-3.delta")[1])
    change = listed(700)
    digest = Digest(KEYS.digest_key, delta.after.digest)
    digest.add(change.token, change.record)
    after = replace(delta.after, digest=digest.value, count=delta.after.count + 1)
    more = replace(delta, after=after, changes=(*delta.changes, Change(change.token, change.record, Lane.BURDEN)))
    verdict = machine.play("delta", Resigner(made, "delta").document(DELTA, encode_delta(more)))
    assert verdict.came_to == "ACCEPTED"
    assert machine.play("delta", {"metadata/timestamp.json": b"{"}) == Verdict("REFUSED", "LIST_FORGED")


def test_what_is_signed_again_unchanged_is_the_same(made: Feeds, machine: Machine) -> None:
    content = made.document("delta", "2-3.delta")[1]
    assert machine.play("delta", Resigner(made, "delta").document(DELTA, content)) == Verdict("SAME")


@pytest.mark.parametrize("came_to", ["ACCEPTED", "CRASHED", "NOTHING"])
def test_whatever_is_not_refused_is_a_violation(came_to: str) -> None:
    found = outcome([((Family("wire", "delta", ".delta", "flip"), 3), Verdict(came_to, "x"))], 1.0)
    assert len(found.violations) == 1


def test_structures_are_changed_in_every_field() -> None:
    inner = b"\x0a\x02hi"
    mutants = set(messages(inner + b"\x10\x05"))
    assert b"\x10\x05" in mutants
    assert inner in mutants
    assert inner + b"\x10\xff\xff\xff\xff\x0f" in mutants
    texts = set(json_texts(b'{"a": {"b": 1}}'))
    assert b'{"a": {}}' in texts
    assert b'{"a": {"b": -1}}' in texts
