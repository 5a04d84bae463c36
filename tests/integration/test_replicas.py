"""A real primary and two real replicas: what is confirmed is on all that are configured, and on no others' word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvloop

from liststore.effects import Confirmation
from liststore.keys import Keys
from liststore.redis_replicas import RedisReplicas
from liststore.wiring import open_writer
from restriction.errors import StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.replicas import Replicated, attached, cluster, following, node, sentinel
from tests.faults.proxy import standing

SHORT_S = 0.05
LONG_S = 10.0  # never waited for in full: the replicas are on this machine


@contextlib.asynccontextmanager
async def confirming(url: str) -> AsyncIterator[RedisReplicas]:
    replicas = RedisReplicas(url, Keys())
    try:
        yield replicas
    finally:
        await replicas.close()


async def test_what_was_written_is_confirmed_by_every_replica(replicated: Replicated) -> None:
    writer = open_writer(replicated.url, BUCKET_KEY)
    announced = await put_list(writer, {})
    assert await writer.confirm(LONG_S) == Confirmation(2, 2)
    await writer.close()
    for replica in replicated.replicas:
        with replica.client() as client:
            assert client.get(Keys().announcement)
            assert client.exists(Keys().head(announced.generation.number, 255))


async def test_a_replica_that_stands_still_confirms_only_once_it_goes_on(replicated: Replicated) -> None:
    """Nothing but the mark is written meanwhile: `WAIT` alone, on a connection that wrote nothing, returns at once."""
    async with confirming(replicated.url) as replicas:
        assert (await replicas.confirm(LONG_S)).is_whole
        with replicated.replicas[1].stopped():
            assert await replicas.confirm(SHORT_S) == Confirmation(1, 2)
            assert await replicas.confirm(SHORT_S) == Confirmation(1, 2)
        assert await replicas.confirm(LONG_S) == Confirmation(2, 2)


async def test_a_replica_that_nobody_configured_confirms_for_none_that_is_cut_off(replicated: Replicated) -> None:
    """As many as are configured are attached and confirm, but one of them is a stranger."""
    stray = replicated.replicas[1]
    with node(*following(replicated.primary)) as stranger, stray.client() as client:
        async with confirming(replicated.url) as replicas:
            assert (await replicas.confirm(LONG_S)).is_whole
        client.replicaof("NO", "ONE")
        attached(replicated.primary, 2)
        with stranger.client() as its:
            assert its.ping()
        async with confirming(replicated.url) as replicas:
            assert await replicas.confirm(LONG_S) == Confirmation(1, 2)
            client.replicaof("127.0.0.1", str(replicated.primary.port))
            attached(replicated.primary, 3)
            async with asyncio.timeout(LONG_S):
                while not (await replicas.confirm(SHORT_S)).is_whole:
                    pass  # the stranger may be ahead of the last one, and `WAIT` counts it


async def test_a_primary_that_is_away_confirms_nothing(replicated: Replicated) -> None:
    with node() as alone:
        url = f"redis://{alone.place}?replica={replicated.replicas[0].place}"
        alone.client().ping()
    async with confirming(url) as replicas:
        with pytest.raises(StoreUnavailableError):
            await replicas.confirm(SHORT_S)


async def test_an_address_without_replicas_confirms_the_primary_alone(replicated: Replicated) -> None:
    async with confirming(f"redis://{replicated.primary.place}") as replicas:
        assert await replicas.confirm(SHORT_S) == Confirmation(0, 0)


async def test_a_replica_that_the_sentinels_name_confirms_like_one_that_is_configured(replicated: Replicated) -> None:
    with sentinel(replicated.primary) as watching:
        async with confirming(f"redis+sentinel://{watching.place}/lists") as replicas:
            assert await replicas.confirm(LONG_S) == Confirmation(2, 2)
            with replicated.replicas[1].stopped():
                assert await replicas.confirm(SHORT_S) == Confirmation(1, 2)


async def test_while_no_sentinel_answers_nothing_is_confirmed(replicated: Replicated) -> None:
    with sentinel(replicated.primary) as watching:
        url = f"redis+sentinel://{watching.place}/lists"
    async with confirming(url) as replicas:
        with pytest.raises(StoreUnavailableError):
            await replicas.confirm(SHORT_S)


def test_a_replica_whose_connection_was_reset_alone_does_not_confirm(replicated: Replicated) -> None:
    """Under uvloop, which does not call that a lost connection."""

    async def ask() -> None:
        async with (
            standing(("127.0.0.1", replicated.replicas[0].port)) as link,
            confirming(f"redis://{replicated.primary.place}?replica={link.url}") as replicas,
        ):
            assert await replicas.confirm(LONG_S) == Confirmation(1, 1)
            assert link.cut() == 1
            await asyncio.sleep(0.05)  # until the loop has heard of it
            assert await replicas.confirm(LONG_S) == Confirmation(0, 1)
            assert await replicas.confirm(LONG_S) == Confirmation(1, 1)

    uvloop.run(ask())


async def test_a_clusters_primaries_are_each_confirmed_by_their_replicas() -> None:
    with cluster() as servers:
        async with confirming(f"redis+cluster://{servers.primary.place}") as replicas:
            assert await replicas.confirm(LONG_S) == Confirmation(1, 1)
            with servers.replicas[0].stopped():
                assert await replicas.confirm(SHORT_S) == Confirmation(0, 1)
            assert await replicas.confirm(LONG_S) == Confirmation(1, 1)
