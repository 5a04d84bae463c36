"""What this agent announced last, on its own disk.

With it an announcement that is lost or altered neither locks the agent out nor leads it back: the generation that was
in service is looked for, proven and announced again, and never an older version.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import orjson

from liststore.base import Announcement, Generation, ListWriter
from restriction.change import ListId, ListState
from restriction.errors import StoreNotWholeError
from settings.files import replace_file

_log = logging.getLogger(__name__)


class LastAnnounced:
    """`announcement` is the newest one of this agent, None before the first of the pinned list."""

    def __init__(self, file: Path, pinned: ListId) -> None:
        self._file = file
        known = _decoded(file.read_bytes()) if file.exists() else None
        same = known is not None and _named(known.state.list_id) == _named(pinned)
        self.announcement = known if same else None

    def note(self, announcement: Announcement) -> None:
        """It is about to be announced. The instant it is vouched for is the verified copy's to keep."""
        known = self.announcement
        if known is None or (known.generation, known.state) != (announcement.generation, announcement.state):
            values = asdict(announcement)
            values["state"]["digest"] = announcement.state.digest.hex()
            replace_file(self._file, orjson.dumps(values))
            self.announcement = announcement


async def stored_announcement(store: ListWriter) -> Announcement | None:
    """The announcement in the store; None when there is none, or none that is whole. Raises: StoreUnavailableError."""
    try:
        return await store.announcement()
    except StoreNotWholeError as error:
        _log.warning("the announcement counts as lost: %s", error)
        return None


def _decoded(raw: bytes) -> Announcement:
    values = orjson.loads(raw)
    state = values["state"]
    list_id, digest = ListId(**state["list_id"]), bytes.fromhex(state["digest"])
    return Announcement(
        Generation(**values["generation"]),
        ListState(**{**state, "list_id": list_id, "digest": digest}),
        values["as_of"],
    )


def _named(list_id: ListId) -> tuple[str, str]:
    return list_id.name, list_id.environment
