"""Every store there is, behind one fixture, with its stored bytes open to a test."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from liststore.base import PARTITIONS, Announcement, Generation, ListReader, ListWriter, Move
from liststore.keys import Keys
from liststore.keyspace import Keyspace, News, Swap
from liststore.memory_store import MemoryKeyspace
from liststore.reader import Bounds, KeyspaceReader
from liststore.redis_client import BULK, QUICK, connect
from liststore.redis_keyspace import RedisKeyspace
from liststore.server import Server
from liststore.wiring import open_reader, open_writer
from liststore.writer import KeyspaceWriter
from restriction.change import Change, Lane
from tests.fakes.liststore import BUCKET_KEY, digest_of, head_of, put_list

GENERATION = Generation(7, 1, "k1")
KEYS = Keys()
UNHURRIED = Bounds(server_s=5.0, question_s=5.0)  # where what is answered matters, and not when


def token_of(number: int, partition: int = 0) -> bytes:
    return bytes([partition]) + hashlib.blake2b(number.to_bytes(4, "big"), digest_size=15).digest()


def record_of(number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(4, "big"), digest_size=40 + number % 20).digest()


TOKENS = [token_of(number, number % 8) for number in range(200)]
RECORDS = {token: record_of(number) for number, token in enumerate(TOKENS)}
ABSENT = token_of(9_999)


Meanwhile = Callable[[], Awaitable[None]]


class Overtaken:
    """A keyspace whose user is overtaken: `meanwhile` happens between what it has read and what it then swaps."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self.meanwhile: Meanwhile | None = None

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        await self._happen()
        return await self._keyspace.swap(swaps)

    async def announce(self, swap: Swap, news: News) -> bool:
        await self._happen()
        return await self._keyspace.announce(swap, news)

    async def _happen(self) -> None:
        if self.meanwhile is not None:
            await self.meanwhile()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keyspace, name)


@dataclass
class Store:
    """What a test may touch: the ports, and the stored bytes themselves."""

    reader: ListReader
    writer: ListWriter
    overtaken: Overtaken
    stranger: ListReader  # reads under another bucket key
    get: Callable[[str], bytes | None]
    put: Callable[[str, bytes], object]
    remove: Callable[[str], object]

    @property
    def second_writer(self) -> ListWriter:
        """A writer that may be overtaken."""
        return KeyspaceWriter(self.overtaken, KEYS, BUCKET_KEY)


@pytest.fixture
def memory() -> Store:
    return _in_memory(())


@pytest.fixture
def memory_replica(tmp_path: Path) -> Store:
    """A store that is read as the replica of a primary that is away."""
    away = RedisKeyspace(connect(f"unix://{tmp_path}/none", QUICK))
    return _in_memory([Server("primary", away, away)])


def _in_memory(before: Sequence[Server]) -> Store:
    keyspace = MemoryKeyspace()
    ours, theirs = (
        KeyspaceReader([*before, Server("memory", keyspace, keyspace)], KEYS, key, UNHURRIED)
        for key in (BUCKET_KEY, bytes(32))
    )
    cells = keyspace.cells
    return Store(
        ours,
        KeyspaceWriter(keyspace, KEYS, BUCKET_KEY),
        Overtaken(keyspace),
        theirs,
        cells.get,
        cells.__setitem__,
        cells.__delitem__,
    )


@pytest.fixture
async def redis(valkey_url: str, valkey_client: Redis) -> AsyncIterator[Store]:
    async for store in _served(valkey_url, valkey_client):
        yield store


@pytest.fixture
async def redis_cluster(valkey_cluster_server: str) -> AsyncIterator[Store]:
    with Redis.from_url(valkey_cluster_server.replace("redis+cluster", "redis")) as client:
        client.flushall()
        async for store in _served(valkey_cluster_server, client):
            yield store


@pytest.fixture
async def redis_replica(valkey_url: str, valkey_client: Redis) -> AsyncIterator[Store]:
    """A store that is read as the replica of a primary that is away."""
    with tempfile.TemporaryDirectory() as nowhere:
        async for store in _served(valkey_url, valkey_client, f"unix://{nowhere}/none?replica={valkey_url[7:]}"):
            yield store


async def _served(valkey_url: str, valkey_client: Redis, read_at: str | None = None) -> AsyncIterator[Store]:
    read_at = read_at or valkey_url
    store = Store(
        open_reader(read_at, BUCKET_KEY, bounds=UNHURRIED), open_writer(valkey_url, BUCKET_KEY),
        Overtaken(RedisKeyspace(connect(valkey_url, BULK))), open_reader(read_at, bytes(32), bounds=UNHURRIED),
        lambda key: cast("bytes | None", valkey_client.get(key)),
        valkey_client.set, valkey_client.delete,
    )  # fmt: skip
    yield store
    for port in (store.reader, store.writer, store.second_writer, store.stranger):
        await port.close()


@pytest.fixture(params=["memory", "redis", "redis_cluster"])
def store(request: pytest.FixtureRequest) -> Store:
    return cast("Store", request.getfixturevalue(request.param))


@pytest.fixture
async def announced(store: Store) -> Announcement:
    return await put_list(store.writer, RECORDS, generation=GENERATION)


def held_in(records: Mapping[bytes, bytes], partition: int) -> dict[bytes, bytes]:
    return {token: record for token, record in records.items() if token[0] == partition}


def moves(before: Mapping[bytes, bytes], after: Mapping[bytes, bytes], *, base: int, version: int) -> list[Move]:
    """The moves of all partitions from one state to another."""
    changes = [
        Change(token, after.get(token, b""), Lane.BURDEN if token in after else Lane.EASE)
        for token in before.keys() | after.keys()
        if before.get(token) != after.get(token)
    ]
    return [
        Move(
            partition,
            head_of(GENERATION, held_in(before, partition), version=base),
            head_of(GENERATION, held_in(after, partition), version=version),
            tuple(change for change in changes if change.token[0] == partition),
        )
        for partition in range(PARTITIONS)
    ]


def at_version(announced: Announcement, version: int, records: Mapping[bytes, bytes] | None = None) -> Announcement:
    digest = announced.state.digest if records is None else digest_of(records)
    state = replace(announced.state, version=version, digest=digest)
    return replace(announced, state=state, as_of=announced.as_of + version)


async def advance(store: Store, announced: Announcement, version: int, added: Sequence[bytes] = ()) -> Announcement:
    """The next announced version, with the records of `added` taken as they are."""
    base = announced.state.version
    await store.writer.write(GENERATION, moves(RECORDS, RECORDS, base=base, version=version))
    following = at_version(announced, version)
    await store.writer.announce(following, added)
    return following
