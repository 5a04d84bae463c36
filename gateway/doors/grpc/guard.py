"""One guard for every method of every service: a place in the house, a credential, a deadline, and errors by the table.

Rules that hold here:
- I15: nothing is read of a message before its credential is known to be one that may use the service.
- I11: whatever goes wrong becomes a status, never an answer.
- Of an unexpected error a log line keeps class and place under an incident number: its message may hold an identity.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, TypeVar

import grpc
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from gateway.admission import Admission
from gateway.doors.grpc.errors_table import UNEXPECTED, reason_of, row_of, status_of
from gateway.metrics import Tally

DEFAULT_DEADLINE_S: Final = 2.0  # for a caller that gives none: longer than any answer, shorter than a guest's patience
_log: Final = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[bytes, bytes]
C = TypeVar("C")
Move = Callable[[C, bytes], Awaitable[bytes]]


class Guard:
    """Lets calls in, and turns whatever goes wrong into a status."""

    def __init__(self, admission: Admission, tally: Tally, incident_ids: Iterator[str]) -> None:
        self._admission = admission
        self._tally = tally
        self._incident_ids = incident_ids

    def service(
        self, name: str, authenticate: Callable[[str | None], C], moves: Mapping[str, Move[C]]
    ) -> grpc.GenericRpcHandler:
        """The methods of a service as gRPC takes them, bytes in and bytes out, for whom `authenticate` lets in."""
        return grpc.method_handlers_generic_handler(
            name,
            {
                method: grpc.unary_unary_rpc_method_handler(self._guarded(authenticate, move))
                for method, move in moves.items()
            },
        )

    def _guarded(
        self, authenticate: Callable[[str | None], C], move: Move[C]
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(raw: bytes, context: Context) -> bytes:
            try:
                with self._admission:
                    caller = authenticate(_credential(context))
                    if context.time_remaining() is not None:
                        return await move(caller, raw)
                    async with asyncio.timeout(DEFAULT_DEADLINE_S):
                        return await move(caller, raw)
            except Exception as error:  # noqa: BLE001 - I11: every failure becomes a status here, and nowhere else
                status = self._refused(error)
            await context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError  # abort_with_status never returns

        return handle

    def _refused(self, error: Exception) -> status_pb2.Status:
        self._tally.refused(reason_of(error))
        if row_of(error) is not UNEXPECTED:
            return status_of(error)
        incident = next(self._incident_ids)
        place = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        _log.error("unexpected_error", incident=incident, error=type(error).__name__, place=place[-3:])
        return status_of(error, incident)


def _credential(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else None
    return None
