"""A real primary and real replicas: who answers when the primary hangs, dies, falls back or is a replica itself."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from liststore.base import Announcement, ListReader, ListWriter
from liststore.breaker import BreakerState
from liststore.reader import Bounds
from liststore.server import QUESTIONS
from liststore.wiring import open_reader, open_writer
from restriction.errors import StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.replicas import Node, Replicated, attached, following, node
from tests.fakes.stores import GENERATION, RECORDS, TOKENS, UNHURRIED, at_version, moves

LONG_S = 10.0  # never waited for in full: the replicas are on this machine
# A share for the primary and time for the replica, as on a loaded machine.
GATEWAYS = Bounds(server_s=0.05, question_s=5.0)


@dataclass
class Pair:
    """A primary with one replica, the list on both, and who reads and writes it."""

    primary: Node
    replica: Node
    reader: ListReader
    writer: ListWriter
    announced: Announcement

    async def finds_all(self, at: Announcement | None = None) -> bool:
        found = [await self.reader.find(token, at or self.announced) for token in TOKENS[:40]]
        return found == [RECORDS[token] for token in TOKENS[:40]]

    def promote(self) -> None:
        with self.replica.client() as client:
            client.replicaof("NO", "ONE")

    def breakers(self) -> list[BreakerState]:
        return [server.breaker for server in self.reader.servers()]


@pytest.fixture
def servers() -> Iterator[Replicated]:
    with node() as primary, node(*following(primary)) as replica:
        attached(primary, 1)
        yield Replicated(primary, (replica,))


@pytest.fixture
async def pair(servers: Replicated) -> AsyncIterator[Pair]:
    async with opened(servers) as pair:
        yield pair


@contextlib.asynccontextmanager
async def opened(servers: Replicated, bounds: Bounds = GATEWAYS) -> AsyncIterator[Pair]:
    reader, writer = open_reader(servers.url, BUCKET_KEY, bounds=bounds), open_writer(servers.url, BUCKET_KEY)
    announced = await put_list(writer, RECORDS, generation=GENERATION)
    assert (await writer.confirm(LONG_S)).is_whole
    yield Pair(servers.primary, servers.replicas[0], reader, writer, announced)
    await reader.close()
    await writer.close()


async def test_replica_answers_while_the_primary_hangs_and_soon_without_waiting(pair: Pair) -> None:
    with pair.primary.stopped():
        assert await pair.finds_all()
        assert pair.breakers()[0] is not BreakerState.CLOSED
        assert pair.reader.servers()[1].answers == 40
        assert await pair.finds_all()
        assert pair.reader.servers()[0].failures < 40  # each wait is a failure: only a try now and then waits
    assert await back(pair)


async def back(pair: Pair) -> bool:
    """Whether the primary comes to be asked again, by questions alone."""
    async with asyncio.timeout(LONG_S):
        while pair.breakers()[0] is not BreakerState.CLOSED:
            await pair.reader.find(TOKENS[0], pair.announced)
    return True


async def test_replica_answers_for_a_primary_that_was_killed(pair: Pair) -> None:
    assert await pair.finds_all()
    pair.primary.process.kill()
    pair.primary.process.wait()
    assert await pair.finds_all()
    found = await pair.reader.find_many(TOKENS, pair.announced)
    assert found == [RECORDS[token] for token in TOKENS]


async def test_gateway_can_start_from_the_replica_alone(servers: Replicated) -> None:
    async with opened(servers) as pair:
        await pair.writer.put_parameters(b"document")
        assert (await pair.writer.confirm(LONG_S)).is_whole
        pair.primary.process.kill()
        pair.primary.process.wait()
        started = open_reader(servers.url, BUCKET_KEY)
        assert await started.announcement() == pair.announced
        assert await started.parameters() == b"document"
        assert {token async for tokens in started.tokens(GENERATION, 1) for token in tokens} == set(TOKENS)
        await started.close()


async def test_stale_replica_answers_nothing_neither_before_nor_after_its_promotion(pair: Pair) -> None:
    with pair.replica.stopped():
        await pair.writer.write(GENERATION, moves(RECORDS, {}, base=1, version=2))
        at = at_version(pair.announced, 2, {})
        await pair.writer.announce(at, [])
        assert await pair.reader.find(TOKENS[0], at) is None  # lifted
        pair.primary.process.kill()  # what the replica has not read yet goes with it, or lies in its socket: both are
        pair.primary.process.wait()  # "old or nothing" below, never the lifted record at the floor
    pair.promote()
    found = await pair.reader.find_many(TOKENS, at)
    assert all(isinstance(each, StoreUnavailableError) or each is None for each in found)


async def test_promoted_stale_replica_is_refused_until_the_writer_has_brought_it_forward(servers: Replicated) -> None:
    """The lifts of version 2 never reached it; the same moves, made again on it, are all that is lacking."""
    async with opened(servers) as pair:
        with pair.replica.client() as client:
            client.replicaof("NO", "ONE")  # cut off before version 2
        await pair.writer.write(GENERATION, moves(RECORDS, {}, base=1, version=2))
        at = at_version(pair.announced, 2, {})
        await pair.writer.announce(at, [])
        pair.primary.process.kill()
        pair.primary.process.wait()
        for token in TOKENS[:9]:
            with pytest.raises(StoreUnavailableError, match="floor"):
                await pair.reader.find(token, at)
        assert (await pair.reader.announcement()) == pair.announced  # honest: an old one, which a floor refuses
        promoted = open_writer(f"redis://{pair.replica.place}", BUCKET_KEY)
        await promoted.write(GENERATION, moves(RECORDS, {}, base=1, version=2))
        await promoted.announce(at, [])
        assert [await pair.reader.find(token, at) for token in TOKENS[:9]] == [None] * 9
        await promoted.close()


async def test_writer_of_a_demoted_primary_is_told_and_readers_go_on(pair: Pair) -> None:
    """READONLY: the other server is the primary now, and this address is out of date."""
    pair.promote()
    with pair.primary.client() as client:
        client.replicaof("127.0.0.1", str(pair.replica.port))
        with pytest.raises(StoreUnavailableError, match="ReadOnly"):
            await pair.writer.write(GENERATION, moves(RECORDS, {}, base=1, version=2))
    assert await pair.finds_all()


async def test_hanging_store_is_not_waited_for_once_its_breaker_is_open(servers: Replicated) -> None:
    """64 at once on a single server: each is told within the bound, and later ones at once."""
    bounds = Bounds(server_s=0.02, question_s=0.05)
    async with opened(servers, UNHURRIED) as pair:
        reader = open_reader(f"redis://{servers.primary.place}", BUCKET_KEY, bounds=bounds)
        await asyncio.gather(*(reader.find(token, pair.announced) for token in TOKENS[:3]), return_exceptions=True)
        servers.primary.process.send_signal(signal.SIGSTOP)
        try:
            told = await asyncio.gather(
                *(reader.find(token, pair.announced) for token in TOKENS[:64]), return_exceptions=True
            )
            assert all(isinstance(each, StoreUnavailableError) for each in told)
            assert reader.servers()[0].breaker is BreakerState.OPEN
            later = [await reader.find_many(TOKENS[:1], pair.announced) for _ in range(20)]
            assert sum("not waited for" in str(each) for each in later) > 10  # but for a try now and then
        finally:
            servers.primary.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(LONG_S):
            while reader.servers()[0].breaker is not BreakerState.CLOSED:
                with contextlib.suppress(StoreUnavailableError):
                    await reader.find(TOKENS[0], pair.announced)
                await asyncio.sleep(QUESTIONS.probe_every_s / 10)
        await reader.close()
