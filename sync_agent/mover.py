"""Finds what differs between a generation in service and the list held, where no deltas lead from one to the other.

Rules:
- The whole list held is proven first: the digests of all its partitions add up to the signed one.
- A partition whose head carries the digest wanted is not read. What differs in the others is told as changes, so that
  they are made as those of deltas are: what eases first, each partition in one step, and proven once more.
- A record that is replaced eases, since nobody says which way it went: only what was not there at all may wait.
- A partition beyond what is announced was written by somebody who was cut short, and nobody knows what was added there:
  all its records are told, so that followers learn of each. What is stored already is not written again.
- More changes than are worth it give none: then a load is as fast, and goes piece by piece.

Nothing is written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from liststore.base import PARTITIONS, Announcement, Head, ListWriter
from restriction.change import Change, Lane
from sync_agent.digests import digest_of, require_signed
from sync_agent.loader import Source

# Held in memory at once, about 300 bytes each: the changes of a month of a busy list.
_MAX_CHANGES: Final = 200_000

_Records = Mapping[bytes, bytes]


class Mover:
    """Compares one store with lists."""

    def __init__(self, store: ListWriter) -> None:
        self._store = store

    async def changes(
        self, source: Source, announced: Announcement, heads: Mapping[int, Head], key: bytes
    ) -> tuple[Change, ...] | None:
        """What leads from what is announced to the list held; None when a load is better.

        Raises: RefusedListError, DIGEST_MISMATCH; StoreNotWholeError when a partition that differs is damaged.
        """
        copy, held = source.copy, source.held
        changed = await asyncio.to_thread(copy.changed_records, held)

        def wanted(partition: int) -> dict[bytes, bytes]:
            return copy.records(held, partition, changed)

        digests, count = list[bytes](), 0
        for partition in range(PARTITIONS):
            records = await asyncio.to_thread(wanted, partition)
            digests.append(await asyncio.to_thread(digest_of, key, records))
            count += len(records)
        require_signed(held.state, digests, count)
        found = list[Change]()
        for partition, digest in enumerate(digests):
            is_beyond = heads[partition].version > announced.state.version
            if heads[partition].digest == digest and not is_beyond:
                continue
            stored = await self._store.records(announced.generation, partition)
            found += differences(stored, await asyncio.to_thread(wanted, partition), every=is_beyond)
            if len(found) > _MAX_CHANGES:
                return None
        return tuple(found)


def differences(stored: _Records, wanted: _Records, *, every: bool) -> Iterator[Change]:
    """The changes that lead from what is stored to what is wanted; `every`: of equal records too."""
    for token in stored.keys() - wanted.keys():
        yield Change(token, b"", Lane.EASE)
    for token, record in wanted.items():
        before = stored.get(token)
        if every or before != record:
            yield Change(token, record, Lane.BURDEN if before is None else Lane.EASE)
