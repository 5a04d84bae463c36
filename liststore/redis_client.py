"""Clients for every form of server address, with patience said out loud.

| address | server |
|---|---|
| `redis://[user:password@]host:port[/db]` | one server |
| `rediss://…` | one server, TLS |
| `unix:///path/to/socket` | one server on this machine |
| `redis+sentinel://[user:password@]host:port,host:port/service` | the primary that the Sentinels name |
| `redis+cluster://[user:password@]host:port,host:port` | a cluster |

The library's own defaults (5 s, ten retries) would hold a question for a minute; nothing here relies on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from restriction.errors import SettingError

Client = Redis | RedisCluster
_DEFAULT_PORT: Final = 6379
_DIRECT: Final = frozenset({"redis", "rediss", "unix"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits. A retry follows a lost connection only, never a slow answer."""

    connect_s: float
    read_s: float
    retries: int
    connections: int


# Answering questions: a slow store is UNDETERMINED, so better soon; idle connections may be dead, so one retry.
QUICK: Final = Patience(connect_s=0.05, read_s=0.02, retries=1, connections=64)
# Followers and agents: whole partitions and filter images pass; no retry, since a script may have run unseen.
BULK: Final = Patience(connect_s=1.0, read_s=10.0, retries=0, connections=8)


def connect(url: str, patience: Patience) -> Client:
    """A client for this address; it connects when first used. Raises: SettingError when the address is malformed."""
    try:
        address = urlsplit(url)
        if address.scheme in _DIRECT:
            return _direct(url, patience)
        if address.scheme == "redis+sentinel":
            return _sentinel(address, patience)
        if address.scheme == "redis+cluster":
            return _cluster(address, patience)
    except ValueError as error:
        raise SettingError("store address: malformed: see liststore/redis_client.py for the forms") from error
    raise SettingError("store address: unknown scheme: use redis, rediss, unix, redis+sentinel or redis+cluster")


def _direct(url: str, patience: Patience) -> Client:
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=patience.connections,
        timeout=patience.read_s,
        socket_timeout=patience.read_s,
        socket_connect_timeout=patience.connect_s,
        retry=_retry(patience),
        protocol=2,
        driver_info=None,
    )
    return Redis.from_pool(pool)


def _sentinel(address: SplitResult, patience: Patience) -> Client:
    user, password, hosts = _hosts(address)
    service = address.path.strip("/")
    if not service:
        raise ValueError("no service")
    timeouts = {"socket_timeout": patience.read_s, "socket_connect_timeout": patience.connect_s}
    sentinel = Sentinel(hosts, sentinel_kwargs=timeouts)  # type: ignore[no-untyped-call]  # the library leaves it so
    primary: Redis = sentinel.master_for(
        service,
        username=user,
        password=password,
        max_connections=patience.connections,
        socket_timeout=patience.read_s,
        socket_connect_timeout=patience.connect_s,
        retry=_retry(patience),
        protocol=2,
    )
    return primary


def _cluster(address: SplitResult, patience: Patience) -> Client:
    user, password, hosts = _hosts(address)
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in hosts],
        username=user,
        password=password,
        max_connections=patience.connections,
        socket_timeout=patience.read_s,
        socket_connect_timeout=patience.connect_s,
        retry=_retry(patience),
        protocol=2,
    )


def _retry(patience: Patience) -> Retry:
    return Retry(NoBackoff(), patience.retries, supported_errors=(RedisConnectionError,))


def _hosts(address: SplitResult) -> tuple[str | None, str | None, list[tuple[str, int]]]:
    """User, password and hosts of `[user:password@]host:port,host:port`."""
    credentials, _, listed = address.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = [urlsplit(f"//{host}") for host in listed.split(",")]
    named = [(host.hostname, host.port or _DEFAULT_PORT) for host in hosts if host.hostname]
    if len(named) != len(hosts):
        raise ValueError("no host")
    return unquote(user) or None, unquote(password) or None, named
