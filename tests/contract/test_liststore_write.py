"""The rules of `liststore.base.ListWriter`, in one body, on every store."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from liststore.base import PARTITIONS, Announcement, FilterImage, Generation, Move
from liststore.keys import place_of
from restriction.change import Change, Lane, ListId
from restriction.errors import FencedError, GapError, StoreUnavailableError
from tests.fakes.liststore import head_of, put_list
from tests.fakes.stores import (
    ABSENT,
    GENERATION,
    KEYS,
    RECORDS,
    TOKENS,
    Store,
    advance,
    at_version,
    held_in,
    moves,
    record_of,
    token_of,
)

# --- write ----------------------------------------------------------------------------------------------------------


async def test_a_written_delta_is_what_find_gives(store: Store, announced: Announcement) -> None:
    after = {**RECORDS, TOKENS[0]: b"changed", ABSENT: b"added"}
    del after[TOKENS[8]]
    await store.writer.write(GENERATION, moves(RECORDS, after, base=1, version=2))
    asked = [TOKENS[0], TOKENS[8], TOKENS[16], ABSENT]
    assert await store.reader.find_many(asked, announced) == [after.get(token) for token in asked]
    assert await store.writer.records(GENERATION, 0) == held_in(after, 0)


@pytest.mark.usefixtures("announced")
async def test_removing_what_is_not_there_changes_nothing(store: Store) -> None:
    base = head_of(GENERATION, held_in(RECORDS, 0))
    removal = Move(0, base, replace(base, version=2), (Change(ABSENT, b"", Lane.EASE),))
    await store.writer.write(GENERATION, [removal])
    assert await store.writer.records(GENERATION, 0) == held_in(RECORDS, 0)


async def test_a_write_on_another_base_is_fenced_and_changes_nothing(store: Store, announced: Announcement) -> None:
    stale = moves({}, {ABSENT: b"stale"}, base=1, version=2)[0]
    with pytest.raises(FencedError):
        await store.writer.write(GENERATION, [stale])
    assert await store.reader.find(ABSENT, announced) is None


async def test_a_write_to_a_generation_that_is_gone_is_fenced(store: Store) -> None:
    with pytest.raises(FencedError):
        await store.writer.write(GENERATION, moves({}, {ABSENT: b"late"}, base=1, version=2))
    assert await store.writer.heads(7) == {}


async def test_a_writer_that_is_overtaken_while_it_computes_is_fenced(store: Store, announced: Announcement) -> None:
    first, second = ({**RECORDS, ABSENT: value} for value in (b"first", b"second"))
    store.overtaken.meanwhile = lambda: store.writer.write(GENERATION, moves(RECORDS, first, base=1, version=2)[:1])
    with pytest.raises(FencedError):
        await store.second_writer.write(GENERATION, moves(RECORDS, second, base=1, version=2)[:1])
    assert await store.reader.find(ABSENT, announced) == b"first"


@pytest.mark.usefixtures("announced")
async def test_a_write_to_an_altered_bucket_is_refused(store: Store) -> None:
    """Otherwise the writer would seal as whole what it had read as damaged."""
    key = KEYS.bucket(place_of(GENERATION, TOKENS[0]))
    store.put(key, bytes(40))
    with pytest.raises(StoreUnavailableError):
        await store.writer.write(GENERATION, moves(RECORDS, {**RECORDS, TOKENS[0]: b"x"}, base=1, version=2))
    assert store.get(key) == bytes(40)


@pytest.mark.usefixtures("announced")
async def test_a_large_write_is_whole_across_trips(store: Store) -> None:
    added = {token_of(number, number % 16): record_of(number) for number in range(10_000, 13_000)}
    after = {**RECORDS, **added}
    await store.writer.write(GENERATION, moves(RECORDS, after, base=1, version=2))
    assert await store.writer.read(GENERATION, [*added, ABSENT]) == added


@pytest.mark.usefixtures("announced")
async def test_heads_are_what_was_written(store: Store) -> None:
    heads = await store.writer.heads(7)
    assert heads == {p: head_of(GENERATION, held_in(RECORDS, p)) for p in range(PARTITIONS)}
    assert await store.writer.heads(8) == {}


@pytest.mark.usefixtures("announced")
async def test_read_leaves_out_what_is_not_stored(store: Store) -> None:
    assert await store.writer.read(GENERATION, [TOKENS[3], ABSENT]) == {TOKENS[3]: RECORDS[TOKENS[3]]}


@pytest.mark.usefixtures("announced")
async def test_records_of_a_partition_below_the_version_that_is_to_be_stated_are_refused(store: Store) -> None:
    assert await store.writer.records(GENERATION, 0, at_least=1) == held_in(RECORDS, 0)
    with pytest.raises(StoreUnavailableError):
        await store.writer.records(GENERATION, 0, at_least=2)


@pytest.mark.usefixtures("announced")
async def test_records_of_a_partition_with_a_lost_bucket_are_refused(store: Store) -> None:
    store.remove(KEYS.bucket(place_of(GENERATION, ABSENT)))
    with pytest.raises(StoreUnavailableError):
        await store.writer.records(GENERATION, 0)


@pytest.mark.usefixtures("announced")
async def test_a_record_over_the_limit_is_refused(store: Store) -> None:
    with pytest.raises(StoreUnavailableError, match="limit"):
        await store.writer.write(GENERATION, moves(RECORDS, {**RECORDS, ABSENT: bytes(65_536)}, base=1, version=2))


# --- load and drop --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("announced")
async def test_a_generation_in_service_is_not_loaded_over(store: Store) -> None:
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


@pytest.mark.usefixtures("announced")
async def test_an_altered_announcement_is_not_believed(store: Store) -> None:
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


async def test_an_announcer_that_is_overtaken_is_fenced(store: Store, announced: Announcement) -> None:
    first, second = (replace(announced, as_of=as_of) for as_of in (11, 22))
    store.overtaken.meanwhile = lambda: store.writer.announce(first, [])
    with pytest.raises(FencedError):
        await store.second_writer.announce(second, [])
    assert await store.reader.announcement() == first


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
