"""An event loop on simulated time, whose processes can be killed and stopped at any await.

Time passes only when nothing is left to do: then it jumps to the next timer, so hours take seconds and the order of
everything follows from the seed alone. Threads are replaced by steps of the loop that take a random moment.

A `Process` is a set of tasks with one context. A killed process is never run again: no `finally`, no cleaning up, as
after SIGKILL. A stopped one goes on where it was, as after SIGSTOP and SIGCONT.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import selectors
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_CURRENT: Final = contextvars.ContextVar["Process | None"]("process", default=None)
_END_S: Final = 30.0
_THREAD_S: Final = 0.002  # what work in a thread takes at most


class PowerCut(BaseException):
    """The process ends here; nothing of ours may catch it."""


@dataclass(eq=False)
class Process:
    """One simulated process. `wall_offset_s` is how wrong its clock is."""

    name: str
    wall_offset_s: float = 0.0
    killed: bool = False
    stopped: bool = False
    crashes: list[str] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task of this process; what it raises ends the process and is one of its `crashes`."""
        context = contextvars.copy_context()
        context.run(_CURRENT.set, self)
        task = asyncio.get_running_loop().create_task(self._guarded(main), context=context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def end(self) -> bool:
        """Bring it back to life and let its tasks clean up, so that nothing is left; False when they do not end."""
        self.killed = self.stopped = False
        self.resume()
        for task in self.tasks:
            task.cancel()
        return not self.tasks or not (await asyncio.wait(self.tasks, timeout=_END_S))[1]

    async def _guarded(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await main()
        except PowerCut:
            self.killed = True
        except Exception as error:  # noqa: BLE001 - whatever it is, the process has died of it
            self.crashes.append("".join(traceback.format_exception(error)))
            self.killed = True

    def run(self, step: Callable[[], None]) -> None:
        """A step of this process: at once, or when it goes on, which a killed one does not."""
        if self.killed or self.stopped:
            self.waiting.append(step)
        else:
            step()

    def kill(self) -> None:
        """End it between two steps."""
        self.killed = True

    def resume(self) -> None:
        """Go on after a stop."""
        self.stopped = False
        if self.killed:
            return
        loop = asyncio.get_running_loop()
        for step in self.waiting:
            loop.call_soon(self.run, step)
        self.waiting = []


def current_process() -> Process | None:
    """The process whose step this is; None between processes."""
    return _CURRENT.get()


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` is simulated seconds since its start."""

    def __init__(self, chance: random.Random) -> None:
        self._now_s = 0.0
        self._chance = chance
        super().__init__(_Jumping(self._jump))

    def time(self) -> float:
        """Simulated seconds."""
        return self._now_s

    def call_soon(  # type: ignore[override]  # the stubs' type variables say no more than `Any` does here
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """As any loop's, for steps of live processes."""
        return super().call_soon(*_gated(callback, args, context), context=context)

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As any loop's, for steps of live processes."""
        return super().call_at(when, *_gated(callback, args, context), context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # a coroutine in the stubs
        """Do the work now, and hand its result over a moment later."""
        _ = executor
        future: asyncio.Future[Any] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            self.call_later(self._chance.uniform(0, _THREAD_S), _hand_over, future, None, error)
        else:
            self.call_later(self._chance.uniform(0, _THREAD_S), _hand_over, future, result, None)
        return future

    def _jump(self, by_s: float | None) -> None:
        if by_s is None:
            raise RuntimeError("the simulation stands still: nothing is due")
        self._now_s += max(0.0, by_s)


class _Jumping(selectors.BaseSelector):
    """A selector on which nothing ever happens but time."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._inner = selectors.SelectSelector()
        self._jump = jump

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._jump(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


def _gated(callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context | None) -> tuple[Any, ...]:
    process = _CURRENT.get() if context is None else context.get(_CURRENT)
    return (callback, *args) if process is None else (process.run, lambda: callback(*args))


def _hand_over(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
