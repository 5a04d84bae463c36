"""Loads a whole list into a generation of its own, beside the one in service, and makes its filter on the way.

Nothing of it is in service until it is announced, and it is only handed on when digest and count came out as signed.
A long load stops now and then for a pass of the agent, so that what is in service goes on receiving its lifts.
"""

from __future__ import annotations

import asyncio
import math
import secrets as random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from liststore.base import PARTITIONS, RECORDS_PER_BUCKET, FilterImage, Generation, Head, ListWriter
from restriction.change import ListState
from restriction.errors import FencedError, FilterFullError, RefusedListError
from restriction.filter import FilterStamp, ListFilter
from restriction.token import TokenKeys
from sync_agent.copy import VerifiedCopy, VerifiedList
from sync_agent.digests import digest_of, require_signed
from sync_agent.fetcher import Progress
from sync_agent.spares import Spares

# Two agents that load at once must not meet in one generation, so numbers leave room for chance.
_NUMBER_RANGE: Final = 1_000_000
_FILTER_ERROR_RATE: Final = 0.0005
# About a third of a second's work, which is how long a lift may wait for a load.
_RECORDS_AT_A_TIME: Final = 20_000

Meanwhile = Callable[[], Awaitable[None]]


def bucket_bits_for(count: int) -> int:
    """Bits so that a bucket holds 64 records or a little fewer when `count` are spread over all partitions."""
    buckets = -(-count // (PARTITIONS * RECORDS_PER_BUCKET))
    return max(0, buckets - 1).bit_length()


def empty_filter(count: int, stamp: FilterStamp) -> ListFilter:
    """A filter with room for the list to grow by a third before a gateway has to build its own."""
    return ListFilter.empty(count + count * 3 // 10 + 10_000, _FILTER_ERROR_RATE, stamp)


@dataclass(frozen=True, slots=True)
class Source:
    """A list in the verified copy, as it was when its load began."""

    copy: VerifiedCopy
    held: VerifiedList


@dataclass(frozen=True, slots=True)
class Loaded:
    """A generation that holds the list at `state`, and its filter, which is not in the store yet."""

    generation: Generation
    state: ListState
    list_filter: ListFilter


class Loader:
    """Loads lists into one store."""

    def __init__(self, store: ListWriter, spares: Spares, progress: Progress) -> None:
        self._store = store
        self._spares = spares
        self._progress = progress

    async def load(self, source: Source, keys: TokenKeys, above: int, meanwhile: Meanwhile) -> Loaded:
        """A generation numbered higher than `above` that holds the list. Raises: RefusedListError, DIGEST_MISMATCH.

        What failed or is not announced is dropped by the next pass.
        """
        state = source.held.state
        number = above + 1 + random.randbelow(_NUMBER_RANGE)
        generation = Generation(number, bucket_bits_for(state.count), state.key_id)
        self._spares.add(generation, grace_s=math.inf)  # `meanwhile` drops what is due
        try:
            return Loaded(generation, state, await self._fill(generation, source, keys, meanwhile))
        finally:
            self._spares.add(generation, grace_s=0)

    async def put_image(self, loaded: Loaded, version: int, additions: Iterable[bytes]) -> None:
        """Make the filter ready for gateways, with the tokens that came until `version`. Raises: FencedError."""
        number, list_filter = loaded.generation.number, loaded.list_filter
        try:
            list_filter.add_all(additions)
        except FilterFullError as error:
            raise FencedError("the list grew by a third during its load, and is loaded anew") from error
        list_filter.stamp = replace(list_filter.stamp, version=version)
        await self._store.put_filter_image(FilterImage(number, version, list_filter.to_image()))

    async def _fill(self, generation: Generation, source: Source, keys: TokenKeys, meanwhile: Meanwhile) -> ListFilter:
        copy, held, state, number = source.copy, source.held, source.held.state, generation.number
        list_filter = empty_filter(state.count, FilterStamp(number, state.version, state.key_id))
        changed = await asyncio.to_thread(copy.changed_records, held)
        count, paused_at, digests = 0, 0, list[bytes]()
        for partition in range(PARTITIONS):
            records = await asyncio.to_thread(copy.records, held, partition, changed)
            count += len(records)
            if count > state.count:
                raise RefusedListError("DIGEST_MISMATCH", f"version {state.version} has more records than were signed")
            digests.append(digest_of(keys.digest_key, records))
            head = Head(number, state.list_id.epoch, state.version, held.as_of, state.key_id, digests[-1])
            await self._store.load(generation, partition, records, head)
            await asyncio.to_thread(list_filter.add_all, records)
            self._progress("loading the list", partition + 1, PARTITIONS)
            if count - paused_at >= _RECORDS_AT_A_TIME:
                paused_at = count
                await meanwhile()
        require_signed(state, digests, count)
        return list_filter
