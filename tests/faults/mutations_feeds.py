"""The feeds that are mutated: what the honest court signed, as files in memory, and the keys to sign it again changed.

An agent holds version 2 (`before`). The court signed version 3 and other parameters, and those can be had in three
ways: by a delta, by a snapshot (for whoever finds no delta), and under a next root. Signatures last for a day, so that
none runs out while its mutants are tried.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import zstandard
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Targets, Timestamp

from publisher.sign import ROOT_KEYS, ROOT_THRESHOLD
from restriction.change import Lane
from restriction.envelope import decode_snapshot, describe_chunk, encode_snapshot
from restriction.listing import Step, snapshot_directory, snapshot_path
from restriction.measures import Measure
from restriction.parameters import Parameters
from tests.fakes.list_publisher import ListPublisher
from tests.faults.attacks_keys import ONLINE, Edits, Overlay, Thief, stated, unchanged
from tests.faults.attacks_stage import lifted, listed

SNAPSHOT: Final = snapshot_path(3)
DELTA: Final = Step(2, 3).path
_LIFE: Final = dt.timedelta(days=1)
_LISTED: Final = range(1, 13)
_AIR: Final = 1 << Measure.AIR
_PARAMETERS: Final = Path(__file__).parents[2] / "sandbox" / "parameters.yaml"
_SETTLED: Final = Parameters.parse(_PARAMETERS.read_text(encoding="utf-8"))
WAYS: Final = ("delta", "snapshot", "root")


@dataclass(frozen=True, slots=True)
class Feeds:
    """Files by path for each way, the records and parameters before and after, and where the court's keys lie."""

    court: Path
    root: bytes
    before: Mapping[str, bytes]
    ways: Mapping[str, Mapping[str, bytes]]
    records: tuple[Mapping[bytes, bytes], Mapping[bytes, bytes]]
    parameters: tuple[bytes, bytes]

    def document(self, way: str, name: str) -> tuple[str, bytes]:
        """Path and bytes of a file of this way, by the end of its name: the last such one."""
        return max((path, raw) for path, raw in self.ways[way].items() if path.endswith(name))


def feeds(folder: Path, clock: Callable[[], float]) -> Feeds:
    """A court that lists some persons, then lifts three, corrects two and lists one more."""
    court = ListPublisher(folder, clock)
    court.publish(*map(listed, _LISTED))
    court.publish(listed(_LISTED.stop))
    _settle(court, 1)
    before, records = _files(court), dict(court.book.records)
    changes = (*map(lifted, _LISTED[:3]), *(listed(person, _AIR) for person in _LISTED[3:5]), listed(99))
    # In one lane, so that one delta has them all.
    court.publish(*(replace(change, lane=Lane.EASE) for change in changes))
    _settle(court, 2)
    by_delta = _files(court)
    # Two signatures, none of which can be missed.
    by_root = by_delta | Thief(court.directory, *ROOT_KEYS[:ROOT_THRESHOLD]).sign_root(unchanged)
    court.publish_snapshot()
    by_snapshot = _files(court, _without_delta)
    ways = {"delta": by_delta, "snapshot": by_snapshot, "root": by_root}
    return Feeds(
        folder, court.root, before, ways, (records, dict(court.book.records)), (parameters(1), parameters(2))
    )  # fmt: skip


def _settle(court: ListPublisher, version: int) -> None:
    with court.feed.lock():
        court.feed.publish_parameters(parameters(version), court.clock())


def _files(court: ListPublisher, targets: Callable[[Targets], object] = unchanged) -> Overlay:
    """Everything of the court that is in force, under signatures that last."""
    folder = court.directory / "feed"
    files = Thief(court.directory, *ONLINE).sign(Edits(targets, timestamp=_lasting))
    for name, target in _targets_in(files).targets.items():
        path = folder / "targets" / target.get_prefixed_paths()[0]
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
        if name.endswith("manifest"):
            chunks = path.parent.glob("*.chunk")
            files |= {chunk.relative_to(folder).as_posix(): chunk.read_bytes() for chunk in chunks}
    return files


def _targets_in(files: Overlay) -> Targets:
    return Metadata[Targets].from_bytes(next(raw for path, raw in files.items() if "targets" in path)).signed


def _lasting(timestamp: Timestamp) -> None:
    timestamp.expires += _LIFE


def _without_delta(targets: Targets) -> None:
    del targets.targets[DELTA]


def parameters(version: int) -> bytes:
    """The sandbox's parameters, as this version."""
    return replace(_SETTLED, version=version).to_bytes()


class Resigner:
    """Signs changed documents and changed metadata of one way for real, and makes every hash above them right."""

    def __init__(self, feeds: Feeds, way: str) -> None:
        self._files = feeds.ways[way]
        self._thief = Thief(feeds.court, *ONLINE)
        self._timestamp: Timestamp = self._read("metadata/timestamp.json")
        version = self._timestamp.snapshot_meta.version
        self._snapshot: Snapshot = self._read(f"metadata/{version}.snapshot.json")
        self._targets_version = self._snapshot.meta["targets.json"].version
        self._targets: Targets = self._read(f"metadata/{self._targets_version}.targets.json")

    def document(self, name: str, content: bytes) -> Overlay:
        """The feed with this document changed."""
        files = dict(self._targets.targets)
        files[name] = TargetFile.from_data(name, content, ["sha256"])
        fields = {**self._targets.unrecognized_fields, **stated(content)}
        targets = Targets(self._targets_version, None, self._targets.expires, files, unrecognized_fields=fields)
        overlay = {f"targets/{files[name].get_prefixed_paths()[0]}": content}
        return overlay | self._above_targets(self._thief.signed(targets))

    def chunk(self, path: str, content: bytes, expanded: int) -> Overlay:
        """The feed with this chunk changed, and described by its manifest as it is."""
        manifest = decode_snapshot(next(raw for name, raw in self._files.items() if name.endswith(".manifest")))
        served = path.removeprefix("targets/")
        old = next(chunk for chunk in manifest.chunks if chunk.path == served)
        changed = describe_chunk(old.partition, snapshot_directory(manifest.state.version), content, expanded)
        others = tuple(chunk for chunk in manifest.chunks if chunk != old)
        document = encode_snapshot(replace(manifest, chunks=(*others, changed)))
        return self.document(SNAPSHOT, document) | {f"targets/{changed.path}": content}

    def metadata(self, role: str, tree: Any) -> Overlay:
        """The feed with the signed part of this role changed to `tree`."""
        raw = self._signed(role, tree)
        if role == Targets.type:
            return self._above_targets(raw)
        return self._above_snapshot(raw) if role == Snapshot.type else {"metadata/timestamp.json": raw}

    def tree(self, role: str) -> Any:
        """The signed part of this role, as JSON holds it."""
        path = next(path for path in self._files if path.endswith(f"{self._version(role)}{role}.json"))
        return json.loads(self._files[path])["signed"]

    def _version(self, role: str) -> str:
        return {"targets": f"{self._targets_version}.", "snapshot": f"{self._snapshot.version}.", "timestamp": ""}[role]

    def _read(self, path: str) -> Any:
        return Metadata.from_bytes(self._files[path]).signed

    def _signed(self, role: str, tree: Any) -> bytes:
        """These bytes with the signature that python-tuf would find, were the tree one it can read."""
        signer = self._thief.signer(role)
        signature = {"keyid": signer.public_key.keyid, "sig": "00" * 64}
        raw = json.dumps({"signatures": [signature], "signed": tree}).encode()
        try:
            read: Metadata[Any] = Metadata.from_bytes(raw)
            signature["sig"] = read.sign(signer).signature
        except Exception:  # noqa: BLE001 - python-tuf cannot read it, so no signature is asked for
            return raw
        return json.dumps({"signatures": [signature], "signed": tree}).encode()

    def _above_targets(self, raw: bytes) -> Overlay:
        version = self._targets_version
        meta = {"targets.json": MetaFile.from_data(version, raw, ["sha256"])}
        snapshot = Snapshot(self._snapshot.version, None, self._snapshot.expires, meta)
        return {f"metadata/{version}.targets.json": raw} | self._above_snapshot(self._thief.signed(snapshot))

    def _above_snapshot(self, raw: bytes) -> Overlay:
        version, before = self._snapshot.version, self._timestamp
        meta = MetaFile.from_data(version, raw, ["sha256"])
        timestamp = Timestamp(
            before.version, None, before.expires, meta, unrecognized_fields=before.unrecognized_fields
        )  # fmt: skip
        return {
            f"metadata/{version}.snapshot.json": raw,
            "metadata/timestamp.json": self._thief.signed(timestamp),
        }


def plain(raw: bytes) -> bytes:
    """The message in a document."""
    return zstandard.ZstdDecompressor().decompress(raw)


def packed(message: bytes) -> bytes:
    """A document with this message."""
    return zstandard.ZstdCompressor(level=3).compress(message)
