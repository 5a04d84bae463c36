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
