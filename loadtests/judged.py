"""A load whose every answer is judged by the oracle.

`Load` keeps a number of questions in flight, by Check or by BatchCheck, and tallies what each answer was worth.
Latencies are wall-clock microseconds per call, measured at the caller, kept whole (no rounding, no sampling).
"""

from __future__ import annotations

import asyncio
import collections
import datetime as dt
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc

from lintel.v1 import answer_pb2, restriction_pb2, restriction_pb2_grpc
from loadtests.asking import Finding, finding, request_of
from tests.oracle.judge import Asked, Judge

CALL_TIMEOUT_S: Final = 5.0
KEPT_WRONG: Final = 20
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Tally:
    """What the answers were worth, and how long the calls took."""

    findings: collections.Counter[Finding] = field(default_factory=collections.Counter)
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    calls_us: list[int] = field(default_factory=list)
    unfit_at_s: list[float] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """Questions put, answered or not."""
        return sum(self.findings.values())

    def take(self, asked: Asked, judge: Judge, answer: answer_pb2.CheckResponse | grpc.StatusCode) -> None:
        """Judge one answer."""
        expected = judge.judge(asked, dt.datetime.now(dt.UTC))  # noqa: TID251 - an edge
        found = finding(expected, answer)
        self.findings[found] += 1
        self.outcomes[expected.outcome] += 1
        if found in {Finding.ABOUT_US, Finding.UNANSWERED}:
            self.unfit_at_s.append(time.monotonic())
        if found is Finding.WRONG and len(self.wrong) < KEPT_WRONG:
            said = answer.name if isinstance(answer, grpc.StatusCode) else f"{answer.outcome}/{answer.reason}"
            self.wrong.append(f"{asked.product} {dict(asked.fields)} {asked.sector}: {said}, expected {expected}")


@dataclass(frozen=True, slots=True)
class Caller:
    """One unit's way in: a stub and the credential that goes with every call."""

    stub: restriction_pb2_grpc.RestrictionServiceAsyncStub
    metadata: tuple[tuple[str, str], ...] = field(repr=False)


@asynccontextmanager
async def callers(address: str, keys: Mapping[str, str]) -> AsyncIterator[Mapping[str, Caller]]:
    """A caller for each sector, all over one channel."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: restriction_pb2_grpc.RestrictionServiceAsyncStub = restriction_pb2_grpc.RestrictionServiceStub(channel)
        yield {sector: Caller(stub, (("authorization", f"Bearer {key}"),)) for sector, key in keys.items()}


@dataclass
class Load:
    """Questions in flight to one gateway. `callers` holds one for each sector."""

    callers: Mapping[str, Caller]
    judge: Judge
    tally: Tally = field(default_factory=Tally)

    async def one(self, asked: Asked) -> None:
        """Ask by Check."""
        started = time.perf_counter()
        try:
            caller = self.callers[asked.sector]
            answer = await caller.stub.Check(request_of(asked), timeout=CALL_TIMEOUT_S, metadata=caller.metadata)
        except grpc.aio.AioRpcError as error:
            self.tally.take(asked, self.judge, error.code())
            return
        self.tally.calls_us.append(round((time.perf_counter() - started) * 1e6))
        self.tally.take(asked, self.judge, answer)

    async def batch(self, batch: Sequence[Asked]) -> None:
        """Ask by BatchCheck; all of one sector."""
        caller = self.callers[batch[0].sector]
        request = restriction_pb2.BatchCheckRequest(checks=[request_of(asked) for asked in batch])
        started = time.perf_counter()
        try:
            response = await caller.stub.BatchCheck(request, timeout=CALL_TIMEOUT_S, metadata=caller.metadata)
        except grpc.aio.AioRpcError as error:
            for asked in batch:
                self.tally.take(asked, self.judge, error.code())
            return
        self.tally.calls_us.append(round((time.perf_counter() - started) * 1e6))
        for asked, result in zip(batch, response.results, strict=True):
            answered = result.WhichOneof("result") == "answer"
            self.tally.take(asked, self.judge, result.answer if answered else _CODES[result.error.code])

    async def run_singly(self, questions: Iterator[Asked], in_flight: int, stop: Callable[[], bool]) -> None:
        """Check after Check in `in_flight` lanes until the questions end or `stop()` is true."""

        async def lane() -> None:
            for asked in questions:
                if stop():
                    return
                await self.one(asked)

        await asyncio.gather(*(lane() for _ in range(in_flight)))

    async def run_batched(self, questions: Iterable[Asked], size: int, in_flight: int) -> None:
        """All questions by BatchCheck, `size` at a time by sector, `in_flight` batches at once."""
        batches = by_sector(questions, size)

        async def lane() -> None:
            for batch in batches:
                await self.batch(batch)

        await asyncio.gather(*(lane() for _ in range(in_flight)))


def by_sector(questions: Iterable[Asked], size: int) -> Iterator[list[Asked]]:
    """Batches of one sector each, full ones first, the rest at the end."""
    waiting: dict[str, list[Asked]] = collections.defaultdict(list)
    for asked in questions:
        batch = waiting[asked.sector]
        batch.append(asked)
        if len(batch) == size:
            yield waiting.pop(asked.sector)
    yield from (batch for batch in waiting.values() if batch)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value with at least `share` of all values at or below it; 0 for none."""
    if not values:
        return 0.0
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def take(questions: Iterator[Asked], count: int) -> Iterator[Asked]:
    """The first `count` questions."""
    return itertools.islice(questions, count)
