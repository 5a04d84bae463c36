"""A load whose every answer is judged by the oracle.

`Load` keeps a number of questions in flight, by Check or by BatchCheck, and tallies what each answer was worth.
Latencies are wall-clock microseconds per call, measured at the caller, kept whole (no rounding, no sampling).
"""

from __future__ import annotations

import asyncio
import collections
import datetime as dt
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc

from lintel.v1 import restriction_pb2, restriction_pb2_grpc
from loadtests.asking import Finding, finding, request_of

if TYPE_CHECKING:
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

    def take(self, asked: Asked, judge: Judge, answer: restriction_pb2.CheckResponse | grpc.StatusCode) -> None:
        """Judge one answer."""
        expected = judge.judge(asked, dt.datetime.now(dt.UTC))
        found = finding(expected, answer)
        self.findings[found] += 1
        self.outcomes[expected.outcome] += 1
        if found in {Finding.ABOUT_US, Finding.UNANSWERED}:
            self.unfit_at_s.append(time.monotonic())
        if found is Finding.WRONG and len(self.wrong) < KEPT_WRONG:
            said = answer.name if isinstance(answer, grpc.StatusCode) else f"{answer.outcome}/{answer.reason}"
            self.wrong.append(f"{asked.product} {dict(asked.fields)} {asked.sector}: {said}, expected {expected}")


@dataclass
class Load:
    """Questions in flight to one gateway. `stubs` holds one authenticated stub per sector."""

    stubs: Mapping[str, restriction_pb2_grpc.RestrictionServiceAsyncStub]
    judge: Judge
    tally: Tally = field(default_factory=Tally)

    async def one(self, asked: Asked) -> None:
        """Ask by Check."""
        started = time.perf_counter()
        try:
            answer = await self.stubs[asked.sector].Check(request_of(asked), timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            self.tally.take(asked, self.judge, error.code())
            return
        self.tally.calls_us.append(round((time.perf_counter() - started) * 1e6))
        self.tally.take(asked, self.judge, answer)

    async def batch(self, batch: Sequence[Asked]) -> None:
        """Ask by BatchCheck; all of one sector."""
        request = restriction_pb2.BatchCheckRequest(checks=[request_of(asked) for asked in batch])
        started = time.perf_counter()
        try:
            response = await self.stubs[batch[0].sector].BatchCheck(request, timeout=CALL_TIMEOUT_S)
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


@asynccontextmanager
async def stubs(
    address: str, keys: Mapping[str, str]
) -> AsyncIterator[Mapping[str, restriction_pb2_grpc.RestrictionServiceAsyncStub]]:
    """One stub per sector over one channel each, with the sector's credential on every call."""
    channels = {
        sector: grpc.aio.insecure_channel(address, interceptors=[_Bearer(key)]) for sector, key in keys.items()
    }
    try:
        yield {sector: restriction_pb2_grpc.RestrictionServiceStub(channel) for sector, channel in channels.items()}
    finally:
        await asyncio.gather(*(channel.close() for channel in channels.values()))


class _Bearer(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # the stub package types it as Any
    """Adds the credential to each call."""

    def __init__(self, key: str) -> None:
        self._header = ("authorization", f"Bearer {key}")

    async def intercept_unary_unary(self, continuation, details, request):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - grpc gives no public types for these
        metadata = [*(details.metadata or ()), self._header]
        return await continuation(details._replace(metadata=metadata), request)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value with at least `share` of all values at or below it; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def take(questions: Iterator[Asked], count: int) -> Iterator[Asked]:
    """The first `count` questions."""
    return itertools.islice(questions, count)
