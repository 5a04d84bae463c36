"""Confirmation by replicas: a mark is written after everything else, waited for, and read back from each of them.

`WAIT` speaks of the writes of its own connection alone, so it goes out with the mark, on one connection.
It counts whatever replica is attached, configured or not; so a replica counts here only once it shows the mark itself.
Since a replica takes writes in the primary's order, one that has the mark has everything that was written before.

| address | configured replicas |
|---|---|
| one server | those that the address names |
| Sentinel | those that the Sentinels name, also when they are down |
| cluster | those of its map, which knows every one attached: there `WAIT` counts, for a mark on each primary |
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError

from liststore.base import PARTITIONS
from liststore.effects import Confirmation
from liststore.keys import Keys
from liststore.redis_client import BULK, Client, Patience, beside, connect, disconnect, renamed, replicas_of
from restriction.errors import StoreUnavailableError

_MARK_BYTES: Final = 16
# Whoever does not answer within this does not confirm now, and is asked again by the next confirmation.
_PROBE: Final = Patience(connect_s=0.25, read_s=0.25, retries=0, connections=2)


@dataclass(frozen=True, slots=True)
class _Shard:
    """One primary of a cluster: its address, a key that it holds, and how many replicas it has."""

    address: str
    key: str
    replicas: int


class RedisReplicas:
    """A `Confirmer` for the store at this address."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._url = url
        self._keys = keys
        self._named = replicas_of(url)
        self._primary = connect(url, BULK)
        self._servers: dict[str, Client] = {}

    async def confirm(self, wait_s: float) -> Confirmation:
        """See `Confirmer.confirm`."""
        with renamed():
            if isinstance(self._primary, RedisCluster):
                return await self._confirm_cluster(self._primary, wait_s)
            replicas = self._named or await self._discovered(self._primary)
            mark = secrets.token_bytes(_MARK_BYTES)
            await _write(self._primary, self._keys.mark(), mark, len(replicas), wait_s)
            shown = await asyncio.gather(*(self._shows(replica, mark) for replica in replicas))
        return Confirmation(sum(shown), len(replicas))

    async def close(self) -> None:
        """See `Confirmer.close`."""
        for client in (self._primary, *self._servers.values()):
            await disconnect(client)

    async def _shows(self, replica: str, mark: bytes) -> bool:
        try:
            with renamed():
                return bool(await self._server(replica, _PROBE).execute_command("GET", self._keys.mark()) == mark)
        except StoreUnavailableError:
            return False

    async def _discovered(self, primary: Redis) -> Sequence[str]:
        """Addresses of the replicas that the first Sentinel to answer names; none without Sentinels."""
        pool = primary.connection_pool
        if not isinstance(pool, SentinelConnectionPool):
            return ()
        for sentinel in pool.sentinel_manager.sentinels:
            try:
                with renamed():
                    known = await sentinel.sentinel_slaves(pool.service_name)
            except StoreUnavailableError:
                continue
            return [beside(self._url, replica["ip"], replica["port"]) for replica in known]
        raise RedisConnectionError("no Sentinel answers")

    async def _confirm_cluster(self, cluster: RedisCluster, wait_s: float) -> Confirmation:
        try:
            with renamed():
                _ = await cluster.initialize()
                shards = self._shards(cluster)
                counts = await asyncio.gather(
                    *(_write(self._server(one.address, BULK), one.key, b"", one.replicas, wait_s) for one in shards)
                )
        except StoreUnavailableError:
            await cluster.aclose()  # its map may be an old one, and is read anew by the next confirmation
            raise
        confirmed = (min(count, shard.replicas) for count, shard in zip(counts, shards, strict=True))
        return Confirmation(sum(confirmed), sum(shard.replicas for shard in shards))

    def _shards(self, cluster: RedisCluster) -> list[_Shard]:
        """Every primary that holds a part of the list."""
        found = {}
        for key in (self._keys.mark(), *map(self._keys.mark, range(PARTITIONS))):
            primary, *replicas = cluster.nodes_manager.slots_cache[cluster.keyslot(key)]
            address = beside(self._url, primary.host, int(primary.port))
            found[address] = _Shard(address, key, len(replicas))
        return list(found.values())

    def _server(self, address: str, patience: Patience) -> Client:
        if address not in self._servers:
            self._servers[address] = connect(address, patience)
        return self._servers[address]


async def _write(primary: Client, key: str, mark: bytes, replicas: int, wait_s: float) -> int:
    """Write the mark and wait for that many replicas; how many attached ones have it. One connection, one trip."""
    async with primary.pipeline(transaction=False) as pipe:
        pipe.execute_command("SET", key, mark)
        if replicas:
            pipe.execute_command("WAIT", replicas, int(wait_s * 1_000))
        *_, last = await pipe.execute()
    return int(last) if replicas else 0
