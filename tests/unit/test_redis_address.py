"""Addresses of a store: every documented form is understood, anything else is refused by name."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool

from liststore.redis_client import QUICK, connect
from restriction.errors import SettingError


@pytest.mark.parametrize(
    "url", ["redis://localhost", "redis://user:pass@localhost:6380/2", "rediss://localhost", "unix:///run/store.sock"]
)
def test_one_server(url: str) -> None:
    client = connect(url, QUICK)
    assert isinstance(client, Redis)
    assert client.connection_pool.connection_kwargs["socket_timeout"] == QUICK.read_s
    assert client.connection_pool.connection_kwargs["socket_connect_timeout"] == QUICK.connect_s


def test_the_primary_that_sentinels_name() -> None:
    client = connect("redis+sentinel://user:p%40ss@one:26379,two/lists", QUICK)
    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "lists"
    assert pool.connection_kwargs["password"] == "p@ss"
    named = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(kwargs["host"], kwargs["port"]) for kwargs in named] == [("one", 26379), ("two", 6379)]


async def test_a_cluster() -> None:
    client = connect("redis+cluster://one:7000,two:7001", QUICK)
    assert isinstance(client, RedisCluster)
    assert sorted(client.nodes_manager.startup_nodes) == ["one:7000", "two:7001"]


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost:6379", "http://localhost", "redis+sentinel://one:26379", "redis+sentinel:///service",
        "redis+cluster://", "redis+cluster://one:x", "redis://localhost:x",
    ],
)  # fmt: skip
def test_another_form_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="store address"):
        connect(url, QUICK)
