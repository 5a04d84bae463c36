"""What an operator is told: the list in service, its age, what waits, what went wrong last, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from liststore.base import Generation, Move
from restriction.errors import SettingError, StoreUnavailableError
from sync_agent.report import STATUS_FILE, read_report
from tests.fakes.agents import AgentHost
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, lifted, listed
from tests.fakes.store_wrappers import WatchedWriter


class Away(WatchedWriter):
    """A store that takes a whole list and no deltas."""

    async def write(self, generation: Generation, moves: Sequence[Move]) -> None:
        raise StoreUnavailableError(f"{len(moves)} moves into {generation.number}")


def _said(host: AgentHost, clock: FakeClock) -> dict[str, Any]:
    return read_report(host.directory / STATUS_FILE, clock.now_s)


async def test_all_is_well(court: ListPublisher, host: AgentHost, clock: FakeClock) -> None:
    court.publish(listed(1))
    await host.start().sync_once()
    clock.advance(3)
    said = _said(host, clock)
    assert said["list"]["version"] == 1
    assert said["age_s"] == pytest.approx(clock.now_s - said["list"]["as_of"], abs=0.001)
    assert {key: said[key] for key in ("not_ready", "backlog", "alarms", "last_alarm")} == {
        "not_ready": "", "backlog": {"versions": 0, "records": 0}, "alarms": [], "last_alarm": None,
    }  # fmt: skip


async def test_an_alarm_that_is_over_is_still_told_with_how_long_it_lasted(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(listed(1))
    timestamp = (court.metadata / "timestamp.json").read_bytes()
    (court.metadata / "timestamp.json").unlink()
    agent = host.start()
    await agent.sync_once()
    said = _said(host, clock)
    assert (said["list"], said["age_s"]) == (None, None)
    assert "the feed cannot be read" in said["not_ready"]
    assert [alarm["name"] for alarm in said["alarms"]] == ["FEED_UNREACHABLE"]
    (court.metadata / "timestamp.json").write_bytes(timestamp)
    clock.advance(9)
    await agent.sync_once()
    said = _said(host, clock)
    assert (said["not_ready"], said["alarms"]) == ("", [])
    last = said["last_alarm"]
    assert (last["name"], last["lasted_s"], last["over_s"] - last["first_s"]) == ("FEED_UNREACHABLE", 9.0, 9.0)


async def test_what_is_signed_and_not_in_service_is_the_backlog(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(listed(1))
    agent = host.start(Away(host.store.writer()))
    await agent.sync_once()
    court.publish(lifted(1), listed(2))
    court.publish(listed(3))
    await agent.sync_once()
    assert _said(host, clock)["backlog"] == {"versions": 2, "records": 3}
    await host.start().sync_once()
    assert _said(host, clock)["backlog"] == {"versions": 0, "records": 0}


async def test_a_version_that_is_refused_is_in_the_backlog(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    court.publish(listed(2))
    court.newest_delta().write_bytes(b"x")
    await agent.sync_once()
    assert _said(host, clock)["backlog"] == {"versions": 1, "records": 0}


def test_where_no_agent_has_reported_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no agent has reported here"):
        read_report(tmp_path / STATUS_FILE, 0.0)
