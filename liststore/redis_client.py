"""Clients for every form of server address, with patience said out loud, and the one name of their errors.

| address | server |
|---|---|
| `redis://[user:password@]host:port[/db]` | one server |
| `rediss://…` | one server, TLS |
| `unix:///path/to/socket` | one server on this machine |
| `redis+sentinel://[user:password@]host:port,host:port/service` | the primary that the Sentinels name |
| `redis+cluster://[user:password@]host:port,host:port` | a cluster |

A server's replicas are named in its address, one `replica` each: `redis://host:port?replica=host:port&replica=…`, and
`unix:///path/to/socket?replica=/path/to/other.sock`; they share its scheme, credentials and options. For Sentinel they
are those that the Sentinels know, and a cluster knows its own.

The library's own defaults (5 s, ten retries) would hold a question for a minute; nothing here relies on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.cluster import LoadBalancingStrategy
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from restriction.errors import SettingError, StoreUnavailableError

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


# Answering questions: their own deadlines are shorter (`reader.Bounds`), and this is what a connection has that is
# opened beside them; idle connections may be dead, so one retry.
QUICK: Final = Patience(connect_s=0.25, read_s=0.1, retries=1, connections=64)
# Followers and agents: whole partitions and filter images pass; no retry, since a script may have run unseen.
BULK: Final = Patience(connect_s=1.0, read_s=10.0, retries=0, connections=8)
# What uvloop raises, and the library passes on, where a connection that the other side has reset is written to.
_ResetError: Final = RuntimeError


def connect(url: str, patience: Patience) -> Client:
    """A client of the primary; it connects when first used. Raises: SettingError when the address is malformed."""
    with _well_formed():
        address, named = _without_replicas(url)
        if address.scheme in _DIRECT:
            return _direct(_text(address), patience)
        if named and address.scheme.startswith("redis+"):
            raise SettingError("store address: replica: Sentinels and clusters name their own: leave it out")
        if address.scheme == "redis+sentinel":
            return _sentinel(address, patience)
        if address.scheme == "redis+cluster":
            return _cluster(address, patience)
    raise SettingError("store address: unknown scheme: use redis, rediss, unix, redis+sentinel or redis+cluster")


def connect_replicas(url: str, patience: Patience) -> list[Client]:
    """Clients of what can be read beside the primary: each named replica, or one client for all that are known there.

    Raises: SettingError as `connect` and `replicas_of`.
    """
    named = replicas_of(url)
    with _well_formed():
        address = urlsplit(url)
        if address.scheme == "redis+sentinel":
            return [_sentinel(address, patience, replicas=True)]
        if address.scheme == "redis+cluster":
            return [_cluster(address, patience, replicas=True)]
    return [connect(replica, patience) for replica in named]


def replicas_of(url: str) -> tuple[str, ...]:
    """Addresses of the replicas that this address names, in its order; `connect` takes each.

    Raises: SettingError when one is malformed, named twice or the primary itself.
    """
    with _well_formed():
        address, named = _without_replicas(url)
        if len(set(named)) < len(named):
            raise SettingError("store address: replica: one is named twice: name each once")
        replicas = tuple(_beside(address, replica) for replica in named)
        if _text(address) in replicas:
            raise SettingError("store address: replica: the primary itself is named: leave it out")
        return replicas


def beside(url: str, host: str, port: int) -> str:
    """The address of one server of those behind a Sentinel's or a cluster's address."""
    address = urlsplit(url)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return _beside(SplitResult("redis", address.netloc, "", "", ""), place)


def _without_replicas(url: str) -> tuple[SplitResult, list[str]]:
    """The address as the library knows it, and the replicas that stood in it."""
    address = urlsplit(url)
    options = parse_qsl(address.query, keep_blank_values=True)
    named = [value for option, value in options if option == "replica"]
    rest = [(option, value) for option, value in options if option != "replica"]
    return address._replace(query=urlencode(rest)), named


def _beside(address: SplitResult, replica: str) -> str:
    """The address of a server that differs from this one by its place alone."""
    if address.scheme == "unix":
        if not replica.startswith("/"):
            raise ValueError("no socket")
        return _text(address._replace(path=quote(replica)))
    place = urlsplit(f"//{replica}")
    if not place.hostname or place.netloc != replica or "@" in replica or place.port == 0:
        raise ValueError("no host")
    credentials, separator, _ = address.netloc.rpartition("@")
    return _text(address._replace(netloc=credentials + separator + replica))


def _text(address: SplitResult) -> str:
    """The address in one piece, with the two slashes that a socket's address needs."""
    query = f"?{address.query}" if address.query else ""
    return f"{address.scheme}://{address.netloc}{address.path}{query}"


async def disconnect(client: Client) -> None:
    """Close its connections, also those to the Sentinels, which the library leaves open."""
    with renamed():
        await client.aclose()
        pool = None if isinstance(client, RedisCluster) else client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            for sentinel in pool.sentinel_manager.sentinels:
                await sentinel.aclose()


@contextmanager
def renamed() -> Iterator[None]:
    """The seam where the library's errors get our one name. Raises: StoreUnavailableError."""
    try:
        yield
    except (RedisError, RedisClusterException, OSError, _ResetError) as error:
        raise StoreUnavailableError(f"store: {type(error).__name__}") from error


@contextmanager
def _well_formed() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise SettingError("store address: malformed: see liststore/redis_client.py for the forms") from error


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


def _sentinel(address: SplitResult, patience: Patience, *, replicas: bool = False) -> Client:
    user, password, hosts = _hosts(address)
    service = address.path.strip("/")
    if not service:
        raise ValueError("no service")
    timeouts = {"socket_timeout": patience.read_s, "socket_connect_timeout": patience.connect_s}
    sentinel = Sentinel(hosts, sentinel_kwargs=timeouts)  # type: ignore[no-untyped-call]  # the library leaves it so
    client: Redis = (sentinel.slave_for if replicas else sentinel.master_for)(
        service,
        username=user,
        password=password,
        max_connections=patience.connections,
        socket_timeout=patience.read_s,
        socket_connect_timeout=patience.connect_s,
        retry=_retry(patience),
        protocol=2,
    )
    return client


def _cluster(address: SplitResult, patience: Patience, *, replicas: bool = False) -> Client:
    user, password, hosts = _hosts(address)
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in hosts],
        load_balancing_strategy=LoadBalancingStrategy.RANDOM_REPLICA if replicas else None,
        username=user,
        password=password,
        max_connections=patience.connections,
        socket_timeout=patience.read_s,
        socket_connect_timeout=patience.connect_s,
        retry=_retry(patience),
        protocol=2,
    )


def _retry(patience: Patience) -> Retry:
    lost = (RedisConnectionError, _ResetError)
    return Retry(NoBackoff(), patience.retries, supported_errors=lost)  # type: ignore[arg-type]  # it catches any


def _hosts(address: SplitResult) -> tuple[str | None, str | None, list[tuple[str, int]]]:
    """User, password and hosts of `[user:password@]host:port,host:port`."""
    credentials, _, listed = address.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts = [urlsplit(f"//{host}") for host in listed.split(",")]
    named = [(host.hostname, host.port or _DEFAULT_PORT) for host in hosts if host.hostname]
    if len(named) != len(hosts):
        raise ValueError("no host")
    return unquote(user) or None, unquote(password) or None, named
