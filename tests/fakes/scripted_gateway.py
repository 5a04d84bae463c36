"""A gateway whose answers are scripted, behind a real gRPC server: for tests of what callers install."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2
from grpc_status import rpc_status

from lintel.v1 import answer_pb2 as pb
from lintel.v1 import restriction_pb2, restriction_pb2_grpc

AS_OF_S = 1_777_000_000


class Script(Protocol):
    """What a gateway says to one check: an answer, or the status it fails with."""

    def __call__(self, request: restriction_pb2.CheckRequest, /) -> pb.CheckResponse | status_pb2.Status: ...


@dataclass
class ScriptedGateway(restriction_pb2_grpc.RestrictionServiceServicer):
    """Answers each check by its script, and remembers what it was asked and with which credential."""

    script: Script
    asked: list[restriction_pb2.CheckRequest] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    reshape: Callable[[restriction_pb2.BatchCheckResponse], object] = lambda _response: None

    def Check(self, request: restriction_pb2.CheckRequest, context: Any) -> pb.CheckResponse:  # noqa: N802 - gRPC's
        self._remember(request, context)
        said = self.script(request)
        if isinstance(said, status_pb2.Status):
            context.abort_with_status(rpc_status.to_status(said))
        assert isinstance(said, pb.CheckResponse)
        return said

    def BatchCheck(  # noqa: N802 - gRPC's
        self, request: restriction_pb2.BatchCheckRequest, context: Any
    ) -> restriction_pb2.BatchCheckResponse:
        response = restriction_pb2.BatchCheckResponse()
        for check in request.checks:
            self._remember(check, context)
            said = self.script(check)
            if isinstance(said, status_pb2.Status):
                response.results.add(error=said)
            else:
                response.results.add(answer=said)
        self.reshape(response)
        return response

    def GetListStatus(  # noqa: N802 - gRPC's
        self, request: restriction_pb2.GetListStatusRequest, context: Any
    ) -> restriction_pb2.GetListStatusResponse:
        del request, context
        now = Timestamp(seconds=AS_OF_S + 3)
        return restriction_pb2.GetListStatusResponse(
            version=7, as_of=Timestamp(seconds=AS_OF_S), age=Duration(seconds=3),
            record_count=2, epoch=1, ready=True, server_time=now, build="test",
        )  # fmt: skip

    def _remember(self, request: restriction_pb2.CheckRequest, context: Any) -> None:
        self.asked.append(request)
        self.credentials += [value for key, value in context.invocation_metadata() if key == "authorization"]


def answer(
    request: restriction_pb2.CheckRequest, outcome: str = "NOT_RESTRICTED", advice: str = "PROCEED", **more: Any
) -> pb.CheckResponse:
    """A whole answer to this request; `more` are further fields of the message."""
    product = request.DESCRIPTOR.fields_by_name[request.WhichOneof("product") or "lodging"]
    measure = pb.Measure.Name(product.number - 20)  # type: ignore[arg-type]  # a number of the enum
    return pb.CheckResponse(
        request_id=request.request_id, decision_id="d-1", measure=pb.Measure.Value(more.pop("measure", measure)),
        outcome=pb.Outcome.Value(f"OUTCOME_{outcome}"), advice=pb.Advice.Value(f"ADVICE_{advice}"),
        list_version=7, list_as_of=Timestamp(seconds=AS_OF_S), **more,
    )  # fmt: skip


@contextmanager
def serving(gateway: ScriptedGateway) -> Iterator[str]:
    """The address on which this gateway is served, on loopback in clear."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    restriction_pb2_grpc.add_RestrictionServiceServicer_to_server(gateway, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
