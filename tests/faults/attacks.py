"""Runs the table of attacks against a real agent, and says of each what was raised, when, and what it could not do.

After every attack: no record, state, parameter or vouched instant that the honest court did not sign is in service; the
last good list answers at a gateway as before; the alarm named by the row came first; and once the server is honest
again (and an operator has replaced the stolen keys), what the court signs next takes effect and no alarm is left.

Time is the real clock's: the agent polls every 0.2 s, and LIST_FROZEN takes its 30 s. Slow attacks run all at once.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from restriction.decision import Outcome as Decided
from tests.fakes.agents import alarms_of
from tests.faults.attacks_keys import rotate
from tests.faults.attacks_stage import (
    LATER,
    LISTED,
    NEVER,
    POLL_S,
    SECOND,
    Before,
    Stage,
    before,
    lifted,
    listed,
    staged,
)
from tests.faults.attacks_table import ATTACKS, Attack
from tests.faults.plan import Outcome, Plan

_PATIENCE_S: Final = 5.0
_SLOW_PATIENCE_S: Final = 45.0
_RECOVERY_S: Final = 20.0
_MORE_PASSES: Final = 3
_THREADS: Final = 64
# What the agent lets a heartbeat be ahead of its clock, and a second.
_AHEAD_S: Final = 11
# An attack may cost what the largest document costs, not what the attacker sends (half a gigabyte).
MAX_GROWTH_KIB: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one attack. `recovery_s`: from the honest server to the court's next delta in service."""

    name: str
    kind: str
    holds: str
    alarm: str | None
    alarm_s: float | None
    recovery_s: float | None
    growth_kib: int
    violations: tuple[str, ...]


def run(plan: Plan) -> Outcome:
    """The whole table, or with a smaller scale an even sample of its quick rows."""
    with silence():
        rows = asyncio.run(play(_sample(plan), plan.folder))
    broken = tuple(f"{row.name}: {text}" for row in rows for text in row.violations)
    return Outcome(figures(rows), broken)


@contextmanager
def silence() -> Iterator[None]:
    """Keep to itself what agents and gateways log of attacks."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with structlog.testing.capture_logs():
            yield
    finally:
        logging.disable(before)


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, the time to each alarm, and the table."""
    seconds = sorted(row.alarm_s for row in rows if row.alarm_s is not None and row.alarm_s < _PATIENCE_S)
    return {
        "attacks": len(rows),
        "accepted": sum(any("in service" in text for text in row.violations) for row in rows),
        "crashes": sum(any("was ended by" in text for text in row.violations) for row in rows),
        "seconds_to_quick_alarms": {"p50": _at(seconds, 0.5), "max": _at(seconds, 1.0)},
        "largest_growth_kib": max(row.growth_kib for row in rows),
        "table": [{key: value for key, value in asdict(row).items() if key != "violations"} for row in rows],
    }


async def play(attacks: Iterable[Attack], folder: Path, poll_s: float = POLL_S) -> list[Row]:
    """Play these attacks: the slow ones at once, each on a stage of its own, the others one after the other.

    A stage that an attack left in disorder is not played on again.
    """
    # Each agent that waits for a slow server holds a thread, and every stage has an agent and a court.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    quick = [attack for attack in attacks if not attack.slow]
    slow = [attack for attack in attacks if attack.slow]
    rows = list(
        await asyncio.gather(*(_alone(attack, folder / f"slow-{at}", poll_s) for at, attack in enumerate(slow)))
    )
    while quick:
        async with staged(_made(folder / f"stage-{len(quick)}"), poll_s) as stage:
            while quick:
                rows.append(await _row(stage, quick.pop(0)))
                print(f"\rattacks to go: {len(quick)} ", end="", file=sys.stderr, flush=True)  # noqa: T201 - progress
                if rows[-1].violations:
                    break
    return rows


async def _alone(attack: Attack, folder: Path, poll_s: float) -> Row:
    async with staged(_made(folder), poll_s) as stage:
        return await _row(stage, attack)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


async def _row(stage: Stage, attack: Attack) -> Row:
    peak_kib = _peak_kib()
    alarm, recovery_s, violations = None, None, list[str]()
    try:
        await stage.set()
        good = await before(stage)
        attack.deed(stage)
        alarm = await stage.alarm(_patience_s(attack))
        await stage.passes(_MORE_PASSES)
        violations += _alarm_violations(attack, alarm) + await _harm(stage, good, attack)
        if not violations:
            recovery_s = await _recover(stage, attack)
            violations += await _after(stage, recovery_s)
    except Exception as error:  # noqa: BLE001 - whatever comes to light here is what is looked for
        violations.append(f"{type(error).__name__}: {error}")
    if stage.running.done():
        violations.append(f"the agent was ended by {stage.running.exception()!r}")
    growth_kib = _peak_kib() - peak_kib
    if growth_kib > MAX_GROWTH_KIB:
        violations.append(f"memory grew by {growth_kib} KiB")
    name, alarm_s = alarm or (None, None)
    return Row(
        attack.name, attack.kind, attack.holds, name, _rounded(alarm_s), _rounded(recovery_s), growth_kib,
        tuple(violations),
    )  # fmt: skip


def _patience_s(attack: Attack) -> float:
    if not attack.alarms:
        return 1.0
    return _SLOW_PATIENCE_S if attack.slow else _PATIENCE_S


def _alarm_violations(attack: Attack, alarm: tuple[str, float] | None) -> list[str]:
    raised = alarm[0] if alarm else None
    if raised is None and not attack.alarms:
        return []
    return [] if raised in attack.alarms else [f"alarm {raised}, expected {' or '.join(attack.alarms) or 'none'}"]


async def _harm(stage: Stage, good: Before, attack: Attack) -> list[str]:
    """What the attack changed that it must not; what the honest court signed meanwhile may be there."""
    found, at = [], stage.agent.in_service
    assert at is not None
    honest = {good.announced.state: good.records, stage.court.feed.state: stage.court.book.records}
    records = await stage.host.stored()
    if at.state not in honest or records != honest[at.state]:
        found.append(f"in service: a list that the court did not sign, version {at.state.version}")
    if at.as_of > time.time() + _AHEAD_S or (at.as_of > stage.court.feed.as_of and not attack.vouches):  # noqa: TID251
        found.append(f"in service: vouched for {at.as_of}, which the court did not sign")
    if await stage.host.store.reader().parameters() not in stage.settled:
        found.append("in service: parameters that the court did not sign")
    answers = [await stage.gateway.outcome(person) for person in (LISTED, NEVER)]
    if answers != [Decided.RESTRICTED, Decided.NOT_RESTRICTED]:
        found.append(f"the gateway answers {[answer.name for answer in answers]}")
    return found


async def _recover(stage: Stage, attack: Attack) -> float | None:
    if attack.rotates:
        rotate(stage.court, *attack.rotates)
    stage.court.publish(lifted(SECOND), listed(LATER))
    stage.server.behave()
    return await stage.arrived(_RECOVERY_S)


async def _after(stage: Stage, recovery_s: float | None) -> list[str]:
    if recovery_s is None:
        return [f"the honest feed is not accepted again: {alarms_of(stage.agent)}"]
    found = []
    if await stage.host.stored() != stage.court.book.records:
        found.append("in service after recovery: something else than the court signed")
    answers = [await stage.gateway.outcome(person) for person in (LISTED, SECOND, NEVER, LATER)]
    if answers != [Decided.RESTRICTED, Decided.NOT_RESTRICTED, Decided.NOT_RESTRICTED, Decided.RESTRICTED]:
        found.append(f"the gateway answers after recovery {[answer.name for answer in answers]}")
    return found


def _sample(plan: Plan) -> Sequence[Attack]:
    if plan.scale >= 1.0:
        return ATTACKS
    quick = [attack for attack in ATTACKS if not attack.slow]
    return quick[plan.seed % len(quick) :: max(1, round(1 / plan.scale))] or quick[:1]


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _at(sorted_values: Sequence[float], share: float) -> float | None:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] if sorted_values else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
