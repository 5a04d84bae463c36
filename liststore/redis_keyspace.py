"""The keyspace on a Redis or Valkey server.

Scripts touch keys of one slot, all declared, so one server, Sentinel and a cluster run the same text.
A command that is cancelled or times out closes its connection, so its late reply can reach nobody else.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import NoPermissionError, NoScriptError, ResponseError

from liststore.keyspace import MAX_PAGES, News, Row, Swap
from liststore.redis_client import Client, disconnect, renamed
from restriction.errors import SettingError, StoreUnavailableError

_log = logging.getLogger(__name__)
_HINT_WAIT_S: Final = 5.0  # how long one wait for a hint lasts before the connection is looked at again
_MOST_DIGITS: Final = 20  # of a hint: a version of 64 bits


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the name under which a server that has seen it keeps it."""

    text: str
    sha1: str

    @classmethod
    def of(cls, text: str) -> Script:
        """The script of this text."""
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS: fence, cells. ARGV: expected ("": nothing), a value for each cell.
SWAP: Final = Script.of("""
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i]) end
return 1
""")
# KEYS: pointer, stream. ARGV: expected, pointer, version, channel, most pages, pages.
# A script is one instant, so a reader who sees the pointer finds its pages.
ANNOUNCE: Final = Script.of("""
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 6, #ARGV do redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[5], ARGV[3] .. '-' .. i, 'page', ARGV[i]) end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[3])
return 1
""")


class RedisKeyspace:
    """A `Keyspace` on a server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._evicts_nothing = False

    async def read(self, rows: Sequence[Sequence[str]]) -> list[Row | StoreUnavailableError]:
        """See `Keyspace.read`."""
        if len(rows) == 1:  # the hot path: a pipeline costs more than the command
            with renamed():
                return [await self._client.execute_command("MGET", *rows[0])]
        return [
            StoreUnavailableError(f"store: {type(reply).__name__}") if isinstance(reply, Exception) else reply
            for reply in await self._trip([("MGET", *row) for row in rows])
        ]

    async def put(self, cells: Mapping[str, bytes]) -> None:
        """See `Keyspace.put`."""
        await self._require_noeviction()
        with renamed():
            await self._client.execute_command("MSET", *(part for cell in cells.items() for part in cell))

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """See `Keyspace.swap`."""
        await self._require_noeviction()
        calls = [
            (1 + len(swap.cells), swap.fence, *swap.cells, swap.expected or b"", *swap.cells.values()) for swap in swaps
        ]
        return [bool(made) for made in await self._run(SWAP, calls)]

    async def announce(self, swap: Swap, news: News) -> bool:
        """See `Keyspace.announce`."""
        await self._require_noeviction()
        (pointer,) = swap.cells.values()
        call = (
            *(2, swap.fence, news.stream),
            *(swap.expected or b"", pointer, news.version, news.channel, MAX_PAGES, *news.pages),
        )
        (made,) = await self._run(ANNOUNCE, [call])
        return bool(made)

    async def pages(self, stream: str, after: int) -> list[bytes]:
        """See `Keyspace.pages`."""
        with renamed():
            entries = await self._client.execute_command("XRANGE", stream, after + 1, "+")
        return [fields[b"page"] for _, fields in entries]

    async def remove(self, keys: Sequence[str]) -> None:
        """See `Keyspace.remove`."""
        with renamed():
            await self._client.execute_command("UNLINK", *keys)

    async def hint(self, channel: str, number: int) -> None:
        """See `Keyspace.hint`."""
        with renamed():
            await self._client.execute_command("PUBLISH", channel, number)

    async def hints(self, channel: str) -> AsyncIterator[int]:
        """See `Keyspace.hints`."""
        with renamed():
            await self._client.initialize()  # a cluster's subscription needs to know the nodes beforehand
            async with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(channel)
                while True:
                    message = await subscription.get_message(timeout=_HINT_WAIT_S)
                    if message is not None and _is_number(message["data"]):
                        yield int(message["data"])

    async def close(self) -> None:
        """See `Keyspace.close`."""
        await disconnect(self._client)

    async def _run(self, script: Script, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One call of the script each; one more trip for those whose server has not seen it yet."""
        replies = await self._trip([("EVALSHA", script.sha1, *call) for call in calls])
        unseen = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unseen:
            again = await self._trip([("EVAL", script.text, *calls[at]) for at in unseen])
            for at, reply in zip(unseen, again, strict=True):
                replies[at] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise StoreUnavailableError(f"store: {type(reply).__name__}") from reply
        return replies

    async def _trip(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Replies in order, errors in place."""
        if not commands:
            return []
        with renamed():
            async with self._client.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return list(await pipe.execute(raise_on_error=False))

    async def _require_noeviction(self) -> None:
        """Before the first write: a server that evicts would lose buckets. Raises: SettingError."""
        if self._evicts_nothing:
            return
        try:
            with renamed():
                policy = (await self._client.config_get("maxmemory-policy")).get("maxmemory-policy")
        except StoreUnavailableError as error:
            if not isinstance(error.__cause__, NoPermissionError | ResponseError):
                raise
            _log.warning("store: CONFIG is forbidden here: make sure that maxmemory-policy is noeviction")
        else:
            if policy != "noeviction":
                raise SettingError(f"store: maxmemory-policy is {policy}: set it to noeviction")
        self._evicts_nothing = True


def _is_number(said: bytes) -> bool:
    """Whether this is a hint of ours: whoever may publish may say anything."""
    return said.isdigit() and len(said) <= _MOST_DIGITS
