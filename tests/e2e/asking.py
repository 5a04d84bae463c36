"""Plain questions through the real door, and the answer in the words of the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from lintel.v1 import answer_pb2, restriction_pb2, restriction_pb2_grpc
from loadtests.asking import request_of
from sandbox.identities import Question
from sandbox.stage import Stage

CODES = {code.value[0]: code for code in grpc.StatusCode}
TIMEOUT_S = 10.0
Answer = answer_pb2.CheckResponse | grpc.StatusCode


@dataclass(frozen=True)
class Desk:
    """A way to ask a stage's gateway as any sector."""

    stub: restriction_pb2_grpc.RestrictionServiceStub
    keys: Mapping[str, str]

    def check(self, question: Question) -> Answer:
        """The answer, or the code that came instead."""
        try:
            return self.stub.Check(request_of(question), timeout=TIMEOUT_S, metadata=self._credential(question.sector))
        except grpc.RpcError as error:
            return error.code()

    def batch(self, questions: list[Question]) -> list[Answer]:
        """Answers in order; all questions are of one sector."""
        request = restriction_pb2.BatchCheckRequest(checks=map(request_of, questions))
        results = self.stub.BatchCheck(
            request, timeout=TIMEOUT_S, metadata=self._credential(questions[0].sector)
        ).results
        return [r.answer if r.WhichOneof("result") == "answer" else CODES[r.error.code] for r in results]

    def _credential(self, sector: str) -> tuple[tuple[str, str]]:
        return (("authorization", f"Bearer {self.keys[sector]}"),)


@contextmanager
def desk_at(stage: Stage) -> Iterator[Desk]:
    """A desk with its channel."""
    with grpc.insecure_channel(stage.address) as channel:
        yield Desk(restriction_pb2_grpc.RestrictionServiceStub(channel), stage.keys)


def said(answer: Answer) -> str:
    """Such as `RESTRICTED`, `CAPPED 1000`, `UNDETERMINED TEXT_UNCLEAR` or `INVALID_ARGUMENT`."""
    if isinstance(answer, grpc.StatusCode):
        return answer.name
    outcome = answer_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_")
    if answer.outcome == answer_pb2.OUTCOME_CAPPED:
        return f"{outcome} {answer.cap.units}"
    if answer.outcome == answer_pb2.OUTCOME_UNDETERMINED:
        return f"{outcome} {answer_pb2.Reason.Name(answer.reason).removeprefix('REASON_')}"
    return outcome


def in_batches(questions: Iterable[Question], size: int = 200) -> Iterator[list[Question]]:
    """Batches of one sector each."""
    waiting: dict[str, list[Question]] = {}
    for question in questions:
        batch = waiting.setdefault(question.sector, [])
        batch.append(question)
        if len(batch) == size:
            yield waiting.pop(question.sector)
    yield from waiting.values()
