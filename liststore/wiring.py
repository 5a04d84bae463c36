"""Readers and writers of a list, from an address."""

from __future__ import annotations

from liststore.base import ListReader, ListWriter
from liststore.keys import DEFAULT_PREFIX, Keys
from liststore.reader import KeyspaceReader
from liststore.redis_client import BULK, QUICK, Patience, connect
from liststore.redis_keyspace import RedisKeyspace
from liststore.redis_replicas import RedisReplicas
from liststore.writer import KeyspaceWriter


def open_reader(url: str, bucket_key: bytes, *, prefix: str = DEFAULT_PREFIX, patience: Patience = QUICK) -> ListReader:
    """A gateway's reader; `patience` is for questions. Raises: SettingError when the address is malformed."""
    quick, bulk = RedisKeyspace(connect(url, patience)), RedisKeyspace(connect(url, BULK))
    return KeyspaceReader(quick, bulk, Keys(prefix), bucket_key)


def open_writer(url: str, bucket_key: bytes, *, prefix: str = DEFAULT_PREFIX) -> ListWriter:
    """An agent's writer. Raises: SettingError when the address is malformed, and later when the server may evict."""
    keys = Keys(prefix)
    return KeyspaceWriter(RedisKeyspace(connect(url, BULK)), keys, bucket_key, RedisReplicas(url, keys))
