"""The methods of RestrictionService: three moves each - convert, call, convert - inside one guard for all.

Handlers take and give bytes, so that an oversized or malformed message is told by name like any other field, and so
that the whole way from bytes to bytes can be measured.

Rules that hold here:
- I15: nothing is read of a message before its credential is known to be a live unit's.
- I11: whatever goes wrong becomes a status, never an answer.
- Of an unexpected error a log line keeps class and place under an incident number: its message may hold an identity.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import grpc
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from gateway.access import Access, Unit
from gateway.admission import Admission
from gateway.doors.grpc.convert import parse, read_batch, read_check, read_question
from gateway.doors.grpc.errors_table import UNEXPECTED, reason_of, row_of, status_of
from gateway.doors.grpc.reply import list_status, write_answer
from gateway.follower import Follower
from gateway.metrics import Tally
from gateway.question import Answer, Clocks, Question
from gateway.screener import Screener
from gateway.turns import in_turns
from lintel.v1 import restriction_pb2 as pb
from lintel.v1.answer_pb2 import CheckResponse
from restriction.errors import QuestionError

DEFAULT_DEADLINE_S: Final = 2.0  # for a caller that gives none: longer than any answer, shorter than a guest's patience
SERVICE: Final = pb.DESCRIPTOR.services_by_name["RestrictionService"].full_name
_log: Final = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[bytes, bytes]
Move = Callable[[Unit, bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Core:
    """What every door stands on."""

    access: Access
    screener: Screener
    follower: Follower
    clocks: Clocks
    tally: Tally
    build: str


class RestrictionDoor:
    """RestrictionService over a core."""

    def __init__(self, core: Core, admission: Admission, incident_ids: Iterator[str]) -> None:
        self._core = core
        self._admission = admission
        self._incident_ids = incident_ids

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods as gRPC takes them, bytes in and bytes out."""
        moves = {"Check": self._check, "BatchCheck": self._batch_check, "GetListStatus": self._get_list_status}
        return grpc.method_handlers_generic_handler(
            SERVICE, {name: grpc.unary_unary_rpc_method_handler(self._guarded(move)) for name, move in moves.items()}
        )

    async def _check(self, unit: Unit, raw: bytes) -> bytes:
        question = read_check(raw, unit)
        answer = await self._core.screener.check(unit, question)
        return self._counted(unit, question, answer, with_notice=True).SerializeToString()

    async def _batch_check(self, unit: Unit, raw: bytes) -> bytes:
        read = [self._read(request, unit) async for request in in_turns(read_batch(raw).checks)]
        questions = [each for each in read if isinstance(each, Question)]
        answers = iter(await self._core.screener.check_many(unit, questions))
        results = [
            self._result(unit, each, next(answers)) if isinstance(each, Question) else self._error(each)
            async for each in in_turns(read)
        ]
        return pb.BatchCheckResponse(results=results).SerializeToString()

    async def _get_list_status(self, unit: Unit, raw: bytes) -> bytes:
        del unit
        parse(pb.GetListStatusRequest, raw)
        return list_status(self._core.follower, self._core.clocks, self._core.build).SerializeToString()

    def _read(self, request: pb.CheckRequest, unit: Unit) -> Question | QuestionError:
        try:
            return read_question(request, unit)
        except QuestionError as error:
            return error

    def _result(self, unit: Unit, question: Question, answer: Answer | QuestionError) -> pb.BatchCheckResult:
        if isinstance(answer, QuestionError):
            return self._error(answer)
        return pb.BatchCheckResult(answer=self._counted(unit, question, answer, with_notice=False))

    def _error(self, error: QuestionError) -> pb.BatchCheckResult:
        self._core.tally.refused(error.reason)
        return pb.BatchCheckResult(error=status_of(error))

    def _counted(self, unit: Unit, question: Question, answer: Answer, *, with_notice: bool) -> CheckResponse:
        self._core.tally.answered(unit.id, answer)
        return write_answer(unit, question, answer, with_notice=with_notice)

    def _guarded(self, move: Move) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(raw: bytes, context: Context) -> bytes:
            try:
                with self._admission:
                    unit = self._core.access.authenticate(_credential(context))
                    if context.time_remaining() is not None:
                        return await move(unit, raw)
                    async with asyncio.timeout(DEFAULT_DEADLINE_S):
                        return await move(unit, raw)
            except Exception as error:  # noqa: BLE001 - I11: every failure becomes a status here, and nowhere else
                status = self._refused(error)
            await context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError  # abort_with_status never returns

        return handle

    def _refused(self, error: Exception) -> status_pb2.Status:
        self._core.tally.refused(reason_of(error))
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
