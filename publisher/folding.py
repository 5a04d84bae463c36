"""Keeps the feed short: folds old deltas into one another, and makes a snapshot when that does not suffice.

A snapshot of a list in service is made from the feed's own files (the snapshot before and the deltas since), without
the lock: those files never change, and lifts go on being signed meanwhile. Only its metadata needs the lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from publisher.feed import Feed
from restriction.change import MAX_DELTAS, Change, ListState, Snapshot, fold
from restriction.envelope import (
    decode_chunk,
    decode_snapshot,
    describe_chunk,
    encode_chunk,
    encode_delta,
    encode_snapshot,
)
from restriction.errors import GapError
from restriction.folding import folded_runs
from restriction.listing import snapshot_directory, snapshot_path, step_of
from settings.files import replace_file

# Several processes may each sign one delta between a look at the listing and the lock.
_ROOM: Final = 10
# Agents are seldom further behind than this many deltas; they follow on without loading the snapshot.
KEPT_DELTAS: Final = 50


def make_room(feed: Feed, now_s: float) -> None:
    """Leave room for one more delta. The caller does not hold the lock."""
    if len(feed.listing.deltas) < MAX_DELTAS - _ROOM:
        return
    with feed.lock():
        fold_deltas(feed, now_s)
    if len(feed.listing.deltas) > MAX_DELTAS - KEPT_DELTAS:
        compact(feed, now_s)


def fold_deltas(feed: Feed, now_s: float) -> None:
    """Fold all but the newest deltas with their neighbours, as far as one delta may go. The caller holds the lock."""
    runs = folded_runs(map(feed.read_delta, feed.listing.deltas[:-KEPT_DELTAS]))
    added = {step_of(folded).path: encode_delta(folded) for folded, _ in runs}
    dropped = [step_of(delta).path for _, run in runs for delta in run]
    if runs:
        feed.replace(added, dropped, feed.state, now_s)


def compact(feed: Feed, now_s: float) -> None:
    """Publish a snapshot made of the last one and the deltas since. The caller does not hold the lock."""
    with feed.lock():
        listing = feed.listing
        way = None if listing.snapshot is None else listing.way(listing.snapshot)
        if listing.snapshot is None or way is None:
            raise GapError("the feed's deltas do not follow on its snapshot; restore the feed from its backup")
        deltas = [feed.read_delta(step) for step in way]
        base = decode_snapshot(feed.read(snapshot_path(listing.snapshot)))
    if not deltas:
        return
    manifest = write_snapshot(feed, deltas[-1].after, _merged(feed, base, fold(deltas)))
    with feed.lock():
        # Another process may have been faster.
        if (feed.listing.snapshot or 0) < manifest.state.version:
            publish_snapshot(feed, manifest, now_s)


def write_snapshot(feed: Feed, state: ListState, partitions: Iterable[tuple[int, Mapping[bytes, bytes]]]) -> Snapshot:
    """Write the chunks of a snapshot; nothing of it is visible until `publish_snapshot`."""
    directory = feed.targets_directory / snapshot_directory(state.version)
    directory.mkdir(exist_ok=True)
    chunks = []
    for partition, records in partitions:
        if records:
            raw, expanded = encode_chunk(partition, records)
            chunks.append(describe_chunk(partition, snapshot_directory(state.version), raw, expanded))
            replace_file(feed.targets_directory / chunks[-1].path, raw)
    return Snapshot(state, tuple(chunks))


def publish_snapshot(feed: Feed, manifest: Snapshot, now_s: float) -> None:
    """Sign a snapshot whose chunks are written, and drop what it covers but the newest. The caller holds the lock."""
    listing, version = feed.listing, manifest.state.version
    covered = [step for step in listing.deltas if step.version <= version]
    dropped = [step.path for step in covered[:-KEPT_DELTAS]]
    if listing.snapshot is not None:
        dropped.append(snapshot_path(listing.snapshot))
    newest = manifest.state if listing.newest <= version else feed.state
    feed.replace({snapshot_path(version): encode_snapshot(manifest)}, dropped, newest, now_s)


def _merged(feed: Feed, base: Snapshot, changes: Iterable[Change]) -> Iterator[tuple[int, dict[bytes, bytes]]]:
    """The records of each partition: those of the snapshot with the changes made."""
    changed: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
    for change in changes:
        changed[change.token[0]][change.token] = change.record
    chunks = {chunk.partition: chunk for chunk in base.chunks}
    for partition in sorted(chunks.keys() | changed.keys()):
        chunk = chunks.get(partition)
        records = decode_chunk((feed.targets_directory / chunk.path).read_bytes(), chunk) if chunk else {}
        merged = records | changed[partition]
        yield partition, {token: record for token, record in merged.items() if record}
