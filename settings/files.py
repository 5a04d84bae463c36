"""Files that survive a power loss whole: either the old content or the new, never a part.

A rename alone is not enough: without fsync of file and directory it may reach the disk before the bytes it names.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A file to write what shall be at `path`, durable when this ends; the parent directory must exist."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def replace_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put `content` at `path`, durable when this returns; the parent directory must exist."""
    with replacing(path, mode) as file:
        file.write(content)


def sync_directory(directory: Path) -> None:
    """Make the names in this directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
