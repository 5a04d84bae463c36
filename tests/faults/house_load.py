"""A steady load on a house that is being broken, every answer judged as it comes.

Two kinds of lanes: batches for volume, single Checks for the times that a caller waits. Both ask from one pool of
questions, made ready before the faults, over all gateways in turn.
The two harms are counted apart: somebody wrongly told RESTRICTED (or CAPPED), and somebody wrongly cleared.
What is undetermined about us, and what is not answered at all, is no harm and is counted by half seconds, so that the
end of a fault can be told.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc

from lintel.v1 import answer_pb2, restriction_pb2, restriction_pb2_grpc
from loadtests.asking import Finding, finding, request_of
from loadtests.house import now
from loadtests.judged import CALL_TIMEOUT_S, Caller, percentile
from restriction.decision import Outcome
from sandbox.generator import Sample
from sandbox.identities import Question
from sandbox.questions import questions
from tests.faults.history import Answer
from tests.faults.house import House
from tests.faults.house_list import Course

WINDOW_S: Final = 0.5
UNFIT_SHARE: Final = 0.01  # a half second in which more than this had no fit answer is not steady
AFTER_FAILURE_S: Final = 0.02  # a gateway that is away refuses at once, and a caller does not hammer it
KEPT_WRONG: Final = 20
# A caller that finds its gateway again soon; the library would wait a second, and then two minutes.
RECONNECT: Final = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
                    ("grpc.max_reconnect_backoff_ms", 500))  # fmt: skip
LISTED: Final = frozenset({answer_pb2.OUTCOME_RESTRICTED, answer_pb2.OUTCOME_CAPPED})
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
Said = answer_pb2.CheckResponse | grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Ready:
    """Questions of one sector by their numbers in the pool, as messages that are sent again and again."""

    sector: str
    numbers: tuple[int, ...]
    request: restriction_pb2.BatchCheckRequest


@dataclass(frozen=True, slots=True)
class Pool:
    """Questions made ready: each alone, and all in batches."""

    asked: tuple[Question, ...]
    singles: tuple[restriction_pb2.CheckRequest, ...]
    batches: tuple[Ready, ...]

    @classmethod
    def of(cls, sample: Sample, seed: int, count: int, batch: int) -> Pool:
        """So many questions, in batches of one sector each."""
        asked = tuple(itertools.islice(questions(sample, seed), count))
        singles = tuple(map(request_of, asked))
        by_sector: dict[str, list[int]] = {}
        for number, each in enumerate(asked):
            by_sector.setdefault(each.sector, []).append(number)
        parts = [
            (sector, tuple(numbers[at : at + batch]))
            for sector, numbers in by_sector.items()
            for at in range(0, len(numbers), batch)
        ]
        ready = (
            Ready(sector, numbers, restriction_pb2.BatchCheckRequest(checks=[singles[number] for number in numbers]))
            for sector, numbers in parts
        )
        return cls(asked, singles, tuple(sorted(ready, key=lambda each: each.numbers)))


@dataclass
class Seen:
    """What callers saw. `waits`: start and seconds of each answered Check. `answers`: for the history checker."""

    findings: Counter[Finding] = field(default_factory=Counter)
    harms: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    asked_in: Counter[int] = field(default_factory=Counter)
    unfit_in: Counter[int] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        """Questions put, answered or not."""
        return sum(self.findings.values())

    def take(self, found: Finding, at_s: float) -> None:
        """Count one question, put at this time."""
        self.findings[found] += 1
        window = int(at_s // WINDOW_S)
        self.asked_in[window] += 1
        if found in {Finding.ABOUT_US, Finding.UNANSWERED}:
            self.unfit_in[window] += 1

    def steady_at_s(self, since_s: float, until_s: float) -> float:
        """The end of the last half second between these times that was not steady; `since_s` if all were.

        Half a second in which no question was put is not steady: every lane was waiting.
        """
        windows = range(int(since_s // WINDOW_S), int(until_s // WINDOW_S))
        unsteady = (
            each
            for each in windows
            if not self.asked_in[each] or self.unfit_in[each] > UNFIT_SHARE * self.asked_in[each]
        )
        return max(((each + 1) * WINDOW_S for each in unsteady), default=since_s)

    def last_unfit_s(self, since_s: float) -> float:
        """The end of the last half second since then in which anything had no fit answer; `since_s` if none."""
        found = (window for window, count in self.unfit_in.items() if count)
        return max(since_s, *((window + 1) * WINDOW_S for window in found), since_s)

    def is_quiet(self, since_s: float, until_s: float) -> bool:
        """Whether questions were asked in each whole half second between these times, and all had a fit answer."""
        windows = range(math.ceil(since_s / WINDOW_S), int(until_s // WINDOW_S))
        return all(self.asked_in[each] and not self.unfit_in[each] for each in windows)

    def waits_ms(self, since_s: float = -math.inf, until_s: float = math.inf) -> dict[str, float]:
        """p50, p99 and the longest of the Checks that were answered and began between these times."""
        waited = sorted(wait_s for start_s, wait_s in self.waits if since_s <= start_s < until_s)
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {"answered": len(waited)} | {
            name: round(percentile(waited, share) * 1e3, 2) for name, share in shares.items()
        }

    def figures(self) -> dict[str, object]:
        """The counts, as a report holds them."""
        return {
            "asked": self.asked,
            "findings": {found.value: count for found, count in self.findings.items()},
            "wrongly RESTRICTED": self.harms["wrongly RESTRICTED"],
            "wrongly NOT_RESTRICTED": self.harms["wrongly NOT_RESTRICTED"],
            "otherwise wrong": self.harms["otherwise wrong"],
        }


@dataclass
class Load:
    """Questions in flight to every gateway in turn until `stop` is set."""

    pool: Pool
    course: Course
    ways: Mapping[str, Mapping[str, Caller]]
    seen: Seen = field(default_factory=Seen)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._turn = itertools.cycle(self.ways)

    async def singly(self, lanes: int, pause_s: float) -> None:
        """Check after Check in so many lanes, with a pause between two."""
        numbers = itertools.cycle(range(len(self.pool.asked)))
        await asyncio.gather(*(self._single_lane(numbers, pause_s) for _ in range(lanes)))

    async def batched(self, lanes: int, pause_s: float = 0.0) -> None:
        """Batch after batch in so many lanes."""
        batches = itertools.cycle(self.pool.batches)
        await asyncio.gather(*(self._batch_lane(batches, pause_s) for _ in range(lanes)))

    async def _single_lane(self, numbers: Iterator[int], pause_s: float) -> None:
        while not self.stop.is_set():
            said = await self.ask(number := next(numbers), self.pool.singles[number], next(self._turn))
            await asyncio.sleep(AFTER_FAILURE_S if isinstance(said, grpc.StatusCode) else pause_s)

    async def ask(self, number: int, request: restriction_pb2.CheckRequest, gateway: str) -> Said:
        """One Check, counted and judged."""
        start_s = time.monotonic()
        said = await self._check(request, self.pool.asked[number].sector, gateway)
        end_s = time.monotonic()
        if not isinstance(said, grpc.StatusCode):
            self.seen.waits.append((start_s, end_s - start_s))
        self.judge_one(number, said, start_s, end_s)
        self._note(gateway, [said], start_s, end_s)
        return said

    async def put(self, asked: Question, gateway: str) -> Said:
        """One Check that is neither counted nor judged here."""
        return await self._check(request_of(asked), asked.sector, gateway)

    async def _check(self, request: restriction_pb2.CheckRequest, sector: str, gateway: str) -> Said:
        caller = self.ways[gateway][sector]
        try:
            answer: Said = await caller.stub.Check(request, timeout=CALL_TIMEOUT_S, metadata=caller.metadata)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return answer

    async def _batch_lane(self, batches: Iterator[Ready], pause_s: float) -> None:
        while not self.stop.is_set():
            ready, gateway = next(batches), next(self._turn)
            caller = self.ways[gateway][ready.sector]
            start_s = time.monotonic()
            said: Sequence[Said]
            try:
                response = await caller.stub.BatchCheck(ready.request, timeout=CALL_TIMEOUT_S, metadata=caller.metadata)
                said = [_said(result) for result in response.results]
            except grpc.aio.AioRpcError as error:
                said = [error.code()] * len(ready.numbers)
                await asyncio.sleep(AFTER_FAILURE_S)
            end_s = time.monotonic()
            for number, each in zip(ready.numbers, said, strict=True):
                self.judge_one(number, each, start_s, end_s)
            self._note(gateway, said, start_s, end_s)
            await asyncio.sleep(pause_s)

    def judge_one(self, number: int, said: Said, start_s: float, end_s: float) -> None:
        """Count what was said, between these times, to this question of the pool."""
        asked = self.pool.asked[number]
        version, is_listed = 0, False  # of a refusal
        if not isinstance(said, grpc.StatusCode):
            version, is_listed = said.list_version, said.outcome in LISTED
        at, found = now(), Finding.WRONG
        for step in self.course.steps(start_s, end_s, version, is_listed=is_listed):
            found = finding(self.course.verdict(number, asked, step, at), said)
            if found is not Finding.WRONG:
                break
        self.seen.take(found, start_s)
        if found is Finding.WRONG:
            self._wrong(asked, said, is_listed=is_listed)

    def _wrong(self, asked: Question, said: Said, *, is_listed: bool) -> None:
        is_clear = not isinstance(said, grpc.StatusCode) and said.outcome == answer_pb2.OUTCOME_NOT_RESTRICTED
        harm = "wrongly RESTRICTED" if is_listed else "wrongly NOT_RESTRICTED" if is_clear else "otherwise wrong"
        self.seen.harms[harm] += 1
        if len(self.seen.wrong) < KEPT_WRONG:
            told = said.name if isinstance(said, grpc.StatusCode) else f"{said.outcome}/{said.reason}"
            self.seen.wrong.append(f"{harm}: {asked.sector} {asked.product} {dict(asked.fields)}: {told}")

    def _note(self, gateway: str, said: Iterable[Said], start_s: float, end_s: float) -> None:
        """Keep the version for the history checker (I5); whom it was about was judged already."""
        for each in said:
            if not isinstance(each, grpc.StatusCode):
                told = Answer(gateway, "", start_s, end_s, Outcome.UNDETERMINED, each.list_version)
                self.seen.answers.append(told)
                return  # all answers of a batch are made on one view


def _said(result: restriction_pb2.BatchCheckResult) -> Said:
    return result.answer if result.WhichOneof("result") == "answer" else _CODES[result.error.code]


@asynccontextmanager
async def loaded(house: House, pool: Pool, gateways: Sequence[str]) -> AsyncIterator[Load]:
    """A load on these gateways, over their links where there are any; its lanes end when its `stop` is set."""
    async with contextlib.AsyncExitStack() as stack:
        ways: dict[str, Mapping[str, Caller]] = {}
        for name in gateways:
            channel = grpc.aio.insecure_channel(house.site.way("client", name), options=RECONNECT)
            stub = restriction_pb2_grpc.RestrictionServiceStub(await stack.enter_async_context(channel))
            keys = house.site.keys.items()
            ways[name] = {sector: Caller(stub, (("authorization", f"Bearer {key}"),)) for sector, key in keys}
        yield Load(pool, house.course, ways)
