"""The gateway's port over a keyspace: what it returns is whole, of the live generation and at or above the floor.

`quick` answers questions and has a patience of milliseconds; `bulk` carries what followers read and may take seconds.
Nothing is cached: every answer comes from a read of the same call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from liststore.base import PARTITIONS, Announcement, FilterImage, Generation, Head
from liststore.bucket import Bucket, open_bucket
from liststore.effect_cells import read_effects
from liststore.effects import Effect
from liststore.keys import Keys, Place, place_of, places
from liststore.keyspace import Keyspace, Row
from liststore.seal import Kind, unseal
from liststore.sealed import Step, decode_announcement, decode_filter_image, decode_head, join_pages
from restriction.errors import StoreNotWholeError, StoreUnavailableError


class KeyspaceReader:
    """A `ListReader` over any keyspace."""

    def __init__(self, quick: Keyspace, bulk: Keyspace, keys: Keys, bucket_key: bytes) -> None:
        self._quick = quick
        self._bulk = bulk
        self._keys = keys
        self._key = bucket_key

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """See `ListReader.find`."""
        place = place_of(at.generation, token)
        (row,) = await self._quick.read([self._row(place)])
        return self._open(place, row, at).find(token)

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | Exception | None]:
        """See `ListReader.find_many`."""
        asked = [place_of(at.generation, token) for token in tokens]
        distinct = list(dict.fromkeys(asked))
        rows = await self._quick.read([self._row(place) for place in distinct])
        opened = {place: self._try_open(place, row, at) for place, row in zip(distinct, rows, strict=True)}
        return [
            bucket.find(token) if isinstance(bucket := opened[place], Bucket) else bucket
            for place, token in zip(asked, tokens, strict=True)
        ]

    async def announcement(self) -> Announcement | None:
        """See `ListReader.announcement`."""
        raw = await read_cell(self._bulk, self._keys.announcement)
        return None if raw is None else decode_announcement(self._key, raw)

    async def additions(self, generation: int, after: int, upto: int) -> list[bytes]:
        """See `ListReader.additions`."""
        pages = await self._bulk.pages(self._keys.additions(generation), after)
        return join_pages(self._key, Step(generation, after, upto), pages)

    async def filter_image(self, generation: int) -> FilterImage | None:
        """See `ListReader.filter_image`."""
        raw = await read_cell(self._bulk, self._keys.filter_image(generation))
        if raw is None:
            return None
        image = decode_filter_image(self._key, raw)
        if image.generation != generation:
            raise StoreNotWholeError("filter: foreign: it belongs to another generation: build it anew")
        return image

    async def tokens(self, generation: Generation, at_least: int = 0) -> AsyncIterator[list[bytes]]:
        """See `ListReader.tokens`."""
        for partition in range(PARTITIONS):
            buckets = places(generation, partition)
            keys = [self._keys.head(generation.number, partition), *map(self._keys.bucket, buckets)]
            head, *cells = whole_row((await self._bulk.read([keys]))[0])
            check_head(decode_head(self._key, partition, head), generation, at_least)
            opened = (open_bucket(self._key, place, raw) for place, raw in zip(buckets, cells, strict=True))
            yield [token for bucket in opened for token in bucket.tokens()]

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        """See `ListReader.effects`."""
        return await read_effects(self._bulk, self._keys, self._key, epoch, versions)

    async def parameters(self) -> bytes | None:
        """See `ListReader.parameters`."""
        raw = await read_cell(self._bulk, self._keys.parameters)
        return None if raw is None else unseal(self._key, Kind.PARAMETERS, raw)

    def hints(self) -> AsyncIterator[int]:
        """See `ListReader.hints`."""
        return self._bulk.hints(self._keys.hints)

    async def close(self) -> None:
        """See `ListReader.close`."""
        await self._quick.close()
        await self._bulk.close()

    def _row(self, place: Place) -> tuple[str, str]:
        return self._keys.head(place.generation.number, place.partition), self._keys.bucket(place)

    def _open(self, place: Place, row: Row | StoreUnavailableError, at: Announcement) -> Bucket:
        raw_head, raw_bucket = whole_row(row)
        head = decode_head(self._key, place.partition, raw_head)
        check_head(head, at.generation, at.state.version)
        if head.epoch != at.state.list_id.epoch:
            raise StoreUnavailableError("head: of another epoch than the one in service: wait for the agent")
        return open_bucket(self._key, place, raw_bucket)

    def _try_open(
        self, place: Place, row: Row | StoreUnavailableError, at: Announcement
    ) -> Bucket | StoreUnavailableError:
        try:
            return self._open(place, row, at)
        except StoreUnavailableError as error:
            return error


def check_head(head: Head, generation: Generation, at_least: int) -> None:
    """Refuse a head of another generation or below the floor. Raises: StoreUnavailableError."""
    if (head.generation, head.key_id) != (generation.number, generation.key_id):
        raise StoreNotWholeError("head: of another generation: reload the list")
    if head.version < at_least:
        raise StoreUnavailableError(f"head: at version {head.version}, below the floor {at_least}: a stale replica?")


def whole_row(row: Row | StoreUnavailableError) -> Row:
    """The row. Raises: the StoreUnavailableError that stands in its place."""
    if isinstance(row, StoreUnavailableError):
        raise row
    return row


async def read_cell(keyspace: Keyspace, key: str) -> bytes | None:
    """One value, None when there is none."""
    return whole_row((await keyspace.read([[key]]))[0])[0]
