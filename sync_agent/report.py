"""What the agent says of itself, in `status.json`: the list in service, its age, and the alarms raised.

The file is for people and for `lintel agent status`; nothing reads it back to decide anything.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from liststore.base import Announcement
from restriction.errors import SettingError
from sync_agent.alarms import MEANINGS, Alarms

STATUS_FILE: Final = "status.json"


class Report:
    """Writes the status file when what it says has changed."""

    def __init__(self, file: Path, alarms: Alarms) -> None:
        self._file = file
        self._alarms = alarms
        self._written = b""

    def __call__(self, in_service: Announcement | None) -> None:
        """Write what is in service and what is wrong."""
        alarms = [asdict(alarm) | {"meaning": MEANINGS[alarm.name]} for alarm in self._alarms.raised]
        content = orjson.dumps({"list": _described(in_service), "alarms": alarms}, option=orjson.OPT_INDENT_2)
        if content == self._written:
            return
        # No fsync: after a power loss the next pass writes it anew.
        temporary = self._file.with_suffix(".writing")
        temporary.write_bytes(content)
        temporary.replace(self._file)
        self._written = content


def read_report(file: Path) -> dict[str, Any]:
    """What an agent last wrote. Raises: SettingError when there is none."""
    try:
        status: dict[str, Any] = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SettingError(f"{file}: no agent has reported here; start `lintel agent run`") from error
    return status


def _described(in_service: Announcement | None) -> dict[str, Any] | None:
    if in_service is None:
        return None
    state = in_service.state
    return {
        "name": state.list_id.name,
        "environment": state.list_id.environment,
        "epoch": state.list_id.epoch,
        "version": state.version,
        "as_of": in_service.as_of,
        "count": state.count,
        "digest": state.digest.hex(),
        "key_id": state.key_id,
        "generation": in_service.generation.number,
    }
