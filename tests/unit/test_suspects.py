"""What a reader tells of damage that it meets: which partitions, how often, and at nobody's cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from liststore.base import PARTITIONS, Announcement
from liststore.keys import place_of
from liststore.memory_store import MemoryKeyspace, MemoryStore
from liststore.reader import KeyspaceReader
from liststore.server import Server
from liststore.suspects import EVERY_S, Teller
from restriction.errors import StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.stores import GENERATION, KEYS, RECORDS, TOKENS, UNHURRIED, at_version

PARTITION = TOKENS[0][0]
BUCKET = KEYS.bucket(place_of(GENERATION, TOKENS[0]))
HEAD = KEYS.head(GENERATION.number, PARTITION)


class Told(MemoryKeyspace):
    """A server that notes what is told on it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, int]] = []
        self.fails = False
        self.open = asyncio.Event()
        self.open.set()

    async def hint(self, channel: str, number: int) -> None:
        await self.open.wait()
        self.told.append((channel, number))
        if self.fails:
            raise StoreUnavailableError("store: NoPermissionError")


class House:
    """A primary and one replica of the same list."""

    def __init__(self) -> None:
        self.primary, self.replica = Told(), Told()
        servers = [Server("p", self.primary, self.primary), Server("r", self.replica, self.replica)]
        self.reader = KeyspaceReader(servers, KEYS, BUCKET_KEY, UNHURRIED)

    async def open(self) -> Announcement:
        store = MemoryStore(BUCKET_KEY)
        announced = await put_list(store.writer(), RECORDS, generation=GENERATION)
        for keyspace in (self.primary, self.replica):
            keyspace.cells.update(store.keyspace.cells)
        return announced

    async def partitions_told(self) -> list[int]:
        for _ in range(3 * PARTITIONS):  # whatever goes on beside has its turns
            await asyncio.sleep(0)
        assert not self.replica.told
        assert {channel for channel, _ in self.primary.told} <= {KEYS.suspects}
        return [number for _, number in self.primary.told]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.reader.close()


@pytest.mark.parametrize("key", [BUCKET, HEAD], ids=["bucket", "head"])
@pytest.mark.parametrize("left", [None, b"of another"], ids=["lost", "foreign"])
async def test_partition_that_is_not_whole_on_the_primary_is_told_of(
    house: House, key: str, left: bytes | None
) -> None:
    at = await house.open()
    house.primary.cells.pop(key)
    if left is not None:
        house.primary.cells[key] = left
    assert await house.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
    assert await house.partitions_told() == [PARTITION]


async def test_nothing_is_told_of_what_is_whole(house: House) -> None:
    await house.reader.find_many(TOKENS, await house.open())
    assert await house.partitions_told() == []


async def test_damage_of_a_replica_is_not_told_of(house: House) -> None:
    at = await house.open()
    house.replica.cells.clear()
    await house.reader.find_many(TOKENS, at_version(at, 2))
    assert await house.partitions_told() == []


async def test_head_below_the_floor_is_no_damage(house: House) -> None:
    """Or else a failover to a replica that is behind would have every partition suspected."""
    at = at_version(await house.open(), 2)
    assert all(isinstance(found, StoreUnavailableError) for found in await house.reader.find_many(TOKENS, at))
    assert await house.partitions_told() == []


async def test_head_of_another_epoch_is_no_damage(house: House) -> None:
    at = await house.open()
    later = replace(at, state=replace(at.state, list_id=replace(at.state.list_id, epoch=2)))
    assert all(isinstance(found, StoreUnavailableError) for found in await house.reader.find_many(TOKENS, later))
    assert await house.partitions_told() == []


async def test_server_that_is_away_is_no_damage(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(rows: object) -> list[StoreUnavailableError]:
        del rows
        raise StoreUnavailableError("store: away")

    at = await house.open()
    monkeypatch.setattr(house.primary, "read", away)
    assert await house.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
    assert await house.partitions_told() == []


async def test_many_questions_tell_of_a_partition_once(house: House) -> None:
    at = await house.open()
    house.primary.cells.clear()
    for _ in range(3):
        await house.reader.find_many(TOKENS, at)
    assert sorted(await house.partitions_told()) == sorted({token[0] for token in TOKENS})


async def test_answer_does_not_wait_for_what_is_told(house: House) -> None:
    at = await house.open()
    house.primary.open.clear()
    house.primary.cells.clear()
    assert await house.reader.find_many(TOKENS, at) == [RECORDS[token] for token in TOKENS]
    assert await house.partitions_told() == []


async def test_answers_and_further_tellings_outlive_one_that_is_refused(house: House) -> None:
    at = await house.open()
    house.primary.fails = True
    house.primary.cells.clear()
    assert await house.reader.find_many(TOKENS, at) == [RECORDS[token] for token in TOKENS]
    assert len(await house.partitions_told()) == len({token[0] for token in TOKENS})


async def test_partition_is_told_of_again_after_its_time() -> None:
    told = list[int]()

    async def note(partition: int) -> None:
        told.append(partition)

    teller = Teller(note)
    for now_s in (5.0, 5.0, 5.0 + EVERY_S - 0.01, 5.0 + EVERY_S, 5.0 + EVERY_S):
        teller.tell(3, now_s)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert told == [3, 3]
