"""The canary: every document is tried in a process of its own before it is accepted, so that none can stop the agent.

Rules:
- A document that its trial finds unfit, dies of, or does not finish in time is refused by name; the next one is tried
  by a fresh process. The same document is tried again with the next pass: a machine that was too busy is no verdict.
- The process is spawned and fed over pipes; it ends when they do, so nothing has to be cleared away after a crash.
- Waiting is bounded in both directions. Documents are tried one at a time.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from restriction.change import Chunk
from restriction.errors import RefusedListError
from sync_agent.trial import REPLY, REQUEST, Kind, patience_s

_COMMAND: Final = (sys.executable, "-P", "-m", "sync_agent.trial")
# The process limits itself; beyond that it is stopped, or the machine is very busy. Starting takes a third of a second.
_GRACE_S: Final = 5.0
_NO_CHUNK: Final = Chunk(0, "", 0, 0, bytes(32))


class _Gone(Exception):  # noqa: N818 a turn within this room, not an error that leaves it
    """The process died, or does not answer."""


class Canary:
    """Tries documents in another process, which is there from the first on."""

    def __init__(self, monotonic: Callable[[], float], command: tuple[str, ...] = _COMMAND) -> None:
        self._monotonic = monotonic
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, kind: Kind, raw: bytes, chunk: Chunk | None = None) -> None:
        """Try the document. Raises: RefusedListError, LIST_UNFIT or what its decoding says."""
        of = chunk or _NO_CHUNK
        deadline_s = self._monotonic() + patience_s(max(len(raw), of.expanded)) + _GRACE_S
        with self._lock:
            try:
                wrong = self._ask(REQUEST.pack(kind, of.partition, len(raw), of.expanded, of.sha256), raw, deadline_s)
            except _Gone as error:
                wrong = f"LIST_UNFIT: {error}; the last good list stays"
            if not wrong:
                return
            alarm, _, message = wrong.partition(": ")
            if alarm == "LIST_UNFIT":
                self._end()
                self.start()
        raise RefusedListError(alarm, message)

    def start(self) -> subprocess.Popen[bytes]:
        """The process, started unless it is there; it takes what it is asked as soon as it is ready."""
        if self._process is None:
            process = subprocess.Popen(  # noqa: S603 our own module
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
            for pipe in (process.stdin, process.stdout):
                os.set_blocking(pipe.fileno(), False)  # type: ignore[union-attr] # both are pipes
            self._process = process
        return self._process

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        """Closed at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _ask(self, header: bytes, raw: bytes, deadline_s: float) -> str:
        """What is wrong with the document, empty when nothing is. Raises: _Gone."""
        process = self.start()
        for piece in (header, raw):
            self._write(process, piece, deadline_s)
        (length,) = REPLY.unpack(self._read(process, REPLY.size, deadline_s))
        return self._read(process, length, deadline_s).decode()

    def _write(self, process: subprocess.Popen[bytes], content: bytes, deadline_s: float) -> None:
        rest = memoryview(content)
        descriptor = process.stdin.fileno()  # type: ignore[union-attr] # a pipe
        while rest:
            self._await(descriptor, select.POLLOUT, deadline_s)
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BrokenPipeError as error:
                raise _Gone("its trial died") from error

    def _read(self, process: subprocess.Popen[bytes], length: int, deadline_s: float) -> bytes:
        content = b""
        descriptor = process.stdout.fileno()  # type: ignore[union-attr] # a pipe
        while len(content) < length:
            self._await(descriptor, select.POLLIN, deadline_s)
            piece = os.read(descriptor, length - len(content))
            if not piece:
                raise _Gone("its trial died")
            content += piece
        return content

    def _await(self, descriptor: int, event: int, deadline_s: float) -> None:
        waiting = select.poll()
        waiting.register(descriptor, event)
        if not waiting.poll(max(0.0, deadline_s - self._monotonic()) * 1_000):
            raise _Gone("its trial does not end")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            pipe.close()  # type: ignore[union-attr] # both are pipes
