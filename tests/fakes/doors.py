"""Every door there is, as a caller sees it: bytes on a real connection, and what came back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.access import Access, Court, Unit, write_units
from gateway.admission import Admission
from gateway.doors.grpc.court import COURT_SERVICE, CourtDoor
from gateway.doors.grpc.guard import Guard
from gateway.doors.grpc.handlers import SERVICE, Core, RestrictionDoor
from gateway.doors.grpc.server import GrpcServer, Health, Reflection
from gateway.metrics import Tally
from gateway.question import decision_ids
from lintel.v1 import answer_pb2, court_pb2, document_pb2, product_pb2
from lintel.v1 import restriction_pb2 as pb
from restriction.identity import Mode
from restriction.measures import Sector
from settings.caller_keys import hash_key
from tests.fakes.court import number
from tests.fakes.gateway import HOTEL, NAME, REQUEST_ID, Desk

# Held for the whole run: when the last object of grpc.aio goes, its poller is joined, which hangs now and then while
# another test's loop is running.
grpc.aio.init_grpc_aio()

D = TypeVar("D", bound=Message)
LISTED, CLEAR = 1, 3
KEYS_OF = {sector: f"test_{sector}" for sector in Sector}
COURT_KEY = "test_court"
HOTEL_KEY = KEYS_OF[Sector.HOTEL]


def check_request(sequence: int = LISTED, **changes: object) -> pb.CheckRequest:
    """A check-in tonight (15 May 2026), four stars."""
    request = pb.CheckRequest(
        request_id=REQUEST_ID,
        document=document_pb2.Document(type=document_pb2.DOCUMENT_TYPE_RESIDENT_ID, number=number(sequence)),
        name=NAME,
        booking_reference="booking-1",
        lodging=product_pb2.Lodging(
            star_rating=4, rating_status=product_pb2.RATING_STATUS_IN_FORCE, establishment_id="H-1", emergency=False
        ),
    )
    request.service_date.year, request.service_date.month, request.service_date.day = 2026, 5, 15
    return changed(request, **changes)


def changed(request: pb.CheckRequest, **changes: object) -> pb.CheckRequest:
    """The request with these fields replaced; None leaves a field out."""
    for name, value in changes.items():
        request.ClearField(name)  # type: ignore[arg-type]  # a field's name
        if value is not None:
            request.MergeFrom(pb.CheckRequest(**{name: value}))  # type: ignore[arg-type]  # and its value
    return request


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - what the wire calls a status, not a class of ours
    """A question without an answer, as the wire says it."""

    code: str
    status: status_pb2.Status = field(default_factory=status_pb2.Status)

    def detail(self, kind: type[D]) -> D:
        """The detail of this kind. Raises: StopIteration when there is none."""
        return next(self.details(kind))

    def details(self, kind: type[D]) -> Iterator[D]:
        """All details of this kind."""
        for detail in self.status.details:
            message = kind()
            if detail.Unpack(message):
                yield message

    @property
    def reason(self) -> str:
        """What callers match on."""
        return self.detail(error_details_pb2.ErrorInfo).reason

    @property
    def field_and_problem(self) -> tuple[str, str]:
        """The field that was refused, and why."""
        (violation,) = self.detail(error_details_pb2.BadRequest).field_violations
        return violation.field, violation.reason


class Door(Protocol):
    """How a caller asks through a door. Every method raises Refusal."""

    async def check(self, request: pb.CheckRequest | bytes, key: str | None = HOTEL_KEY) -> answer_pb2.CheckResponse:
        """Ask one question."""

    async def batch(self, request: pb.BatchCheckRequest | bytes, key: str | None = HOTEL_KEY) -> pb.BatchCheckResponse:
        """Ask many."""

    async def status(self, key: str | None = HOTEL_KEY) -> pb.GetListStatusResponse:
        """Ask about the list."""


class GrpcCaller:
    """A caller of the gRPC door."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    async def check(self, request: pb.CheckRequest | bytes, key: str | None = HOTEL_KEY) -> answer_pb2.CheckResponse:
        return answer_pb2.CheckResponse.FromString(await self.call("Check", request, key))

    async def batch(self, request: pb.BatchCheckRequest | bytes, key: str | None = HOTEL_KEY) -> pb.BatchCheckResponse:
        return pb.BatchCheckResponse.FromString(await self.call("BatchCheck", request, key))

    async def status(self, key: str | None = HOTEL_KEY) -> pb.GetListStatusResponse:
        return pb.GetListStatusResponse.FromString(await self.call("GetListStatus", b"", key))

    async def effect(self, version: int, key: str | None = COURT_KEY) -> court_pb2.GetEffectResponse:
        """Ask, as the court, what became of a version."""
        request = court_pb2.GetEffectRequest(list_version=version)
        return court_pb2.GetEffectResponse.FromString(await self.call(f"/{COURT_SERVICE}/GetEffect", request, key))

    async def call(self, method: str, request: Message | bytes, key: str | None, timeout_s: float | None = 10) -> bytes:
        """One call, its answer as bytes; a method without a service is RestrictionService's."""
        path = method if method.startswith("/") else f"/{SERVICE}/{method}"
        raw = request if isinstance(request, bytes) else request.SerializeToString()
        metadata = () if key is None else (("authorization", f"Bearer {key}"),)
        try:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(path)
            return await ask(raw, metadata=metadata, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the stubs know the other API's calls only
            raise Refusal(error.code().name, status or status_pb2.Status()) from error


@dataclass
class House:
    """A gateway with a door: what stands behind it, and what a test needs to disturb it."""

    desk: Desk
    access: Access
    admission: Admission
    tally: Tally
    handlers: grpc.GenericRpcHandler
    server: GrpcServer
    caller: GrpcCaller
    port: int


@contextlib.asynccontextmanager
async def opened(desk: Desk, *, limit: int = 16, reflection: bool = True) -> AsyncIterator[House]:
    """A real server on a port of its own, with one unit per sector, and the court."""
    units = [
        Unit(HOTEL.id if sector is Sector.HOTEL else sector.value, sector, Mode.SANDBOX, hash_key(key),
             responsible_person=HOTEL.responsible_person, privacy_contact=HOTEL.privacy_contact)
        for sector, key in KEYS_OF.items()
    ]  # fmt: skip
    court = Court("court", Mode.SANDBOX, hash_key(COURT_KEY))
    write_units(desk.home / "units.yaml", (court, *units))
    access, admission, tally, health = Access(desk.home / "units.yaml"), Admission(limit), Tally(), Health()
    core = Core(access, desk.screener, desk.follower, desk.clocks, tally, "test")
    guard = Guard(admission, tally, decision_ids("incident"))
    door, court_door = RestrictionDoor(core, guard), CourtDoor(access, desk.reader, guard)
    server = GrpcServer((door.handlers(), court_door.handlers(), Reflection(lambda: reflection)), health, admission)
    port = await server.start("127.0.0.1:0", None)
    desk.listeners.append(health.serve_list)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield House(desk, access, admission, tally, door.handlers(), server, GrpcCaller(channel), port)
    await server.drain(0)


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    """A gateway on a list with two persons."""
    made = Desk(tmp_path)
    await made.open(LISTED, LISTED + 1)
    return made


@pytest.fixture
async def house(desk: Desk) -> AsyncIterator[House]:
    async with opened(desk) as made:
        yield made


@pytest.fixture(params=["grpc"])
def door(house: House) -> Door:
    """The door under test."""
    return house.caller
