"""The floor: the newest list that this gateway ever answered from, kept over restarts.

I5: neither epoch nor version of an answer ever goes down, and one gateway never answers from another list.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from restriction.change import ListId, ListState
from restriction.errors import NotReadyError, SettingError
from settings.files import replace_file


class Floor:
    """The floor of one gateway, in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._list_id, self._version = _read(path)

    def require_at_or_above(self, state: ListState) -> None:
        """Refuse a list that lies below the floor. Raises: NotReadyError with what the operator can do."""
        if self._list_id is None:
            return
        if replace(state.list_id, epoch=self._list_id.epoch) != self._list_id:
            raise NotReadyError(
                "another list is announced than was answered from: remove the floor file to change lists"
            )
        if state.list_id.epoch < self._list_id.epoch or state.version < self._version:
            raise NotReadyError(
                f"version {state.version} is announced, below {self._version} that was answered from: "
                "wait for the agent, or restore the store"
            )

    def rise_to(self, state: ListState) -> None:
        """Raise the floor; durable when this returns. Raises: OSError, NotReadyError when the state lies below it."""
        self.require_at_or_above(state)
        if (state.list_id, state.version) == (self._list_id, self._version):
            return
        content = json.dumps({"list_id": asdict(state.list_id), "version": state.version})
        replace_file(self._path, content.encode(), mode=0o600)
        self._list_id, self._version = state.list_id, state.version


def _read(path: Path) -> tuple[ListId | None, int]:
    try:
        values = json.loads(path.read_bytes())
        return ListId(**values["list_id"]), int(values["version"])
    except FileNotFoundError:
        return None, 0
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path}: not readable: remove it if this gateway may start from any version") from error
