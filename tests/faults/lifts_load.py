"""A load of checks on several gateways at a given rate, whatever they take (open loop), kept for the history checker.

Half of the questions are about persons whose lift is under way or comes next, a quarter about any of the persons to be
lifted, and a quarter about whomever the sample's questions ask. Gateways take turns.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import grpc

from lintel.v1 import restriction_pb2
from loadtests.judged import Caller
from restriction.decision import Outcome
from tests.faults.history import Answer

TIMEOUT_S = 1.0
TICK_S = 0.005
UNDER_WAY_S = 3.0  # a lift is asked about so long after it was filed
NEXT = 4  # and so many before they are
BUSY = 32  # callers of the closed loop that finds the peak
Ways = Mapping[str, Mapping[str, Caller]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question made ready. `subject`: the number of the person to be lifted; None for others."""

    subject: int | None
    sector: str
    request: restriction_pb2.CheckRequest


@dataclass
class Load:
    """Who is asked about, over which gateways, and what was answered; `filed_s` by the number of the lift."""

    ways: Ways
    probes: Sequence[Asked]
    others: Iterator[Asked]
    dice: random.Random
    filed_s: dict[int, float] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    unanswered: Counter[str] = field(default_factory=Counter)
    asked: int = 0

    def __post_init__(self) -> None:
        self._turn = itertools.cycle(self.ways)

    async def peak_rate(self, seconds: float) -> float:
        """Answers a second when `BUSY` callers ask without pause."""
        until_s, before = time.monotonic() + seconds, len(self.answers)

        async def caller() -> None:
            while time.monotonic() < until_s:
                await self.ask(self._drawn(), next(self._turn))

        await asyncio.gather(*(caller() for _ in range(BUSY)))
        return (len(self.answers) - before) / seconds

    async def keep(self, rate: float) -> None:
        """Ask so many a second until cancelled; what is under way then is waited for."""
        under_way = set[asyncio.Task[None]]()
        began_s, asked = time.monotonic(), 0
        try:
            while True:
                due = int((time.monotonic() - began_s) * rate)
                for _ in range(asked, due):
                    task = asyncio.create_task(self.ask(self._drawn(), next(self._turn)))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                asked = due
                await asyncio.sleep(TICK_S)
        finally:
            await asyncio.gather(*under_way)

    async def ask(self, asked: Asked, gateway: str) -> None:
        """One check, kept if it was answered."""
        caller, start_s = self.ways[gateway][asked.sector], time.monotonic()
        self.asked += 1
        try:
            answer = await caller.stub.Check(asked.request, timeout=TIMEOUT_S, metadata=caller.metadata)
        except grpc.aio.AioRpcError:
            self.unanswered[gateway] += 1
            return
        told = Outcome.UNDETERMINED if asked.subject is None else Outcome(answer.outcome)
        self.answers.append(Answer(gateway, asked.subject, start_s, time.monotonic(), told, answer.list_version))

    def _drawn(self) -> Asked:
        lot = self.dice.random()
        if lot < 0.25:
            return next(self.others)
        return self.probes[self._under_way() if lot < 0.75 else self.dice.randrange(len(self.probes))]

    def _under_way(self) -> int:
        """A lift that was filed a moment ago, or is among the next."""
        filed = len(self.filed_s)
        since_s, oldest = time.monotonic() - UNDER_WAY_S, filed
        while oldest > 0 and self.filed_s[oldest - 1] > since_s:
            oldest -= 1
        return self.dice.randrange(oldest, min(filed + NEXT, len(self.probes)) or 1) if oldest < len(self.probes) else 0
