"""How soon a scrub comes round, by the size of the list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liststore.base import PARTITIONS, Announcement
from liststore.memory_store import MemoryStore
from restriction.errors import StoreNotWholeError
from sync_agent.scrubber import Scrubber
from tests.fakes.liststore import BUCKET_KEY, DIGEST_KEY, put_list


async def passes_of_a_round(scrubber: Scrubber, announced: Announcement) -> int:
    """Idle passes until every partition was looked at."""
    seen, passes = set[int](), 0
    while len(seen) < PARTITIONS:
        assert await scrubber.holds(announced, DIGEST_KEY)
        seen |= scrubber.looked_at
        passes += 1
    return passes


def sized(announced: Announcement, records: int) -> Announcement:
    return replace(announced, state=replace(announced.state, count=records))


@pytest.mark.parametrize(
    ("records", "passes"),
    [(0, 16), (10_000, 16), (256_000, 128), (1_000_000, 500), (10_000_000, 5_000)],
    ids=["empty", "ten thousand", "a quarter of a million", "a million", "ten million"],
)
async def test_a_round_reads_two_thousand_records_a_pass(records: int, passes: int) -> None:
    store = MemoryStore(BUCKET_KEY)
    announced = sized(await put_list(store.writer(), {}), records)
    assert await passes_of_a_round(Scrubber(store.writer()), announced) == pytest.approx(passes, abs=1)


async def test_after_a_damage_every_pass_looks_at_a_partition_however_long_the_list_is() -> None:
    store = MemoryStore(BUCKET_KEY)
    announced = sized(await put_list(store.writer(), {}), 10_000_000)
    scrubber = Scrubber(store.writer())
    scrubber.be_wary()
    assert await passes_of_a_round(scrubber, announced) <= PARTITIONS


async def test_a_lost_bucket_is_found_within_a_round() -> None:
    store = MemoryStore(BUCKET_KEY)
    announced = sized(await put_list(store.writer(), {}), 10_000)
    bucket = next(key for key in store.keyspace.cells if key.endswith("{p7f}:1:0"))
    del store.keyspace.cells[bucket]
    with pytest.raises(StoreNotWholeError, match=r"\[127\]"):
        await passes_of_a_round(Scrubber(store.writer()), announced)


@pytest.fixture
async def long() -> tuple[Scrubber, Announcement]:
    """A scrubber of a list whose round takes 5,000 passes."""
    store = MemoryStore(BUCKET_KEY)
    return Scrubber(store.writer()), sized(await put_list(store.writer(), {}), 10_000_000)


async def looked_at(scrubber: Scrubber, announced: Announcement) -> set[int]:
    """What one idle pass looks at."""
    scrubber.looked_at = frozenset()
    assert await scrubber.holds(announced, DIGEST_KEY)
    return set(scrubber.looked_at)


async def test_what_gateways_tell_of_is_looked_at_in_the_next_pass(long: tuple[Scrubber, Announcement]) -> None:
    scrubber, announced = long
    scrubber.suspect(200)
    assert await looked_at(scrubber, announced) == {200}
    assert await looked_at(scrubber, announced) == set()


async def test_many_suspects_are_looked_at_one_a_pass_in_their_order(long: tuple[Scrubber, Announcement]) -> None:
    scrubber, announced = long
    for partition in (9, 7, 8):
        scrubber.suspect(partition)
    seen = list[set[int]]()
    for _ in range(3):
        scrubber.suspect(7)
        seen.append(await looked_at(scrubber, announced))
    assert seen == [{9}, {7}, {8}]


async def test_suspects_of_a_short_list_are_looked_at_together(long: tuple[Scrubber, Announcement]) -> None:
    scrubber, announced = long
    for partition in range(240, 256):
        scrubber.suspect(partition)
    assert await looked_at(scrubber, sized(announced, 10_000)) >= set(range(240, 256))


async def test_whoever_tells_of_everything_all_the_time_does_not_stop_the_round() -> None:
    store = MemoryStore(BUCKET_KEY)
    announced = sized(await put_list(store.writer(), {}), 256_000)  # two passes for a partition
    scrubber = Scrubber(store.writer())
    scrubber.suspect(255)
    passes, seen = 0, set[int]()
    while 100 not in seen:
        scrubber.suspect(255)
        seen |= await looked_at(scrubber, announced)
        passes += 1
    assert passes < 110


@pytest.mark.parametrize("number", [-1, PARTITIONS, 1 << 64])
async def test_what_is_no_partition_is_passed_over(long: tuple[Scrubber, Announcement], number: int) -> None:
    scrubber, announced = long
    scrubber.suspect(number)
    assert await looked_at(scrubber, announced) == set()
