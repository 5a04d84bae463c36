"""A court's side that serves its feed on a port of its own, and a machine on which an agent follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher


@pytest.fixture
def clock() -> FakeClock:
    """The court's and the agent's clock."""
    return FakeClock()


@pytest.fixture
def court(tmp_path: Path, clock: FakeClock) -> ListPublisher:
    """A court with an empty list."""
    return ListPublisher(tmp_path / "court", clock)


@pytest.fixture
def host(tmp_path: Path, court: ListPublisher, clock: FakeClock) -> Iterator[AgentHost]:
    """A machine that follows the court's feed while that is served."""
    with court.serving() as url:
        yield AgentHost(FeedSource(url, court.root), tmp_path / "agent", clock)
