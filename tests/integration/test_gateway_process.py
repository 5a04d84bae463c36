"""The gateway as a process of its own on a real Valkey: started, asked, suspended from, scraped, killed, drained."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from gateway.access import read_units
from ledger.journal import read_records
from lintel.v1 import answer_pb2 as answers
from lintel.v1 import restriction_pb2 as pb
from liststore.wiring import open_writer
from restriction.calendar import Span, date_from_day, day_of
from restriction.record import Grant
from restriction.token import TokenKeys
from settings.caller_keys import hash_key
from tests.fakes.clock import FakeClock
from tests.fakes.doors import CLEAR, LISTED, GrpcCaller, Refusal, check_request
from tests.fakes.gateway import ALL_MEASURES, KEYS, SampleList, identity, record

LINTEL = (sys.executable, "-m", "cli")
SECRET = bytes(range(32))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Host:
    """A host that a gateway runs on."""

    home: Path
    redis_url: str
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LINTEL_HOME": str(self.home), "LINTEL_REDIS_URL": self.redis_url}

    def lintel(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command
            [*LINTEL, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        arguments = (
            *("gateway", "serve", "--listen", f"127.0.0.1:{self.port}", "--insecure"),
            *("--metrics-listen", f"127.0.0.1:{self.metrics_port}"),
        )
        with (self.home / "gateway.log").open("ab") as log:
            process = subprocess.Popen([*LINTEL, *arguments], env=self.environment, stderr=log)  # noqa: S603 - as above
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @contextlib.asynccontextmanager
    async def caller(self) -> AsyncIterator[GrpcCaller]:
        """A caller, once the gateway is ready."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), 30)
            yield GrpcCaller(channel)

    def told(self) -> set[str]:
        """Decision ids on file."""
        files = (self.home / "gateway" / "journal").glob("*.journal")
        return {told.decision_id for path in files for told in read_records(path)}


@pytest.fixture
async def sample(valkey_url: str) -> AsyncIterator[SampleList]:
    writer = open_writer(valkey_url, KEYS.bucket_key)
    made = SampleList(writer, FakeClock())
    await made.load({identity(LISTED): record(identity(LISTED), grants=ever()), identity(2): record(identity(2))})
    await made.put_image()
    yield made
    await writer.close()


def ever() -> tuple[Grant]:
    """A grant of every measure for all days, since this gateway has the real clock."""
    return (Grant(ALL_MEASURES, ALL_MEASURES, Span(0)),)


@pytest.fixture
def host(tmp_path: Path, valkey_url: str) -> Host:
    (tmp_path / "token.secret").write_text(f"{KEYS.key_id} {SECRET.hex()}\n")
    assert TokenKeys.expand(KEYS.key_id, SECRET) == KEYS
    return Host(tmp_path, valkey_url)


@pytest.fixture
def key(host: Host) -> str:
    added = host.lintel("units", "add", "hotel-1", "--sector", "hotel", "--sandbox")
    assert added.returncode == 0, added.stderr
    return added.stdout.strip()


def tonight(sequence: int) -> pb.CheckRequest:
    request = check_request(sequence)
    date = date_from_day(day_of(FakeClock()()))
    request.service_date.year, request.service_date.month, request.service_date.day = date.year, date.month, date.day
    return request


async def until_refused(caller: GrpcCaller, key: str) -> Refusal:
    async with asyncio.timeout(10):
        while True:
            try:
                await caller.check(tonight(CLEAR), key)
            except Refusal as refusal:
                return refusal
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("sample")
async def test_process_answers_scrapes_suspends_and_drains(host: Host, key: str) -> None:
    with host.serving() as process:
        async with host.caller() as caller:
            await ready(caller, key)
            assert (await caller.check(tonight(LISTED), key)).outcome == answers.OUTCOME_RESTRICTED
            assert (await caller.check(tonight(CLEAR), key)).outcome == answers.OUTCOME_NOT_RESTRICTED
            scraped = await asyncio.to_thread(scrape, host.metrics_port)
            assert 'lintel_answers_total{measure="LODGE",outcome="RESTRICTED",reason="",unit="hotel-1"} 1.0' in scraped
            assert "lintel_list_version 1.0" in scraped
            assert "lintel_filter_in_use 1.0" in scraped
            assert host.lintel("units", "suspend", "hotel-1").returncode == 0
            assert (await until_refused(caller, key)).code == "UNAUTHENTICATED"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


async def ready(caller: GrpcCaller, key: str) -> None:
    async with asyncio.timeout(20):
        while not (await caller.status(key)).ready:  # noqa: ASYNC110 - another process moves
            await asyncio.sleep(0.02)


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        return str(page.read().decode())


async def test_change_of_the_list_is_followed(host: Host, key: str, sample: SampleList) -> None:
    with host.serving():
        async with host.caller() as caller:
            await ready(caller, key)
            await sample.change({identity(LISTED): None, identity(CLEAR): record(identity(CLEAR), grants=ever())})
            async with asyncio.timeout(10):
                while (await caller.check(tonight(CLEAR), key)).outcome == answers.OUTCOME_NOT_RESTRICTED:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert (await caller.check(tonight(LISTED), key)).outcome == answers.OUTCOME_NOT_RESTRICTED


@pytest.mark.usefixtures("sample")
async def test_kill_9_under_load_loses_no_record_of_an_answer_that_was_given(host: Host, key: str) -> None:
    given: list[str] = []

    async def ask(caller: GrpcCaller) -> None:
        with contextlib.suppress(Refusal):
            while True:
                given.append((await caller.check(tonight(LISTED), key)).decision_id)

    with host.serving() as process:
        async with host.caller() as caller:
            await ready(caller, key)
            asking = [asyncio.create_task(ask(caller)) for _ in range(8)]
            async with asyncio.timeout(20):
                while len(given) < 300:  # noqa: ASYNC110 - callers count it
                    await asyncio.sleep(0.01)
            process.kill()
            await asyncio.gather(*asking)
    assert set(given) <= host.told()
    assert len(host.told() - set(given)) <= 8


@pytest.mark.usefixtures("sample")
async def test_what_is_written_and_logged_names_nobody(host: Host, key: str) -> None:
    with host.serving() as process:
        async with host.caller() as caller:
            await ready(caller, key)
            await caller.check(tonight(LISTED), key)
            with pytest.raises(Refusal):
                await caller.check(check_request(document=None), key)
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
    written = b"".join(path.read_bytes() for path in host.home.rglob("*") if path.is_file())
    request = check_request(LISTED)
    for secret in (request.document.number, request.name, request.booking_reference, key):
        assert secret.encode() not in written


class TestRefusedStarts:
    @pytest.mark.parametrize(
        "options", [(), ("--tls-cert",), ("--tls-key",), ("--insecure", "--tls-cert")], ids=" ".join
    )
    def test_without_tls_only_when_told_so_and_then_without_its_files(self, host: Host, options: list[str]) -> None:
        given = [word for option in options for word in ([option] if option == "--insecure" else [option, __file__])]
        refused = host.lintel("gateway", "serve", "--listen", "127.0.0.1:0", *given)
        assert (refused.returncode, "--insecure" in refused.stderr) == (2, True)

    def test_missing_secret_is_named(self, host: Host) -> None:
        (host.home / "token.secret").unlink()
        refused = host.lintel("gateway", "serve", "--listen", "127.0.0.1:0", "--insecure")
        assert refused.returncode == 2
        assert "LINTEL_TOKEN_SECRET_FILE" in refused.stderr


class TestUnits:
    def test_added_unit_is_listed_without_its_key(self, host: Host, key: str) -> None:
        listed = host.lintel("units", "list")
        assert '"hotel-1"' in listed.stdout
        assert hash_key(key) not in listed.stdout
        assert key.startswith("test_")

    def test_id_is_taken_once(self, host: Host, key: str) -> None:
        again = host.lintel("units", "add", "hotel-1", "--sector", "hotel")
        assert again.returncode == 2
        assert key not in again.stdout
        assert len(read_units(host.home / "units.yaml")) == 1

    def test_rotated_key_replaces_the_old_one(self, host: Host, key: str) -> None:
        rotated = host.lintel("units", "rotate", "hotel-1").stdout.strip()
        (unit,) = read_units(host.home / "units.yaml")
        assert unit.key_sha256 == hash_key(rotated) != hash_key(key)

    def test_unknown_unit_is_named(self, host: Host) -> None:
        assert "hotel-9" in host.lintel("units", "suspend", "hotel-9").stderr
