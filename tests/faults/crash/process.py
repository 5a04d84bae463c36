"""Processes that are killed: children of one warm process that has imported everything and has no thread or socket.

A crash costs a fork instead of an interpreter's start, so that a matrix of thousands of kills takes minutes.
The warm process ends when its other end does, and takes its child with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Protocol

from liststore.keeper import die_with_parent

_PIECE_BYTES: Final = 1 << 16
_PATIENCE_S: Final = 60.0


class Job(Protocol):
    """What a child does; it travels by pickle, and so does what it gives."""

    def __call__(self) -> object:
        """Do it, in a process of its own."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended: the signal that ended it (0: none), and what its job gave before that."""

    signal: int
    given: Any


class Failed(Exception):  # noqa: N818 - it carries a child's traceback and is none of the product's errors
    """A child's job raised what it should not."""


class Nursery:
    """Runs jobs in children, one at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pid = 0

    def start(self, job: Job) -> int:
        """Begin a job; gives the child's process id."""
        self._connection.send(job)
        self._pid = self._connection.recv()
        return self._pid

    def ended(self) -> Ending:
        """Wait for the child that was started last; one that hangs is killed. Raises: Failed."""
        if not self._connection.poll(_PATIENCE_S):
            os.kill(self._pid, signal.SIGKILL)
            self._connection.recv()
            raise Failed(f"a child did not end in {_PATIENCE_S:.0f} s")
        ending: Ending = self._connection.recv()
        if isinstance(ending.given, Failed):
            raise ending.given
        return ending

    def run(self, job: Job) -> Ending:
        """Begin a job and wait for its end. Raises: Failed."""
        self.start(job)
        return self.ended()


@contextmanager
def nursery(*modules: str) -> Iterator[Nursery]:
    """A warm process that has imported these modules, until the context ends."""
    ours, theirs = Pipe()
    server = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-c", f"from {__name__} import serve; serve()", str(theirs.fileno()), *modules],
        pass_fds=[theirs.fileno()],
        cwd=Path(__file__).parents[3],
    )
    theirs.close()
    try:
        yield Nursery(ours)
    finally:
        ours.close()
        server.wait()


def serve() -> None:
    """Be the warm process: fork a child for each job, until the other end is closed."""
    die_with_parent()
    connection: Connection = Connection(int(sys.argv[1]))
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what every child inherits shall stay shared
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            connection.close()
            os.close(reading)
            die_with_parent()
            _be_child(job, writing)
        os.close(writing)
        connection.send(pid)
        raw = b"".join(iter(lambda: os.read(reading, _PIECE_BYTES), b""))  # noqa: B023 - used up before the next round
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        given = pickle.loads(raw) if raw else None  # noqa: S301 - our own child
        connection.send(Ending(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, given))


def _be_child(job: Callable[[], object], writing: int) -> None:
    try:
        given: object = job()
    except BaseException:  # noqa: BLE001 - whatever it is, it is told at the other end
        given = Failed(traceback.format_exc())
    with os.fdopen(writing, "wb") as file:
        pickle.dump(given, file)
    os._exit(0)
