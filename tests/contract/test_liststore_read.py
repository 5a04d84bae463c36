"""The rules of `liststore.base.ListReader`, in one body, on every store, also on a replica in its primary's stead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from liststore.base import Announcement, FilterImage
from liststore.keys import place_of
from restriction.errors import StoreNotWholeError, StoreUnavailableError
from tests.fakes.liststore import head_of
from tests.fakes.stores import (
    ABSENT,
    GENERATION,
    KEYS,
    RECORDS,
    TOKENS,
    Store,
    advance,
    at_version,
    token_of,
)


@pytest.fixture(params=["memory", "memory_replica", "redis", "redis_cluster", "redis_replica"])
def store(request: pytest.FixtureRequest) -> Store:
    return cast("Store", request.getfixturevalue(request.param))


# --- find -----------------------------------------------------------------------------------------------------------


async def test_find_gives_the_exact_record_of_every_token(store: Store, announced: Announcement) -> None:
    assert [await store.reader.find(token, announced) for token in TOKENS] == list(RECORDS.values())


async def test_find_gives_none_for_a_token_that_a_whole_bucket_lacks(store: Store, announced: Announcement) -> None:
    assert await store.reader.find(ABSENT, announced) is None


async def test_an_empty_partition_says_absent(store: Store, announced: Announcement) -> None:
    assert await store.reader.find(token_of(1, partition=200), announced) is None


async def test_find_many_keeps_the_order_of_its_questions(store: Store, announced: Announcement) -> None:
    asked = [TOKENS[9], ABSENT, TOKENS[1], TOKENS[9], TOKENS[17]]
    expected = [RECORDS.get(token) for token in asked]
    assert await store.reader.find_many(asked, announced) == expected


async def test_find_many_of_nothing_is_nothing(store: Store, announced: Announcement) -> None:
    assert await store.reader.find_many([], announced) == []


async def test_find_many_gives_the_error_of_an_unfit_bucket_in_its_place_alone(
    store: Store, announced: Announcement
) -> None:
    store.remove(KEYS.bucket(place_of(GENERATION, TOKENS[1])))
    first, second = await store.reader.find_many([TOKENS[0], TOKENS[1]], announced)
    assert first == RECORDS[TOKENS[0]]
    assert isinstance(second, StoreUnavailableError)


async def test_a_token_of_another_length_is_never_looked_for(store: Store, announced: Announcement) -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        await store.reader.find(TOKENS[0][:15], announced)


async def test_a_missing_bucket_is_not_absence(store: Store, announced: Announcement) -> None:
    store.remove(KEYS.bucket(place_of(GENERATION, ABSENT)))
    with pytest.raises(StoreUnavailableError, match="missing"):
        await store.reader.find(ABSENT, announced)


async def test_a_missing_head_is_not_absence(store: Store, announced: Announcement) -> None:
    store.remove(KEYS.head(7, 0))
    with pytest.raises(StoreUnavailableError, match="missing"):
        await store.reader.find(ABSENT, announced)


async def test_a_bucket_with_any_byte_altered_is_not_absence(store: Store, announced: Announcement) -> None:
    key = KEYS.bucket(place_of(GENERATION, ABSENT))
    whole = store.get(key)
    assert whole is not None
    for at in range(len(whole)):
        store.put(key, whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(StoreUnavailableError, match="altered"):
            await store.reader.find(ABSENT, announced)


@pytest.mark.parametrize("kept", [0, 1, 15, 16, 17, 33, -1])
async def test_a_bucket_cut_short_is_not_absence(store: Store, announced: Announcement, kept: int) -> None:
    key = KEYS.bucket(place_of(GENERATION, ABSENT))
    whole = store.get(key)
    assert whole is not None
    store.put(key, whole[:kept])
    with pytest.raises(StoreUnavailableError):
        await store.reader.find(ABSENT, announced)


async def test_a_bucket_of_another_place_is_foreign(store: Store, announced: Announcement) -> None:
    other = store.get(KEYS.bucket(place_of(GENERATION, TOKENS[1])))
    assert other is not None
    store.put(KEYS.bucket(place_of(GENERATION, ABSENT)), other)
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.find(ABSENT, announced)


async def test_a_bucket_of_another_generation_is_foreign(store: Store, announced: Announcement) -> None:
    beside = replace(GENERATION, number=8)
    await store.writer.load(beside, 0, {}, head_of(beside, {}))
    other = store.get(KEYS.bucket(place_of(beside, ABSENT)))
    assert other is not None
    store.put(KEYS.bucket(place_of(GENERATION, ABSENT)), other)
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.find(ABSENT, announced)


async def test_a_generation_read_with_other_bucket_bits_is_foreign(store: Store, announced: Announcement) -> None:
    coarse = replace(announced, generation=replace(GENERATION, bucket_bits=0))
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.find(token_of(9_999), coarse)


async def test_a_head_of_another_partition_is_foreign(store: Store, announced: Announcement) -> None:
    other = store.get(KEYS.head(7, 1))
    assert other is not None
    store.put(KEYS.head(7, 0), other)
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.find(ABSENT, announced)


async def test_a_head_of_another_generation_is_foreign(store: Store, announced: Announcement) -> None:
    stray = store.get(KEYS.head(7, 0))
    assert stray is not None
    store.put(KEYS.head(8, 0), stray)
    with pytest.raises(StoreUnavailableError, match="head: of another generation"):
        await store.reader.find(ABSENT, replace(announced, generation=replace(announced.generation, number=8)))


async def test_a_head_below_the_floor_is_refused(store: Store, announced: Announcement) -> None:
    with pytest.raises(StoreUnavailableError, match="floor"):
        await store.reader.find(TOKENS[0], at_version(announced, 2))


async def test_a_head_above_the_floor_answers(store: Store, announced: Announcement) -> None:
    await advance(store, announced, 2)
    assert await store.reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]


@pytest.mark.parametrize(
    "of_another",
    [
        lambda a: replace(a, generation=replace(a.generation, key_id="k2")),
        lambda a: replace(a, state=replace(a.state, list_id=replace(a.state.list_id, epoch=2))),
    ],
    ids=["token key", "epoch"],
)
async def test_a_head_of_another_key_or_epoch_is_refused(
    store: Store, announced: Announcement, of_another: Callable[[Announcement], Announcement]
) -> None:
    with pytest.raises(StoreUnavailableError, match="another"):
        await store.reader.find(ABSENT, of_another(announced))


async def test_under_another_bucket_key_nothing_is_believed(store: Store, announced: Announcement) -> None:
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.stranger.find(ABSENT, announced)
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.stranger.announcement()


# --- what followers read --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("announced")
async def test_tokens_are_every_stored_token_once(store: Store) -> None:
    found = [token async for tokens in store.reader.tokens(GENERATION, 1) for token in tokens]
    assert sorted(found) == sorted(TOKENS)


@pytest.mark.usefixtures("announced")
async def test_tokens_of_a_partition_below_the_version_asked_for_are_refused(store: Store) -> None:
    with pytest.raises(StoreUnavailableError, match="floor"):
        await anext(store.reader.tokens(GENERATION, 2))


@pytest.mark.usefixtures("announced")
async def test_tokens_of_a_partition_with_a_lost_bucket_are_refused(store: Store) -> None:
    store.remove(KEYS.bucket(place_of(GENERATION, ABSENT)))
    with pytest.raises(StoreUnavailableError):
        await anext(store.reader.tokens(GENERATION))


async def test_a_filter_image_comes_back_as_it_was_put(store: Store) -> None:
    image = FilterImage(7, 3, bytes(range(256)) * 1_000)
    assert await store.reader.filter_image(7) is None
    await store.writer.put_filter_image(image)
    assert await store.reader.filter_image(7) == image


async def test_a_filter_image_of_another_generation_is_foreign(store: Store) -> None:
    await store.writer.put_filter_image(FilterImage(7, 3, b"image"))
    raw = store.get(KEYS.filter_image(7))
    assert raw is not None
    store.put(KEYS.filter_image(8), raw)
    for port in (store.reader, store.writer):
        with pytest.raises(StoreNotWholeError, match="foreign"):
            await port.filter_image(8)


async def test_an_altered_filter_image_is_not_believed(store: Store) -> None:
    await store.writer.put_filter_image(FilterImage(7, 3, b"image"))
    raw = store.get(KEYS.filter_image(7))
    assert raw is not None
    store.put(KEYS.filter_image(7), raw[:-1] + b"E")
    with pytest.raises(StoreUnavailableError, match="altered"):
        await store.reader.filter_image(7)


async def test_parameters_come_back_as_they_were_put(store: Store) -> None:
    assert await store.reader.parameters() is None
    await store.writer.put_parameters(b"document")
    assert await store.reader.parameters() == b"document"


@pytest.mark.usefixtures("announced")
async def test_parameters_of_another_kind_of_value_are_not_believed(store: Store) -> None:
    raw = store.get(KEYS.announcement)
    assert raw is not None
    store.put(KEYS.parameters, raw)
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.parameters()
