"""The signed feed as static files: `metadata/`, `targets/` and the `root.json` that is handed to agents.

Rules:
- Files are named by version or hash and never altered, so that an agent in the middle of reading is not disturbed; what
  left the metadata is deleted only after a grace.
- Whoever signs holds `lock()`; several processes may then sign one feed in turn. The lock is taken for one document at
  a time, so that a lift never waits for more than one.

What to publish is decided elsewhere (`publisher.publish`, `publisher.folding`).
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, TargetFile

from publisher.roles import RoleFiles, Roles
from publisher.sign import OnlineSigners
from restriction.change import Delta, ListId, ListState
from restriction.envelope import decode_delta, encode_delta
from restriction.errors import SettingError
from restriction.listing import LIST_FIELD, PARAMETERS_PATH, STATE_FIELD, Listing, Step, step_of
from settings.files import replace_file, sync_directory

# How long files stay after they left the metadata: longer than an agent takes that has read the older metadata.
_GRACE_S: Final = {"metadata": 120.0, "deltas": 600.0, "snapshots": 3_600.0}
_SWEPT: Final = ("metadata/*.targets.json", "metadata/*.snapshot.json", "targets/deltas/*", "targets/snapshots/*/*")


class Feed:
    """One feed directory and the keys that sign it."""

    def __init__(self, directory: Path, signers: OnlineSigners) -> None:
        self._directory = directory
        self._roles = RoleFiles(directory / "metadata", signers)
        root = Metadata[Root].from_file(str(directory / "root.json")).signed
        self.list_id = ListId(**root.unrecognized_fields[LIST_FIELD])

    @classmethod
    def create(cls, directory: Path, signers: OnlineSigners, root: Metadata[Root]) -> Feed:
        """A feed that lists nothing yet; publish a first snapshot at once."""
        for name in ("metadata", "targets/deltas", "targets/snapshots"):
            (directory / name).mkdir(parents=True)
        raw = root.to_bytes()
        replace_file(directory / "metadata" / f"{root.signed.version}.root.json", raw)
        replace_file(directory / "root.json", raw)
        return cls(directory, signers)

    @property
    def root(self) -> Root:
        """The newest root."""
        newest = max((self._directory / "metadata").glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
        return Metadata[Root].from_file(str(newest)).signed

    @property
    def targets_directory(self) -> Path:
        """Where the documents lie."""
        return self._directory / "targets"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who signs, across threads and processes."""
        with (self._directory / ".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def state(self) -> ListState:
        """The newest signed state."""
        fields = self._in_force().targets.unrecognized_fields[STATE_FIELD]
        digest = bytes.fromhex(fields["digest"])
        return ListState(self.list_id, fields["version"], digest, fields["count"], fields["key_id"])

    @property
    def listing(self) -> Listing:
        """The documents signed now; none before the first signing."""
        roles = self._roles.load()
        return Listing.of(roles.targets.targets if roles else ())

    @property
    def has_parameters(self) -> bool:
        """Whether a parameters document is signed."""
        return PARAMETERS_PATH in self._in_force().targets.targets

    @property
    def as_of(self) -> int:
        """The signed instant of the last heartbeat, Unix seconds."""
        return self._in_force().as_of

    @property
    def expires(self) -> dict[str, dt.datetime]:
        """Until when each role's metadata is accepted."""
        roles = self._in_force()
        return {signed.type: signed.expires for signed in (roles.targets, roles.snapshot, roles.timestamp)}

    def read(self, path: str) -> bytes:
        """A signed document, by its name in the listing."""
        return self._file(self._in_force().targets.targets[path]).read_bytes()

    def read_delta(self, step: Step) -> Delta:
        """A signed delta."""
        return decode_delta(self.read(step.path))

    def publish_delta(self, delta: Delta, now_s: float, with_it: Mapping[str, bytes] | None = None) -> None:
        """Sign one more delta, and other documents in the same step. The caller holds the lock."""
        self.replace({step_of(delta).path: encode_delta(delta), **(with_it or {})}, (), delta.after, now_s)

    def publish_parameters(self, document: bytes, now_s: float) -> None:
        """Sign the parameters document. The caller holds the lock."""
        self.replace({PARAMETERS_PATH: document}, (), self.state, now_s)

    def replace(self, added: Mapping[str, bytes], dropped: Iterable[str], state: ListState, now_s: float) -> None:
        """Sign documents in and out in one step, as of `state`. The caller holds the lock."""
        roles = self._roles.load()
        before = roles.targets.targets if roles else {}
        left_out = set(dropped) - set(added)
        files = {path: file for path, file in before.items() if path not in left_out}
        for path, content in added.items():
            files[path] = TargetFile.from_data(path, content, ["sha256"])
            self._write(self._file(files[path]), content)
        self._roles.publish(files, {STATE_FIELD: _fields(state)}, now_s)
        for path in before.keys() & (left_out | added.keys()):
            self._retire(before[path], now_s)

    def sign_anew(self, now_s: float) -> None:
        """Sign all roles as they are under the keys of now. The caller holds the lock."""
        self.replace({}, (), self.state, now_s)

    def heartbeat(self, now_s: float) -> None:
        """Vouch that nothing newer exists. The caller holds the lock."""
        self._roles.heartbeat(now_s)

    def sweep(self, now_s: float) -> int:
        """Delete what left the metadata longer ago than its grace; gives how many files. The caller holds the lock."""
        roles = self._in_force()
        kept = {self._file(file) for file in roles.targets.targets.values()} | self._roles.paths(roles)
        live = {path.parent for path in kept if path.suffix == ".manifest"}
        found = [path for pattern in _SWEPT for path in self._directory.glob(pattern)]
        old = [p for p in found if p not in kept and p.parent not in live and self._is_over(p, now_s)]
        for path in old:
            path.unlink(missing_ok=True)
        for directory in {path.parent for path in old if path.parent.parent.name == "snapshots"}:
            if not any(directory.iterdir()):
                directory.rmdir()
        return len(old)

    def _in_force(self) -> Roles:
        roles = self._roles.load()
        if roles is None:
            raise SettingError(f"{self._directory}: nothing was ever signed here; run `lintel publisher init`")
        return roles

    def _file(self, target: TargetFile) -> Path:
        return self.targets_directory / target.get_prefixed_paths()[0]

    def _write(self, path: Path, content: bytes) -> None:
        if not path.parent.exists():
            path.parent.mkdir()
            sync_directory(path.parent.parent)
        replace_file(path, content)

    def _retire(self, target: TargetFile, now_s: float) -> None:
        """Start the grace of a file, and of a snapshot's chunks with its manifest: their mtime becomes now."""
        path = self._file(target)
        for file in path.parent.iterdir() if path.suffix == ".manifest" else (path,):
            os.utime(file, (now_s, now_s))

    def _is_over(self, path: Path, now_s: float) -> bool:
        parts = path.relative_to(self._directory).parts
        grace_s = next(_GRACE_S[part] for part in parts if part in _GRACE_S)
        return path.stat().st_mtime + grace_s < now_s


def _fields(state: ListState) -> dict[str, Any]:
    return {"version": state.version, "digest": state.digest.hex(), "count": state.count, "key_id": state.key_id}
