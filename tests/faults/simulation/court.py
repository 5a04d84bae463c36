"""The court's side of a simulation, and the truth: what was signed for every subject at every version.

It is the real feed, signed for real, of a book in memory. A subject is listed under a serial number that is never used
again; the serial is in every part of its record, so that an answer or a record says which listing it came from.
The web in front of the feed is what agents see: it can be away, replay an old photograph, or flip bits.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tuf.api import exceptions as tuf_errors
from tuf.ngclient.fetcher import FetcherInterface

from restriction.calendar import Span, day_of
from restriction.change import Change, Lane
from restriction.identity import Document, DocumentType, Identity
from restriction.measures import Measure
from restriction.name import canonical_name
from restriction.record import Grant, Part, Record, encode
from tests.fakes.court import number
from tests.fakes.list_publisher import KEYS, ListPublisher

SUBJECTS: Final = 60
NAME: Final = "样本一"
_SNAPSHOT_SHARE: Final = 0.05  # of changes: a snapshot takes the place of the deltas
_LONG_AGO_S: Final = 86_400  # entries began before any clock that is a few hours slow
_WEB: Final = "http://court.invalid"


@dataclass(frozen=True, slots=True)
class Signed:
    """What one version says of one subject: nothing (`serial` 0), or a listing that restricts the asked sale or not."""

    serial: int
    restricts: bool
    record: bytes


_NOBODY: Final = Signed(0, restricts=False, record=b"")


def document_of(subject: int) -> Document:
    """The subject's document."""
    return Document(DocumentType.RESIDENT_ID, number(subject))


def token_of(subject: int) -> bytes:
    """The subject's token."""
    return KEYS.token(_identity(subject))


def _identity(subject: int) -> Identity:
    return Identity(DocumentType.RESIDENT_ID, number(subject))


@dataclass
class Court:
    """One list, its feed, and its history. `truth[subject]` is what was signed, by version, oldest first."""

    directory: Path
    clock: Callable[[], float]
    chance: random.Random
    truth: dict[int, list[tuple[int, Signed]]] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    serial: int = 0

    def __post_init__(self) -> None:
        self.publisher = ListPublisher(self.directory, self.clock)
        self.truth = {subject: [(0, _NOBODY)] for subject in range(1, SUBJECTS + 1)}
        self._began_s = self.clock()

    @property
    def epoch(self) -> int:
        """The list's."""
        return self.publisher.feed.list_id.epoch

    @property
    def version(self) -> int:
        """The newest signed version."""
        return self.publisher.feed.state.version

    def change(self) -> None:
        """Sign a few changes at once, in one delta: listings, lifts, and records whose grants all flip together."""
        changes: dict[int, Signed] = {}
        for subject in self.chance.sample(sorted(self.truth), self.chance.choice((1, 1, 2, 5, 20))):
            now = self.truth[subject][-1][1]
            changes[subject] = _NOBODY if now.serial and self.chance.random() < _LIFTED else self.listing(subject)
        self.sign(changes)
        if self.chance.random() < _SNAPSHOT_SHARE:
            self.publisher.publish_snapshot()

    def lift(self, subject: int) -> int:
        """Sign a lift by itself; gives its version."""
        self.sign({subject: _NOBODY})
        return self.version

    def sign(self, changes: dict[int, Signed]) -> None:
        """Sign these, as the next version."""
        state = self.publisher.publish(
            *(
                Change(token_of(subject), signed.record, Lane.BURDEN if signed.serial else Lane.EASE)
                for subject, signed in changes.items()
            )
        )
        self.digests[state.version] = state.digest
        for subject, signed in changes.items():
            self.truth[subject].append((state.version, signed))

    def between(self, subject: int, low: int, high: int) -> Iterator[Signed]:
        """What versions from `low` to `high` say of a subject."""
        history = self.truth[subject]
        for place, (version, signed) in enumerate(history):
            ends = history[place + 1][0] if place + 1 < len(history) else high + 1
            if version <= high and ends > low:
                yield signed

    def listing(self, subject: int) -> Signed:
        """A listing under a serial of its own; its two parts restrict the asked sale together, or not at all."""
        self.serial += 1
        today = day_of(self._began_s)
        restricts = self.chance.random() < _RESTRICTS
        first, second = (Measure.LODGE, Measure.AIR) if restricts else (Measure.EDU, Measure.VEHICLE)
        span = Span(today - 100, today + 300)
        parts = tuple(
            Part(
                entry_ref=self.serial.to_bytes(8, "big"), court=4408, starts_at=int(self._began_s) - _LONG_AGO_S,
                ends_at=None, until_day=None, names=(KEYS.name(canonical_name(NAME)),),
                grants=(Grant(1 << measure, 0, span),),
            )
            for measure in (first, second)
        )  # fmt: skip
        return Signed(self.serial, restricts, encode(Record(KEYS.fingerprint(_identity(subject)), parts)))


_LIFTED: Final = 0.4
_RESTRICTS: Final = 0.7


@dataclass
class Web(FetcherInterface):
    """What one agent gets when it asks for the feed."""

    feed: Path
    chance: random.Random
    is_away: bool = False
    replayed: Path | None = None
    flipped: float = 0.0
    lies: int = 0

    url = _WEB

    def _fetch(self, url: str) -> Iterator[bytes]:
        if self.is_away:
            raise tuf_errors.DownloadError("away")
        path = (self.replayed or self.feed) / url.removeprefix(f"{_WEB}/")
        if not path.is_file():
            raise tuf_errors.DownloadHTTPError("status 404", 404)
        content = bytearray(path.read_bytes())
        if content and self.chance.random() < self.flipped:
            self.lies += 1
            content[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
        yield bytes(content)

    def close(self) -> None:
        """Nothing is held."""
