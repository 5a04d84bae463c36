"""Syscalls of a held process, thread by thread: told, and the nth of a kind made to kill or to fail, by strace.

strace counts each kind of call in each thread apart, so a call is known by its thread, its name and its number.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CALL: Final = re.compile(r"(\d+) +(\w+)\((.*)")
_PATIENCE_S: Final = 20.0
_POLL_S: Final = 0.001
STRACE: Final = shutil.which("strace")


@dataclass(frozen=True, slots=True)
class Call:
    """The nth call of this name in the process's first thread or the one that blocks; `arguments`: as strace shows."""

    blocks: bool
    name: str
    number: int
    arguments: str = ""

    def __str__(self) -> str:
        """As people name it."""
        return f"{self.name} number {self.number} of the {'second' if self.blocks else 'first'} thread"


def calls_in(trace: Path, pid: int) -> list[Call]:
    """The calls that a trace of all threads tells, in order."""
    counted: Counter[tuple[bool, str]] = Counter()
    calls = []
    for line in trace.read_text(errors="replace").splitlines():
        if match := _CALL.match(line):
            kind = int(match[1]) != pid, match[2]
            counted[kind] += 1
            calls.append(Call(*kind, counted[kind], match[3]))
    return calls


@contextmanager
def traced(pid: int, trace: Path) -> Iterator[None]:
    """Let the held process go on while every call of its threads is written to `trace`; it has ended by the end."""
    with _tracer(threads(pid), ["-f", "-yy", "-s", "64", "-o", str(trace), "-p", str(pid)]):
        yield


@contextmanager
def injected(pid: int, call: Call, deed: str, trace: Path) -> Iterator[None]:
    """As `traced`, this kind of call alone; at this one strace does `deed`, as its option `inject` has it."""
    thread = threads(pid)[call.blocks]
    inject = f"inject={call.name}:{deed}:when={call.number}"
    with _tracer([thread], ["-o", str(trace), "-e", f"trace={call.name}", "-e", inject, "-p", str(thread)]):
        yield


def was_reached(trace: Path) -> bool:
    """Whether the call came to be made, and was given its error."""
    return "(INJECTED)" in trace.read_text(errors="replace")


def threads(pid: int) -> list[int]:
    """The process's own thread and the other one."""
    return sorted(
        int(thread)
        for thread in os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names are all there is to a thread
    )


def await_held(pid: int) -> None:
    """Wait until the process has stopped itself."""
    _until(lambda: _status(pid, "State").startswith("T"))


@contextmanager
def _tracer(traced_threads: Sequence[int], options: Sequence[str]) -> Iterator[None]:
    process = int(_status(traced_threads[0], "Tgid"))
    with subprocess.Popen([STRACE or "strace", *options], stderr=subprocess.DEVNULL):  # noqa: S603 - options of our own
        _until(lambda: all(_status(thread, "TracerPid") != "0" for thread in traced_threads))
        os.kill(process, signal.SIGCONT)
        yield


def _status(thread: int, field: str) -> str:
    for line in Path(f"/proc/{thread}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.partition(":")[2].strip()
    raise KeyError(field)


def _until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(_POLL_S)
