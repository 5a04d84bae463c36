"""Fetches what the signed feed has and the verified copy lacks.

Rules:
- Nothing leaves this room that is not under the chain of signatures from the pinned root; what it means is decided in
  `restriction.trusted_list`.
- A look at the small timestamp file comes first: when it is the one already accepted, nothing else is asked for.
- Sizes are checked against the limits here and in `restriction.envelope` before a byte is asked for.
- Each document is tried in a process of its own (`sync_agent.canary`) before this one decodes it, and each chunk before
  it is put in its place.

python-tuf reads the clock itself (expiry) and blocks; it runs in a thread, one updater at a time. Its own store of
metadata is made durable here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuf.api.metadata import Metadata, Root, TargetFile, Targets, Timestamp
from tuf.api.metadata import Snapshot as Snapshots
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from restriction.change import Chunk, ListId, ListState, Snapshot
from restriction.emptying import MAX_APPROVAL_BYTES, Emptying, decode_approval, is_approved
from restriction.envelope import MAX_DELTA_BYTES, MAX_MANIFEST_BYTES, decode_snapshot
from restriction.errors import RefusedListError, SettingError
from restriction.listing import (
    AS_OF_FIELD,
    LIST_FIELD,
    PARAMETERS_PATH,
    STATE_FIELD,
    Listing,
    Step,
    approval_path,
    snapshot_path,
)
from settings.files import replace_file, sync_directory
from sync_agent.transport import renamed
from sync_agent.trial import Kind

MAX_TIMESTAMP_BYTES: Final = 16 << 10
MAX_PARAMETERS_BYTES: Final = 4 << 20
# python-tuf reads JSON whole, which takes twenty times its size in memory. 300 deltas are listed in 80 kB.
MAX_METADATA_BYTES: Final = {
    Root.type: 64 << 10,
    Timestamp.type: MAX_TIMESTAMP_BYTES,
    Snapshots.type: 16 << 10,
    Targets.type: 512 << 10,
}
# A frame may be a little longer than its content when that does not compress.
_FRAMING: Final = 1.02

_MAX_BYTES: Final = {
    Kind.DELTA: MAX_DELTA_BYTES,
    Kind.SNAPSHOT: MAX_MANIFEST_BYTES,
    Kind.PARAMETERS: MAX_PARAMETERS_BYTES,
}

Tryer = Callable[[Kind, bytes, Chunk | None], None]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FeedSource:
    """Where a feed is and what it is trusted by: the bytes of the pinned root."""

    url: str
    root: bytes

    @property
    def list_id(self) -> ListId:
        """The list that the root names. Raises: SettingError when it names none."""
        named = _named_by(self.root)
        if named is None:
            raise SettingError("root file: it names no list; take feed/root.json of the publisher")
        return named


def _named_by(root: bytes) -> ListId | None:
    """The list that this root names; None when it names none."""
    try:
        fields = Metadata[Root].from_bytes(root).signed.unrecognized_fields[LIST_FIELD]
        return ListId(str(fields["name"]), str(fields["environment"]), int(fields["epoch"]))
    except (DeserializationError, KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Held:
    """What the verified copy has: its newest version, its snapshot's, its parameters, and the timestamp accepted last.

    `wants_snapshot` asks for the feed's snapshot if that is newer than the one held.
    """

    version: int | None = None
    snapshot: int | None = None
    parameters: bytes | None = None
    timestamp: bytes | None = None
    wants_snapshot: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """Documents under one signed timestamp, and the state that they are said to lead to.

    `way` is how the feed lists the deltas; the chunks of a snapshot lie in the directory given for them.
    `may_be_empty` are the versions at which the root threshold approved an empty list.
    """

    timestamp: bytes
    as_of: int
    newest: int
    state: ListState
    snapshot: Snapshot | None
    way: tuple[Step, ...]
    deltas: tuple[bytes, ...]
    parameters: bytes | None
    may_be_empty: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Verified:
    """What one refresh has verified."""

    timestamp: bytes
    as_of: int
    state: ListState
    files: Mapping[str, TargetFile]


class _CarefulUpdater(Updater):
    """An updater whose files survive a power loss whole, and that takes no metadata above its bound.

    python-tuf's own bounds hold only where the metadata before states no length.
    Nor does it follow a root to another list, however well that is signed: that takes a newly pinned root.
    """

    def __init__(self, directory: Path, url: str, transport: FetcherInterface, root: bytes) -> None:
        self._pinned = _named_by(root)
        super().__init__(str(directory), url, fetcher=transport, bootstrap=root)

    def _persist_root(self, version: int, data: bytes) -> None:
        if _named_by(data) != self._pinned:
            raise RefusedListError(
                "LIST_WRONG", f"root {version} names another list, environment or epoch; the last good list stays"
            )
        super()._persist_root(version, data)

    def _download_metadata(self, rolename: str, length: int, version: int | None = None) -> bytes:
        return super()._download_metadata(rolename, min(length, MAX_METADATA_BYTES[rolename]), version)

    def _persist_file(self, filename: str, data: bytes) -> None:
        replace_file(Path(filename), data)


class FeedFetcher:
    """Reads one feed by its URL, trusting what the pinned root leads to.

    `newest` is the newest version that was seen signed, whether or not it could be had.
    """

    def __init__(
        self,
        source: FeedSource,
        directory: Path,
        transport: FetcherInterface,
        progress: Progress,
        tryer: Tryer,
    ) -> None:
        self._url = source.url.rstrip("/")
        self._root = source.root
        self._pinned = source.list_id
        self._metadata = directory / "metadata"
        self._chunks = directory
        self._transport = transport
        self._progress = progress
        self._try = tryer
        self.newest = 0
        self._metadata.mkdir(parents=True, exist_ok=True)

    async def fetch(self, held: Held) -> Fetched | None:
        """What is newer than `held`; None when its timestamp is the newest.

        Raises: RefusedListError, FeedUnreachableError.
        """
        return await asyncio.to_thread(self._fetch, held)

    def _fetch(self, held: Held) -> Fetched | None:
        with renamed():
            newest = self._transport.download_bytes(f"{self._url}/metadata/timestamp.json", MAX_TIMESTAMP_BYTES)
            return None if newest == held.timestamp else self._documents(self._refresh(), held)

    def _refresh(self) -> _Verified:
        updater = _CarefulUpdater(self._metadata, f"{self._url}/metadata/", self._transport, self._root)
        updater.refresh()
        sync_directory(self._metadata)  # the link to the newest root
        # The updater lists no targets, but what it has verified it leaves in its directory.
        raw = (self._metadata / "timestamp.json").read_bytes()
        as_of = Metadata[Timestamp].from_bytes(raw).signed.unrecognized_fields.get(AS_OF_FIELD)
        if type(as_of) is not int:
            raise RefusedListError("LIST_FORGED", "the timestamp does not say as_of; the last good list stays")
        targets = Metadata[Targets].from_bytes((self._metadata / "targets.json").read_bytes()).signed
        return _Verified(raw, as_of, self._state(targets), targets.targets)

    def _state(self, targets: Targets) -> ListState:
        try:
            fields = targets.unrecognized_fields[STATE_FIELD]
            version, digest, count, key_id = (fields[name] for name in ("version", "digest", "count", "key_id"))
            return ListState(self._pinned, version, bytes.fromhex(digest), count, key_id)
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedListError(
                "LIST_FORGED", "the targets do not say which state they lead to; the last good list stays"
            ) from error

    def _documents(self, verified: _Verified, held: Held) -> Fetched:
        listing = Listing.of(verified.files)
        self.newest = listing.newest
        way = None if held.version is None else listing.way(held.version)
        newer = listing.snapshot is not None and listing.snapshot > (-1 if held.snapshot is None else held.snapshot)
        snapshot = None
        if way is None or (held.wants_snapshot and newer):
            snapshot, way = self._snapshot(verified, listing)
        deltas = tuple(self._document(verified, step.path, Kind.DELTA) for step in way)
        parameters = self._parameters(verified, held.parameters)
        approved = self._approvals(verified, listing, held.version or 0)
        return Fetched(
            verified.timestamp, verified.as_of, listing.newest, verified.state, snapshot, way, deltas, parameters,
            approved,
        )  # fmt: skip

    def _approvals(self, verified: _Verified, listing: Listing, above: int) -> frozenset[int]:
        versions = [version for version in listing.approvals if version > above]
        if not versions:
            return frozenset()
        root = Metadata[Root].from_file(str(self._metadata / "root.json")).signed
        return frozenset(version for version in versions if self._is_approved(verified, version, root))

    def _is_approved(self, verified: _Verified, version: int, root: Root) -> bool:
        signatures = decode_approval(self._content(verified, approval_path(version), MAX_APPROVAL_BYTES))
        return is_approved(Emptying(self._pinned, version), signatures, root)

    def _snapshot(self, verified: _Verified, listing: Listing) -> tuple[Snapshot, tuple[Step, ...]]:
        way = None if listing.snapshot is None else listing.way(listing.snapshot)
        if listing.snapshot is None or way is None:
            raise RefusedListError(
                "LIST_GAP", "the feed's deltas do not follow on its snapshot; the last good list stays"
            )
        snapshot = decode_snapshot(self._document(verified, snapshot_path(listing.snapshot), Kind.SNAPSHOT))
        if snapshot.state.version != listing.snapshot:
            raise RefusedListError(
                "LIST_FORGED", "a snapshot is not of the version it is listed as; it is fetched again"
            )
        for done, chunk in enumerate(snapshot.chunks, 1):
            self._chunk(chunk)
            self._progress("fetching the snapshot", done, len(snapshot.chunks))
        return snapshot, way

    def _chunk(self, chunk: Chunk) -> None:
        """Download a chunk unless it lies there whole, as after a cut; what it holds is checked when it is applied."""
        path = self._chunks / chunk.path
        if path.exists() and path.stat().st_size == chunk.length:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = self._transport.download_bytes(f"{self._url}/targets/{chunk.path}", chunk.length)
        if hashlib.sha256(content).digest() != chunk.sha256:
            raise RefusedListError(
                "LIST_FORGED", "a chunk has another SHA-256 than its manifest says; it is fetched again"
            )
        self._try(Kind.CHUNK, content, chunk)
        replace_file(path, content)

    def _parameters(self, verified: _Verified, held: bytes | None) -> bytes | None:
        target = verified.files.get(PARAMETERS_PATH)
        if target is None or (held is not None and target.hashes["sha256"] == hashlib.sha256(held).hexdigest()):
            return None
        return self._document(verified, PARAMETERS_PATH, Kind.PARAMETERS)

    def _document(self, verified: _Verified, path: str, kind: Kind) -> bytes:
        content = self._content(verified, path, _MAX_BYTES[kind])
        self._try(kind, content, None)
        return content

    def _content(self, verified: _Verified, path: str, max_bytes: int) -> bytes:
        target = verified.files[path]
        if target.length > max_bytes * _FRAMING:
            raise RefusedListError("LIST_OVERSIZED", f"{path} has {target.length} bytes, at most {max_bytes} are taken")
        url = f"{self._url}/targets/{target.get_prefixed_paths()[0]}"
        content = self._transport.download_bytes(url, target.length)
        target.verify_length_and_hashes(content)
        return content
