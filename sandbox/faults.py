"""Faults of ours on request: a screener that is broken in one way for each identity that stands for a fault.

Every other question goes the whole usual way, and so does a fault's: only the one part that it needs broken is.
An identity is known by its document as written in the table; spaces or another case make it an ordinary question.
This exists for sandbox gateways alone: a live list has none of these identities.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.access import Unit
from gateway.question import Answer, Clocks, Question
from gateway.screener import Screener
from gateway.views import Views
from ledger.journal import Journal
from liststore.base import Announcement, FilterImage, Generation, ListReader
from restriction.errors import QuestionError, StoreUnavailableError
from restriction.identity import Document, DocumentType
from sandbox.identities import IDENTITIES

SLOW_S: Final = 1.0
TOO_OLD_S: Final = 8 * 86_400  # a day more than the highest limit that parameters may set
_NO_DIRECTORY: Final = Path("/dev/null/full")  # no file can be made there


class FaultScreener(Screener):
    """A screener that answers the fixed identities of faults as a broken gateway would."""

    def __init__(
        self, views: Views, store: ListReader, journal: Journal, clocks: Clocks, decision_ids: Iterator[str]
    ) -> None:
        super().__init__(views, store, journal, clocks, decision_ids)
        late = Clocks(clocks.wall, lambda: clocks.monotonic() + TOO_OLD_S)
        self._broken = {
            _document("slow-answer"): Screener(views, SlowReader(store), journal, clocks, decision_ids),
            _document("store-down"): Screener(views, DownReader(store), journal, clocks, decision_ids),
            _document("ledger-down"): Screener(views, store, Journal(_NO_DIRECTORY, "none"), clocks, decision_ids),
            _document("stale-list"): Screener(views, store, journal, late, decision_ids),
        }

    async def check(self, unit: Unit, question: Question) -> Answer:
        """As for any screener."""
        broken = self._broken.get(question.document)
        return await (broken.check(unit, question) if broken else super().check(unit, question))

    async def check_many(self, unit: Unit, questions: Sequence[Question]) -> list[Answer | QuestionError]:
        """As for any screener; a fault is one question's alone."""
        answers = await super().check_many(unit, questions)
        for place, question in enumerate(questions):
            if question.document in self._broken:
                (answers[place],) = await self._broken[question.document].check_many(unit, [question])
        return answers


class PassingReader(ListReader):
    """A reader that passes every call on to another."""

    def __init__(self, reader: ListReader) -> None:
        self._reader = reader

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """As the reader behind."""
        return await self._reader.find(token, at)

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | None | Exception]:
        """As the reader behind."""
        return await self._reader.find_many(tokens, at)

    async def announcement(self) -> Announcement | None:
        """As the reader behind."""
        return await self._reader.announcement()

    async def additions(self, generation: int, after: int, upto: int) -> list[bytes]:
        """As the reader behind."""
        return await self._reader.additions(generation, after, upto)

    async def filter_image(self, generation: int) -> FilterImage | None:
        """As the reader behind."""
        return await self._reader.filter_image(generation)

    def tokens(self, generation: Generation) -> AsyncIterator[list[bytes]]:
        """As the reader behind."""
        return self._reader.tokens(generation)

    async def parameters(self) -> bytes | None:
        """As the reader behind."""
        return await self._reader.parameters()

    def hints(self) -> AsyncIterator[int]:
        """As the reader behind."""
        return self._reader.hints()

    async def close(self) -> None:
        """As the reader behind."""
        await self._reader.close()


class SlowReader(PassingReader):
    """A reader that takes `SLOW_S` longer to find anything."""

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """As the reader behind, late."""
        await asyncio.sleep(SLOW_S)
        return await super().find(token, at)

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | None | Exception]:
        """As the reader behind, late."""
        await asyncio.sleep(SLOW_S)
        return await super().find_many(tokens, at)


class DownReader(PassingReader):
    """A reader that cannot find anything. Raises: StoreUnavailableError."""

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        """Never an answer."""
        raise StoreUnavailableError("store: switched off for this sandbox identity")

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | None | Exception]:
        """Never an answer."""
        raise StoreUnavailableError("store: switched off for this sandbox identity")


def _document(slug: str) -> Document:
    paper = IDENTITIES[slug].paper
    return Document(DocumentType[paper.type], paper.number, paper.country)
