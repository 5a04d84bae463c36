"""The token secret's file, read in one way by every service that holds it."""

from __future__ import annotations

from pathlib import Path

from restriction.errors import SettingError
from restriction.token import Secrets, read_secrets


def read(path: Path) -> Secrets:
    """The keys of this file. Raises: SettingError when it cannot be read or is not such a file."""
    try:
        return read_secrets(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            f"LINTEL_TOKEN_SECRET_FILE: {path}: {error.strerror}: bring the court side's file"
        ) from error
