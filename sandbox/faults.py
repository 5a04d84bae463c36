"""Faults of ours on request: a screener that is broken in one way for each identity that stands for a fault.

Every other question goes the whole usual way, and so does a fault's: only the one part that it needs broken is.
An identity is known by its document as written in the table; spaces or another case make it an ordinary question.
This exists for sandbox gateways alone: a live list has none of these identities.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.access import Unit
from gateway.question import Answer, Clocks, Question
from gateway.screener import Screener
from gateway.views import Views
from ledger.journal import Journal
from liststore.base import ListReader
from liststore.wiring import open_reader
from restriction.errors import QuestionError
from restriction.identity import Document, DocumentType
from sandbox.identities import IDENTITIES

SLOW_S: Final = 1.0
TOO_OLD_S: Final = 8 * 86_400  # a day more than the highest limit that parameters may set
_NO_DIRECTORY: Final = Path("/dev/null/full")  # no file can be made there
_NO_STORE: Final = "unix:///dev/null/store.sock"  # and nobody listens there


def _document(slug: str) -> Document:
    paper = IDENTITIES[slug].paper
    return Document(DocumentType[paper.type], paper.number, paper.country)


_SLOW: Final = _document("slow-answer")


class FaultScreener(Screener):
    """A screener that answers the fixed identities of faults as a broken gateway would."""

    def __init__(
        self, views: Views, store: ListReader, journal: Journal, clocks: Clocks, decision_ids: Iterator[str]
    ) -> None:
        super().__init__(views, store, journal, clocks, decision_ids)
        late = Clocks(clocks.wall, lambda: clocks.monotonic() + TOO_OLD_S)
        self._broken = {
            _document("store-down"): Screener(views, open_reader(_NO_STORE, b""), journal, clocks, decision_ids),
            _document("ledger-down"): Screener(views, store, Journal(_NO_DIRECTORY, "none"), clocks, decision_ids),
            _document("stale-list"): Screener(views, store, journal, late, decision_ids),
        }

    async def check(self, unit: Unit, question: Question) -> Answer:
        """As for any screener."""
        if question.document == _SLOW:
            await asyncio.sleep(SLOW_S)
        broken = self._broken.get(question.document)
        return await (broken.check(unit, question) if broken else super().check(unit, question))

    async def check_many(self, unit: Unit, questions: Sequence[Question]) -> list[Answer | QuestionError]:
        """As for any screener; a fault is one question's alone, but a slow one holds up its batch."""
        if any(question.document == _SLOW for question in questions):
            await asyncio.sleep(SLOW_S)
        answers = await super().check_many(unit, questions)
        for place, question in enumerate(questions):
            if question.document in self._broken:
                (answers[place],) = await self._broken[question.document].check_many(unit, [question])
        return answers
