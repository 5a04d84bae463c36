"""What a crash meets: a list in service, and something new that an agent has to bring into the store.

A world is made from its kind and its seed alone: a court's side that signs for real, an agent's directory and a store
as they are before the pass, and the records before and after. Records carry several grants, and what is new flips them
together, so that half a change would show.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from liststore.keys import Keys
from restriction.calendar import Span
from restriction.change import Change, Lane, ListState
from restriction.listing import PARAMETERS_PATH
from restriction.parameters import Parameters
from restriction.record import Grant, Part, Record, encode
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, token_of
from tests.faults.crash.passing import Passes, Place
from tests.faults.crash.server import Photograph, Server

LISTED: Final = 120
_PARTITIONS: Final = 24  # the list lies in so many of them, so that partitions change at several tokens
_CHANGES: Final = 24
_PARAMETERS: Final = {"date": "2026-05-01", "authority": "a court of tests", "values": {}}
_GRACE_S: Final = 61.0  # a generation that was replaced goes a minute later


@dataclass(frozen=True, slots=True)
class Before:
    """What an agent finds: its directory, the store, and the generation in service there (None: none)."""

    directory: Path
    store: Photograph
    generation: int | None


@dataclass(frozen=True, slots=True)
class List:
    """A list as it was signed: its records, its state (None: there was no list yet), its parameters document."""

    records: Mapping[bytes, bytes]
    state: ListState | None
    parameters: bytes


@dataclass(frozen=True, slots=True)
class World:
    """One list before and after something new. `place.directory` is where the agent works, run after run."""

    kind: str
    place: Place
    before: Before
    old: List
    new: List

    def reset(self, server: Server) -> None:
        """Put directory and store back to what they were before. Files are replaced, never altered: links suffice."""
        shutil.rmtree(self.place.directory, ignore_errors=True)
        shutil.copytree(self.before.directory, self.place.directory, copy_function=os.link)
        server.restore(self.before.store)


News = Callable[[ListPublisher, random.Random], None]
Damage = Callable[[Photograph, Sequence[int], random.Random], Photograph]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a world of this kind comes about: what the court signs, and what becomes of the store.

    `already` is signed and in service before; `is_first`: the agent begins with nothing.
    """

    news: News
    damage: Damage = lambda store, _touched, _dice: store
    already: News | None = None
    is_first: bool = False


def record_of(dice: random.Random) -> bytes:
    """A record of one to three parts with one to four grants each, no two alike."""
    parts = tuple(
        Part(
            dice.randbytes(8), dice.randrange(1, 5_000), 1, None, None, (dice.randbytes(8),),
            tuple(Grant(dice.randrange(2, 1 << 14) & ~1, 0, Span(dice.randrange(1, 20_000))) for _ in range(grants)),
        )
        for grants in dice.choices(range(1, 5), k=dice.randrange(1, 4))
    )  # fmt: skip
    return encode(Record(dice.randbytes(8), parts))


def token(number: int) -> bytes:
    """A token of one of the few partitions."""
    return bytes([number % _PARTITIONS * 10]) + token_of(number)[1:]


def changes(dice: random.Random, listed: Mapping[bytes, bytes], count: int) -> list[Change]:
    """Lifts, records that are eased or burdened as a whole, and additions."""
    some = dice.sample(sorted(listed), count)
    third = count // 3
    lifts = [Change(each, b"", Lane.EASE) for each in some[:third]]
    eased = [Change(each, record_of(dice), Lane.EASE) for each in some[third : third + third // 2]]
    burdened = [Change(each, record_of(dice), Lane.BURDEN) for each in some[third + third // 2 :]]
    added = [Change(token(dice.randrange(10**6, 10**9)), record_of(dice), Lane.BURDEN) for _ in range(third)]
    return [*lifts, *eased, *burdened, *added]


def _one_delta(court: ListPublisher, dice: random.Random) -> None:
    court.publish(*changes(dice, court.book.records, _CHANGES))


def _backlog(court: ListPublisher, dice: random.Random) -> None:
    for _ in range(dice.randrange(3, 7)):
        court.publish(*changes(dice, court.book.records, _CHANGES // 2))


def _parameters(court: ListPublisher, dice: random.Random) -> None:
    _one_delta(court, dice)
    document = Parameters.parse({**_PARAMETERS, "version": dice.randrange(2, 9)}).to_bytes()
    with court.feed.lock():
        court.feed.publish_parameters(document, court.clock())


def _gap(court: ListPublisher, dice: random.Random) -> None:
    """Nothing leads on from what the agent holds: there is a snapshot of something newer, and a delta after it."""
    _backlog(court, dice)
    court.publish_snapshot()
    with court.feed.lock():
        court.feed.replace({}, [step.path for step in court.feed.listing.deltas], court.feed.state, court.clock())
    _one_delta(court, dice)


def _a_minute_later(court: ListPublisher, _dice: random.Random) -> None:
    assert isinstance(court.clock, FakeClock)
    court.clock.advance(_GRACE_S)
    court.heartbeat()


def _without_announcement(store: Photograph, _touched: Sequence[int], _dice: random.Random) -> Photograph:
    cells = {name: cell for name, cell in store.cells.items() if name != Keys().announcement}
    return Photograph(cells, store.streams)


def _without_buckets(store: Photograph, touched: Sequence[int], dice: random.Random) -> Photograph:
    """Some cells of changed partitions are lost, one is altered."""
    cells = dict(store.cells)
    for lost in dice.sample(touched, 3):
        cells.pop(dice.choice([name for name in cells if f"{{p{lost:02x}}}" in name]))
    partition = dice.choice(touched)
    altered = dice.choice([name for name in cells if f"{{p{partition:02x}}}" in name])
    cells[altered] = bytes([cells[altered][0] ^ 1]) + cells[altered][1:]
    return Photograph(cells, store.streams)


def _without_much(store: Photograph, _touched: Sequence[int], dice: random.Random) -> Photograph:
    lost = set(dice.sample([name for name in store.cells if name.endswith(":head")], 40))
    return Photograph({name: cell for name, cell in store.cells.items() if name not in lost}, store.streams)


def _nothing_left(_store: Photograph, _touched: Sequence[int], _dice: random.Random) -> Photograph:
    return Photograph({}, {})


# What an agent may find at the beginning of a pass. The first ones are every day's.
KINDS: Final[Mapping[str, Kind]] = {
    "one delta": Kind(_one_delta),
    "backlog, folded": Kind(_backlog),
    "delta and parameters": Kind(_parameters),
    "gap": Kind(_gap),
    "first list": Kind(_one_delta, is_first=True),
    "damaged partitions": Kind(_one_delta, _without_buckets),
    "much is lost": Kind(_one_delta, _without_much),
    "store lost": Kind(_one_delta, _nothing_left),
    "announcement lost": Kind(_one_delta, _without_announcement),
    "replaced generation due": Kind(_a_minute_later, already=_gap),
}


@contextmanager
def made(kind: str, seed: int, folder: Path, server: Server) -> Iterator[World]:
    """The world of this kind and seed, whose feed is served until the context ends."""
    dice, how = random.Random(f"{kind} {seed}"), KINDS[kind]  # noqa: S311 - chance that comes again
    clock = FakeClock()
    court = ListPublisher(folder / "court", clock)
    _list_some(court, dice)
    with court.serving() as url:
        place = Place(folder / "agent", url, court.root, server.url, clock())
        server.restore(Photograph({}, {}))
        if how.already is not None:
            _bring(place, court)
            how.already(court, dice)
        generation = None if how.is_first else _bring(place, court)
        old, old_state, store = dict(court.book.records), court.feed.state, server.photograph()
        how.news(court, dice)
        new = dict(court.book.records)
        touched = sorted({each[0] for each in old.keys() | new.keys() if old.get(each) != new.get(each)})
        place.directory.mkdir(exist_ok=True)
        place.directory.rename(folder / "before")
        before = Before(folder / "before", how.damage(store, touched, dice), generation)
        parameters = court.feed.read(PARAMETERS_PATH) if court.feed.has_parameters else b""
        old_list = List({}, None, b"") if how.is_first else List(old, old_state, b"")
        yield World(kind, replace(place, now_s=clock()), before, old_list, List(new, court.feed.state, parameters))


def _list_some(court: ListPublisher, dice: random.Random) -> None:
    """A list of which the snapshot holds a part and a delta the rest."""
    some = [Change(token(number), record_of(dice), Lane.BURDEN) for number in range(LISTED)]
    court.publish(*some[: LISTED // 2])
    court.publish_snapshot()
    court.publish(*some[LISTED // 2 :])


def _bring(place: Place, court: ListPublisher) -> int:
    """Bring what is signed into the store, by an agent that nobody disturbs; gives the generation."""
    told = Passes(place, court.feed.state, most=3).made_here()
    assert told.in_service is not None
    assert told.in_service.state == court.feed.state
    return told.in_service.generation.number
