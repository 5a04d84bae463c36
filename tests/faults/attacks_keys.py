"""What a thief can sign: the metadata of a court's feed, changed, under the keys that were stolen and no others.

Where a key was not stolen the thief signs with one of their own, which is all they can do.
What is signed is an overlay for `RogueServer`: paths of the feed and what to serve there. The court's files stay as
they are, so that an honest server goes on with the honest feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from publisher.sign import ROOT_KEYS
from restriction.change import ListState
from restriction.envelope import decode_delta, decode_snapshot
from restriction.errors import RefusedListError
from restriction.listing import STATE_FIELD
from tests.fakes.list_publisher import ListPublisher

Overlay = dict[str, bytes]
ONLINE: Final = ("targets", "snapshot", "timestamp")


def unchanged(signed: object) -> None:
    """Sign it as it is."""
    del signed


@dataclass(frozen=True, slots=True)
class Edits:
    """What the thief changes in each role before signing it."""

    targets: Callable[[Targets], object] = unchanged
    snapshot: Callable[[Snapshot], object] = unchanged
    timestamp: Callable[[Timestamp], object] = unchanged


class Thief:
    """Holds some keys of the court in this directory: names of online roles, or of root keys."""

    def __init__(self, court: Path, *held: str) -> None:
        self._court = court
        self._held = frozenset(held)
        self._own = CryptoSigner.generate_ed25519()
        self._signers: dict[str, CryptoSigner] = {}

    def sign(self, edits: Edits, documents: Mapping[str, bytes] | None = None) -> Overlay:
        """The three roles, each one version later, with these documents added to the targets."""
        targets, snapshot, timestamp = self.in_force()
        targets.version += 1
        overlay: Overlay = {}
        for path, content in (documents or {}).items():
            target = targets.targets[path] = TargetFile.from_data(path, content, ["sha256"])
            overlay[f"targets/{target.get_prefixed_paths()[0]}"] = content
            targets.unrecognized_fields |= stated(content)
        edits.targets(targets)
        raw = self.signed(targets)
        overlay[f"metadata/{targets.version}.targets.json"] = raw
        snapshot.version += 1
        snapshot.meta["targets.json"] = MetaFile.from_data(targets.version, raw, ["sha256"])
        edits.snapshot(snapshot)
        return overlay | self._stamped(snapshot, timestamp, edits)

    def sign_snapshot(self, edits: Edits) -> Overlay:
        """Snapshot and timestamp, each one version later; the targets are the court's."""
        _, snapshot, timestamp = self.in_force()
        snapshot.version += 1
        edits.snapshot(snapshot)
        return self._stamped(snapshot, timestamp, edits)

    def sign_timestamp(self, edit: Callable[[Timestamp], object]) -> Overlay:
        """The timestamp, one version later; what it names is the court's."""
        timestamp = self.in_force()[2]
        timestamp.version += 1
        edit(timestamp)
        return {"metadata/timestamp.json": self.signed(timestamp)}

    def _stamped(self, snapshot: Snapshot, timestamp: Timestamp, edits: Edits) -> Overlay:
        raw = self.signed(snapshot)
        timestamp.version += 1
        timestamp.snapshot_meta = MetaFile.from_data(snapshot.version, raw, ["sha256"])
        edits.timestamp(timestamp)
        return {
            f"metadata/{snapshot.version}.snapshot.json": raw,
            "metadata/timestamp.json": self.signed(timestamp),
        }

    def sign_root(self, edit: Callable[[Root], object]) -> Overlay:
        """The next root, signed with whatever root keys are held."""
        root = Metadata[Root].from_file(str(_newest_root(self._court)))
        root.signed.version += 1
        edit(root.signed)
        root.signatures.clear()
        for name in ROOT_KEYS:
            if name in self._held:
                root.sign(_signer(self._court, f"offline/{name}"), append=True)
        return {f"metadata/{root.signed.version}.root.json": root.to_bytes()}

    def take_over(self, root: Root) -> None:
        """Put the thief's own key in the place of every online one."""
        for role in ONLINE:
            root.roles[role].keyids = [self._own.public_key.keyid]
        root.keys[self._own.public_key.keyid] = self._own.public_key

    def in_force(self) -> tuple[Targets, Snapshot, Timestamp]:
        """The court's roles, to be changed."""
        folder = self._court / "feed" / "metadata"
        timestamp = Metadata[Timestamp].from_file(str(folder / "timestamp.json")).signed
        snapshot = Metadata[Snapshot].from_file(str(folder / f"{timestamp.snapshot_meta.version}.snapshot.json")).signed
        version = snapshot.meta["targets.json"].version
        return Metadata[Targets].from_file(str(folder / f"{version}.targets.json")).signed, snapshot, timestamp

    def signed(self, signed: Targets | Snapshot | Timestamp) -> bytes:
        """The bytes of this role under its key, or under the thief's."""
        metadata: Metadata[Any] = Metadata(signed)
        role = signed.type
        metadata.sign(self.signer(role))
        return metadata.to_bytes()

    def signer(self, role: str) -> CryptoSigner:
        """The stolen key of this role, or else the thief's own."""
        if role not in self._held:
            return self._own
        if role not in self._signers:
            self._signers[role] = _signer(self._court, f"online/{role}")
        return self._signers[role]


def stated(document: bytes) -> dict[str, Any]:
    """What the targets say of the state that this document leads to; nothing, for one that cannot be read."""
    state = _state(document)
    if state is None:
        return {}
    said = {"version": state.version, "digest": state.digest.hex(), "count": state.count, "key_id": state.key_id}
    return {STATE_FIELD: said}


def _state(document: bytes) -> ListState | None:
    with suppress(RefusedListError):
        return decode_delta(document).after
    with suppress(RefusedListError):
        return decode_snapshot(document).state
    return None


def all_online(court: ListPublisher) -> Thief:
    """A thief with every online key, or a court's side gone wrong."""
    return Thief(court.directory, *ONLINE)


def rotate(court: ListPublisher, *roles: str) -> None:
    """What an operator does when online keys were stolen: the next root, by two root keys, names other ones.

    The role files are signed anew at once under the keys that count from here on.
    """
    for role in roles:
        path = court.directory / "keys" / "online" / f"{role}.pem"
        path.write_bytes(CryptoSigner.generate_ed25519().private_bytes)
    fresh = {role: _signer(court.directory, f"online/{role}").public_key for role in roles}

    def name_them(root: Root) -> None:
        for role, key in fresh.items():
            root.roles[role].keyids = [key.keyid]
            root.keys[key.keyid] = key

    for name, raw in Thief(court.directory, *ROOT_KEYS[:2]).sign_root(name_them).items():
        (court.directory / "feed" / name).write_bytes(raw)
    court.reopen()


def _newest_root(court: Path) -> Path:
    return max((court / "feed" / "metadata").glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))


def _signer(directory: Path, name: str) -> CryptoSigner:
    return CryptoSigner(load_pem_private_key((directory / "keys" / f"{name}.pem").read_bytes(), None))
