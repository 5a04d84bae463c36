"""Sees that the store still holds what was announced: partition after partition, quicker after a damage.

An idle pass looks at about as many records as a core reads in a twentieth of the time between two passes: a round
through everything takes seconds for ten thousand subjects, two minutes for a million, twenty for ten million.
Partitions that gateways met damaged are looked at before all others, and beside the round: whoever may publish can ask
for one partition more in each pass, or for as many as are read as quickly, and neither delays the round nor more.
Seals show what is lost, altered or foreign; an older value in its own place shows by the digest alone.
Nothing is written here.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from liststore.base import PARTITIONS, Announcement, Generation, Head, ListWriter
from restriction.errors import StoreNotWholeError, StoreUnavailableError
from sync_agent.digests import digest_of, total

_RECORDS_A_PASS: Final = 2_000  # at about 4 µs a record: unsealed, hashed, summed
_MOST_AT_ONCE: Final = 16  # partitions, so that an empty list costs no more trips than a pass may take
# Heads that do not add up may be another agent's work that it will end; so many times in a row, nobody ends it.
_ASTRAY_AFTER: Final = 5
_LISTEN_AGAIN_S: Final = 1.0  # after the store was away, or where listening is forbidden


class Scrubber:
    """Reads one store through; `looked_at` are the partitions read last."""

    def __init__(self, store: ListWriter) -> None:
        self._store = store
        self._due = 0.0
        self._wary = 0
        self._astray = 0
        self._next = 0
        self._told = dict[int, None]()  # in their order, so that none waits for ever
        self.looked_at: frozenset[int] = frozenset()

    def be_wary(self) -> None:
        """Something was lost: look at some partition in every idle pass until all were looked at."""
        self._wary = PARTITIONS

    def suspect(self, partition: int) -> None:
        """Somebody says that this partition is damaged: look at it soon. What is no partition is passed over."""
        if 0 <= partition < PARTITIONS:
            self._told.setdefault(partition)

    async def listen(self) -> None:
        """Suspect what gateways tell of, until cancelled."""
        while True:
            with suppress(StoreUnavailableError):
                async for partition in self._store.suspects():
                    self.suspect(partition)
            await asyncio.sleep(_LISTEN_AGAIN_S)

    async def holds(self, announced: Announcement, digest_key: bytes) -> bool:
        """One idle pass; False when the store holds another list than was announced, so that it must be loaded anew.

        Raises: StoreNotWholeError when a part of it is damaged; StoreUnavailableError.
        """
        count = self._count_due(announced.state.count)
        told = self._take_told(announced.state.count)
        if not count and not told and not self._astray:
            return True
        self._wary = max(0, self._wary - count)
        self.looked_at = told | {(self._next + place) % PARTITIONS for place in range(count)}
        self._next = (self._next + count) % PARTITIONS
        heads = await self.heads(announced.generation)
        damaged = await self.damaged(announced.generation, heads, self.looked_at, digest_key)
        if damaged:
            raise StoreNotWholeError(f"partitions {sorted(damaged)} are not whole: they are written anew")
        if total(head.digest for head in heads.values()) == announced.state.digest:
            self._astray = 0
            return True
        self._astray += 1
        if self._astray < _ASTRAY_AFTER:
            raise StoreUnavailableError("the heads do not add up to what was announced; loaded anew if that stays so")
        self._astray = 0
        return False

    def _count_due(self, records: int) -> int:
        """How many partitions to look at in this pass of a list with so many records."""
        self._due = min(_MOST_AT_ONCE, self._due + PARTITIONS * _RECORDS_A_PASS / max(1, records))
        count = max(int(self._due), 1 if self._wary else 0)
        self._due = max(0.0, self._due - count)
        return count

    def _take_told(self, records: int) -> frozenset[int]:
        """The suspects of this pass: as many as are read as quickly as an idle pass may last, and at least one."""
        most = min(_MOST_AT_ONCE, max(1, PARTITIONS * _RECORDS_A_PASS // max(1, records)))
        told = frozenset(itertools.islice(self._told, most))
        for partition in told:
            del self._told[partition]
        return told

    async def heads(self, generation: Generation) -> dict[int, Head]:
        """The heads of this generation; one that is lost, altered or foreign is left out."""
        mine = (generation.number, generation.key_id)
        heads = await self._store.heads(generation.number)
        return {partition: head for partition, head in heads.items() if (head.generation, head.key_id) == mine}

    async def damaged(
        self, generation: Generation, heads: Mapping[int, Head], suspects: Iterable[int], digest_key: bytes
    ) -> set[int]:
        """The partitions without a head, and those among the suspects that do not hold what their head says."""
        found = set(range(PARTITIONS)) - heads.keys()
        for partition in set(suspects) - found:
            try:
                records = await self._store.records(generation, partition)
            except StoreNotWholeError:
                found.add(partition)
                continue
            if heads[partition].digest != digest_of(digest_key, records):
                found.add(partition)
        return found
