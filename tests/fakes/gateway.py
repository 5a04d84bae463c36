"""A gateway of tests on a sandbox list in memory, with its clocks, store and files open to a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from gateway.access import Unit
from gateway.floor import Floor
from gateway.follower import Follower, OnView
from gateway.question import Clocks, Question, decision_ids
from gateway.screener import Screener
from gateway.views import View
from ledger.journal import Journal, Told, read_records
from liststore.base import (
    PARTITIONS,
    Announcement,
    FilterImage,
    Generation,
    Head,
    ListReader,
    ListWriter,
    Move,
    ServerState,
)
from liststore.effects import Effect
from liststore.memory_store import MemoryStore
from restriction.calendar import Span, day_of
from restriction.change import Change, Digest, Lane, ListId, ListState
from restriction.filter import FilterStamp, ListFilter
from restriction.identity import Document, DocumentType, Identity, Mode
from restriction.measures import Measure, Sector
from restriction.name import canonical_name
from restriction.products import Lodging, Product, RatingStatus
from restriction.record import Grant, Part, Record, encode
from restriction.token import Secrets, TokenKeys
from tests.fakes.clock import FakeClock
from tests.fakes.court import NOW, number

KEYS: Final = TokenKeys.expand("k1", bytes(range(32)))
LATER_KEYS: Final = TokenKeys.expand("k2", bytes(range(1, 33)))
LIST_ID: Final = ListId("zhanjiang", "sandbox", 1)
ALL_MEASURES: Final = sum(1 << measure for measure in Measure)
NAME: Final = "样本一"
HOTEL: Final = Unit("hotel-1", Sector.HOTEL, Mode.SANDBOX, "", responsible_person="值班经理", privacy_contact="0759-1")
FOUR_STARS: Final = Lodging(4, RatingStatus.IN_FORCE, "H-1", emergency=False)
REQUEST_ID: Final = "6e2a7c1e-3b1f-4f0e-9a55-0d6f3f0a1b2c"


def identity(sequence: int) -> Identity:
    """A sandbox person."""
    return Identity(DocumentType.RESIDENT_ID, number(sequence))


def record(holder: Identity, *names: str, measures: int = ALL_MEASURES, **changes: Any) -> Record:
    """A record in force all year 2026 for these measures; `changes` are the part's."""
    span = Span(day_of(NOW) - 100, day_of(NOW) + 200)
    part = Part(
        entry_ref=bytes(8),
        court=4408,
        starts_at=NOW - 1_000,
        ends_at=None,
        until_day=None,
        names=tuple(KEYS.name(canonical_name(name)) for name in names or (NAME,)),
        grants=(Grant(measures, measures, span),),
    )
    return Record(KEYS.fingerprint(holder), (replace(part, **changes),))


def question(sequence: int, product: Product = FOUR_STARS, **changes: Any) -> Question:
    """A check-in tonight of the sandbox person."""
    asked = Question(
        REQUEST_ID, Document(DocumentType.RESIDENT_ID, number(sequence)), NAME, product, day_of(NOW), "booking-1"
    )  # fmt: skip
    return replace(asked, **changes)


class SampleList:
    """A list that a test changes, one version at a time, as an agent does."""

    def __init__(self, writer: ListWriter, clock: FakeClock, keys: TokenKeys = KEYS) -> None:
        self._writer = writer
        self._clock = clock
        self._keys = keys
        self.records: dict[bytes, bytes] = {}
        self.generation = Generation(1, 0, keys.key_id)
        self.list_id = LIST_ID
        self.version = 0

    async def load(self, held: Mapping[Identity, Record], number: int = 1) -> Announcement:
        """Put a whole generation in service."""
        self.generation = replace(self.generation, number=number)
        self.version += 1
        self.records = {self._keys.token(holder): encode(one) for holder, one in held.items()}
        for partition in range(PARTITIONS):
            await self._writer.load(self.generation, partition, self._in(partition), self._head(partition))
        if await self._writer.announcement() is None:
            await self._writer.put_parameters(b"")
        return await self.announce()

    async def change(self, changes: Mapping[Identity, Record | None]) -> Announcement:
        """Upsert or remove records, and announce the next version."""
        await self.announce_later(changes)
        return await self.announce([self._keys.token(holder) for holder, one in changes.items() if one is not None])

    async def announce_later(self, changes: Mapping[Identity, Record | None]) -> None:
        """Write the next version without announcing it."""
        heads = {partition: self._head(partition) for partition in range(PARTITIONS)}
        written = {self._keys.token(holder): b"" if one is None else encode(one) for holder, one in changes.items()}
        self.records = {token: raw for token, raw in (self.records | written).items() if raw}
        self.version += 1
        moves = [
            Move(
                partition,
                heads[partition],
                self._head(partition),
                tuple(Change(token, raw, Lane.BURDEN) for token, raw in written.items() if token[0] == partition),
            )
            for partition in range(PARTITIONS)
        ]
        await self._writer.write(self.generation, moves)

    async def announce(self, added: Iterable[bytes] = ()) -> Announcement:
        """Announce what is written, as of now."""
        announcement = self.announcement()
        await self._writer.announce(announcement, list(added))
        return announcement

    def announcement(self, version: int | None = None) -> Announcement:
        """What is written, at this version or the newest."""
        version = self.version if version is None else version
        state = ListState(
            self.list_id, version, self._digest(self.records), len(self.records), self.generation.key_id
        )  # fmt: skip
        return Announcement(self.generation, state, int(self._clock()))

    async def put_image(self, capacity: int = 1_000) -> None:
        """Store a ready-made filter of what is written."""
        stamp = FilterStamp(self.generation.number, self.version, self.generation.key_id)
        ready = ListFilter.empty(capacity, 0.001, stamp)
        ready.add_all(self.records)
        await self._writer.put_filter_image(FilterImage(self.generation.number, self.version, ready.to_image()))

    def _in(self, partition: int) -> dict[bytes, bytes]:
        return {token: raw for token, raw in self.records.items() if token[0] == partition}

    def _head(self, partition: int) -> Head:
        return Head(
            self.generation.number, self.list_id.epoch, self.version, NOW, self.generation.key_id,
            self._digest(self._in(partition)),
        )  # fmt: skip

    def _digest(self, records: Mapping[bytes, bytes]) -> bytes:
        digest = Digest(self._keys.digest_key)
        for token, raw in records.items():
            digest.add(token, raw)
        return digest.value


@dataclass
class OpenReader:
    """A reader that fails and lies on request, and counts. `failing` and `replies`: by method name."""

    inner: ListReader
    failing: dict[str, BaseException] = field(default_factory=dict)
    replies: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    async def _call(self, name: str, *arguments: Any) -> Any:
        self.calls.append(name)
        if name in self.failing:
            raise self.failing[name]
        return self.replies[name] if name in self.replies else await getattr(self.inner, name)(*arguments)

    async def find(self, token: bytes, at: Announcement) -> bytes | None:
        found: bytes | None = await self._call("find", token, at)
        return found

    async def find_many(self, tokens: Sequence[bytes], at: Announcement) -> list[bytes | Exception | None]:
        found: list[bytes | Exception | None] = await self._call("find_many", tokens, at)
        return found

    async def announcement(self) -> Announcement | None:
        announced: Announcement | None = await self._call("announcement")
        return announced

    async def additions(self, generation: int, after: int, upto: int) -> list[bytes]:
        added: list[bytes] = await self._call("additions", generation, after, upto)
        return added

    async def filter_image(self, generation: int) -> FilterImage | None:
        image: FilterImage | None = await self._call("filter_image", generation)
        return image

    async def effects(self, epoch: int, versions: Sequence[int]) -> dict[int, Effect]:
        known: dict[int, Effect] = await self._call("effects", epoch, versions)
        return known

    async def parameters(self) -> bytes | None:
        document: bytes | None = await self._call("parameters")
        return document

    async def tokens(self, generation: Generation, at_least: int = 0) -> AsyncIterator[list[bytes]]:
        self.calls.append("tokens")
        async for tokens in self.inner.tokens(generation, at_least):
            if "tokens" in self.failing:
                raise self.failing["tokens"]
            yield tokens

    def hints(self) -> AsyncIterator[int]:
        return self.inner.hints()

    def servers(self) -> tuple[ServerState, ...]:
        return self.inner.servers()

    async def close(self) -> None:
        await self.inner.close()


class Desk:
    """A gateway without a door."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.wall, self.monotonic = FakeClock(NOW), FakeClock(0.0)
        self.memory = MemoryStore(KEYS.bucket_key)
        self.writer = self.memory.writer()
        self.list = SampleList(self.writer, self.wall)
        self.reader = OpenReader(self.memory.reader())
        self.journal = Journal(home, "journal")
        self.shown: list[View] = []
        self.listeners: list[OnView] = []
        self.follower = self.start_follower()
        self.screener = Screener(self.follower, self.reader, self.journal, self.clocks, decision_ids("test"))

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.wall, self.monotonic)

    def start_follower(self, secrets: Secrets | None = None) -> Follower:
        """A follower as after a restart."""
        floor = Floor(self.home / "floor.json")
        return Follower(self.reader, secrets or Secrets(KEYS), floor, self.clocks, self._on_view)

    async def open(self, *listed: int) -> None:
        """Load a list with these sandbox persons and follow it."""
        await self.list.load({identity(one): record(identity(one)) for one in listed})
        await self.follower.advance()

    def pass_time(self, by_s: float) -> None:
        """Move both clocks."""
        self.wall.advance(by_s)
        self.monotonic.advance(by_s)

    def told(self) -> list[Told]:
        """What the journal holds on disk now."""
        return [told for path in sorted(self.home.glob("*.journal")) for told in read_records(path)]

    async def _on_view(self, view: View) -> None:
        self.shown.append(view)
        for listener in self.listeners:
            await listener(view)
