"""The gRPC server: limits, health, reflection, start and drain.

Rules that hold here:
- I16: every limit of a connection and a message is set here, in one table.
- A taken port is refused by name: without SO_REUSEPORT two gateways never share one unnoticed.
- Health is NOT_SERVING until a list is in service, and from the moment of draining on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from gateway.admission import Admission
from gateway.doors.grpc.court import COURT_SERVICE
from gateway.doors.grpc.handlers import SERVICE
from gateway.views import View
from restriction.errors import SettingError

MAX_MESSAGE_BYTES: Final = 1 << 20  # a batch; a single check is held to less by its handler
REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection"
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 8 * 1_024),
    ("grpc.absolute_max_metadata_size", 16 * 1_024),
    ("grpc.max_concurrent_streams", 100),
    # Otherwise a burst of more is refused with UNAVAILABLE in part, instead of waiting its turn at the caller.
    ("grpc.http.overload_protection", 0),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),  # a desk may hold an idle connection, at the pace of the next two rows
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
)
_log: Final = structlog.get_logger(__name__)


class Reflection(grpc.GenericRpcHandler):
    """Server reflection under both names, whose messages are the same on the wire, while `allowed` says so."""

    def __init__(self, allowed: Callable[[], bool]) -> None:
        servicer = reflection.aio.ReflectionServicer(
            [SERVICE, COURT_SERVICE, health.SERVICE_NAME, REFLECTION_V1, reflection.SERVICE_NAME]
        )
        self._allowed = allowed
        self._paths = {f"/{name}/ServerReflectionInfo" for name in (REFLECTION_V1, reflection.SERVICE_NAME)}
        self._handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a reflection call; None (UNIMPLEMENTED) for any other, and while it is not allowed."""
        return self._handler if handler_call_details.method in self._paths and self._allowed() else None


class Health:
    """What grpc.health.v1 says of the whole server and of each service."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()

    async def serve_nothing(self) -> None:
        """Say NOT_SERVING: no list is in service yet."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def serve_list(self, view: View) -> None:
        """Say SERVING: a list is in service."""
        del view
        await self._set(health_pb2.HealthCheckResponse.SERVING)

    async def drain(self) -> None:
        """Say NOT_SERVING for good."""
        await self.servicer.enter_graceful_shutdown()

    async def _set(self, status: int) -> None:
        for service in (health.OVERALL_HEALTH, SERVICE, COURT_SERVICE):
            await self.servicer.set(service, status)


class GrpcServer:
    """One listening server."""

    def __init__(self, services: Sequence[grpc.GenericRpcHandler], listing: Health, admission: Admission) -> None:
        self._health = listing
        self._admission = admission
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers(services)
        health_pb2_grpc.add_HealthServicer_to_server(listing.servicer, self._server)

    async def start(self, listen: str, credentials: grpc.ServerCredentials | None) -> int:
        """Listen, in clear without credentials, and return the port. Raises: SettingError when it is taken."""
        await self._health.serve_nothing()
        try:
            port = (
                self._server.add_insecure_port(listen)
                if credentials is None
                else self._server.add_secure_port(listen, credentials)
            )
        except RuntimeError as error:
            raise SettingError(
                f"--listen {listen}: cannot be bound: another server has it, or no such address"
            ) from error
        await self._server.start()
        _log.info("listening", address=listen, port=port, tls=credentials is not None)
        return port

    async def drain(self, grace_s: float) -> None:
        """Say NOT_SERVING, send further calls elsewhere, let those under way end within `grace_s`, and stop.

        A server that is stopped while calls arrive cancels them, which no caller retries: so they are refused first.
        """
        _log.info("draining", grace_s=grace_s)
        await self._health.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._admission.close(), grace_s)
        await self._server.stop(0)


def server_credentials(chain: Path, key: Path) -> grpc.ServerCredentials:
    """Credentials of a certificate chain and its key, both PEM. Raises: SettingError."""
    try:
        return grpc.ssl_server_credentials([(key.read_bytes(), chain.read_bytes())])
    except OSError as error:
        raise SettingError(f"{error.filename}: {error.strerror}: name certificate and key as PEM files") from error
