"""What the agent says of itself, in `status.json`: the list in service, what waits, and the alarms.

The file is for people, `lintel agent status` and `lintel status`; nothing reads it back to decide anything.
Keys are only added: scripts read them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from liststore.base import Announcement
from restriction.errors import SettingError
from settings.files import replace_file
from sync_agent.alarms import MEANINGS, Alarm, Alarms

STATUS_FILE: Final = "status.json"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is signed and not in service: versions that the feed has, and records of those that were accepted."""

    versions: int
    records: int


class Report:
    """Writes the status file when what it says has changed."""

    def __init__(self, file: Path, alarms: Alarms) -> None:
        self._file = file
        self._alarms = alarms
        self._written = b""

    def __call__(self, in_service: Announcement | None, backlog: Backlog) -> None:
        """Write what is in service, what waits and what is wrong."""
        raised, last = self._alarms.raised, self._alarms.last
        said = {
            "list": _described(in_service),
            "not_ready": "" if in_service else _why_not(raised),
            "backlog": asdict(backlog),
            "alarms": [_alarm(alarm) for alarm in raised],
            "last_alarm": _alarm(last) if last else None,
        }
        content = orjson.dumps(said, option=orjson.OPT_INDENT_2)
        if content != self._written:
            replace_file(self._file, content)
            self._written = content


def read_report(file: Path, now_s: float) -> dict[str, Any]:
    """What an agent last wrote, with the age of its list now. Raises: SettingError when there is none."""
    try:
        status: dict[str, Any] = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SettingError(f"{file}: no agent has reported here; start `lintel agent run`") from error
    in_service = status["list"]
    return status | {"age_s": round(now_s - in_service["as_of"], 3) if in_service else None}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return asdict(alarm) | {"lasted_s": round(alarm.lasted_s, 3), "meaning": MEANINGS[alarm.name]}


def _why_not(raised: tuple[Alarm, ...]) -> str:
    return "; ".join(alarm.message for alarm in raised) or "nothing is in service yet; see whether the feed has a list"


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
