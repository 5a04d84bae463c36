"""The whole way from a court's lines to records in a real Valkey, by the commands that people type."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.health import status
from liststore.wiring import open_reader
from publisher.commands import publisher
from publisher.duties import alone, duties, submitting
from publisher.heartbeat import FeedServer
from publisher.wiring import opened
from restriction.parameters import Parameters
from sandbox.generator import Sample, list_lines
from sandbox.stage import PARAMETERS
from settings import token_secret
from sync_agent.commands import agent


class Desk:
    """Somebody at a terminal of the court."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        self.directory = directory
        self.redis_url = redis_url
        self.environment = {
            "LINTEL_HOME": str(directory / "home"),
            "LINTEL_TOKEN_SECRET_FILE": str(self.court / "token.secret"),
        }

    @property
    def court(self) -> Path:
        return self.directory / "court"

    def publisher(self, command: str, *arguments: str, lines: str | None = None) -> Result:
        return CliRunner().invoke(publisher, [command, "--dir", str(self.court), *arguments], input=lines)

    def submit(self, *lines: str) -> dict[str, Any]:
        result = self.publisher("submit", "-", "--json", lines="\n".join(lines))
        assert result.exit_code == 0, result.output
        report: dict[str, Any] = json.loads(result.stdout)
        return report

    def agent(self, *arguments: str) -> Result:
        options = ["--root", str(self.court / "feed/root.json"), "--state", str(self.directory / "agent")]
        environment = {**self.environment, "LINTEL_REDIS_URL": self.redis_url}
        return CliRunner().invoke(agent, [arguments[0], *options, *arguments[1:]], env=environment)

    def status(self) -> dict[str, Any]:
        options = ["--json", "--agent", str(self.directory / "agent")]
        environment = {**self.environment, "LINTEL_REDIS_URL": self.redis_url}
        shown: dict[str, Any] = json.loads(CliRunner().invoke(status, options, env=environment).stdout)
        return shown

    @contextmanager
    def serving(self) -> Iterator[str]:
        server = FeedServer(("127.0.0.1", 0), self.court / "feed")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def desk(tmp_path: Path, valkey_url: str) -> Desk:
    founded = Desk(tmp_path, valkey_url)
    result = founded.publisher("init", "--sandbox")
    assert result.exit_code == 0, result.output
    return founded


# Terms without an end, since commands judge by the real clock.
LINES = tuple(line for line in list_lines(Sample(1, 40, dt.date(2026, 6, 1))) if '"term_until":null' in line)


async def _in_service(desk: Desk) -> tuple[int, int, bytes | None]:
    keys = token_secret.read(desk.court / "token.secret").current
    reader = open_reader(desk.redis_url, keys.bucket_key)
    try:
        announced = await reader.announcement()
        assert announced is not None
        tokens = [t async for some in reader.tokens(announced.generation) for t in some]
        assert all([await reader.find(token, announced) for token in tokens])
        return announced.state.version, len(tokens), await reader.parameters()
    finally:
        await reader.close()


def test_what_a_court_submits_is_in_the_store(desk: Desk) -> None:
    assert desk.publisher("parameters", str(PARAMETERS)).exit_code == 0
    report = desk.submit(*LINES)
    assert len(report["accepted"]) == len(LINES) > 20
    with desk.serving() as url:
        once = desk.agent("once", "--feed", url)
    assert once.exit_code == 0, once.output
    version, count, parameters = asyncio.run(_in_service(desk))
    signed = json.loads(desk.publisher("status").stdout)
    assert (version, count) == (report["version"], signed["count"]) == (signed["version"], signed["count"])
    assert parameters is not None
    assert Parameters.from_bytes(parameters) == Parameters.parse(PARAMETERS.read_bytes())


def test_a_lift_empties_the_store_of_its_entry(desk: Desk) -> None:
    desk.submit(*LINES)
    with desk.serving() as url:
        assert desk.agent("once", "--feed", url).exit_code == 0
        before = asyncio.run(_in_service(desk))
        report = desk.submit(_lift())
        assert report["rejected"] == []
        assert desk.agent("once", "--feed", url).exit_code == 0
    after = asyncio.run(_in_service(desk))
    assert after[0] == before[0] + 1
    assert after[1] < before[1]


def test_an_agent_says_on_disk_what_is_in_service_and_what_is_wrong(desk: Desk) -> None:
    desk.submit(*LINES)
    with desk.serving() as url:
        assert desk.agent("once", "--feed", url).exit_code == 0
    away = desk.agent("once", "--feed", "http://127.0.0.1:1")
    assert "the feed cannot be read" in str(away.exception)
    shown = CliRunner().invoke(agent, ["status", "--state", str(desk.directory / "agent")])
    report = json.loads(shown.stdout)
    assert [alarm["name"] for alarm in report["alarms"]] == ["FEED_UNREACHABLE"]
    assert report["list"]["version"] == json.loads(desk.publisher("status").stdout)["version"]


def test_status_says_version_age_backlog_and_the_last_alarm(desk: Desk) -> None:
    report = desk.submit(*LINES)
    with desk.serving() as url:
        assert desk.agent("once", "--feed", url).exit_code == 0
    desk.agent("once", "--feed", "http://127.0.0.1:1")
    shown = desk.status()
    assert (shown["ready"], shown["not_ready"], shown["version"]) == (True, "", report["version"])
    assert 0 <= shown["age_s"] < 600
    assert shown["backlog"] == {"versions": 0, "records": 0}
    assert shown["last_alarm"]["name"] == "FEED_UNREACHABLE"
    assert [alarm["name"] for alarm in shown["alarms"]] == ["FEED_UNREACHABLE"]


def test_status_says_why_no_list_is_ready(desk: Desk) -> None:
    assert "nothing is announced yet" in desk.status()["not_ready"]
    assert desk.status()["backlog"] is None
    desk.agent("once", "--feed", "http://127.0.0.1:1")
    assert "the feed cannot be read" in desk.status()["not_ready"]
    desk.redis_url = "redis://127.0.0.1:1"
    shown = desk.status()
    assert (shown["ready"], shown["version"]) == (False, 0)
    assert "see whether the store runs" in shown["not_ready"]


def test_nobody_else_reads_the_book(tmp_path: Path) -> None:
    """A directory that was there before may be open to everybody; the book holds names and numbers."""
    court = Desk(tmp_path, "redis://127.0.0.1:1")
    court.court.mkdir(mode=0o755)
    assert court.publisher("init", "--sandbox").exit_code == 0
    readable = [path.name for path in court.court.glob("book*") if path.stat().st_mode & 0o077]
    assert (court.court / "book.sqlite").is_file()
    assert readable == []


def test_a_list_is_founded_once(desk: Desk) -> None:
    again = desk.publisher("init", "--sandbox")
    assert "not empty" in str(again.exception)


def test_a_directory_without_a_list_is_named(tmp_path: Path) -> None:
    lost = Desk(tmp_path / "nowhere", "redis://127.0.0.1:1").publisher("status")
    assert "lintel publisher init" in str(lost.exception)


def test_parameters_never_go_back(desk: Desk) -> None:
    signed = Parameters.parse(PARAMETERS.read_bytes())
    later = desk.publisher("parameters", "-", lines=replace(signed, version=signed.version + 1).to_bytes().decode())
    assert later.exit_code == 0, later.output
    back = desk.publisher("parameters", str(PARAMETERS))
    assert "is in force" in str(back.exception)
    other = replace(signed, version=signed.version + 1, authority="somebody else").to_bytes().decode()
    assert "is in force" in str(desk.publisher("parameters", "-", lines=other).exception)


def test_what_a_submission_left_unsigned_is_signed_by_duty(desk: Desk) -> None:
    """A first load waits for whoever submits; of a list in service nothing waits, for it may be a lift."""
    with opened(desk.court) as court:
        before = court.feed.state.version
        for _ in court.intake.submit(_stream(LINES), "batch", lambda: 1_790_000_000.0):
            pass
        heartbeat, sign, clear_up = duties(court, lambda: 1_790_000_000.0)
        with submitting(desk.court):
            sign.act()
            assert court.feed.state.version == before
        sign.act()
        assert court.feed.state.version == before + 1
        for _ in court.intake.submit(_stream((_lift(),)), "batch-2", lambda: 1_790_000_000.0):
            pass
        with submitting(desk.court):
            sign.act()
            assert court.feed.state.version == before + 2
        heartbeat.act()
        clear_up.act()
        assert court.book.waiting == 0


def test_several_may_submit_at_once_and_nobody_is_then_alone(tmp_path: Path) -> None:
    with submitting(tmp_path), submitting(tmp_path), alone(tmp_path) as nobody_submits:
        assert not nobody_submits
    with alone(tmp_path) as nobody_submits:
        assert nobody_submits


def _lift() -> str:
    """The lift of somebody who is listed once."""
    listing = next(event for event in map(json.loads, LINES) if _is_alone(event))
    lift = {key: listing[key] for key in ("issued_at", "effective_at", "issuer", "legal_basis")} | {
        "event_id": "the-lift", "type": "LIFT", "entry_id": listing["entry"]["entry_id"],
        "ground": "PERFORMED", "ground_at": listing["effective_at"][:10],
    }  # fmt: skip
    return json.dumps(lift)


def _is_alone(event: dict[str, Any]) -> bool:
    """Whether the event lists a subject that no other line lists."""
    if event["type"] != "LIST" or not event["entry"]["publishable"]:
        return False
    return sum(event["entry"]["subject"]["documents"][0]["number"] in line for line in LINES) == 1


def _stream(lines: tuple[str, ...]) -> io.BytesIO:
    return io.BytesIO("\n".join(lines).encode())
