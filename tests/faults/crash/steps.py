"""The steps of a process, so that it can be ended between any two of them.

A step is whatever the process changes or asks outside of itself: every call of the store's keyspace, of several swaps
each one, and every change of a file in its directory. Between two steps there is arithmetic alone, which dies with the
process; so to end it after one step and to end it before the next is the same, and `gap` n lies before step n.

File steps come from the interpreter's audit events, which are raised before the deed. They do not tell of `write` and
`fsync`: these are the syscall experiment's.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from liststore.keyspace import Keyspace, News, Row, Swap
from restriction.errors import StoreUnavailableError

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FILE_EVENTS: Final = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.utime"}
)
_NUMBERS: Final = re.compile(r"(?<=\.writing-).*|tmp[a-z0-9_]{8}|[0-9a-f]{64}|\d+")


class Steps:
    """Counts steps by name and acts in one gap; `begin` is called before each."""

    def __init__(self, gap: int | None, act: Callable[[], None]) -> None:
        self._gap = gap
        self._act = act
        self.names: list[str] = []

    def begin(self, name: str) -> None:
        """The next step is about to be made."""
        if len(self.names) == self._gap:
            self._act()
        self.names.append(name)

    def before_the_gap(self, wanted: int) -> int:
        """How many of the next `wanted` steps lie before the gap."""
        if self._gap is None or self._gap < len(self.names):
            return wanted
        return min(wanted, self._gap - len(self.names))

    def end(self) -> None:
        """No more steps: the gap after the last one."""
        if len(self.names) == self._gap:
            self._act()

    def watch_files(self, directory: Path) -> None:
        """Let every change of a file in `directory` be a step, for as long as this process lives."""
        inside = f"{directory}/"

        def hook(event: str, details: tuple[Any, ...]) -> None:
            if event in _FILE_EVENTS and (name := _named(event, details, inside)):
                self.begin(name)

        sys.addaudithook(hook)


def _named(event: str, details: tuple[Any, ...], inside: str) -> str:
    """The step of this event, alike for every version and temporary name; empty when it changes nothing of ours."""
    if event == "open" and not (isinstance(details[2], int) and details[2] & _WRITING):
        return ""
    path = details[1] if event in {"os.rename", "os.link", "os.symlink"} else details[0]
    if isinstance(path, int):
        return ""
    shown = os.fsdecode(path)
    if shown.startswith(inside):
        return f"{event} {_NUMBERS.sub('#', shown.removeprefix(inside))}"
    # Relative to an open directory: a tree on its way out.
    return f"{event} in a tree" if event in {"os.remove", "os.rmdir"} and details[1] != -1 else ""


class SteppedKeyspace:
    """A keyspace of which every call is a step; the swaps of one trip are one each, since each is atomic alone."""

    def __init__(self, inner: Keyspace, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    async def read(self, rows: Sequence[Sequence[str]]) -> list[Row | StoreUnavailableError]:
        """See `Keyspace.read`."""
        self._steps.begin(f"read {_kind(rows[0][0])}")
        return await self._inner.read(rows)

    async def put(self, cells: Mapping[str, bytes]) -> None:
        """See `Keyspace.put`."""
        self._steps.begin(f"put {_kind(next(iter(cells)))}")
        await self._inner.put(cells)

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """See `Keyspace.swap`: those before the gap in one trip, which is what a server has of one that is cut."""
        free = self._steps.before_the_gap(len(swaps))
        made = await self._inner.swap(swaps[:free])
        for _ in swaps:
            self._steps.begin("swap a partition")
        return made + await self._inner.swap(swaps[free:])

    async def announce(self, swap: Swap, news: News) -> bool:
        """See `Keyspace.announce`."""
        self._steps.begin("announce")
        return await self._inner.announce(swap, news)

    async def pages(self, stream: str, after: int) -> list[bytes]:
        """See `Keyspace.pages`."""
        self._steps.begin("pages")
        return await self._inner.pages(stream, after)

    async def remove(self, keys: Sequence[str]) -> None:
        """See `Keyspace.remove`."""
        self._steps.begin(f"remove {_kind(keys[0])}")
        await self._inner.remove(keys)

    async def hint(self, channel: str, number: int) -> None:
        """See `Keyspace.hint`."""
        await self._inner.hint(channel, number)

    def hints(self, channel: str) -> AsyncIterator[int]:
        """See `Keyspace.hints`."""
        return self._inner.hints(channel)

    async def close(self) -> None:
        """See `Keyspace.close`."""
        await self._inner.close()


def _kind(key: str) -> str:
    """Which kind of cell a key names: the first part after its hash tag that is no number."""
    tag, _, rest = key.partition("}:")
    return "a partition" if "{p" in tag else rest.split(":")[0]


def killing(victim: int) -> Callable[[], None]:
    """SIGKILL for this process."""
    return lambda: os.kill(victim, signal.SIGKILL)
