"""One server as a reader knows it: bounded in time and in number, and given up while it does not answer.

Rules that hold here:
- A slow store never makes a slow gateway: a question waits for one server until its deadline, and not at all while
  that server's breaker is open or `MAX_WAITING` others wait for it.
- Never more questions are under way than there are connections, so that no pool of a client library queues.
- A question that goes on beside is judged by whether it was answered in time, though its asker is gone by then.
- A deadline cuts off a question to a server that answered the last one. To any other the question goes on beside, for
  the client's own patience: a connection that takes longer than a deadline to open must still come to be open.
- Where this process itself was too busy to look at the clock, replies that have arrived are taken before anybody is
  blamed.

A read that is cut off closes its connection (see `redis_keyspace`), so no late reply is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

from liststore.base import ServerState
from liststore.breaker import Breaker, BreakerRule, Event
from liststore.keyspace import Keyspace, Row
from restriction.errors import StoreUnavailableError

MAX_WAITING: Final = 256  # as many as a gateway works on at once; whoever comes beyond is told at once
# Questions: five at once may share one hiccup. Bulk reads are seconds long, so one failure is enough.
QUESTIONS: Final = BreakerRule(failures_to_open=5, probe_every_s=0.25)
BULK_READS: Final = BreakerRule(failures_to_open=1, probe_every_s=5.0)
_LATE_S: Final = 0.005  # a timer this late says that the event loop was held up
_SECOND_LOOK_S: Final = 0.002  # enough for what lies in the sockets to be read
Rows = list[Row | StoreUnavailableError]
T = TypeVar("T")


class Server:
    """One server's quick and bulk reads. `name` is for metrics."""

    def __init__(self, name: str, quick: Keyspace, bulk: Keyspace, connections: int = 64) -> None:
        self.name = name
        self.bulk_breaker = Breaker(BULK_READS)
        self.answers = 0
        self._quick = quick
        self._bulk = bulk
        self._breaker = Breaker(QUESTIONS)
        self._gate = asyncio.Semaphore(connections)
        self._waiting = 0
        self._failures = 0
        self._answered_last = False
        self._beside = set[asyncio.Task[Any]]()

    async def ask(self, rows: Sequence[Sequence[str]], until_s: float) -> Rows:
        """As `Keyspace.read`, until this instant of the event loop's clock. Raises: StoreUnavailableError."""
        now_s = asyncio.get_running_loop().time()
        if not self._breaker.lets_through(now_s):
            raise StoreUnavailableError(f"store: {self.name} did not answer lately: not waited for")
        if self._waiting >= MAX_WAITING:
            raise StoreUnavailableError(f"store: {MAX_WAITING} questions wait for {self.name}: not waited for")
        self._breaker = self._breaker.after(Event.ASKED, now_s)
        try:
            found = await (self._cut_off(rows, until_s) if self._answered_last else self._go_on(rows, until_s))
        except StoreUnavailableError:
            self._note(Event.FAILED)
            raise
        except TimeoutError as error:
            self._note(Event.FAILED)
            raise StoreUnavailableError(f"store: Timeout: {self.name} is slow") from error
        self._note(_fate(found))
        return found

    def try_out(self, rows: Sequence[Sequence[str]], within_s: float) -> None:
        """Ask beside, if this server did not answer the last question and may be asked."""
        now_s = asyncio.get_running_loop().time()
        if not self._answered_last and self._breaker.lets_through(now_s):
            task = asyncio.create_task(self._tried(rows, now_s + within_s))
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)

    async def read_bulk(self, read: Callable[[Keyspace], Awaitable[T]], within_s: float | None) -> T:
        """What `read` makes of the bulk keyspace. Raises: StoreUnavailableError, and what `read` raises."""
        try:
            async with asyncio.timeout(within_s):
                found = await read(self._bulk)
        except (TimeoutError, StoreUnavailableError) as error:
            self.bulk_breaker = self.bulk_breaker.after(Event.FAILED, asyncio.get_running_loop().time())
            if isinstance(error, StoreUnavailableError):
                raise
            raise StoreUnavailableError(f"store: Timeout: {self.name} is slow") from error
        self.bulk_breaker = Breaker(BULK_READS)
        return found

    async def hint(self, channel: str, number: int) -> None:
        """See `Keyspace.hint`."""
        await self._bulk.hint(channel, number)

    def hints(self, channel: str) -> AsyncIterator[int]:
        """See `Keyspace.hints`."""
        return self._bulk.hints(channel)

    def state(self) -> ServerState:
        """What an operator sees of it."""
        return ServerState(self.name, self._breaker.state, self.answers, self._failures)

    async def close(self) -> None:
        """Let go of connections."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._quick.close()
        await self._bulk.close()

    async def _tried(self, rows: Sequence[Sequence[str]], until_s: float) -> None:
        with contextlib.suppress(StoreUnavailableError):
            await self.ask(rows, until_s)

    async def _cut_off(self, rows: Sequence[Sequence[str]], until_s: float) -> Rows:
        self._waiting += 1
        try:
            with _Deadline(until_s):
                return await self._read(rows)
        finally:
            self._waiting -= 1

    async def _go_on(self, rows: Sequence[Sequence[str]], until_s: float) -> Rows:
        self._waiting += 1
        task = asyncio.create_task(self._read(rows))
        self._beside.add(task)
        task.add_done_callback(self._ended)
        try:
            with _Deadline(until_s):
                return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(functools.partial(self._judge, until_s))
            raise

    async def _read(self, rows: Sequence[Sequence[str]]) -> Rows:
        async with self._gate:
            return await self._quick.read(rows)

    def _ended(self, task: asyncio.Task[Rows]) -> None:
        """Whoever asked was told already, so its failure is looked at by nobody else."""
        self._waiting -= 1
        self._beside.discard(task)
        if not task.cancelled():
            task.exception()

    def _judge(self, until_s: float, task: asyncio.Task[Rows]) -> None:
        """What became of a question that nobody waits for any longer."""
        if not task.cancelled():
            in_time = asyncio.get_running_loop().time() <= until_s
            self._note(_fate(task.result()) if in_time and task.exception() is None else Event.FAILED)

    def _note(self, event: Event) -> None:
        self._answered_last = event is Event.ANSWERED
        self._failures += event is Event.FAILED
        self._breaker = self._breaker.after(event, asyncio.get_running_loop().time())


def _fate(found: Rows) -> Event:
    return Event.FAILED if all(isinstance(row, StoreUnavailableError) for row in found) else Event.ANSWERED


class _Deadline:
    """As `asyncio.timeout_at`, but for the second look, and at half its cost. Raises: TimeoutError."""

    __slots__ = ("_expired", "_late", "_loop", "_requests", "_task", "_timer", "_until_s")

    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        self._loop = asyncio.get_running_loop()
        self._late = self._expired = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._requests = 0 if self._task is None else self._task.cancelling()
        self._timer = self._loop.call_at(self._until_s, self._expire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if not self._expired or self._task is None:
            return
        is_ours = self._task.uncancel() <= self._requests  # or else somebody else cancelled it as well
        if is_ours and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        now_s = self._loop.time()
        if now_s - self._until_s > _LATE_S and not self._late:
            self._late = True
            self._timer = self._loop.call_at(now_s + _SECOND_LOOK_S, self._expire)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()
