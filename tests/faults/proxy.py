"""A link that can be made bad while it is in use: a proxy for TCP and unix sockets, between any two of our parts.

`standing(upstream)` listens on a port of its own (or on a given socket) and passes every connection on.
What the link does is one frozen `Fault`, put in place by `link.fault = …` for connections that stand as well as for
new ones; `link.cut()` ends those that stand. Bytes of one direction never change their order, as in TCP.
A delay is a distance and not a queue: what follows is not held up by what it follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

Address = tuple[str, int] | Path
LOOPBACK: Final = ("127.0.0.1", 0)
_CHUNK_BYTES: Final = 65_536
_UNDER_WAY: Final = 64  # chunks of one direction that a delay holds; then the sender is no longer read from
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, no time: a close sends RST


@dataclass(frozen=True, slots=True)
class Fault:
    """What a link does to what passes, in each direction.

    `delay_s` and up to `jitter_s` more are added; `bytes_per_s` is the throttle.
    `deaf`: connections stand and are accepted, and nothing is read or said until that ends (half-open).
    `refused`: whoever connects is reset.
    `cut_after_bytes`: from now on each direction passes so many bytes more, and then its connection ends: with a RST if
    `is_reset`, else in order, as after a truncated reply.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = math.inf
    deaf: bool = False
    refused: bool = False
    cut_after_bytes: int | None = None
    is_reset: bool = False


GOOD: Final = Fault()


@dataclass(eq=False)
class _Connection:
    """One connection through the link: the caller's streams and those towards the upstream."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter

    def end(self, *, is_reset: bool) -> None:
        """Close both sides, with a RST or in order."""
        for writer in (self.near, self.far):
            if is_reset:
                _reset(writer)
            else:
                writer.close()


@dataclass
class Link:
    """The control of one proxy. `accepted`, `passed_bytes` and `ended` count since the beginning."""

    upstream: Address
    dice: random.Random
    address: Address = LOOPBACK
    accepted: int = 0
    passed_bytes: int = 0
    ended: int = 0
    _fault: Fault = GOOD
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _standing: set[_Connection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def fault(self) -> Fault:
        """What is wrong with the link now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """HOST:PORT, or the path of the socket."""
        return str(self.address) if isinstance(self.address, Path) else f"{self.address[0]}:{self.address[1]}"

    def cut(self, *, is_reset: bool = True) -> int:
        """End every connection that stands, and say how many there were."""
        standing, self._standing = self._standing, set()
        for connection in standing:
            connection.end(is_reset=is_reset)
        self.ended += len(standing)
        return len(standing)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        try:
            # Cancelled: the proxy itself is ending. A RuntimeError is uvloop's word for a transport that is closed.
            with contextlib.suppress(OSError, RuntimeError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            _reset(writer)
            self._tasks.discard(task)

    async def close(self) -> None:
        """End everything that stands."""
        self.cut()
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._fault.refused:
            return
        far_reader, far_writer = await _connect(self.upstream)
        connection = _Connection(writer, far_writer)
        self._standing.add(connection)
        try:
            await asyncio.gather(self._pass(reader, far_writer, connection), self._pass(far_reader, writer, connection))
        finally:
            self._standing.discard(connection)
            _reset(far_writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection) -> None:
        """Carry one direction: what was read is handed to a second task, which writes it when it is due."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)
        writing = asyncio.create_task(self._write(under_way, writer, connection))
        free_s = 0.0
        try:
            while True:
                chunk = await reader.read(_CHUNK_BYTES)
                free_s = max(free_s, asyncio.get_running_loop().time()) + len(chunk) / self._fault.bytes_per_s
                await under_way.put((free_s + self._lag_s(), chunk))
                if not chunk:
                    await writing
                    return
        finally:
            writing.cancel()

    def _lag_s(self) -> float:
        return self._fault.delay_s + self._fault.jitter_s * self.dice.random()

    async def _write(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        clock, fault, left = asyncio.get_running_loop().time, GOOD, math.inf
        while True:
            due_s, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due_s - clock()))
            while self._fault.deaf:
                await self._changed.wait()
            if not chunk:
                writer.write_eof()
                return
            if fault is not self._fault:
                fault = self._fault
                left = math.inf if fault.cut_after_bytes is None else fault.cut_after_bytes
            whole = len(chunk) <= left
            writer.write(chunk if whole else chunk[: int(left)])
            await writer.drain()
            self.passed_bytes += len(chunk) if whole else int(left)
            left -= len(chunk)
            if not whole:
                self.ended += 1
                connection.end(is_reset=fault.is_reset)
                return


@asynccontextmanager
async def standing(upstream: Address, listen: Address = LOOPBACK, seed: int = 0) -> AsyncIterator[Link]:
    """A link to `upstream` that is good until it is told otherwise; gone, with its connections, at the end."""
    link = Link(upstream, random.Random(seed))  # noqa: S311 - repeatable jitter, not secrets
    if isinstance(listen, Path):
        server: asyncio.Server = await asyncio.start_unix_server(link.serve, listen)
        link.address = listen
    else:
        server = await asyncio.start_server(link.serve, *listen)
        link.address = server.sockets[0].getsockname()[:2]
    try:
        yield link
    finally:
        server.close()
        await link.close()


async def _connect(upstream: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(upstream, Path):
        return await asyncio.open_unix_connection(upstream)
    return await asyncio.open_connection(*upstream)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once; over TCP the other side gets a RST."""
    own = cast("socket.socket | None", writer.get_extra_info("socket"))
    with contextlib.suppress(OSError, ValueError):  # it is closed already; of uvloop's there is none, or a void one
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
