"""Loads a whole list into a generation of its own, beside the one in service, and makes its filter on the way.

Nothing of it is in service until it is announced, and it is only handed on when digest and count came out as signed.
"""

from __future__ import annotations

import asyncio
import secrets as random
from typing import Final

from liststore.base import PARTITIONS, RECORDS_PER_BUCKET, FilterImage, Generation, Head, ListWriter
from restriction.errors import RefusedListError
from restriction.filter import FilterStamp, ListFilter
from restriction.token import TokenKeys
from sync_agent.copy import VerifiedCopy, VerifiedList
from sync_agent.digests import digest_of, total
from sync_agent.fetcher import Progress
from sync_agent.spares import Spares

# Two agents that load at once must not meet in one generation, so numbers leave room for chance.
_NUMBER_RANGE: Final = 1_000_000
_FILTER_ERROR_RATE: Final = 0.0005


def bucket_bits_for(count: int) -> int:
    """Bits so that a bucket holds 64 records or a little fewer when `count` are spread over all partitions."""
    buckets = -(-count // (PARTITIONS * RECORDS_PER_BUCKET))
    return max(0, buckets - 1).bit_length()


def empty_filter(count: int, stamp: FilterStamp) -> ListFilter:
    """A filter with room for the list to grow by a third before a gateway has to build its own."""
    return ListFilter.empty(count + count * 3 // 10 + 10_000, _FILTER_ERROR_RATE, stamp)


class Loader:
    """Loads lists into one store."""

    def __init__(self, store: ListWriter, spares: Spares, progress: Progress) -> None:
        self._store = store
        self._spares = spares
        self._progress = progress

    async def load(self, copy: VerifiedCopy, held: VerifiedList, keys: TokenKeys, above: int) -> Generation:
        """A generation numbered higher than `above` that holds `held`. Raises: RefusedListError, DIGEST_MISMATCH.

        What failed or is not announced is dropped by the next pass.
        """
        state = held.state
        number = above + 1 + random.randbelow(_NUMBER_RANGE)
        generation = Generation(number, bucket_bits_for(state.count), state.key_id)
        self._spares.add(generation, grace_s=0)
        list_filter = empty_filter(state.count, FilterStamp(number, state.version, state.key_id))
        changed = await asyncio.to_thread(copy.changed_records, held)
        count, digests = 0, list[bytes]()
        for partition in range(PARTITIONS):
            records = await asyncio.to_thread(copy.records, held, partition, changed.get(partition, {}))
            count += len(records)
            if count > state.count:
                raise RefusedListError("DIGEST_MISMATCH", f"version {state.version} has more records than were signed")
            digests.append(digest_of(keys.digest_key, records))
            head = Head(number, state.list_id.epoch, state.version, held.as_of, state.key_id, digests[-1])
            await self._store.load(generation, partition, records, head)
            await asyncio.to_thread(list_filter.add_all, records)
            self._progress("loading the list", partition + 1, PARTITIONS)
        if (total(digests), count) != (state.digest, state.count):
            raise RefusedListError(
                "DIGEST_MISMATCH", f"version {state.version} is not what was signed; it is fetched anew"
            )
        await self._store.put_filter_image(FilterImage(number, state.version, list_filter.to_image()))
        return generation
