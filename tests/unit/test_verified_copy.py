"""The agent's own copy: whole or not at all, bounded, and never older than what was accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from restriction.change import MAX_DELTAS, Change, Delta, Digest, ListId, ListState, Snapshot
from restriction.envelope import describe_chunk, encode_chunk, encode_delta
from restriction.errors import RefusedListError
from restriction.listing import Step, step_of
from sync_agent.copy import VerifiedCopy
from sync_agent.digests import by_partition
from sync_agent.fetcher import Fetched
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import EMPTY, KEYS, LIST_ID, lifted, listed, record_of, token_of

START = Fetched(b"t0", 100, 0, EMPTY, Snapshot(EMPTY, ()), (), (), None)
NOW = FakeClock(1_000)


class Feed:
    """Deltas with true digests, one after another."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.state = EMPTY

    def delta(self, *changes: Change) -> Delta:
        self.records.update((change.token, change.record) for change in changes)
        self.records = {token: record for token, record in self.records.items() if record}
        digest = Digest(KEYS.digest_key)
        for token, record in self.records.items():
            digest.add(token, record)
        base = self.state.version
        self.state = replace(self.state, version=base + 1, digest=digest.value, count=len(self.records))
        return Delta(base, self.state, changes)

    def fetched(self, *deltas: Delta, as_of: int = 0, newest: int | None = None) -> Fetched:
        version = self.state.version if newest is None else newest
        state, way = deltas[-1].after if deltas else self.state, tuple(map(step_of, deltas))
        raw = tuple(map(encode_delta, deltas))
        return Fetched(b"t%d" % version, as_of or 100 + version, version, state, None, way, raw, None)


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def copy(tmp_path: Path) -> VerifiedCopy:
    copy = VerifiedCopy(tmp_path, LIST_ID, NOW)
    copy.accept(START)
    return copy


def _records(copy: VerifiedCopy) -> dict[bytes, bytes]:
    held = copy.held
    assert held is not None
    changed = copy.changed_records(held)
    return {
        token: record for partition in range(256) for token, record in copy.records(held, partition, changed).items()
    }


def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path, copy: VerifiedCopy, feed: Feed) -> None:
    copy.accept(feed.fetched(feed.delta(listed(1)), feed.delta(lifted(1), listed(2))))
    again = VerifiedCopy(tmp_path, LIST_ID, NOW)
    assert again.held == copy.held
    assert _records(again) == {token_of(2): record_of(1)}
    assert again.as_of == 102


def test_a_refused_document_leaves_the_copy_as_it_was(tmp_path: Path, copy: VerifiedCopy, feed: Feed) -> None:
    good, gapped = feed.delta(listed(1)), replace(feed.delta(listed(2)), base_version=7)
    before = copy.held
    with pytest.raises(RefusedListError):
        copy.accept(feed.fetched(good, replace(gapped, after=replace(gapped.after, version=9))))
    assert copy.held == before == VerifiedCopy(tmp_path, LIST_ID, NOW).held


def test_a_gap_asks_for_the_snapshot(copy: VerifiedCopy, feed: Feed) -> None:
    feed.delta(listed(1))
    with pytest.raises(RefusedListError):
        copy.accept(feed.fetched(feed.delta(listed(2))))
    assert copy.position.wants_snapshot


def test_a_refused_timestamp_is_not_taken_for_the_accepted_one(copy: VerifiedCopy, feed: Feed) -> None:
    with pytest.raises(RefusedListError):
        copy.accept(replace(feed.fetched(), parameters=b"{"))
    assert copy.position.timestamp == b"t0"


@pytest.mark.parametrize("as_of", [99, 1])
def test_an_earlier_vouched_instant_is_a_rollback(copy: VerifiedCopy, feed: Feed, as_of: int) -> None:
    with pytest.raises(RefusedListError, match="LIST_ROLLBACK"):
        copy.accept(feed.fetched(as_of=as_of))


def test_an_instant_yet_to_come_makes_the_list_no_younger(copy: VerifiedCopy, feed: Feed) -> None:
    """Nor does it make every later heartbeat a rollback."""
    copy.accept(feed.fetched(feed.delta(listed(1)), as_of=1 << 70))
    assert copy.as_of == NOW() + 10
    copy.accept(feed.fetched(feed.delta(listed(2)), as_of=int(NOW()) + 11))


def test_a_delta_of_other_versions_than_it_is_listed_as_is_forged(copy: VerifiedCopy, feed: Feed) -> None:
    fetched = feed.fetched(feed.delta(listed(1)))
    with pytest.raises(RefusedListError, match="LIST_FORGED"):
        copy.accept(replace(fetched, way=(Step(0, 9),)))


@pytest.mark.parametrize("stated", [{"version": 7}, {"digest": bytes(32)}, {"count": 5}, {"key_id": "k9"}], ids=str)
def test_documents_that_lead_elsewhere_than_the_feed_states_are_forged(
    copy: VerifiedCopy, feed: Feed, stated: dict[str, Any]
) -> None:
    fetched = feed.fetched(feed.delta(listed(1)))
    with pytest.raises(RefusedListError, match="LIST_FORGED"):
        copy.accept(replace(fetched, state=replace(fetched.state, **stated)))


@pytest.mark.parametrize("is_doubted", [True, False])
def test_a_list_that_could_not_be_put_in_service_is_forgotten_for_one_that_does_not_follow_on_it(
    copy: VerifiedCopy, feed: Feed, *, is_doubted: bool
) -> None:
    stolen = Feed()
    copy.accept(stolen.fetched(stolen.delta(listed(1))))
    if is_doubted:
        copy.doubt()
    honest = replace(feed.fetched(feed.delta(listed(2))), way=(), deltas=())
    with pytest.raises(RefusedListError, match="LIST_FORGED"):
        copy.accept(honest)
    assert (copy.held is None) == is_doubted


def test_a_feed_that_ends_earlier_is_a_rollback(copy: VerifiedCopy, feed: Feed) -> None:
    copy.accept(feed.fetched(feed.delta(listed(1))))
    with pytest.raises(RefusedListError, match="LIST_ROLLBACK"):
        copy.accept(feed.fetched(as_of=500, newest=0))
    assert copy.as_of == 101


def test_a_copy_of_another_list_is_not_served(tmp_path: Path, copy: VerifiedCopy) -> None:
    assert copy.held is not None
    assert VerifiedCopy(tmp_path, ListId("other", "sandbox", 1), NOW).held is None


def test_a_copy_with_a_damaged_file_is_not_served(tmp_path: Path, copy: VerifiedCopy, feed: Feed) -> None:
    copy.accept(feed.fetched(feed.delta(listed(1))))
    (tmp_path / Step(0, 1).path).write_bytes(b"x")
    assert VerifiedCopy(tmp_path, LIST_ID, NOW).held is None


def test_disk_stays_bounded_and_the_list_the_same(tmp_path: Path, copy: VerifiedCopy, feed: Feed) -> None:
    for number in range(MAX_DELTAS + 1):
        copy.accept(feed.fetched(feed.delta(listed(number), lifted(number + 1))))
    assert len(list((tmp_path / "deltas").iterdir())) < 60
    again = VerifiedCopy(tmp_path, LIST_ID, NOW)
    assert again.held == copy.held
    assert _records(again) == feed.records
    assert copy.held is not None
    assert copy.held.way_from(replace(EMPTY, version=290)) is not None


def test_what_waits_is_counted_without_reading_it_after_every_pass(
    tmp_path: Path, copy: VerifiedCopy, feed: Feed
) -> None:
    copy.accept(feed.fetched(feed.delta(listed(1), listed(2)), feed.delta(lifted(1))))
    assert copy.waiting(EMPTY) == 3
    for path in (tmp_path / "deltas").iterdir():
        path.unlink()
    assert copy.waiting(EMPTY) == 3
    assert copy.waiting(feed.state) == 0


def test_a_newer_snapshot_takes_away_what_it_covers(tmp_path: Path, copy: VerifiedCopy, feed: Feed) -> None:
    copy.accept(feed.fetched(feed.delta(listed(1)), feed.delta(listed(2))))
    chunks = []
    for partition, changes in by_partition(listed(n) for n in (1, 2)).items():
        raw, expanded = encode_chunk(partition, {change.token: change.record for change in changes})
        chunks.append(describe_chunk(partition, "snapshots/2", raw, expanded))
        path = tmp_path / chunks[-1].path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
    copy.accept(replace(feed.fetched(), timestamp=b"t", snapshot=Snapshot(feed.state, tuple(chunks))))
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["2"]
    assert list((tmp_path / "deltas").iterdir()) == []
    assert _records(VerifiedCopy(tmp_path, LIST_ID, NOW)) == feed.records


def _state(version: int, **fields: str) -> ListState:
    return replace(EMPTY, version=version, **fields)  # type: ignore[arg-type] # fields vary by case


@pytest.mark.parametrize(
    ("announced", "way"),
    [
        pytest.param(_state(0), (Step(0, 1),), id="behind"),
        pytest.param(_state(0, key_id="k2"), None, id="another key"),
        pytest.param(_state(1), None, id="another state of the same version"),
        pytest.param(_state(9), None, id="beyond"),
    ],
)
def test_the_way_from_what_is_in_service(
    copy: VerifiedCopy, feed: Feed, announced: ListState, way: tuple[Step, ...] | None
) -> None:
    copy.accept(feed.fetched(feed.delta(listed(1))))
    assert copy.held is not None
    assert copy.held.way_from(announced) == way
    assert copy.held.way_from(copy.held.state) == ()
