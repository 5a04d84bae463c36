"""What reader and writer need of a key-value server: a few moves, each atomic within one slot.

Memory and Redis are twins behind this port; everything that decides lies above it, once.
Every method may raise StoreUnavailableError, which is the only name by which a server's troubles are known above.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from liststore.effects import Confirmation
from restriction.errors import StoreUnavailableError

Row = list[bytes | None]
MAX_PAGES: Final = 4_096  # of at most 32 KB: 128 MB of history if every page were full, minutes of it in a burst


@dataclass(frozen=True, slots=True)
class Swap:
    """Set all `cells`, in one slot, if the cell `fence` holds `expected` (None: nothing)."""

    fence: str
    expected: bytes | None
    cells: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class News:
    """What goes out together with a pointer: pages for the history at `stream`, then the hint on `channel`."""

    stream: str
    channel: str
    version: int
    pages: Sequence[bytes]


class Confirmer(Protocol):
    """Knows a keyspace's replicas."""

    async def confirm(self, wait_s: float) -> Confirmation:
        """See `ListWriter.confirm`."""

    async def close(self) -> None:
        """Let go of connections."""


class Alone:
    """The `Confirmer` of a store without replicas."""

    async def confirm(self, wait_s: float) -> Confirmation:
        """Nobody has to confirm anything."""
        del wait_s
        return Confirmation(0, 0)

    async def close(self) -> None:
        """There is nothing to let go of."""


ALONE: Final = Alone()


class Keyspace(Protocol):
    """One server, cluster or dictionary."""

    async def read(self, rows: Sequence[Sequence[str]]) -> list[Row | StoreUnavailableError]:
        """One trip; each row is one slot and one instant. A row whose server is away gives the error in place."""

    async def put(self, cells: Mapping[str, bytes]) -> None:
        """Set cells of one slot at one instant."""

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """One trip; whether each swap found its fence as expected, and was made."""

    async def announce(self, swap: Swap, news: News) -> bool:
        """Pages, cells and hint in one step, if the fence is as expected; pages over MAX_PAGES go, oldest first."""

    async def pages(self, stream: str, after: int) -> list[bytes]:
        """Pages of versions above `after`, oldest first."""

    async def remove(self, keys: Sequence[str]) -> None:
        """Forget keys of one slot at one instant."""

    async def hint(self, channel: str, number: int) -> None:
        """Tell whoever listens on this channel; no key is written."""

    def hints(self, channel: str) -> AsyncIterator[int]:
        """Numbers told on this channel from now on, by whomever; lossy."""

    async def close(self) -> None:
        """Let go of connections."""
