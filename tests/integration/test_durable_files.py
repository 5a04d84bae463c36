"""Every file that takes another's place is on the disk before it does, and its name is right after.

Seen at the system calls, since it holds for libraries too: python-tuf renames files of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_STRACE = shutil.which("strace")
# A court and an agent over a snapshot, a delta, parameters, a newer snapshot and a dropped file.
_PASSES = """
import asyncio, pathlib, sys
from click.testing import CliRunner
from publisher.commands import publisher
from publisher.drop import Drop
from publisher.wiring import opened
from restriction.parameters import Parameters
from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, listed

async def follow(place):
    clock = FakeClock()
    court = ListPublisher(place / "court", clock)
    with court.serving() as url:
        agent = AgentHost(FeedSource(url, court.root), place / "agent", clock).start()
        await agent.sync_once()
        court.publish(listed(1))
        settled = Parameters.parse({"version": 1, "date": "2026-05-01", "authority": "4408", "values": {}})
        with court.feed.lock():
            court.feed.publish_parameters(settled.to_bytes(), clock())
        await agent.sync_once()
        clock.advance(2)
        court.publish_snapshot()
        await agent.sync_once()
        assert alarms_of(agent) == []
        assert agent.in_service.state == court.feed.state

place = pathlib.Path(sys.argv[1])
asyncio.run(follow(place))
assert CliRunner().invoke(publisher, ["init", "--dir", str(place / "publisher"), "--sandbox"]).exit_code == 0
with opened(place / "publisher") as desk:
    drop = Drop(desk, FakeClock())
    drop.directory.mkdir(exist_ok=True)
    (drop.directory / "events.ndjson").write_text("{}")
    drop.take_in()
"""
_CALL = re.compile(r"(?:\d+ +)?(?P<name>rename\w*|fsync|fdatasync)\((?P<arguments>.*)\) += 0")
_QUOTED = re.compile(r'"([^"]*)"')
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[str]]]:
    """The renames (from, to) and syncs (what) of all passes, in order."""
    if _STRACE is None:
        pytest.skip("strace is not installed")
    place = tmp_path_factory.mktemp("place").resolve()
    traced = (
        _STRACE, "--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--quiet=all", "--string-limit=4096",
        "--trace=rename,renameat,renameat2,fsync,fdatasync", f"--output={place / 'calls'}",
    )  # fmt: skip
    subprocess.run((*traced, sys.executable, "-c", _PASSES, str(place)), check=True, timeout=120)  # noqa: S603 our own
    found = []
    for call in map(_CALL.match, (place / "calls").read_text().splitlines()):
        if call is not None:
            pattern = _QUOTED if call["name"].startswith("rename") else _DESCRIPTOR
            found.append((call["name"], pattern.findall(call["arguments"])))
    # Other files are not ours: whatever measures coverage of that process renames its own.
    return [(name, paths) for name, paths in found if paths and paths[0].startswith(str(place))]


def test_every_rename_comes_after_its_file_and_before_its_directory(calls: list[tuple[str, list[str]]]) -> None:
    for at, (name, paths) in enumerate(calls):
        if not name.startswith("rename") or "/drop/" in paths[0]:
            continue
        source, target = paths
        assert any(c[1] == [source] for c in calls[max(0, at - 20) : at]), f"{target}: renamed before it was written"
        after = calls[at + 1 : at + 20]
        assert any(c[1] == [str(Path(target).parent)] for c in after), f"{target}: its name is not durable"


def test_what_was_dropped_is_durable_where_it_was_moved(calls: list[tuple[str, list[str]]]) -> None:
    moved = [(at, paths[1]) for at, (name, paths) in enumerate(calls) if "rename" in name and "/drop/" in paths[0]]
    assert len(moved) >= 2
    for at, target in moved:
        assert any(c[1] == [str(Path(target).parent)] for c in calls[at + 1 : at + 20]), target


@pytest.mark.parametrize(
    "place",
    [
        "agent/metadata/timestamp.json", "agent/metadata/targets.json", "agent/metadata/root_history/1.root.json",
        "agent/deltas/0-1.delta", "agent/parameters.json", "agent/as_of", "agent/status.json", "agent/announced.json",
        "court/feed/metadata/timestamp.json", "/manifest",
    ],
)  # fmt: skip
def test_the_renames_of_this_file_were_seen(calls: list[tuple[str, list[str]]], place: str) -> None:
    assert any(paths[1].endswith(place) for name, paths in calls if name.startswith("rename"))
