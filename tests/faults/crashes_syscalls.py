"""The agent killed at every syscall of one pass, and every syscall of it that can fail made to fail.

A pass that nobody disturbs is traced once; then each of its calls is the place of one run in which strace kills the
process before the call is made, or gives it an error instead. Calls that differ from the one before them in nothing
(the store's client asks for its process id thousands of times) share one run.

An error must come out as the alarm that names it, or as nothing at all; the same process must have the list in service
as soon as the error is over.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.faults.crash import checks, tracing, worlds
from tests.faults.crash.bench import Bench, Tally, job, recover
from tests.faults.crash.passing import Passes, Told
from tests.faults.crash.process import Failed, nursery
from tests.faults.crash.server import standing
from tests.faults.crash.tracing import Call
from tests.faults.plan import Outcome, Plan

KIND: Final = "delta and parameters"
_NOTHING: Final = re.compile(r'"\\0"|EAGAIN|unfinished')
_SEEN_BY_NOBODY: Final = frozenset({"getpid"})
_PASSES: Final = 10
_TRIES: Final = 3  # how often a process wakes itself differs from run to run


@dataclass(frozen=True, slots=True)
class Error:
    """An error, the calls that may give it, what a call's arguments show where it may, and the alarms that name it."""

    errno: str
    names: frozenset[str]
    on: str
    alarms: frozenset[str]

    def may_befall(self, call: Call) -> bool:
        """Whether this call may give it; the pipe by which the process wakes itself gives none."""
        return call.name in self.names and self.on in call.arguments and not _NOTHING.search(call.arguments)


# `{}`: the agent's directory.
ERRORS: Final = {
    "disk full": Error(
        "ENOSPC", frozenset({"write", "openat", "mkdir", "rename", "symlink"}), "{}", frozenset({"DISK_FAILED"})
    ),
    "disk error": Error(
        "EIO", frozenset({"fsync", "fchmod", "read", "openat", "rename", "unlink", "symlink"}), "{}",
        frozenset({"DISK_FAILED"}),
    ),
    # The HTTP client takes a reset while it sends for an answer that came early, and waits for that.
    "feed's connection lost": Error(
        "ETIMEDOUT", frozenset({"sendto", "recvfrom", "connect"}), "<TCP", frozenset({"FEED_UNREACHABLE"})
    ),
    "store's connection reset": Error(
        "ECONNRESET", frozenset({"sendto", "recvfrom", "connect"}), "<UNIX", frozenset({"STORE_UNAVAILABLE"})
    ),
    "interrupted": Error(
        "EINTR", frozenset({"write", "read", "openat", "fsync", "sendto", "recvfrom", "poll", "epoll_wait"}), "",
        frozenset(),
    ),
}  # fmt: skip


def run(plan: Plan) -> Outcome:
    """Every syscall of one pass; of a smaller plan, evenly spread ones."""
    if tracing.STRACE is None:
        return Outcome({}, ("strace is not installed",))
    began_s, tally, stride = time.monotonic(), Tally(), max(1, round(1 / plan.scale))
    with (
        tempfile.TemporaryDirectory(dir=plan.folder) as folder,
        nursery(Passes.__module__, "encodings.idna") as children,
        standing() as server,
        worlds.made(KIND, plan.seed, Path(folder), server) as world,
    ):
        bench = Bench(world, server, children, tally)
        calls = calls_of(bench, plan.folder / "trace")
        for call in _told_apart(calls)[::stride]:
            _kill(bench, call)
        killed_s = time.monotonic() - began_s
        errors = {name: _fail_all(bench, name, calls, stride) for name in ERRORS}
    figures = {
        "syscalls of one pass": len(calls), "told apart": len(_told_apart(calls)), **tally.figures(),
        "seconds of the kills": round(killed_s, 1), "errors": errors, "seconds": round(time.monotonic() - began_s, 1),
    }  # fmt: skip
    return Outcome(figures, tuple(tally.told))


def calls_of(bench: Bench, trace: Path) -> list[Call]:
    """Every syscall of a pass that nobody disturbs, in order."""
    bench.world.reset(bench.server)
    pid = bench.children.start(replace(job(bench.world), is_held=True))
    tracing.await_held(pid)
    with tracing.traced(pid, trace):
        bench.children.ended()
    return tracing.calls_in(trace, pid)


def _told_apart(calls: Sequence[Call]) -> list[Call]:
    """Without those that follow one of the same kind and leave no trace outside of the process."""
    before: dict[bool, str] = {}
    apart = []
    for call in calls:
        if before.get(call.blocks) != call.name or call.name not in _SEEN_BY_NOBODY:
            apart.append(call)
        before[call.blocks] = call.name
    return apart


def _kill(bench: Bench, call: Call) -> None:
    for _ in range(_TRIES):
        bench.world.reset(bench.server)
        pid = bench.children.start(replace(job(bench.world), is_held=True))
        tracing.await_held(pid)
        with tracing.injected(pid, call, "signal=KILL", Path(os.devnull)):
            ending = bench.children.ended()
        if ending.signal == signal.SIGKILL:
            bench.tally.kills[call.name] += 1
            recover(bench, f"killed at {call}")
            return
    bench.tally.unreached += 1


def _fail_all(bench: Bench, name: str, calls: Sequence[Call], stride: int) -> dict[str, Any]:
    """Give this error to each call that may have it; gives how many raised what."""
    error = ERRORS[name]
    here = replace(error, on=error.on.format(bench.world.place.directory))
    raised: Counter[str] = Counter()
    recovered: list[float] = []
    trace = bench.world.before.directory.with_name("trace")
    for call in [call for call in calls if here.may_befall(call)][::stride]:
        where = f"{name}: {here.errno} of {call}"
        try:
            told = fail(bench, call, here.errno, trace)
        except Failed as failed:
            bench.tally.find(where, iter([(checks.NOT_HEALED, str(failed))]))
            continue
        if told is None:
            bench.tally.unreached += 1
            continue
        raised[", ".join(sorted(told.raised)) or "nothing"] += 1
        recovered.append(told.seconds)
        bench.tally.find(where, wrong(bench, told, here))
    return {
        "runs": raised.total(),
        "raised": dict(raised),
        "seconds to steady, at most": round(max(recovered, default=0), 3),
    }


def fail(bench: Bench, call: Call, errno: str, trace: Path) -> Told | None:
    """What came of it; None when the call was not made, however often it was tried."""
    for _ in range(_TRIES):
        bench.world.reset(bench.server)
        pid = bench.children.start(replace(job(bench.world), most=_PASSES, is_held=True))
        tracing.await_held(pid)
        with tracing.injected(pid, call, f"error={errno}", trace):
            told: Told = bench.children.ended().given
        if tracing.was_reached(trace):
            return told
    return None


def wrong(bench: Bench, told: Told, error: Error) -> Iterator[checks.Finding]:
    """What should not have come of an error."""
    if told.raised - error.alarms:
        yield checks.MISNAMED, f"it raised {sorted(told.raised)}"
    if told.passes > 1 and not told.raised:
        yield checks.MISNAMED, f"it took {told.passes} passes, and nothing was raised"
    if told.alarms:
        yield checks.NOT_HEALED, f"{told.alarms} are still raised after {told.passes} passes"
    yield from checks.after_recovery(bench.world, bench.server.photograph())
