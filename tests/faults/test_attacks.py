"""The table of attacks, a row of every kind, and that a row which is not survived is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from restriction.change import Digest
from tests.fakes.list_publisher import KEYS
from tests.faults.attacks import figures, play
from tests.faults.attacks_lies import evil, named, signed
from tests.faults.attacks_stage import NEVER, Stage, listed
from tests.faults.attacks_table import ATTACKS

# One quick row of every kind; the whole table is `./run faults attacks`.
_KINDS = list({attack.kind: attack for attack in reversed(ATTACKS) if not attack.slow}.values())[::-1]
_POLL_S = 0.02


def test_names_of_attacks_are_unique_and_every_class_of_the_framework_is_there() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert {attack.kind for attack in ATTACKS} >= {
        "rollback", "freeze", "mix and match", "endless data", "slow retrieval", "extraneous dependencies",
        "wrong list", "key compromise below threshold", "fast-forward", "arbitrary software",
    }  # fmt: skip


async def test_no_kind_of_attack_is_accepted_and_each_raises_its_alarm(tmp_path: Path) -> None:
    rows = await play(_KINDS, tmp_path, _POLL_S)
    assert [(row.name, row.violations) for row in rows if row.violations] == []
    said = figures(rows)
    assert (said["attacks"], said["accepted"], said["crashes"]) == (len(_KINDS), 0, 0)


def _with_the_secret(stage: Stage) -> dict[str, bytes]:
    """Every online key and the token secret: nothing is left to refuse this."""
    change = listed(NEVER)
    digest = Digest(KEYS.digest_key, stage.court.feed.state.digest)
    digest.add(change.token, change.record)
    return named(evil(stage, digest=digest.value))


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (signed(_with_the_secret), "in service: a list that the court did not sign"),
        (lambda stage: stage.strike(), "alarm None, expected LIST_FORGED"),
    ],
    ids=["a list that is accepted", "an alarm that is not raised"],
)
async def test_an_attack_that_is_not_survived_is_a_violation(
    tmp_path: Path, deed: Callable[[Stage], None], told: str
) -> None:
    attack = replace(ATTACKS[0], deed=deed, alarms=("LIST_FORGED",))
    (row,) = await play([attack], tmp_path, _POLL_S)
    assert any(text.startswith(told) for text in row.violations)
