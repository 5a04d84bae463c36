"""A real Valkey for tests: one embedded server a session, emptied for each test."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from liststore import embedded


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


async def ended(home: Path, timeout_s: float = 20) -> None:
    """Wait until the home's keeper and server are gone."""
    layout = embedded.Layout(home)
    async with asyncio.timeout(timeout_s):
        for lock in (layout.keeper, layout.server):
            with embedded.opened(lock) as descriptor:
                while not embedded.try_lock(descriptor):  # noqa: ASYNC110 (another process holds it: no event tells)
                    await asyncio.sleep(0.05)
