"""What a server may say or leave unsaid instead of an answer: each has one name, and a replica answers in its stead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from liststore.base import Announcement
from liststore.reader import Bounds
from liststore.wiring import open_reader, open_writer
from restriction.errors import StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.stores import GENERATION, RECORDS, TOKENS

BOUNDS = Bounds(server_s=0.05, question_s=5.0)
SINGLE = Bounds(question_s=0.05)
SILENCE = b""
HANGS_UP = b"-"
REFUSALS = {
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "replica without its primary": b"-MASTERDOWN Link with MASTER is down.\r\n",
    "demoted": b"-READONLY You can't write against a read only replica.\r\n",
    "cluster down": b"-CLUSTERDOWN The cluster is down\r\n",
    "slot elsewhere": b"-MOVED 866 127.0.0.1:1\r\n",
    "slot on its way": b"-ASK 866 127.0.0.1:1\r\n",
    "half a slot": b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    "busy with a script": b"-BUSY Redis is busy running a script.\r\n",
    "password wanted": b"-NOAUTH Authentication required.\r\n",
    "out of connections": b"-ERR max number of clients reached\r\n",
    "no such protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "half a reply": b"*2\r\n$99\r\n",
    "half open": SILENCE,
    "hangs up": HANGS_UP,
}


@contextlib.asynccontextmanager
async def refusing(path: Path, reply: bytes) -> AsyncIterator[None]:
    """A server that says this to whatever it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536) and reply is not HANGS_UP:
            writer.write(reply)
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    yield
    server.close()


@pytest.fixture
async def announced(valkey_url: str) -> Announcement:
    writer = open_writer(valkey_url, BUCKET_KEY)
    announced = await put_list(writer, RECORDS, generation=GENERATION)
    await writer.close()
    return announced


@pytest.mark.parametrize("reply", REFUSALS.values(), ids=REFUSALS.keys())
async def test_refusal_is_unavailable_and_a_replica_answers(
    reply: bytes, announced: Announcement, valkey_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    async with refusing(path, reply):
        alone = open_reader(f"unix://{path}", BUCKET_KEY, bounds=SINGLE)
        with pytest.raises(StoreUnavailableError):
            await alone.find(TOKENS[0], announced)
        found = await alone.find_many(TOKENS[:3], announced)
        assert all(isinstance(each, StoreUnavailableError) for each in found)
        await alone.close()
        both = open_reader(f"unix://{path}?replica={valkey_url.removeprefix('unix://')}", BUCKET_KEY, bounds=BOUNDS)
        assert await both.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]
        assert await both.find_many(TOKENS, announced) == [RECORDS[token] for token in TOKENS]
        await both.close()
