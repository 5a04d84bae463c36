"""Readers and writers of a list, from an address."""

from __future__ import annotations

import itertools

from liststore.base import ListReader, ListWriter
from liststore.keys import DEFAULT_PREFIX, Keys
from liststore.reader import QUESTION_BOUNDS, Bounds, KeyspaceReader
from liststore.redis_client import BULK, QUICK, Patience, connect, connect_replicas
from liststore.redis_keyspace import RedisKeyspace
from liststore.redis_replicas import RedisReplicas
from liststore.server import Server
from liststore.writer import KeyspaceWriter


def open_reader(
    url: str,
    bucket_key: bytes,
    *,
    prefix: str = DEFAULT_PREFIX,
    patience: Patience = QUICK,
    bounds: Bounds = QUESTION_BOUNDS,
) -> ListReader:
    """A gateway's reader; `patience` and `bounds` are for questions. Raises: SettingError (a malformed address)."""
    names = itertools.chain(["primary"], map("replica-{}".format, itertools.count(1)))
    near = connect(url, patience), *connect_replicas(url, patience)
    far = connect(url, BULK), *connect_replicas(url, BULK)
    servers = [
        Server(name, RedisKeyspace(quick), RedisKeyspace(bulk), patience.connections)
        for name, quick, bulk in zip(names, near, far, strict=False)
    ]
    return KeyspaceReader(servers, Keys(prefix), bucket_key, bounds)


def open_writer(url: str, bucket_key: bytes, *, prefix: str = DEFAULT_PREFIX) -> ListWriter:
    """An agent's writer. Raises: SettingError when the address is malformed, and later when the server may evict."""
    keys = Keys(prefix)
    return KeyspaceWriter(RedisKeyspace(connect(url, BULK)), keys, bucket_key, RedisReplicas(url, keys))
