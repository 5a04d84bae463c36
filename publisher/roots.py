"""The roots of a feed: which keys count for what, one version after another.

Rules (The Update Framework 1.0, 5.3):
- A root is signed by the threshold of the root before it and by its own: whoever trusts one can follow to the next.
- Versions follow one on another and none is ever deleted, so that an agent that was off for years catches up.
- A root names the same list as the one before; another list, environment or epoch is pinned by hand.
- A root once published is never replaced by another of its version.

Here nothing is signed with online keys and no key is made.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Metadata, Root

from publisher.key_files import Passphrases, read_key, short
from publisher.sign import ROOT_LIFE, instant
from restriction.errors import SettingError
from settings.files import replace_file


@dataclass(frozen=True, slots=True)
class SafeKey:
    """A root key out of its safe, and the file that it came from."""

    path: Path
    signer: CryptoSigner = field(repr=False)

    @classmethod
    def read(cls, path: Path, passphrases: Passphrases = lambda _: []) -> SafeKey:
        """The key of this file. Raises: SettingError."""
        return cls(path, CryptoSigner(read_key(path, passphrases)))


@dataclass(frozen=True, slots=True)
class RootFiles:
    """The roots in the directory of a feed: `metadata/N.root.json`, and `root.json`, which is handed to agents."""

    directory: Path

    @property
    def chain(self) -> tuple[Root, ...]:
        """Every root from the first to the one in force."""
        roots: list[Root] = []
        while (path := self._path(len(roots) + 1)).exists():
            roots.append(Metadata[Root].from_file(str(path)).signed)
        if not roots:
            raise SettingError(f"{self._path(1)}: the first root is gone; restore feed/ from its backup")
        return tuple(roots)

    @property
    def in_force(self) -> Root:
        """The newest root."""
        return self.chain[-1]

    def publish(self, root: Metadata[Root]) -> None:
        """Put a signed root in force."""
        replace_file(self._path(root.signed.version), root.to_bytes())
        self.settle()

    def settle(self) -> None:
        """Hand out the root in force, whatever a crash left there."""
        raw = self._path(self.in_force.version).read_bytes()
        handed_out = self.directory / "root.json"
        if handed_out.read_bytes() != raw:
            replace_file(handed_out, raw)

    def _path(self, version: int) -> Path:
        return self.directory / "metadata" / f"{version}.root.json"


def successor(root: Root, now_s: float) -> Root:
    """The next version of this root, with a whole life before it and else the same."""
    following = copy.deepcopy(root)
    following.version += 1
    following.expires = max(root.expires, instant(now_s) + ROOT_LIFE)
    return following


def with_online_keys(root: Root, fresh: Mapping[str, Key]) -> Root:
    """The root with each of these roles under its fresh key alone."""
    changed = copy.deepcopy(root)
    for role, key in fresh.items():
        for key_id in tuple(changed.roles[role].keyids):
            changed.revoke_key(key_id, role)
        changed.add_key(key, role)
    return changed


def with_root_key(root: Root, revoked: str, fresh: Key) -> Root:
    """The root with one root key in the place of another."""
    changed = copy.deepcopy(root)
    changed.revoke_key(revoked, Root.type)
    changed.add_key(fresh, Root.type)
    return changed


def root_key_of(root: Root, prefix: str) -> str | None:
    """The id of the one root key whose id begins so. Raises: SettingError when there are several."""
    found = [key_id for key_id in root.roles[Root.type].keyids if key_id.startswith(prefix.lower())]
    if len(found) > 1:
        raise SettingError(f"--replace: {prefix}: several root keys begin so; write more of the id")
    return found[0] if found else None


def signed(before: Root, after: Root, safes: Iterable[SafeKey]) -> Metadata[Root]:
    """`after`, signed by those of the keys that count. Raises: SettingError below either root's threshold."""
    metadata = Metadata(after)
    brought = {safe.signer.public_key.keyid: safe for safe in safes}
    for key_id in dict.fromkeys((*before.roles[Root.type].keyids, *after.roles[Root.type].keyids)):
        if key_id in brought:
            metadata.sign(brought[key_id].signer, append=True)
    for root in (before, after):
        if not root.get_verification_result(Root.type, metadata.signed_bytes, metadata.signatures):
            raise _too_few(root, brought)
    return metadata


def _too_few(root: Root, brought: Mapping[str, SafeKey]) -> SettingError:
    role = root.roles[Root.type]
    given = [
        f"{safe.path} ({short(key_id)}{'' if key_id in role.keyids else ', not one of them'})"
        for key_id, safe in brought.items()
    ]
    return SettingError(
        f"--with: root {root.version} is signed by {role.threshold} of {', '.join(map(short, role.keyids))}; "
        f"given: {', '.join(given) or 'none'}; bring the key files of more safes"
    )


def since(chain: Iterable[Root], role: str, key_id: str) -> int:
    """The version of the root since which this key counts for this role without a break."""
    first = 0
    for root in chain:
        if key_id not in root.roles[role].keyids:
            first = 0
        elif not first:
            first = root.version
    return first
