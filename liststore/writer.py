"""The agent's port over a keyspace: every step is fenced, and nothing in service is ever half written.

A write reads head and buckets, computes, and swaps them only if the head is still the one it read from: since a head
carries the digest of its content, equal heads mean equal content, and a second agent's write is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Final

from liststore.base import PARTITIONS, Announcement, FilterImage, Generation, Head, Move
from liststore.bucket import Bucket, encode_bucket, open_bucket
from liststore.cells import read_announcement, read_cell, read_filter_image, read_parameters, whole_row
from liststore.effect_cells import encode_effect, read_effects
from liststore.effects import Confirmation, Effect
from liststore.keys import Keys, Place, place_of, places, spread
from liststore.keyspace import ALONE, Confirmer, Keyspace, News, Swap
from liststore.reader import check_head
from liststore.seal import Kind, seal
from liststore.sealed import (
    Step,
    decode_announcement,
    decode_head,
    encode_announcement,
    encode_filter_image,
    encode_head,
    encode_pages,
)
from restriction.change import Change
from restriction.errors import FencedError, StoreNotWholeError

CHANGES_PER_TRIP: Final = 2_048  # buckets of 5 KB: a trip stays near 10 MB, and other callers' commands get between


class KeyspaceWriter:
    """A `ListWriter` over any keyspace."""

    def __init__(self, keyspace: Keyspace, keys: Keys, bucket_key: bytes, confirmer: Confirmer = ALONE) -> None:
        self._keyspace = keyspace
        self._confirmer = confirmer
        self._keys = keys
        self._key = bucket_key

    async def announcement(self) -> Announcement | None:
        """See `ListWriter.announcement`."""
        return await read_announcement(self._keyspace, self._keys, self._key)

    async def load(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        """See `ListWriter.load`."""
        _, current = await self._announced()
        _refuse_in_service(current, generation)
        await self._keyspace.put(self._partition(generation, partition, records, head))

    async def records(self, generation: Generation, partition: int, at_least: int = 0) -> dict[bytes, bytes]:
        """See `ListWriter.records`."""
        every = places(generation, partition)
        row = [self._keys.head(generation.number, partition), *map(self._keys.bucket, every)]
        head, *cells = whole_row((await self._keyspace.read([row]))[0])
        check_head(decode_head(self._key, partition, head), generation, at_least)
        buckets = (open_bucket(self._key, place, raw) for place, raw in zip(every, cells, strict=True))
        return {token: record for bucket in buckets for token, record in bucket.records().items()}

    async def read(self, generation: Generation, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
        """See `ListWriter.read`."""
        found: dict[bytes, bytes] = {}
        for some in _chunks(list(dict.fromkeys(tokens)), CHANGES_PER_TRIP):
            asked = {token: place_of(generation, token) for token in some}
            buckets = await self._buckets(list(dict.fromkeys(asked.values())))
            held = ((token, buckets[place].find(token)) for token, place in asked.items())
            found.update((token, record) for token, record in held if record is not None)
        return found

    async def heads(self, generation: int) -> dict[int, Head]:
        """See `ListWriter.heads`."""
        rows = await self._keyspace.read([[self._keys.head(generation, partition)] for partition in range(PARTITIONS)])
        found = ((partition, self._head(partition, whole_row(row)[0])) for partition, row in enumerate(rows))
        return {partition: head for partition, head in found if head is not None}

    async def write(self, generation: Generation, moves: Sequence[Move]) -> None:
        """See `ListWriter.write`."""
        for some in _trips(moves):
            touched = [_by_place(generation, move.changes) for move in some]
            rows = await self._keyspace.read(
                [
                    [self._keys.head(generation.number, move.partition), *map(self._keys.bucket, changed)]
                    for move, changed in zip(some, touched, strict=True)
                ]
            )
            swaps = [
                self._swap(generation, move, changed, whole_row(row))
                for move, changed, row in zip(some, touched, rows, strict=True)
            ]
            made = await self._keyspace.swap(swaps)
            for move, done in zip(some, made, strict=True):
                _fence(move.partition, held=done)

    async def restore(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        """See `ListWriter.restore`."""
        fence = self._keys.head(generation.number, partition)
        before = await read_cell(self._keyspace, fence)
        current = self._head(partition, before)
        mine = (head.generation, head.epoch, head.key_id)
        behind = current is None or (current.generation, current.epoch, current.key_id) != mine
        _fence(partition, held=behind or (current is not None and current.version <= head.version))
        swap = Swap(fence, before, self._partition(generation, partition, records, head))
        (made,) = await self._keyspace.swap([swap])
        _fence(partition, held=made)

    async def announce(self, announcement: Announcement, additions: Sequence[bytes]) -> None:
        """See `ListWriter.announce`."""
        key, number = self._keys.announcement, announcement.generation.number
        before, current = await self._announced()
        _refuse_backward(current, announcement)
        if current is None or _point(current) != _point(announcement):
            _refuse_uncommitted(await self.heads(number), announcement)
        version = announcement.state.version
        after = current.state.version if current and current.generation == announcement.generation else version
        pages = encode_pages(self._key, Step(number, after, version), additions) if after < version else []
        swap = Swap(key, before, {key: encode_announcement(self._key, announcement)})
        news = News(self._keys.additions(number), self._keys.hints, version, pages)
        if not await self._keyspace.announce(swap, news):
            raise FencedError("announcement: another writer announced meanwhile: read it again")

    async def filter_image(self, generation: int) -> FilterImage | None:
        """See `ListWriter.filter_image`."""
        return await read_filter_image(self._keyspace, self._keys, self._key, generation)

    async def parameters(self) -> bytes | None:
        """See `ListWriter.parameters`."""
        return await read_parameters(self._keyspace, self._keys, self._key)

    async def put_filter_image(self, image: FilterImage) -> None:
        """See `ListWriter.put_filter_image`."""
        cell = encode_filter_image(self._key, image)
        await self._keyspace.put({self._keys.filter_image(image.generation): cell})

    async def put_parameters(self, document: bytes) -> None:
        """See `ListWriter.put_parameters`."""
        await self._keyspace.put({self._keys.parameters: seal(self._key, Kind.PARAMETERS, document)})

    async def confirm(self, wait_s: float) -> Confirmation:
        """See `ListWriter.confirm`."""
        return await self._confirmer.confirm(wait_s)

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        """See `ListWriter.effects`."""
        return await read_effects(self._keyspace, self._keys, self._key, epoch, versions)

    async def put_effects(self, effects: Sequence[Effect]) -> None:
        """See `ListWriter.put_effects`."""
        cells = {self._keys.effect(effect.version): encode_effect(self._key, effect) for effect in effects}
        if cells:
            await self._keyspace.put(cells)

    def suspects(self) -> AsyncIterator[int]:
        """See `ListWriter.suspects`."""
        return self._keyspace.hints(self._keys.suspects)

    async def drop(self, generation: Generation) -> None:
        """See `ListWriter.drop`."""
        _refuse_in_service(await self.announcement(), generation)
        await self._keyspace.remove(
            [self._keys.additions(generation.number), self._keys.filter_image(generation.number)]
        )
        for partition in range(PARTITIONS):
            buckets = map(self._keys.bucket, places(generation, partition))
            await self._keyspace.remove([self._keys.head(generation.number, partition), *buckets])

    async def close(self) -> None:
        """See `ListWriter.close`."""
        await self._confirmer.close()
        await self._keyspace.close()

    async def _announced(self) -> tuple[bytes | None, Announcement | None]:
        """What stands in the announcement's cell, and what it says; a damaged one says nothing."""
        raw = await read_cell(self._keyspace, self._keys.announcement)
        try:
            return raw, None if raw is None else decode_announcement(self._key, raw)
        except StoreNotWholeError:
            return raw, None

    def _head(self, partition: int, raw: bytes | None) -> Head | None:
        """The head of these bytes; None when it is not whole."""
        try:
            return decode_head(self._key, partition, raw)
        except StoreNotWholeError:
            return None

    def _partition(
        self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head
    ) -> dict[str, bytes]:
        """The cells of a whole partition."""
        held = spread(generation, partition, records)
        cells = {self._keys.bucket(place): encode_bucket(self._key, place, some) for place, some in held.items()}
        return cells | {self._keys.head(generation.number, partition): encode_head(self._key, partition, head)}

    async def _buckets(self, asked: Sequence[Place]) -> dict[Place, Bucket]:
        """Whole buckets by place; those of one partition are read at one instant."""
        by_partition: defaultdict[int, list[Place]] = defaultdict(list)
        for place in asked:
            by_partition[place.partition].append(place)
        rows = await self._keyspace.read([list(map(self._keys.bucket, some)) for some in by_partition.values()])
        return {
            place: open_bucket(self._key, place, raw)
            for some, row in zip(by_partition.values(), rows, strict=True)
            for place, raw in zip(some, whole_row(row), strict=True)
        }

    def _swap(
        self, generation: Generation, move: Move, changed: Mapping[Place, list[Change]], row: Sequence[bytes | None]
    ) -> Swap:
        fence = self._keys.head(generation.number, move.partition)
        expected = encode_head(self._key, move.partition, move.base)
        _fence(move.partition, held=row[0] == expected)
        cells = {fence: encode_head(self._key, move.partition, move.after)}
        for (place, changes), raw in zip(changed.items(), row[1:], strict=True):
            records = open_bucket(self._key, place, raw).records()
            records.update((change.token, change.record) for change in changes)
            cells[self._keys.bucket(place)] = encode_bucket(self._key, place, records)
        return Swap(fence, expected, cells)


def _by_place(generation: Generation, changes: Iterable[Change]) -> dict[Place, list[Change]]:
    grouped: defaultdict[Place, list[Change]] = defaultdict(list)
    for change in changes:
        grouped[place_of(generation, change.token)].append(change)
    return grouped


def _trips(moves: Sequence[Move]) -> Iterator[list[Move]]:
    trip, size = list[Move](), 0
    for move in moves:
        if trip and size + len(move.changes) > CHANGES_PER_TRIP:
            yield trip
            trip, size = [], 0
        trip.append(move)
        size += len(move.changes)
    if trip:
        yield trip


def _chunks(tokens: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (tokens[at : at + size] for at in range(0, len(tokens), size))


def _fence(partition: int, *, held: bool) -> None:
    if not held:
        raise FencedError(f"partition {partition}: its head is not the change's base: another writer was here")


def _refuse_in_service(current: Announcement | None, generation: Generation) -> None:
    if current is not None and current.generation.number == generation.number:
        raise FencedError(f"generation {generation.number}: in service: load beside it, announce that, then drop")


def _point(announcement: Announcement) -> tuple[Generation, int]:
    return announcement.generation, announcement.state.version


def _refuse_backward(current: Announcement | None, announcement: Announcement) -> None:
    if current is None:
        return
    old, new = current.state, announcement.state
    if (new.list_id.name, new.list_id.environment) != (old.list_id.name, old.list_id.environment):
        raise FencedError("announcement: of another list than the one in service: give each list a prefix of its own")
    if (new.list_id.epoch, new.version) < (old.list_id.epoch, old.version):
        raise FencedError(f"announcement: version {new.version} is behind version {old.version} in service")
    if current.generation.number == announcement.generation.number and (
        current.generation != announcement.generation or new.list_id.epoch != old.list_id.epoch
    ):
        raise FencedError("announcement: a generation keeps its epoch, key and bucket bits: load another generation")


def _refuse_uncommitted(heads: Mapping[int, Head], announcement: Announcement) -> None:
    generation, state = announcement.generation, announcement.state
    for partition in range(PARTITIONS):
        head = heads.get(partition)
        if (
            head is None
            or (head.generation, head.key_id, head.epoch) != (generation.number, state.key_id, state.list_id.epoch)
            or head.version < state.version
        ):
            raise FencedError(
                f"announcement: partition {partition} has not reached version {state.version}: write it first"
            )
