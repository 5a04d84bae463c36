"""A reader of several servers: who answers in whose stead, who is not waited for, and who is tried again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from liststore.base import Announcement
from liststore.breaker import BreakerRule, BreakerState
from liststore.keys import Keys, place_of
from liststore.keyspace import Keyspace, Row
from liststore.memory_store import MemoryStore
from liststore.reader import Bounds, KeyspaceReader
from liststore.server import MAX_WAITING, QUESTIONS, Server
from restriction.errors import StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.stores import ABSENT, GENERATION, KEYS, RECORDS, TOKENS, UNHURRIED, at_version

IMPATIENT = Bounds(server_s=0.02, question_s=5.0)  # where one never answers; the last one always has time
Rows = Sequence[Sequence[str]]
Deed = Callable[[Rows], Awaitable[list[Row | StoreUnavailableError]]]


class Scripted:
    """A keyspace whose reads do what a test says, and are noted. Everything else it has not."""

    def __init__(self, inner: Keyspace, deed: Deed | None = None) -> None:
        self.inner = inner
        self.deed = deed or inner.read
        self.asked: list[Rows] = []
        self.cut_off = 0

    async def read(self, rows: Rows) -> list[Row | StoreUnavailableError]:
        self.asked.append(rows)
        try:
            return await self.deed(rows)
        except asyncio.CancelledError:
            self.cut_off += 1
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def never(rows: Rows) -> list[Row | StoreUnavailableError]:
    del rows
    await asyncio.Event().wait()
    raise AssertionError


async def refused(rows: Rows) -> list[Row | StoreUnavailableError]:
    del rows
    raise StoreUnavailableError("store: refused")


async def turns() -> None:
    """Let whatever goes on beside go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def list_of(store: MemoryStore, version: int = 1) -> Announcement:
    return await put_list(store.writer(), RECORDS, generation=GENERATION, version=version)


class House:
    """A primary and replicas that each hold the list by themselves; names in their order are `p`, `r1`, `r2`."""

    def __init__(self, replicas: int = 1, bounds: Bounds = UNHURRIED) -> None:
        self.stores = [MemoryStore(BUCKET_KEY) for _ in range(1 + replicas)]
        self.quick = [Scripted(store.keyspace) for store in self.stores]
        self.bulk = [Scripted(store.keyspace) for store in self.stores]
        servers = [
            Server(name, quick, bulk)
            for name, quick, bulk in zip(("p", "r1", "r2"), self.quick, self.bulk, strict=False)
        ]
        self.reader = KeyspaceReader(servers, Keys(), BUCKET_KEY, bounds)

    async def open(self) -> Announcement:
        announced, *_ = [await list_of(store) for store in self.stores]
        return announced

    def breakers(self) -> list[BreakerState]:
        return [server.breaker for server in self.reader.servers()]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.reader.close()


@pytest.fixture
async def impatient() -> AsyncIterator[House]:
    house = House(bounds=IMPATIENT)
    yield house
    await house.reader.close()


class TestStandIn:
    async def test_primary_answers_while_it_can(self, house: House) -> None:
        at = await house.open()
        assert await house.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
        assert not house.quick[1].asked

    @pytest.mark.parametrize("deed", [never, refused])
    async def test_replica_answers_when_the_primary_does_not(self, impatient: House, deed: Deed) -> None:
        at = await impatient.open()
        impatient.quick[0].deed = deed
        assert await impatient.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
        assert await impatient.reader.find(ABSENT, at) is None
        assert [server.answers for server in impatient.reader.servers()] == [0, 2]

    async def test_replica_answers_for_a_damaged_bucket_of_the_primary(self, house: House) -> None:
        at = await house.open()
        del house.stores[0].keyspace.cells[KEYS.bucket(place_of(GENERATION, TOKENS[0]))]
        assert await house.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]

    @pytest.mark.parametrize("deed", [never, refused])
    async def test_replica_below_the_floor_does_not_answer(self, deed: Deed) -> None:
        house = House(bounds=Bounds(server_s=0.005, question_s=0.5))
        at = at_version(await house.open(), 2)
        house.quick[0].deed = deed
        with pytest.raises(StoreUnavailableError, match="floor"):
            await house.reader.find(TOKENS[0], at)

    async def test_replica_of_another_epoch_does_not_answer(self, house: House) -> None:
        at = await house.open()
        later = replace(at, state=replace(at.state, list_id=replace(at.state.list_id, epoch=2)))
        house.quick[0].deed = refused
        with pytest.raises(StoreUnavailableError, match="epoch"):
            await house.reader.find(TOKENS[0], later)

    async def test_next_replica_answers_when_the_first_one_is_behind(self) -> None:
        house = House(replicas=2)
        await list_of(house.stores[1])
        at = await list_of(house.stores[2], version=2)
        house.quick[0].deed = refused
        assert await house.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]

    async def test_batch_asks_for_what_is_lacking_alone(self, house: House) -> None:
        at = await house.open()
        place = place_of(GENERATION, TOKENS[0])
        del house.stores[0].keyspace.cells[KEYS.bucket(place)]
        found = await house.reader.find_many(TOKENS, at)
        assert found == [RECORDS[token] for token in TOKENS]
        assert house.quick[1].asked == [[(KEYS.head(GENERATION.number, place.partition), KEYS.bucket(place))]]

    async def test_batch_keeps_the_failure_of_what_nobody_has(self, house: House) -> None:
        at = await house.open()
        for store in house.stores:
            del store.keyspace.cells[KEYS.bucket(place_of(GENERATION, TOKENS[0]))]
        first, second = await house.reader.find_many([TOKENS[0], TOKENS[1]], at)
        assert isinstance(first, StoreUnavailableError)
        assert second == RECORDS[TOKENS[1]]

    async def test_all_servers_together_have_a_bound(self) -> None:
        house = House(replicas=2, bounds=Bounds(server_s=0.01, question_s=0.02))
        at = await house.open()
        for quick in house.quick:
            quick.deed = never
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="Timeout"):
            await house.reader.find(TOKENS[0], at)
        assert 0.015 < time.monotonic() - began_s < 1
        await house.reader.close()


class TestFollowersReads:
    @pytest.mark.parametrize("fault", ["away", "altered"])
    async def test_come_from_a_replica_while_the_primary_has_nothing_whole(self, house: House, fault: str) -> None:
        at = await house.open()
        if fault == "away":
            house.bulk[0].deed = refused
        else:
            house.stores[0].keyspace.cells[KEYS.announcement] = b"x" * 99
            del house.stores[0].keyspace.cells[KEYS.head(GENERATION.number, 3)]
        assert await house.reader.announcement() == at
        assert {token async for tokens in house.reader.tokens(GENERATION, 1) for token in tokens} == set(TOKENS)

    async def test_do_not_wait_again_for_a_server_that_failed_one_lately(self, house: House) -> None:
        await house.open()
        house.bulk[0].deed = refused
        assert [len(tokens) async for tokens in house.reader.tokens(GENERATION)]
        assert len(house.bulk[0].asked) == 1

    async def test_go_to_a_server_that_failed_when_no_other_can_serve(self, house: House) -> None:
        at = await house.open()
        house.bulk[0].deed = house.bulk[1].deed = refused
        with pytest.raises(StoreUnavailableError):
            await house.reader.announcement()
        house.bulk[0].deed = house.stores[0].keyspace.read
        assert await house.reader.announcement() == at

    async def test_never_come_from_a_replica_below_the_version_asked_for(self, house: House) -> None:
        await house.open()
        house.bulk[0].deed = refused
        with pytest.raises(StoreUnavailableError, match="floor"):
            _ = [tokens async for tokens in house.reader.tokens(GENERATION, 2)]

    async def test_are_cut_off_when_a_small_one_hangs(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("liststore.reader.SMALL_READ_S", 0.01)
        at = await house.open()
        house.bulk[0].deed = never
        assert await house.reader.announcement() == at


class TestBreaker:
    async def test_server_that_failed_in_a_row_is_not_asked(self, house: House) -> None:
        at = await house.open()
        house.quick[0].deed = refused
        for _ in range(QUESTIONS.failures_to_open + 20):
            assert await house.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
        assert len(house.quick[0].asked) == QUESTIONS.failures_to_open
        assert house.breakers() == [BreakerState.OPEN, BreakerState.CLOSED]

    async def test_single_server_that_failed_in_a_row_fails_at_once(self) -> None:
        house = House(replicas=0, bounds=Bounds(question_s=0.005))
        at = await house.open()
        house.quick[0].deed = never
        for _ in range(QUESTIONS.failures_to_open):
            with pytest.raises(StoreUnavailableError, match="Timeout"):
                await house.reader.find(TOKENS[0], at)
        with pytest.raises(StoreUnavailableError, match="not waited for"):
            await house.reader.find(TOKENS[0], at)
        await house.reader.close()

    async def test_server_is_tried_by_one_question_and_taken_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("liststore.server.QUESTIONS", BreakerRule(failures_to_open=1, probe_every_s=0.0))
        house = House()
        at = await house.open()
        house.quick[0].deed = refused
        await house.reader.find(TOKENS[0], at)
        assert house.breakers()[0] is BreakerState.OPEN
        house.quick[0].deed = house.stores[0].keyspace.read
        await house.reader.find(TOKENS[0], at)
        assert house.breakers()[0] is BreakerState.CLOSED

    async def test_batch_of_which_a_part_failed_is_no_failure_of_the_server(self, house: House) -> None:
        at = await house.open()

        async def half(rows: Rows) -> list[Row | StoreUnavailableError]:
            _, *rest = await house.stores[0].keyspace.read(rows)
            return [StoreUnavailableError("a node is away"), *rest]

        house.quick[0].deed = half
        for _ in range(QUESTIONS.failures_to_open + 1):
            assert await house.reader.find_many(TOKENS[:9], at) == [RECORDS[token] for token in TOKENS[:9]]
        assert house.breakers()[0] is BreakerState.CLOSED

    async def test_stale_server_is_asked_on_since_it_answers(self, house: House) -> None:
        await list_of(house.stores[0])
        at = await list_of(house.stores[1], version=2)
        for _ in range(QUESTIONS.failures_to_open + 1):
            await house.reader.find(TOKENS[0], at)
        assert house.breakers()[0] is BreakerState.CLOSED

    @pytest.mark.parametrize(
        ("deed", "state"),
        [("answers", BreakerState.CLOSED), ("refuses", BreakerState.OPEN), ("late", BreakerState.OPEN)],
    )
    async def test_try_is_judged_though_its_asker_was_cancelled(
        self, monkeypatch: pytest.MonkeyPatch, deed: str, state: BreakerState
    ) -> None:
        monkeypatch.setattr("liststore.server.QUESTIONS", BreakerRule(failures_to_open=1, probe_every_s=0.0))
        house = House(bounds=Bounds(server_s=0.2, question_s=0.2) if deed == "late" else UNHURRIED)
        at = await house.open()
        house.quick[0].deed = refused
        await house.reader.find(TOKENS[0], at)
        released = asyncio.Event()

        async def tried(rows: Rows) -> list[Row | StoreUnavailableError]:
            await released.wait()
            return await (refused(rows) if deed == "refuses" else house.stores[0].keyspace.read(rows))

        house.quick[0].deed = tried
        asked = asyncio.create_task(house.reader.find(TOKENS[0], at))
        await turns()
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
        assert house.breakers()[0] is BreakerState.HALF_OPEN
        if deed == "late":
            time.sleep(0.25)  # noqa: ASYNC251 - the deadline passes
        released.set()
        await turns()
        assert house.breakers()[0] is state
        await house.reader.close()


class TestPolling:
    async def test_tries_servers_before_the_first_question(self, house: House) -> None:
        await house.open()
        for _ in range(2):
            await house.reader.announcement()
            await turns()
        assert [quick.asked for quick in house.quick] == [[[[KEYS.announcement]]]] * 2

    async def test_tries_a_server_that_is_not_waited_for_in_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("liststore.server.QUESTIONS", BreakerRule(failures_to_open=1, probe_every_s=0.0))
        house = House()
        at = await house.open()
        house.quick[0].deed = refused
        await house.reader.find(TOKENS[0], at)
        assert house.breakers()[0] is BreakerState.OPEN
        house.quick[0].deed = house.stores[0].keyspace.read
        async with asyncio.timeout(5):
            while house.breakers()[0] is not BreakerState.CLOSED:
                await house.reader.announcement()
        await house.reader.close()

    async def test_does_not_try_a_server_while_its_breaker_says_no(self, house: House) -> None:
        at = await house.open()
        house.quick[0].deed = refused
        for _ in range(QUESTIONS.failures_to_open):
            await house.reader.find(TOKENS[0], at)
        for _ in range(9):
            await house.reader.announcement()
        assert len(house.quick[0].asked) == QUESTIONS.failures_to_open


class TestBounds:
    async def test_no_more_wait_for_a_server_than_a_gateway_works_on(self, house: House) -> None:
        at = await house.open()
        released = asyncio.Event()

        async def later(rows: Rows) -> list[Row | StoreUnavailableError]:
            await released.wait()
            return await house.stores[1].keyspace.read(rows)

        house.quick[0].deed, house.quick[1].deed = refused, later
        asked = [asyncio.create_task(house.reader.find(TOKENS[0], at)) for _ in range(MAX_WAITING + 3)]
        done, _ = await asyncio.wait(asked, timeout=0.2)
        assert [type(task.exception()) for task in done] == [StoreUnavailableError] * 3
        released.set()
        await asyncio.wait(asked)

    async def test_no_more_are_under_way_than_there_are_connections(self) -> None:
        store = MemoryStore(BUCKET_KEY)
        at = await list_of(store)
        most, now = 0, 0

        async def counted(rows: Rows) -> list[Row | StoreUnavailableError]:
            nonlocal most, now
            now += 1
            most = max(most, now)
            found = await store.keyspace.read(rows)
            now -= 1
            return found

        server = Server("p", Scripted(store.keyspace, counted), store.keyspace, connections=3)
        reader = KeyspaceReader([server], Keys(), BUCKET_KEY, Bounds(5.0, 5.0))
        await asyncio.gather(*(reader.find(token, at) for token in TOKENS))
        assert most == 3

    async def test_question_to_a_server_that_answered_the_last_one_is_cut_off(self, impatient: House) -> None:
        at = await impatient.open()
        await impatient.reader.find(TOKENS[0], at)
        impatient.quick[0].deed = never
        await impatient.reader.find(TOKENS[0], at)
        assert impatient.quick[0].cut_off == 1

    async def test_first_question_goes_on_beside_so_that_its_connection_comes_to_be_open(
        self, impatient: House
    ) -> None:
        at = await impatient.open()
        opened = asyncio.Event()

        async def opening(rows: Rows) -> list[Row | StoreUnavailableError]:
            await opened.wait()
            return await impatient.stores[0].keyspace.read(rows)

        impatient.quick[0].deed = opening
        assert await impatient.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
        assert impatient.quick[0].cut_off == 0
        opened.set()

    async def test_reply_that_waited_while_the_loop_was_held_up_is_taken(
        self, impatient: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The deadline has passed, but through nobody's fault but ours."""
        monkeypatch.setattr("liststore.server._SECOND_LOOK_S", 5.0)
        at = await impatient.open()
        await impatient.reader.find(TOKENS[0], at)

        async def arrived(rows: Rows) -> list[Row | StoreUnavailableError]:
            time.sleep(0.05)  # noqa: ASYNC251 - holds the loop up, as a large answer to somebody else would
            for _ in range(3):
                await asyncio.sleep(0)
            return await impatient.stores[0].keyspace.read(rows)

        impatient.quick[0].deed = arrived
        assert await impatient.reader.find(TOKENS[0], at) == RECORDS[TOKENS[0]]
        assert not impatient.quick[1].asked


async def test_a_reply_to_another_question_is_no_answer() -> None:
    store = MemoryStore(BUCKET_KEY)
    announced = await put_list(store.writer(), {}, generation=GENERATION)

    async def of_one_cell(rows: Rows) -> list[Row | StoreUnavailableError]:
        return [[store.keyspace.cells[row[0]]] for row in rows]

    crossed = Scripted(store.keyspace, of_one_cell)
    reader = KeyspaceReader([Server("primary", crossed, crossed)], Keys(), BUCKET_KEY, UNHURRIED)
    with pytest.raises(StoreUnavailableError, match="crossed"):
        await reader.find(TOKENS[0], announced)
