"""The rules of `liststore.base`, in one body, on every store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

import pytest
from redis import Redis

from liststore.base import PARTITIONS, Announcement, FilterImage, Generation, ListReader, ListWriter, Move
from liststore.keys import Keys, place_of
from liststore.memory_store import MemoryStore
from liststore.wiring import open_reader, open_writer
from restriction.change import Change, Lane, ListId
from restriction.errors import FencedError, GapError, StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, digest_of, head_of, put_list

GENERATION = Generation(7, 1, "k1")
KEYS = Keys()


def token_of(number: int, partition: int = 0) -> bytes:
    return bytes([partition]) + hashlib.blake2b(number.to_bytes(4, "big"), digest_size=15).digest()


def record_of(number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(4, "big"), digest_size=40 + number % 20).digest()


TOKENS = [token_of(number, number % 8) for number in range(200)]
RECORDS = {token: record_of(number) for number, token in enumerate(TOKENS)}
ABSENT = token_of(9_999)


@dataclass
class Store:
    """What a test may touch: the ports, and the stored bytes themselves."""

    reader: ListReader
    writer: ListWriter
    second_writer: ListWriter
    stranger: ListReader  # reads under another bucket key
    get: Callable[[str], bytes | None]
    put: Callable[[str, bytes], object]
    remove: Callable[[str], object]


@pytest.fixture
def memory() -> Store:
    ours, theirs = MemoryStore(BUCKET_KEY), MemoryStore(bytes(32))
    theirs.keyspace = ours.keyspace
    cells = ours.keyspace.cells
    return Store(
        ours.reader(), ours.writer(), ours.writer(), theirs.reader(), cells.get, cells.__setitem__, cells.__delitem__
    )


@pytest.fixture
async def redis(valkey_url: str, valkey_client: Redis) -> AsyncIterator[Store]:
    store = Store(
        open_reader(valkey_url, BUCKET_KEY), open_writer(valkey_url, BUCKET_KEY), open_writer(valkey_url, BUCKET_KEY),
        open_reader(valkey_url, bytes(32)), lambda key: cast("bytes | None", valkey_client.get(key)),
        valkey_client.set, valkey_client.delete,
    )  # fmt: skip
    yield store
    for port in (store.reader, store.writer, store.second_writer, store.stranger):
        await port.close()


@pytest.fixture(params=["memory", "redis"])
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


# --- write ----------------------------------------------------------------------------------------------------------


async def test_a_written_delta_is_what_find_gives(store: Store, announced: Announcement) -> None:
    after = {**RECORDS, TOKENS[0]: b"changed", ABSENT: b"added"}
    del after[TOKENS[8]]
    await store.writer.write(GENERATION, moves(RECORDS, after, base=1, version=2))
    asked = [TOKENS[0], TOKENS[8], TOKENS[16], ABSENT]
    assert await store.reader.find_many(asked, announced) == [after.get(token) for token in asked]
    assert await store.writer.records(GENERATION, 0) == held_in(after, 0)


async def test_removing_what_is_not_there_changes_nothing(store: Store, announced: Announcement) -> None:
    base = head_of(GENERATION, held_in(RECORDS, 0))
    removal = Move(0, base, replace(base, version=2), (Change(ABSENT, b"", Lane.EASE),))
    await store.writer.write(GENERATION, [removal])
    assert await store.writer.records(GENERATION, 0) == held_in(RECORDS, 0)


async def test_a_write_on_another_base_is_fenced_and_changes_nothing(store: Store, announced: Announcement) -> None:
    stale = moves({}, {ABSENT: b"stale"}, base=1, version=2)[0]
    with pytest.raises(FencedError):
        await store.writer.write(GENERATION, [stale])
    assert await store.reader.find(ABSENT, announced) is None


async def test_of_two_writers_at_once_one_is_fenced(store: Store, announced: Announcement) -> None:
    """Both read before either swaps, so the comparison within the swap is what decides."""
    first, second = ({**RECORDS, ABSENT: value} for value in (b"first", b"second"))
    results = await asyncio.gather(
        store.writer.write(GENERATION, moves(RECORDS, first, base=1, version=2)[:1]),
        store.second_writer.write(GENERATION, moves(RECORDS, second, base=1, version=2)[:1]),
        return_exceptions=True,
    )
    assert sorted(type(result) for result in results if result) == [FencedError]
    expected = b"second" if isinstance(results[0], FencedError) else b"first"
    assert await store.reader.find(ABSENT, announced) == expected


async def test_a_write_to_an_altered_bucket_is_refused(store: Store, announced: Announcement) -> None:
    """Otherwise the writer would seal as whole what it had read as damaged."""
    key = KEYS.bucket(place_of(GENERATION, TOKENS[0]))
    store.put(key, bytes(40))
    with pytest.raises(StoreUnavailableError):
        await store.writer.write(GENERATION, moves(RECORDS, {**RECORDS, TOKENS[0]: b"x"}, base=1, version=2))
    assert store.get(key) == bytes(40)


async def test_a_large_write_is_whole_across_trips(store: Store, announced: Announcement) -> None:
    added = {token_of(number, number % 16): record_of(number) for number in range(10_000, 13_000)}
    after = {**RECORDS, **added}
    await store.writer.write(GENERATION, moves(RECORDS, after, base=1, version=2))
    assert await store.writer.read(GENERATION, [*added, ABSENT]) == added


async def test_heads_are_what_was_written(store: Store, announced: Announcement) -> None:
    heads = await store.writer.heads(7)
    assert heads == {p: head_of(GENERATION, held_in(RECORDS, p)) for p in range(PARTITIONS)}
    assert await store.writer.heads(8) == {}


async def test_read_leaves_out_what_is_not_stored(store: Store, announced: Announcement) -> None:
    assert await store.writer.read(GENERATION, [TOKENS[3], ABSENT]) == {TOKENS[3]: RECORDS[TOKENS[3]]}


async def test_records_of_a_partition_with_a_lost_bucket_are_refused(store: Store, announced: Announcement) -> None:
    store.remove(KEYS.bucket(place_of(GENERATION, ABSENT)))
    with pytest.raises(StoreUnavailableError):
        await store.writer.records(GENERATION, 0)


async def test_a_record_over_the_limit_is_refused(store: Store, announced: Announcement) -> None:
    with pytest.raises(StoreUnavailableError, match="limit"):
        await store.writer.write(GENERATION, moves(RECORDS, {**RECORDS, ABSENT: bytes(65_536)}, base=1, version=2))


# --- load and drop --------------------------------------------------------------------------------------------------


async def test_a_generation_in_service_is_not_loaded_over(store: Store, announced: Announcement) -> None:
    with pytest.raises(FencedError):
        await store.writer.load(GENERATION, 0, {}, head_of(GENERATION, {}))


async def test_a_token_of_another_partition_is_not_loaded(store: Store) -> None:
    with pytest.raises(ValueError, match="partition"):
        await store.writer.load(GENERATION, 1, {ABSENT: b"x"}, head_of(GENERATION, {}))


async def test_a_generation_in_service_is_not_dropped(store: Store, announced: Announcement) -> None:
    with pytest.raises(FencedError):
        await store.writer.drop(GENERATION)
    assert await store.reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]


async def test_a_dropped_generation_leaves_nothing_and_touches_no_other(store: Store, announced: Announcement) -> None:
    beside = replace(GENERATION, number=8)
    for partition in range(PARTITIONS):
        await store.writer.load(beside, partition, {}, head_of(beside, {}))
    await store.writer.put_filter_image(FilterImage(8, 1, b"image"))
    await store.writer.drop(beside)
    assert await store.writer.heads(8) == {}
    assert store.get(KEYS.bucket(place_of(beside, ABSENT))) is None
    assert await store.reader.filter_image(8) is None
    assert await store.reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]


async def test_a_generation_is_switched_by_one_announcement(store: Store, announced: Announcement) -> None:
    beside = Generation(8, 2, "k2")
    after = {TOKENS[0]: b"new"}
    switched = await put_list(store.writer, after, generation=beside, version=2)
    assert await store.reader.announcement() == switched
    assert await store.reader.find(TOKENS[0], switched) == b"new"
    assert await store.reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]
    assert await store.reader.additions(8, 2, 2) == []


# --- announce -------------------------------------------------------------------------------------------------------


async def test_nothing_announced_is_none(store: Store) -> None:
    assert await store.reader.announcement() is None
    assert await store.writer.announcement() is None


async def test_reader_and_writer_see_what_was_announced(store: Store, announced: Announcement) -> None:
    assert await store.reader.announcement() == announced
    assert await store.second_writer.announcement() == announced


async def test_an_altered_announcement_is_not_believed(store: Store, announced: Announcement) -> None:
    raw = store.get(KEYS.announcement)
    assert raw is not None
    store.put(KEYS.announcement, raw.replace(b'"version": 1', b'"version": 9'))
    with pytest.raises(StoreUnavailableError, match="altered"):
        await store.reader.announcement()


async def test_an_announcement_waits_for_every_partition(store: Store, announced: Announcement) -> None:
    await store.writer.write(GENERATION, moves(RECORDS, RECORDS, base=1, version=2)[:-1])
    with pytest.raises(FencedError, match="partition 255"):
        await store.writer.announce(at_version(announced, 2), [])


async def test_an_announced_version_never_goes_down(store: Store, announced: Announcement) -> None:
    latest = await advance(store, announced, 2)
    with pytest.raises(FencedError, match="behind"):
        await store.second_writer.announce(announced, [])
    assert await store.reader.announcement() == latest


async def test_a_heartbeat_moves_the_time_alone(store: Store, announced: Announcement) -> None:
    later = replace(announced, as_of=announced.as_of + 2)
    await store.writer.announce(later, [])
    assert await store.reader.announcement() == later


@pytest.mark.parametrize(
    "list_id", [ListId("test", "live", 1), ListId("other", "sandbox", 1)], ids=["environment", "name"]
)
async def test_another_list_is_not_announced_over_this_one(
    store: Store, announced: Announcement, list_id: ListId
) -> None:
    with pytest.raises(FencedError, match="another list"):
        await store.writer.announce(replace(announced, state=replace(announced.state, list_id=list_id)), [])


@pytest.mark.parametrize(
    ("generation", "epoch"),
    [(replace(GENERATION, bucket_bits=2), 1), (replace(GENERATION, key_id="k2"), 1), (GENERATION, 2)],
    ids=["bucket bits", "token key", "epoch"],
)
async def test_a_generation_keeps_what_it_was_loaded_with(
    store: Store, announced: Announcement, generation: Generation, epoch: int
) -> None:
    list_id = replace(announced.state.list_id, epoch=epoch)
    with pytest.raises(FencedError, match="generation"):
        await store.writer.announce(Announcement(generation, replace(announced.state, list_id=list_id), 1), [])


async def test_of_two_announcements_at_once_one_is_fenced(store: Store, announced: Announcement) -> None:
    results = await asyncio.gather(
        store.writer.announce(replace(announced, as_of=11), []),
        store.second_writer.announce(replace(announced, as_of=22), []),
        return_exceptions=True,
    )
    assert sorted(type(result) for result in results if result) == [FencedError]


async def test_a_hint_carries_the_announced_version(store: Store, announced: Announcement) -> None:
    async with aclosing(store.reader.hints()) as hints:  # type: ignore[type-var]  # AsyncIterator hides its aclose
        hint = asyncio.ensure_future(anext(hints))
        while not hint.done():  # a hint is lossy: whoever does not listen yet misses it
            await store.writer.announce(announced, [])
            await asyncio.sleep(0)
        assert hint.result() == 1


# --- additions ------------------------------------------------------------------------------------------------------


async def test_additions_are_those_of_the_versions_asked_for(store: Store, announced: Announcement) -> None:
    second = await advance(store, announced, 2, TOKENS[:1])
    third = await advance(store, second, 3)
    await advance(store, third, 6, TOKENS[1:3])
    assert await store.reader.additions(7, 1, 6) == TOKENS[:3]
    assert await store.reader.additions(7, 1, 2) == TOKENS[:1]
    assert await store.reader.additions(7, 3, 6) == TOKENS[1:3]
    assert await store.reader.additions(7, 2, 3) == []
    assert await store.reader.additions(7, 6, 6) == []


async def test_additions_inside_a_folded_step_are_all_of_it(store: Store, announced: Announcement) -> None:
    await advance(store, announced, 6, TOKENS[:3])
    assert await store.reader.additions(7, 4, 5) == TOKENS[:3]


async def test_additions_of_many_pages_come_whole(store: Store, announced: Announcement) -> None:
    added = [token_of(number) for number in range(5_000)]
    await advance(store, announced, 2, added)
    assert await store.reader.additions(7, 1, 2) == added


@pytest.mark.parametrize(
    ("generation", "after", "upto"),
    [(7, 0, 2), (7, 1, 3), (8, 1, 2)],
    ids=["before the history", "after the history", "another generation"],
)
async def test_additions_that_are_not_kept_are_a_gap(
    store: Store, announced: Announcement, generation: int, after: int, upto: int
) -> None:
    await advance(store, announced, 2, TOKENS[:1])
    with pytest.raises(GapError):
        await store.reader.additions(generation, after, upto)


async def test_history_is_bounded_and_what_is_forgotten_is_a_gap(
    store: Store, announced: Announcement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liststore.memory_store.MAX_PAGES", 2)
    monkeypatch.setattr("liststore.redis_keyspace.MAX_PAGES", 2)
    second = await advance(store, announced, 2, [token_of(number) for number in range(4_096)])
    assert len(await store.reader.additions(7, 1, 2)) == 4_096
    await advance(store, second, 3, TOKENS[:1])
    assert await store.reader.additions(7, 2, 3) == TOKENS[:1]
    with pytest.raises(GapError):
        await store.reader.additions(7, 1, 3)


# --- what followers read --------------------------------------------------------------------------------------------


async def test_tokens_are_every_stored_token_once(store: Store, announced: Announcement) -> None:
    found = [token async for tokens in store.reader.tokens(GENERATION, 1) for token in tokens]
    assert sorted(found) == sorted(TOKENS)


async def test_tokens_of_a_partition_below_the_version_asked_for_are_refused(
    store: Store, announced: Announcement
) -> None:
    with pytest.raises(StoreUnavailableError, match="floor"):
        await anext(store.reader.tokens(GENERATION, 2))


async def test_tokens_of_a_partition_with_a_lost_bucket_are_refused(store: Store, announced: Announcement) -> None:
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
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.filter_image(8)


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


async def test_parameters_of_another_kind_of_value_are_not_believed(store: Store, announced: Announcement) -> None:
    raw = store.get(KEYS.announcement)
    assert raw is not None
    store.put(KEYS.parameters, raw)
    with pytest.raises(StoreUnavailableError, match="foreign"):
        await store.reader.parameters()
