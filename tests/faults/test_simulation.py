"""The simulation replays by seed, finds nothing, and finds what is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.plan import Plan
from tests.faults.simulation import run, run_seed
from tests.faults.simulation.court import Court, Signed
from tests.faults.simulation.loop import current_process
from tests.faults.simulation.world import GatewayHost

STORM_S = 8.0


def test_a_small_simulation_finds_nothing(tmp_path: Path) -> None:
    outcome = run(Plan(1, tmp_path, seconds=0.0, scale=0.02))
    assert outcome.violations == ()
    assert outcome.figures["answers judged"]["RESTRICTED"] > 50
    assert outcome.figures["answers judged"]["NOT_RESTRICTED"] > 50


def test_the_same_seed_is_the_same_run(tmp_path: Path) -> None:
    first, again, other = (run_seed(seed, tmp_path, STORM_S) for seed in (7, 7, 8))
    assert first.trace == again.trace
    assert first.trace != other.trace


def test_a_truth_that_is_not_what_was_signed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The court tells the judge that nobody it lists is restricted."""
    listing = Court.listing

    def told(court: Court, subject: int) -> Signed:
        signed = listing(court, subject)
        return Signed(signed.serial, restricts=False, record=signed.record)

    monkeypatch.setattr(Court, "listing", told)
    assert any(violation.startswith("I1") for violation in run_seed(1, tmp_path, STORM_S).violations)


def test_a_gateway_that_forgets_its_floor_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of an older version after those of a newer one."""
    ask = GatewayHost.ask

    async def older(gateway: GatewayHost, subject: int) -> None:
        gateway.around.judge.versions[gateway.name] = 1_000_000
        await ask(gateway, subject)

    monkeypatch.setattr(GatewayHost, "ask", older)
    assert any(violation.startswith("I5") for violation in run_seed(1, tmp_path, STORM_S).violations)


def test_what_a_process_raises_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that dies of its own fault."""
    ask = GatewayHost.ask

    async def broken(gateway: GatewayHost, subject: int) -> None:
        await ask(gateway, subject)
        if current_process() is not None:
            raise ZeroDivisionError

    monkeypatch.setattr(GatewayHost, "ask", broken)
    assert any(violation.startswith("crash") for violation in run_seed(1, tmp_path, STORM_S).violations)
