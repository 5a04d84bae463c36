"""Stores that fail, or that remember what was asked of them, around a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from liststore.base import Announcement, FilterImage, Generation, Head, ListWriter, Move
from liststore.effects import Confirmation, Effect


class Cut(Exception):  # noqa: N818 it stands for a power cut, which is no error of anybody's
    """The process ends here."""


class WatchedWriter:
    """A writer that notes its calls in order and ends the process before or after the nth change of the store.

    One move is one change: what a process may be killed between.
    """

    def __init__(self, inner: ListWriter, cut_at: int | None = None, *, after: bool = False) -> None:
        self._inner = inner
        self._cut_at = cut_at
        self._after = after
        self.changes = 0
        self.moves: list[Move] = []
        self.announcements: list[Announcement] = []

    async def announcement(self) -> Announcement | None:
        return await self._inner.announcement()

    async def records(self, generation: Generation, partition: int, at_least: int = 0) -> dict[bytes, bytes]:
        return await self._inner.records(generation, partition, at_least)

    async def read(self, generation: Generation, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
        return await self._inner.read(generation, tokens)

    async def heads(self, generation: int) -> dict[int, Head]:
        return await self._inner.heads(generation)

    async def load(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        self._before()
        await self._inner.load(generation, partition, records, head)
        self._done()

    async def write(self, generation: Generation, moves: Sequence[Move]) -> None:
        for move in moves:
            self._before()
            await self._inner.write(generation, [move])
            self.moves.append(move)
            self._done()

    async def restore(self, generation: Generation, partition: int, records: Mapping[bytes, bytes], head: Head) -> None:
        self._before()
        await self._inner.restore(generation, partition, records, head)
        self._done()

    async def announce(self, announcement: Announcement, additions: Sequence[bytes]) -> None:
        self._before()
        await self._inner.announce(announcement, additions)
        self.announcements.append(announcement)
        self._done()

    async def filter_image(self, generation: int) -> FilterImage | None:
        return await self._inner.filter_image(generation)

    async def parameters(self) -> bytes | None:
        return await self._inner.parameters()

    async def put_filter_image(self, image: FilterImage) -> None:
        self._before()
        await self._inner.put_filter_image(image)
        self._done()

    def suspects(self) -> AsyncIterator[int]:
        return self._inner.suspects()

    async def put_parameters(self, document: bytes) -> None:
        self._before()
        await self._inner.put_parameters(document)
        self._done()

    async def confirm(self, wait_s: float) -> Confirmation:
        return await self._inner.confirm(wait_s)

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        return await self._inner.effects(epoch, versions)

    async def put_effects(self, effects: Sequence[Effect]) -> None:
        await self._inner.put_effects(effects)

    async def drop(self, generation: Generation) -> None:
        self._before()
        await self._inner.drop(generation)
        self._done()

    async def close(self) -> None:
        await self._inner.close()

    def _before(self) -> None:
        if self.changes == self._cut_at and not self._after:
            raise Cut

    def _done(self) -> None:
        self.changes += 1
        if self.changes - 1 == self._cut_at and self._after:
            raise Cut
