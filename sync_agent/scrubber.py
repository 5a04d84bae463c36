"""Sees that the store still holds what was announced: a partition now and then, every one in turn after a damage.

Seals show what is lost, altered or foreign; an older value in its own place shows by the digest alone.
Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from liststore.base import PARTITIONS, Announcement, Generation, Head, ListWriter
from restriction.errors import StoreNotWholeError, StoreUnavailableError
from sync_agent.digests import digest_of, total

# One partition is read through in so many idle passes: all of them in about 20 minutes.
_SCRUB_EVERY: Final = 25
# Heads that do not add up may be another agent's work that it will end; so many times in a row, nobody ends it.
_ASTRAY_AFTER: Final = 5


class Scrubber:
    """Reads one store through; `partition` is the one looked at last."""

    def __init__(self, store: ListWriter) -> None:
        self._store = store
        self._idle = 0
        self._wary = 0
        self._astray = 0
        self.partition = 0

    def be_wary(self) -> None:
        """Something was lost: look at one partition in every idle pass until all were looked at."""
        self._wary = PARTITIONS

    async def holds(self, announced: Announcement, digest_key: bytes) -> bool:
        """One idle pass; False when the store holds another list than was announced, so that it must be loaded anew.

        Raises: StoreNotWholeError when a part of it is damaged; StoreUnavailableError.
        """
        self._idle += 1
        if self._idle % _SCRUB_EVERY and not (self._wary or self._astray):
            return True
        self._wary = max(0, self._wary - 1)
        self.partition = (self.partition + 1) % PARTITIONS
        heads = await self.heads(announced.generation)
        if await self.damaged(announced.generation, heads, {self.partition}, digest_key):
            raise StoreNotWholeError(f"partition {self.partition} or a head is not whole: it is written anew")
        if total(head.digest for head in heads.values()) == announced.state.digest:
            self._astray = 0
            return True
        self._astray += 1
        if self._astray < _ASTRAY_AFTER:
            raise StoreUnavailableError("the heads do not add up to what was announced; loaded anew if that stays so")
        self._astray = 0
        return False

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
