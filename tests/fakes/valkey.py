"""A real Valkey for tests: one embedded server a session, emptied for each test."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from redis import Redis

from liststore import embedded


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def valkey_server() -> AsyncIterator[str]:
    """Address of the session's server. Its folder is short, since a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as home:
        async with embedded.open(Path(home)) as url:
            yield url
        await ended(Path(home))


@pytest.fixture
def valkey_url(valkey_server: str) -> str:
    """Address of an empty server."""
    with Redis.from_url(valkey_server) as client:
        client.flushall()
    return valkey_server


async def ended(home: Path, timeout_s: float = 20) -> None:
    """Wait until the home's keeper and server are gone."""
    layout = embedded.Layout(home)
    async with asyncio.timeout(timeout_s):
        for lock in (layout.keeper, layout.server):
            with embedded.opened(lock) as descriptor:
                while not embedded.try_lock(descriptor):  # noqa: ASYNC110 (another process holds it: no event tells)
                    await asyncio.sleep(0.05)
