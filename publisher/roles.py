"""The metadata files of the feed: targets, snapshot and timestamp of The Update Framework, signed and written.

The timestamp is written last, and that one rename publishes: until then nothing of a change is visible, and whatever a
crash left is written over by the next attempt.
The timestamp carries `as_of`: the instant at which the court's side vouches that nothing newer exists.
The caller holds the feed's lock.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, MetaFile, Signed, Snapshot, TargetFile, Targets, Timestamp

from publisher.sign import OnlineSigners, OnlineT, instant
from restriction.listing import AS_OF_FIELD
from settings.files import replace_file

# Ten minutes without the court's side, and agents accept nothing more; what they hold stays in service.
TIMESTAMP_LIFE: Final = dt.timedelta(minutes=10)
# Targets and snapshot are signed anew with every change, and by a heartbeat when half of this is over.
TARGETS_LIFE: Final = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Roles:
    """The metadata in force; treated as a value, a change makes other objects."""

    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp

    @property
    def as_of(self) -> int:
        """The signed instant of the last heartbeat, Unix seconds."""
        return int(self.timestamp.unrecognized_fields[AS_OF_FIELD])


class RoleFiles:
    """The metadata files in one directory and the keys that sign them."""

    def __init__(self, directory: Path, signers: OnlineSigners) -> None:
        self._directory = directory
        self._signers = signers
        self._cached: tuple[bytes, Roles] | None = None

    def load(self) -> Roles | None:
        """The metadata in force, read anew only when another process has signed; None before the first signing."""
        try:
            raw = (self._directory / "timestamp.json").read_bytes()
        except FileNotFoundError:
            return None
        if self._cached is None or self._cached[0] != raw:
            self._cached = (raw, self._read(raw))
        return self._cached[1]

    def publish(self, files: Mapping[str, TargetFile], fields: Mapping[str, Any], now_s: float) -> None:
        """Sign these target files and extra fields as the next version of all three roles."""
        before = self.load()
        expires = instant(now_s) + TARGETS_LIFE
        targets_version = before.targets.version + 1 if before else 1
        targets = Targets(targets_version, None, expires, dict(files), unrecognized_fields=dict(fields))
        targets_meta = self._write_versioned(targets)
        snapshot = Snapshot(before.snapshot.version + 1 if before else 1, None, expires, {"targets.json": targets_meta})
        snapshot_meta = self._write_versioned(snapshot)
        self._stamp(targets, snapshot, snapshot_meta, now_s)
        for path in self.paths(before) if before else ():
            os.utime(path, (now_s, now_s))  # their grace begins

    def heartbeat(self, now_s: float) -> None:
        """Sign the timestamp anew, and the other roles when half of their life is over."""
        roles = self.load()
        if roles is None:
            return
        if roles.targets.expires - instant(now_s) < TARGETS_LIFE / 2:
            self.publish(roles.targets.targets, roles.targets.unrecognized_fields, now_s)
        else:
            self._stamp(roles.targets, roles.snapshot, roles.timestamp.snapshot_meta, now_s)

    def paths(self, roles: Roles) -> frozenset[Path]:
        """The versioned files that are in force."""
        return frozenset(self._path(signed) for signed in (roles.targets, roles.snapshot))

    def _read(self, raw: bytes) -> Roles:
        timestamp = Metadata[Timestamp].from_bytes(raw).signed
        snapshot_path = self._directory / f"{timestamp.snapshot_meta.version}.snapshot.json"
        snapshot = Metadata[Snapshot].from_file(str(snapshot_path)).signed
        targets_path = self._directory / f"{snapshot.meta['targets.json'].version}.targets.json"
        return Roles(Metadata[Targets].from_file(str(targets_path)).signed, snapshot, timestamp)

    def _path(self, signed: Signed) -> Path:
        return self._directory / f"{signed.version}.{signed.type}.json"

    def _write_versioned(self, signed: OnlineT) -> MetaFile:
        raw = self._signers.sign(Metadata(signed))
        replace_file(self._path(signed), raw)
        return MetaFile.from_data(signed.version, raw, ["sha256"])

    def _stamp(self, targets: Targets, snapshot: Snapshot, snapshot_meta: MetaFile, now_s: float) -> None:
        before = self.load()
        version = before.timestamp.version + 1 if before else 1
        # A clock set back must not take the vouched instant back with it.
        as_of = max(int(now_s), before.as_of) if before else int(now_s)
        fields = {AS_OF_FIELD: as_of}
        timestamp = Timestamp(version, None, instant(now_s) + TIMESTAMP_LIFE, snapshot_meta, unrecognized_fields=fields)
        raw = self._signers.sign(Metadata(timestamp))
        replace_file(self._directory / "timestamp.json", raw)
        self._cached = (raw, Roles(targets, snapshot, timestamp))
