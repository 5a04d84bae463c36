"""Single cells that reader and writer both read: what is there is whole and of the generation asked for.

None says that nothing was ever put there. Every function may raise StoreUnavailableError, and StoreNotWholeError when
what is there is altered or foreign.
"""

from __future__ import annotations

import asyncio

from liststore.base import Announcement, FilterImage
from liststore.keys import Keys
from liststore.keyspace import Keyspace, Row
from liststore.seal import Kind, unseal
from liststore.sealed import decode_announcement, decode_filter_image
from restriction.errors import StoreNotWholeError, StoreUnavailableError


async def read_announcement(keyspace: Keyspace, keys: Keys, key: bytes) -> Announcement | None:
    """The pointer to what is in service."""
    raw = await read_cell(keyspace, keys.announcement)
    return None if raw is None else decode_announcement(key, raw)


async def read_filter_image(keyspace: Keyspace, keys: Keys, key: bytes, generation: int) -> FilterImage | None:
    """The ready-made filter of this generation."""
    raw = await read_cell(keyspace, keys.filter_image(generation))
    if raw is None:
        return None
    image = await asyncio.to_thread(decode_filter_image, key, raw)
    if image.generation != generation:
        raise StoreNotWholeError("filter: foreign: it belongs to another generation: build it anew")
    return image


async def read_parameters(keyspace: Keyspace, keys: Keys, key: bytes) -> bytes | None:
    """The parameters document."""
    raw = await read_cell(keyspace, keys.parameters)
    return None if raw is None else unseal(key, Kind.PARAMETERS, raw)


async def read_cell(keyspace: Keyspace, key: str) -> bytes | None:
    """One value as it is stored."""
    return whole_row((await keyspace.read([[key]]))[0])[0]


def whole_row(row: Row | StoreUnavailableError) -> Row:
    """The row. Raises: the StoreUnavailableError that stands in its place."""
    if isinstance(row, StoreUnavailableError):
        raise row
    return row
