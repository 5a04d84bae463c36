"""How a damaged store is mended, in one body, on every store."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from liststore.base import Announcement
from liststore.keys import place_of
from restriction.errors import FencedError, StoreNotWholeError
from tests.fakes.liststore import head_of
from tests.fakes.stores import GENERATION, KEYS, RECORDS, TOKENS, Store, at_version, held_in, moves

HELD = held_in(RECORDS, 0)
HEAD = head_of(GENERATION, HELD)
BUCKET = KEYS.bucket(place_of(GENERATION, TOKENS[0]))
HEAD_KEY = KEYS.head(GENERATION.number, 0)
cells = pytest.mark.parametrize("key", [BUCKET, HEAD_KEY], ids=["bucket", "head"])


@cells
@pytest.mark.parametrize("lost", [True, False], ids=["lost", "altered"])
async def test_a_damaged_partition_is_told_from_a_store_that_is_away_and_can_be_restored(
    store: Store, announced: Announcement, key: str, *, lost: bool
) -> None:
    store.remove(key) if lost else store.put(key, bytes(60))
    with pytest.raises(StoreNotWholeError):
        await store.writer.records(GENERATION, 0)
    with pytest.raises(StoreNotWholeError):
        await store.reader.find(TOKENS[0], announced)
    assert (0 in await store.writer.heads(GENERATION.number)) == (key == BUCKET)
    await store.writer.restore(GENERATION, 0, HELD, HEAD)
    assert await store.writer.records(GENERATION, 0) == HELD
    assert await store.reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]


@cells
async def test_a_reader_that_meets_damage_tells_the_writer_which_partition(
    store: Store, announced: Announcement, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liststore.suspects.EVERY_S", 0.0)
    store.remove(key)
    async with aclosing(store.writer.suspects()) as suspects:  # type: ignore[type-var]  # AsyncIterator hides its aclose
        suspect = asyncio.ensure_future(anext(suspects))
        while not suspect.done():  # lossy: whoever does not listen yet misses it
            with pytest.raises(StoreNotWholeError):
                await store.reader.find(TOKENS[0], announced)
            await asyncio.sleep(0)
        assert suspect.result() == 0


@pytest.mark.usefixtures("announced")
async def test_a_partition_is_never_restored_to_an_earlier_version(store: Store) -> None:
    await store.writer.write(GENERATION, moves(RECORDS, RECORDS, base=1, version=2))
    with pytest.raises(FencedError):
        await store.writer.restore(GENERATION, 0, {}, HEAD)
    assert await store.writer.records(GENERATION, 0) == HELD


@pytest.mark.usefixtures("announced")
async def test_whoever_restores_and_is_overtaken_is_fenced(store: Store) -> None:
    after = {token: record for token, record in RECORDS.items() if token != TOKENS[0]}
    store.overtaken.meanwhile = lambda: store.writer.write(GENERATION, moves(RECORDS, after, base=1, version=2)[:1])
    with pytest.raises(FencedError):
        await store.second_writer.restore(GENERATION, 0, HELD, HEAD)
    assert await store.writer.records(GENERATION, 0) == held_in(after, 0)


async def test_a_damaged_announcement_can_be_replaced_and_nothing_is_dropped_meanwhile(
    store: Store, announced: Announcement
) -> None:
    store.put(KEYS.announcement, bytes(60))
    with pytest.raises(StoreNotWholeError):
        await store.writer.announcement()
    with pytest.raises(StoreNotWholeError):
        await store.writer.drop(GENERATION)
    await store.writer.announce(announced, [])
    assert await store.reader.announcement() == announced


async def test_over_a_damaged_announcement_too_every_partition_must_have_come_that_far(
    store: Store, announced: Announcement
) -> None:
    store.put(KEYS.announcement, bytes(60))
    with pytest.raises(FencedError, match="partition 0"):
        await store.writer.announce(at_version(announced, 2), [])
