"""One whole Lintel for the session: court, feed, agent, Valkey and gateway as their own processes."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from restriction.measures import Sector
from sandbox import identities
from sandbox.stage import Stage, raised
from tests.e2e import people
from tests.e2e.asking import Desk, desk_at


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The stage, with the sample parameters, the fixed identities and the people of the worked examples."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder, raised(Path(folder), Sector) as stage:
        stage.put_parameters()
        today = people.today()
        report = stage.submit(itertools.chain(identities.lines(today), people.lines(today)))
        assert not report["rejected"], report["rejected"]
        stage.start("court", "agent", "gateway")
        stage.await_serving(report["version"])
        yield stage


@pytest.fixture(scope="session")
def desk(stage: Stage) -> Iterator[Desk]:
    """Somebody of every sector, at the session's stage."""
    with desk_at(stage) as desk:
        yield desk
