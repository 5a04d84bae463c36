"""A store of one primary and one replica in memory, and the links over which processes reach it.

The primary holds whole moves, each of one instant. The replica follows it whenever `replicate` is called, and a
promotion throws away what it has not seen. `Link` is what one process sees: it delays, loses questions, loses replies
(the move is made, the caller hears an error), crosses them, and is cut off.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from liststore.effects import Confirmation
from liststore.keyspace import News, Row, Swap
from liststore.memory_store import MemoryKeyspace
from restriction.errors import StoreUnavailableError

T = TypeVar("T")
_MARK: Final = "mark"
_LOOK_S: Final = 0.01
_PAUSED: Final = 0.02  # how often a trip of many moves lets somebody else in between


class Servers:
    """The primary and its replica."""

    def __init__(self) -> None:
        self.primary = MemoryKeyspace()
        self.replica = MemoryKeyspace()
        self.is_down = False

    def replicate(self) -> None:
        """Let the replica catch up."""
        self.replica = _copy(self.primary)

    def promote(self) -> None:
        """The replica takes over as it is."""
        self.primary = _copy(self.replica)

    def flush(self) -> None:
        """Lose everything, on both."""
        self.primary, self.replica = MemoryKeyspace(), MemoryKeyspace()


def _copy(keyspace: MemoryKeyspace) -> MemoryKeyspace:
    twin = MemoryKeyspace()
    twin.cells = dict(keyspace.cells)
    twin._pages = copy.deepcopy(keyspace._pages)  # noqa: SLF001 - a replica has what its primary has
    return twin


@dataclass
class Trouble:
    """What is wrong with a link: `lost` and `deaf` are shares of calls without effect, and without a reply."""

    lost: float = 0.0
    deaf: float = 0.0
    crossed: float = 0.0
    delay_s: float = 0.001
    is_cut: bool = False


class Link:
    """A `Keyspace` over a network. `patience_s`: after which a caller hears that there is no store."""

    def __init__(
        self, servers: Servers, trouble: Trouble, chance: random.Random, patience_s: float, *, of_replica: bool = False
    ) -> None:
        self._servers = servers
        self._of_replica = of_replica
        self._trouble = trouble
        self._chance = chance
        self._patience_s = patience_s
        self._before: list[Row | StoreUnavailableError] | None = None

    async def read(self, rows: Sequence[Sequence[str]]) -> list[Row | StoreUnavailableError]:
        """As any server, but for `crossed`: the reply that another question of this process waited for."""
        found = await self._call(lambda server: server.read(rows))
        before, self._before = self._before, found
        crossed = before is not None and len(before) == len(found) and self._chance.random() < self._trouble.crossed
        return before if crossed and before is not None else found

    async def put(self, cells: Mapping[str, bytes]) -> None:
        await self._call(lambda server: server.put(cells))

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """Each swap is an instant of its own: a trip that is cut has made some of them."""
        return await self._call(lambda _: self._each(swaps))

    async def _each(self, swaps: Sequence[Swap]) -> list[bool]:
        made = list[bool]()
        for swap in swaps:
            if self._chance.random() < _PAUSED:
                await asyncio.sleep(self._trouble.delay_s)
                if self._is_away():
                    await self._give_up()
            made += await self._servers.primary.swap([swap])
        return made

    async def announce(self, swap: Swap, news: News) -> bool:
        return await self._call(lambda server: server.announce(swap, news))

    async def pages(self, stream: str, after: int) -> list[bytes]:
        return await self._call(lambda server: server.pages(stream, after))

    async def remove(self, keys: Sequence[str]) -> None:
        await self._call(lambda server: server.remove(keys))

    async def hint(self, channel: str, number: int) -> None:
        """Lost on the way, as every hint may be."""

    async def hints(self, channel: str) -> AsyncIterator[int]:
        """No hints come over this network: they are lossy by contract, and polling must do."""
        _ = channel
        await self._call(lambda server: server.read([]))
        await asyncio.sleep(3_600)
        for version in list[int]():
            yield version

    async def close(self) -> None:
        """Nothing is held."""

    async def _call(self, move: Callable[[MemoryKeyspace], Awaitable[T]]) -> T:
        there_s, back_s = (self._chance.expovariate(1 / self._trouble.delay_s) for _ in range(2))
        await self._travel(there_s)
        if self._is_away() or self._chance.random() < self._trouble.lost:
            await self._give_up()
        result = await move(self._servers.replica if self._of_replica else self._servers.primary)
        await self._travel(back_s)
        if self._is_away() or self._chance.random() < self._trouble.deaf:
            await self._give_up()
        return result

    def _is_away(self) -> bool:
        return self._trouble.is_cut or (self._servers.is_down and not self._of_replica)

    async def _travel(self, seconds: float) -> None:
        if seconds > self._patience_s:
            await self._give_up()
        await asyncio.sleep(seconds)

    async def _give_up(self) -> None:
        await asyncio.sleep(self._patience_s)
        raise StoreUnavailableError("store: no reply")


class Confirmer:
    """Knows whether the replica has what was written: a mark goes to the primary, and is looked for there."""

    def __init__(self, servers: Servers, link: Link, chance: random.Random) -> None:
        self._servers = servers
        self._link = link
        self._chance = chance

    async def confirm(self, wait_s: float) -> Confirmation:
        """See `liststore.keyspace.Confirmer`."""
        mark = self._chance.randbytes(16)
        await self._link.put({_MARK: mark})
        until_s = asyncio.get_running_loop().time() + wait_s
        while self._servers.replica.cells.get(_MARK) != mark:
            if asyncio.get_running_loop().time() > until_s:
                return Confirmation(0, 1)
            await asyncio.sleep(_LOOK_S)
        return Confirmation(1, 1)

    async def close(self) -> None:
        """Nothing is held."""
