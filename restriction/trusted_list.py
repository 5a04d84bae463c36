"""A list that can only become more trusted.

`TrustedList` pins which list is followed and holds the newest state accepted of it; each document offered either gives
the next `TrustedList` or is refused. Rules, in the order in which they are asked:

1. LIST_WRONG: another name, environment or epoch than the pinned one is never accepted; versions of different epochs
   do not compare, so a new epoch needs a newly pinned root.
2. LIST_GAP: a delta needs a held list, made under the same token key; a new key comes only with a snapshot, since
   tokens of different keys do not compare.
3. LIST_ROLLBACK: a delta must lead to a later version than the held one; a snapshot, with the deltas since, never to
   an earlier one, and two states of one version must be the same state; a feed must not end below the held version.
4. LIST_GAP: a delta must not start after the held version. One that starts before it (folded from several) is good,
   because its records are final: what the held list has of it already is written once more.
5. LIST_FORGED: a delta without changes is a heartbeat: it cannot alter count or digest.
6. LIST_IMPLAUSIBLE: a live list that has records is emptied only at a version that the root threshold approved, so
   that online keys alone cannot wipe it. A list that was lost counts as one with records; version 0 lists nothing yet.

Count and digest of what was accepted are proven where it is applied, since that takes the records.
Signatures, sizes and canonical form are checked before; no clock is read here, and nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from restriction.change import Delta, ListId, ListState, Snapshot
from restriction.errors import RefusedListError


@dataclass(frozen=True, slots=True)
class TrustedList:
    """The list followed (`pinned`) and the newest state accepted of it (`held`; None before the first snapshot).

    `may_be_empty` are the versions at which the root threshold approved that the list is empty.
    `was_filled` says that a list with records was held and is lost.
    """

    pinned: ListId
    held: ListState | None = None
    may_be_empty: Collection[int] = ()
    was_filled: bool = False

    def accept_delta(self, delta: Delta) -> TrustedList:
        """The list with this delta accepted. Raises: RefusedListError by the rules above."""
        self._require_same_list(delta.after)
        held = self.held
        if held is None:
            raise RefusedListError("LIST_GAP", "a delta needs a held list; load the snapshot")
        if delta.after.key_id != held.key_id:
            raise RefusedListError("LIST_GAP", "the delta is under another token key; load the snapshot")
        self.require_later(delta.after.version)
        if delta.base_version > held.version:
            raise RefusedListError("LIST_GAP", f"delta starts at {delta.base_version}, held is {held.version}")
        if not delta.changes and (delta.after.digest, delta.after.count) != (held.digest, held.count):
            raise RefusedListError("LIST_FORGED", "a delta without changes alters the list")
        self._require_plausible(delta.after)
        return replace(self, held=delta.after)

    def accept_snapshot(self, snapshot: Snapshot, since: Iterable[Delta] = ()) -> TrustedList:
        """The list as this snapshot and the deltas since state it. Raises: RefusedListError by the rules above."""
        self._require_same_list(snapshot.state)
        offered, held = replace(self, held=snapshot.state), self.held
        for delta in since:
            offered = offered.accept_delta(delta)
        if offered.held is not None and held is not None and offered.held != held:
            self.require_later(offered.held.version)
        if offered.held is not None:
            self._require_plausible(offered.held)
        return replace(offered, was_filled=False)

    def require_later(self, version: int) -> None:
        """Refuse a version that is not above the held one. Raises: RefusedListError."""
        if self.held is not None and version <= self.held.version:
            raise RefusedListError("LIST_ROLLBACK", f"version {version} is offered, {self.held.version} is held")

    def require_reached(self, newest: int) -> None:
        """Refuse a feed whose newest version is below the held one. Raises: RefusedListError."""
        if self.held is not None and newest < self.held.version:
            raise RefusedListError("LIST_ROLLBACK", f"the feed ends at {newest}, held is {self.held.version}")

    def _require_plausible(self, offered: ListState) -> None:
        filled = self.was_filled if self.held is None else self.held.count > 0
        emptied = filled and not offered.count and offered.version > 0
        if emptied and self.pinned.environment == "live" and offered.version not in self.may_be_empty:
            raise RefusedListError(
                "LIST_IMPLAUSIBLE", f"version {offered.version} empties the list without the root threshold's approval"
            )

    def _require_same_list(self, offered: ListState) -> None:
        if offered.list_id != self.pinned:
            raise RefusedListError("LIST_WRONG", "the document is of another list, environment or epoch")
