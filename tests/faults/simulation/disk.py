"""The disk of simulated processes: real files, with power cuts and full disks at any rename or open for writing.

Python's audit events stand before the system call, so a cut leaves what was done until then. What a process does after
its cut, in `finally` or `except`, is refused as well: it is not running any more.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.faults.simulation.loop import PowerCut, Process, current_process

_EVENTS: Final = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"})
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass
class Disk:
    """Faults of the files under `folder`. `cut_in`: that many file steps until the current process is cut."""

    folder: Path
    full: bool = False
    cut_in: dict[Process, int] | None = None
    cuts: int = 0
    refused: int = 0

    def __enter__(self) -> Self:
        global _active  # noqa: PLW0603 - an audit hook cannot be taken away, so it looks at what is active
        _install()
        self.cut_in = {}
        _active = self
        return self

    def __exit__(self, *_: object) -> None:
        global _active  # noqa: PLW0603 - as above
        _active = None

    def step(self, process: Process) -> None:
        """One file step of a process. Raises: PowerCut, OSError (the disk is full)."""
        assert self.cut_in is not None
        if process.killed:
            raise PowerCut
        left = self.cut_in.get(process)
        if left is not None:
            self.cut_in[process] = left - 1
            if left == 0:
                process.killed = True
                self.cuts += 1
                raise PowerCut
        if self.full:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_active: Disk | None = None
_installed = False


def _install() -> None:
    global _installed  # noqa: PLW0603 - one hook for the life of the interpreter
    if not _installed:
        sys.addaudithook(_hear)
        _installed = True


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _active is None or event not in _EVENTS or (event == "open" and not _is_write(arguments)):
        return
    process = current_process()
    if process is not None and str(arguments[0]).startswith(str(_active.folder)):
        _active.step(process)


def _is_write(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & _WRITES)
