"""Addresses of a store: every documented form is understood, anything else is refused by name."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool

from liststore.redis_client import QUICK, connect, replicas_of
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


@pytest.mark.parametrize(
    ("url", "replicas"),
    [
        ("redis://one", ()),
        ("redis://one:1?replica=two:2", ("redis://two:2",)),
        ("rediss://u:p%40@one/3?replica=two&db=4&replica=[::1]:5", ("rediss://u:p%40@two/3?db=4", "rediss://u:p%40@[::1]:5/3?db=4")),
        ("unix:///run/one.sock?replica=/run/t%20o.sock&db=1", ("unix:///run/t%20o.sock?db=1",)),
        ("redis+sentinel://one:26379/lists", ()),
    ],
)  # fmt: skip
def test_a_replica_differs_from_its_primary_by_its_place_alone(url: str, replicas: tuple[str, ...]) -> None:
    assert replicas_of(url) == replicas
    for replica in replicas:
        connect(replica, QUICK)


def test_the_primary_is_reached_without_word_of_its_replicas() -> None:
    kwargs = connect("redis://one:7?replica=two&db=4&replica=three", QUICK).connection_pool.connection_kwargs  # type: ignore[union-attr]  # not a cluster
    assert {"host": "one", "port": 7, "db": 4}.items() <= kwargs.items()
    assert "replica" not in kwargs


@pytest.mark.parametrize(
    "replicas",
    [
        "replica=", "replica=two:x", "replica=user@two", "replica=two/3", "replica=:7", "replica=two:0",
        "replica=two&replica=two", "replica=one",
    ],
)  # fmt: skip
def test_a_replica_that_is_no_place_of_its_own_is_refused(replicas: str) -> None:
    with pytest.raises(SettingError, match="store address"):
        replicas_of(f"redis://one?{replicas}")


@pytest.mark.parametrize("url", ["redis+sentinel://one/lists?replica=two", "redis+cluster://one?replica=two"])
def test_sentinels_and_clusters_are_not_told_their_replicas(url: str) -> None:
    with pytest.raises(SettingError, match="replica"):
        connect(url, QUICK)
