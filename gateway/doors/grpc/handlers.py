"""The methods of RestrictionService: three moves each - convert, call, convert - inside the guard, for live units.

Handlers take and give bytes, so that an oversized or malformed message is told by name like any other field, and so
that the whole way from bytes to bytes can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc

from gateway.access import Access, Unit
from gateway.doors.grpc.convert import parse, read_batch, read_check, read_question
from gateway.doors.grpc.errors_table import status_of
from gateway.doors.grpc.guard import Guard
from gateway.doors.grpc.reply import list_status, write_answer
from gateway.follower import Follower
from gateway.metrics import Tally
from gateway.question import Answer, Clocks, Question
from gateway.screener import Screener
from gateway.turns import in_turns
from lintel.v1 import restriction_pb2 as pb
from lintel.v1.answer_pb2 import CheckResponse
from restriction.errors import QuestionError

SERVICE: Final = pb.DESCRIPTOR.services_by_name["RestrictionService"].full_name


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

    def __init__(self, core: Core, guard: Guard) -> None:
        self._core = core
        self._guard = guard

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods as gRPC takes them, bytes in and bytes out."""
        moves = {"Check": self._check, "BatchCheck": self._batch_check, "GetListStatus": self._get_list_status}
        return self._guard.service(SERVICE, self._core.access.authenticate, moves)

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
