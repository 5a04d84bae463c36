"""The gRPC server itself: limits, deadlines, cancels, health, reflection, drain."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from gateway.doors.grpc import guard
from gateway.doors.grpc.court import COURT_SERVICE
from gateway.doors.grpc.handlers import SERVICE
from gateway.doors.grpc.server import MAX_MESSAGE_BYTES, REFLECTION_V1, GrpcServer, Health, server_credentials
from lintel.v1 import answer_pb2 as answers
from restriction.errors import SettingError
from tests.fakes.doors import CLEAR, LISTED, GrpcCaller, House, Refusal, check_request, opened
from tests.fakes.gateway import Desk

LIMIT = 4
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Gate:
    """A store look-up that waits until it is let go, and counts who waits."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting = 0
        self.cancelled = 0

    async def find(self, *_: object) -> None:
        """Wait; nobody is listed."""
        self.waiting += 1
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1

    async def until_waiting(self, count: int) -> None:
        """Return once exactly so many wait."""
        async with asyncio.timeout(10):
            while self.waiting != count:  # noqa: ASYNC110 - calls come and go by themselves
                await asyncio.sleep(0.001)


@pytest.fixture
async def crowded(desk: Desk) -> AsyncIterator[House]:
    """A gateway with few places."""
    async with opened(desk, limit=LIMIT) as house:
        yield house


@pytest.fixture
def gate(desk: Desk) -> Gate:
    made = Gate()
    desk.reader.find = made.find  # type: ignore[method-assign, assignment]  # every look-up waits at the gate
    return made


def ask(house: House, count: int) -> list[asyncio.Task[answers.CheckResponse]]:
    return [asyncio.create_task(house.caller.check(check_request(LISTED))) for _ in range(count)]


async def refused(tasks: list[asyncio.Task[answers.CheckResponse]]) -> list[Refusal]:
    done = await asyncio.gather(*tasks, return_exceptions=True)
    return [each for each in done if isinstance(each, Refusal)]


class TestLimits:
    async def test_second_and_third_wave_over_the_limit_are_refused_at_once(self, crowded: House, gate: Gate) -> None:
        first = ask(crowded, LIMIT)
        await gate.until_waiting(LIMIT)
        for _ in range(3):
            over = await refused(ask(crowded, 2 * LIMIT))
            assert [each.code for each in over] == ["RESOURCE_EXHAUSTED"] * 2 * LIMIT
            assert over[0].detail(error_details_pb2.RetryInfo).retry_delay.nanos > 0
        assert gate.waiting == LIMIT
        gate.opened.set()
        assert await refused(first) == []
        assert crowded.admission.in_flight == 0

    async def test_place_is_free_again_after_errors_and_cancels(self, crowded: House, gate: Gate) -> None:
        for _ in range(3 * LIMIT):
            with pytest.raises(Refusal):
                await crowded.caller.check(check_request(name="*"))
        for _ in range(3):
            tasks = ask(crowded, LIMIT)
            await gate.until_waiting(LIMIT)
            for task in tasks:
                task.cancel()
            await gate.until_waiting(0)
        assert gate.cancelled == 3 * LIMIT
        gate.opened.set()
        assert await refused(ask(crowded, LIMIT)) == []

    async def test_message_over_the_limit_is_refused_before_it_is_held(self, crowded: House) -> None:
        with pytest.raises(Refusal) as over:
            await crowded.caller.batch(bytes(MAX_MESSAGE_BYTES + 1))
        assert over.value.code == "RESOURCE_EXHAUSTED"

    async def test_connection_has_a_hundred_streams_and_no_more(self, desk: Desk, gate: Gate) -> None:
        async with opened(desk, limit=300) as house:
            await house.caller.check(check_request(CLEAR))  # so that the caller knows the limit
            tasks = ask(house, 130)
            await gate.until_waiting(100)
            gate.opened.set()
            assert await refused(tasks) == []


class TestDeadline:
    async def test_call_without_a_deadline_is_given_one(
        self, crowded: House, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guard, "DEFAULT_DEADLINE_S", 0.05)
        with pytest.raises(Refusal) as late:
            await crowded.caller.call("Check", check_request(LISTED), "test_hotel", timeout_s=None)
        assert (late.value.code, late.value.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
        assert gate.cancelled == 1

    async def test_callers_own_deadline_ends_the_work(self, crowded: House, gate: Gate) -> None:
        with pytest.raises(Refusal) as late:
            await crowded.caller.call("Check", check_request(LISTED), "test_hotel", timeout_s=0.05)
        assert late.value.code == "DEADLINE_EXCEEDED"
        await gate.until_waiting(0)
        assert crowded.admission.in_flight == 0


async def health_of(house: House, service: str = SERVICE) -> int:
    asked = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
    ask = house.caller.channel.unary_unary("/grpc.health.v1.Health/Check")
    return health_pb2.HealthCheckResponse.FromString(await ask(asked, timeout=10)).status


class TestHealth:
    async def test_serves_nothing_until_a_list_is_in_service(self, tmp_path: Path) -> None:
        desk = Desk(tmp_path)
        async with opened(desk) as house:
            assert [await health_of(house, service) for service in ("", SERVICE, COURT_SERVICE)] == [NOT_SERVING] * 3
            with pytest.raises(Refusal) as early:
                await house.caller.check(check_request())
            assert (early.value.code, early.value.reason) == ("UNAVAILABLE", "NOT_READY")
            assert early.value.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1
            status = await house.caller.status()
            assert (status.ready, status.version, status.HasField("as_of")) == (False, 0, False)
            assert status.not_ready_reason
            await desk.open(LISTED)
            assert [await health_of(house, service) for service in ("", SERVICE, COURT_SERVICE)] == [SERVING] * 3

    async def test_unknown_service_is_not_found(self, house: House) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health_of(house, "lintel.v1.Nothing")
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


class TestDrain:
    async def test_calls_under_way_end_and_further_ones_are_sent_elsewhere(self, crowded: House, gate: Gate) -> None:
        under_way = ask(crowded, 2)
        await gate.until_waiting(2)
        draining = asyncio.create_task(crowded.server.drain(10))
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as late:
            await crowded.caller.check(check_request(CLEAR))
        assert (late.value.code, late.value.reason) == ("UNAVAILABLE", "NOT_READY")
        assert late.value.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1
        assert await health_of(crowded) == NOT_SERVING
        gate.opened.set()
        assert await refused(under_way) == []
        await draining

    async def test_call_that_does_not_end_is_ended(self, crowded: House, gate: Gate) -> None:
        under_way = ask(crowded, 1)
        await gate.until_waiting(1)
        await crowded.server.drain(0.05)
        assert [each.code for each in await refused(under_way)] == ["UNAVAILABLE"]
        await gate.until_waiting(0)


async def services(house: House, name: str) -> list[str]:
    asked = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    ask: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
    ask = house.caller.channel.stream_stream(f"/{name}/ServerReflectionInfo")
    replies = [reflection_pb2.ServerReflectionResponse.FromString(raw) async for raw in ask(iter([asked]))]
    return [service.name for service in replies[0].list_services_response.service]


class TestReflection:
    @pytest.mark.parametrize("name", [REFLECTION_V1, "grpc.reflection.v1alpha.ServerReflection"])
    async def test_lists_the_services_under_both_names(self, house: House, name: str) -> None:
        assert {SERVICE, COURT_SERVICE} < set(await services(house, name))

    async def test_is_unimplemented_unless_allowed(self, desk: Desk) -> None:
        async with opened(desk, reflection=False) as house:
            with pytest.raises(grpc.aio.AioRpcError) as hidden:
                await services(house, REFLECTION_V1)
            assert hidden.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_taken_port_is_refused_by_name(house: House) -> None:
    second = GrpcServer((), Health(), house.admission)
    with pytest.raises(SettingError, match="--listen"):
        await second.start(f"127.0.0.1:{house.port}", None)


class TestTls:
    async def test_certificate_is_shown_and_answers_are_given(self, house: House, tmp_path: Path) -> None:
        chain, key = self_signed(tmp_path)
        secure = GrpcServer((house.handlers,), Health(), house.admission)
        port = await secure.start("127.0.0.1:0", server_credentials(chain, key))
        trusted = grpc.ssl_channel_credentials(chain.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{port}", trusted) as channel:
            assert (await GrpcCaller(channel).check(check_request(LISTED))).outcome == answers.OUTCOME_RESTRICTED
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(Refusal) as in_clear:
                await GrpcCaller(channel).check(check_request(LISTED))
        assert in_clear.value.code == "UNAVAILABLE"
        await secure.drain(0)

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match=r"key\.pem"):
            server_credentials(tmp_path / "chain.pem", tmp_path / "key.pem")


def self_signed(directory: Path) -> tuple[Path, Path]:
    """A certificate of localhost and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begun = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, begun, begun.replace(year=2100))
    named = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    chain_file, key_file = directory / "chain.pem", directory / "key.pem"
    chain_file.write_bytes(named.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain_file, key_file


async def test_unknown_method_is_unimplemented(house: House) -> None:
    with pytest.raises(Refusal) as unknown:
        await house.caller.call("Sweep", b"", "test_hotel")
    assert unknown.value.code == "UNIMPLEMENTED"


async def test_answers_belong_to_their_questions_under_load(house: House) -> None:
    async def one(index: int) -> bool:
        request = check_request(LISTED if index % 3 == 0 else CLEAR)
        request.request_id = f"00000000-0000-4000-8000-{index:012d}"
        answer = await house.caller.check(request)
        restricted = answer.outcome == answers.OUTCOME_RESTRICTED
        return answer.request_id == request.request_id and restricted == (index % 3 == 0)

    async def some(start: int) -> list[bool]:
        return [await one(index) for index in range(start, start + 40)]

    assert all(fine for block in await asyncio.gather(*(some(40 * part) for part in range(8))) for fine in block)
