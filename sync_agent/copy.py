"""The verified copy: what the agent has accepted, on its own disk, so that it can serve without the court's side.

`snapshots/<version>/` holds a manifest and its chunks, `deltas/` the deltas since; beside them lie `parameters.json`
and `as_of`.
Rules:
- A list comes in whole or not at all: a manifest is written after its chunks, a delta by one rename, and what does not
  follow on the rest is not part of the list.
- What was signed and could not be put in service is forgotten as soon as something is signed that does not follow on
  it: so keys that were stolen and replaced leave nothing behind.
- Disk stays bounded: a newer snapshot takes away what it covers, and old deltas are folded.
- What is accepted is all that the feed states: each delta is of the versions it is listed as, and together they lead to
  the state that the targets state.
- An instant that is yet to come counts as ten seconds ahead at most: else whoever steals the timestamp key makes the
  list young for ever, and every later heartbeat a rollback.
- Nothing here is served unproven: whoever loads from the copy computes the digest anew.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from restriction.change import MAX_DELTAS, Change, Delta, ListId, ListState, Snapshot, fold
from restriction.envelope import decode_chunk, decode_delta, decode_snapshot, encode_delta, encode_snapshot
from restriction.errors import RefusedListError
from restriction.folding import folded_runs
from restriction.listing import PARAMETERS_PATH, Listing, Step, snapshot_path, step_of
from restriction.trusted_list import TrustedList
from settings.files import replace_file, sync_directory
from sync_agent.digests import by_partition
from sync_agent.fetcher import Fetched, Held
from sync_agent.trial import parameters_of

_log = logging.getLogger(__name__)
_FOLDERS: Final = ("snapshots", "deltas")
# Folding leaves at least as many apart, so that an agent a few versions behind still finds its way.
_UNFOLDED: Final = 50
# More than what raises CLOCK_SKEW, and little enough to wait for.
_AHEAD_S: Final = 10


@dataclass(frozen=True, slots=True)
class VerifiedList:
    """A list in the copy: its snapshot, the way on from there, the state reached and the instant it is vouched for."""

    snapshot: Snapshot
    deltas: tuple[Step, ...]
    state: ListState
    as_of: int
    parameters: bytes | None

    def way_from(self, state: ListState) -> tuple[Step, ...] | None:
        """The fewest deltas that lead from `state` to this list's; None when they do not, or it is of another key."""
        mine = self.state
        if (state.list_id, state.key_id) != (mine.list_id, mine.key_id):
            return None
        if state.version >= mine.version:
            return () if state == mine else None
        return Listing(tuple(sorted(self.deltas)), self.snapshot.state.version).way(state.version)


class VerifiedCopy:
    """The copy in one directory; `held` is the list in it, None before the first."""

    def __init__(self, directory: Path, pinned: ListId, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._pinned = pinned
        self._clock = clock
        self._timestamp: bytes | None = None
        self._doubted: ListState | None = None
        self._fold_above = MAX_DELTAS
        self._sizes: dict[Step, int] = {}  # of the deltas that were read: status is told after every pass
        self.wants_snapshot = False
        self._was_filled = False
        for name in _FOLDERS:
            (directory / name).mkdir(parents=True, exist_ok=True)
        self.held = self._open()

    @property
    def position(self) -> Held:
        """What a fetcher has to know."""
        held = self.held
        if held is None:
            return Held()
        snapshot = held.snapshot.state.version
        return Held(held.state.version, snapshot, held.parameters, self._timestamp, self.wants_snapshot)

    @property
    def as_of(self) -> int:
        """The instant for which the held list is vouched; zero before the first."""
        return self.held.as_of if self.held else 0

    @property
    def parameters(self) -> bytes | None:
        """The parameters document held."""
        return self.held.parameters if self.held else None

    def accept(self, fetched: Fetched | None) -> None:
        """Take in what follows on the held list; refused documents leave it as it was. Raises: RefusedListError."""
        if fetched is None:
            return
        try:
            accepted = self._accepted(fetched)
        except RefusedListError as error:
            self._refused(error)
            raise
        if fetched.snapshot is not None:
            self._keep_snapshot(fetched.snapshot)
        taken = accepted.deltas[len(accepted.deltas) - len(fetched.deltas) :]
        for raw, step in zip(fetched.deltas, taken, strict=True):
            replace_file(self._directory / step.path, raw)
        if fetched.parameters is not None:
            replace_file(self._directory / PARAMETERS_PATH, fetched.parameters)
        replace_file(self._directory / "as_of", str(accepted.as_of).encode())
        self.held = accepted
        self._was_filled = False
        self._timestamp = fetched.timestamp
        if fetched.snapshot is not None:
            self._forget_all_but(accepted)
        elif len(accepted.deltas) > self._fold_above:
            self.held = self._folded(accepted)

    def waiting(self, state: ListState | None) -> int:
        """How many records lie between `state` and the list held; all of them where no deltas lead there."""
        held = self.held
        if held is None or state == held.state:
            return 0
        way = held.way_from(state) if state else None
        try:
            return held.state.count if way is None else sum(map(self._size_of, way))
        except RefusedListError:  # the copy is damaged, and is fetched anew whole
            return held.state.count

    def changes(self, way: Iterable[Step]) -> tuple[Change, ...]:
        """The changes of these deltas, folded. Raises: RefusedListError when the disk holds something else."""
        return fold(self._read_delta(step) for step in way)

    def changed_records(self, held: VerifiedList) -> dict[int, dict[bytes, bytes]]:
        """By partition, the final records of every token that the deltas of `held` changed (empty: removed)."""
        return {
            partition: {change.token: change.record for change in changes}
            for partition, changes in by_partition(self.changes(held.deltas)).items()
        }

    def records(
        self, held: VerifiedList, partition: int, changed: Mapping[int, Mapping[bytes, bytes]]
    ) -> dict[bytes, bytes]:
        """The records of a partition: those of the snapshot with its `changed_records` made.

        Raises: RefusedListError when the disk holds something else than was accepted.
        """
        chunk = next((chunk for chunk in held.snapshot.chunks if chunk.partition == partition), None)
        records = decode_chunk(self._read(chunk.path), chunk) if chunk else {}
        records.update(changed.get(partition, {}))
        return {token: record for token, record in records.items() if record}

    def doubt(self) -> None:
        """What is held is signed, and could not be put in service: what does not follow on it ends it."""
        self._doubted = self.held.state if self.held else None

    def discard(self) -> None:
        """Forget everything but that there was a list: what is on disk did not come out as signed."""
        self._was_filled |= self.held is not None and self.held.state.count > 0
        self.held = None
        for name in _FOLDERS:
            shutil.rmtree(self._directory / name)
            (self._directory / name).mkdir()

    def _accepted(self, fetched: Fetched) -> VerifiedList:
        held = self.held
        trusted = TrustedList(self._pinned, held.state if held else None, fetched.may_be_empty, self._was_filled)
        trusted.require_reached(fetched.newest)
        as_of = self._instant(fetched.as_of)
        deltas = [decode_delta(raw) for raw in fetched.deltas]
        if tuple(map(step_of, deltas)) != fetched.way:
            raise RefusedListError("LIST_FORGED", "a delta is not of the versions it is listed as")
        if fetched.parameters is not None:
            _ = parameters_of(fetched.parameters)
        if fetched.snapshot is not None:
            trusted = trusted.accept_snapshot(fetched.snapshot, deltas)
        else:
            for delta in deltas:
                trusted = trusted.accept_delta(delta)
        snapshot = fetched.snapshot or (held.snapshot if held else None)
        if trusted.held is None or snapshot is None:
            raise RefusedListError("LIST_GAP", "the feed has no snapshot to start from")
        if trusted.held != fetched.state:
            raise RefusedListError("LIST_FORGED", "the feed's documents lead to another state than it states")
        before = held.deltas if held and fetched.snapshot is None else ()
        parameters = fetched.parameters or (held.parameters if held else None)
        return VerifiedList(snapshot, (*before, *map(step_of, deltas)), trusted.held, as_of, parameters)

    def _refused(self, error: RefusedListError) -> None:
        self.wants_snapshot |= error.alarm == "LIST_GAP"
        if self.held is not None and self.held.state == self._doubted:
            self.discard()

    def _instant(self, as_of: int) -> int:
        """The instant that counts as vouched for. Raises: RefusedListError when it is earlier than before."""
        if as_of < self.as_of:
            raise RefusedListError("LIST_ROLLBACK", "the feed vouches for an earlier instant than it did before")
        return max(self.as_of, min(as_of, int(self._clock()) + _AHEAD_S))

    def _keep_snapshot(self, snapshot: Snapshot) -> None:
        """Write the manifest; its chunks were fetched into place."""
        path = self._directory / snapshot_path(snapshot.state.version)
        path.parent.mkdir(exist_ok=True)
        replace_file(path, encode_snapshot(snapshot))
        sync_directory(path.parent.parent)  # the older snapshot is about to go
        self.wants_snapshot = False

    def _folded(self, held: VerifiedList) -> VerifiedList:
        """The same list by fewer deltas; where folding does not suffice, a newer snapshot is wanted."""
        steps = list(held.deltas)
        for folded, run in folded_runs(map(self._read_delta, held.deltas[:-_UNFOLDED])):
            replace_file(self._directory / step_of(folded).path, encode_delta(folded))
            at = steps.index(step_of(run[0]))
            steps[at : at + len(run)] = [step_of(folded)]
        self.wants_snapshot = len(steps) > MAX_DELTAS - _UNFOLDED
        self._fold_above = max(MAX_DELTAS, len(steps) + _UNFOLDED)
        fewer = replace(held, deltas=tuple(steps))
        self._forget_all_but(fewer)
        return fewer

    def _forget_all_but(self, held: VerifiedList) -> None:
        kept = {step.path for step in held.deltas}
        self._sizes = {step: size for step, size in self._sizes.items() if step in held.deltas}
        for path in (self._directory / "deltas").iterdir():
            if f"deltas/{path.name}" not in kept:
                path.unlink()
        for directory in (self._directory / "snapshots").iterdir():
            if directory.name != str(held.snapshot.state.version):
                shutil.rmtree(directory)

    def _open(self) -> VerifiedList | None:
        """The list on disk; None when there is none, or none of the pinned list that can be read."""
        paths = [str(path.relative_to(self._directory)) for path in self._directory.glob("*/**/*") if path.is_file()]
        listing = Listing.of(paths)
        if listing.snapshot is None:
            return None
        try:
            snapshot = decode_snapshot(self._read(snapshot_path(listing.snapshot)))
            way = listing.way(listing.snapshot) or ()
            # What lies here was accepted, with the approvals that it took.
            approved = {step.version for step in way}
            trusted = TrustedList(self._pinned, None, approved).accept_snapshot(snapshot, map(self._read_delta, way))
        except RefusedListError as error:
            _log.warning("the verified copy is not whole and is fetched anew: %s", error)
            self._was_filled = True
            return None
        as_of = self._directory / "as_of"
        parameters = self._directory / PARAMETERS_PATH
        return VerifiedList(
            snapshot, way, trusted.held or snapshot.state,
            int(as_of.read_bytes()) if as_of.exists() else 0, parameters.read_bytes() if parameters.exists() else None,
        )  # fmt: skip

    def _read_delta(self, step: Step) -> Delta:
        delta = decode_delta(self._read(step.path))
        self._sizes[step] = len(delta.changes)
        return delta

    def _size_of(self, step: Step) -> int:
        """How many records a delta changes. Raises: RefusedListError when it is not there."""
        if step not in self._sizes:
            _ = self._read_delta(step)
        return self._sizes[step]

    def _read(self, path: str) -> bytes:
        try:
            return (self._directory / path).read_bytes()
        except FileNotFoundError as error:
            raise RefusedListError(
                "COPY_DAMAGED", f"{path} is gone from the verified copy; it is fetched anew"
            ) from error
