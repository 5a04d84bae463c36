"""The keys of the signed feed, and what they sign.

Three root keys stay offline and two of them are needed; targets, snapshot and timestamp have one online key each, since
they sign without a person present.
The root names the list (name, environment, epoch): whoever pins the root has pinned the list.

An online key is changed while others sign: as long as `<role>.next.pem` lies beside `<role>.pem`, whoever signs does so
under both, so that an agent accepts what it reads whether it has seen the newest root or not. Key files are therefore
read at every signing, and changed under the feed's lock only (`publisher.rotation`).
Hardware keys are not done here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Metadata, Role, Root, Snapshot, Targets, Timestamp

from publisher.key_files import new_key, read_key, write_key
from restriction.change import ListId
from restriction.errors import SettingError
from restriction.listing import LIST_FIELD

ROOT_KEYS: Final = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD: Final = 2
ONLINE_ROLES: Final = (Targets.type, Snapshot.type, Timestamp.type)
# Two years: a root is renewed with keys from a safe, by people.
ROOT_LIFE: Final = dt.timedelta(days=730)
_KEY_DIRECTORY_MODE: Final = 0o700

OnlineT = TypeVar("OnlineT", Targets, Snapshot, Timestamp)


def instant(now_s: float) -> dt.datetime:
    """Unix seconds as the whole UTC second that metadata holds."""
    return dt.datetime.fromtimestamp(int(now_s), dt.UTC)


def create_keys(directory: Path) -> None:
    """Make all keys: `offline/root-N.pem` (to be carried away) and `online/<role>.pem`."""
    for place, names in (("offline", ROOT_KEYS), ("online", ONLINE_ROLES)):
        folder = directory / place
        folder.mkdir(mode=_KEY_DIRECTORY_MODE, parents=True)
        for name in names:
            write_key(folder / f"{name}.pem", new_key())


def sign_root(directory: Path, list_id: ListId, now_s: float) -> Metadata[Root]:
    """The first root, naming the list and every key, signed with all three root keys."""
    root_signers = [CryptoSigner(read_key(directory / "offline" / f"{name}.pem")) for name in ROOT_KEYS]
    online = {role: CryptoSigner(read_key(online_key(directory, role))).public_key for role in ONLINE_ROLES}
    keys: dict[str, Key] = {key.keyid: key for key in (*online.values(), *(s.public_key for s in root_signers))}
    roles = {role: Role([key.keyid], 1) for role, key in online.items()}
    roles[Root.type] = Role([signer.public_key.keyid for signer in root_signers], ROOT_THRESHOLD)
    named: dict[str, Any] = {LIST_FIELD: asdict(list_id)}
    root = Root(1, None, instant(now_s) + ROOT_LIFE, keys, roles, consistent_snapshot=True, unrecognized_fields=named)
    metadata = Metadata(root)
    for signer in root_signers:
        metadata.sign(signer, append=True)
    return metadata


def online_key(directory: Path, role: str) -> Path:
    """The file of the key that signs this role."""
    return directory / "online" / f"{role}.pem"


def next_key(directory: Path, role: str) -> Path:
    """The file of the key that is about to take its place; there as long as a rotation is under way."""
    return directory / "online" / f"{role}.next.pem"


class OnlineSigners:
    """The online keys of one feed, as they lie in `directory` at the time of signing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def sign(self, metadata: Metadata[OnlineT]) -> bytes:
        """The signed bytes of this role's metadata. Raises: SettingError when no key of the role is there."""
        for signer in self._of(metadata.signed.type):
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def require_all(self) -> None:
        """Find a missing key before anything is taken in that would need it. Raises: SettingError."""
        for role in ONLINE_ROLES:
            self._of(role)

    def _of(self, role: str) -> list[CryptoSigner]:
        paths = [online_key(self._directory, role), next_key(self._directory, role)]
        there = [path for path in paths if path.exists()]
        if not there:
            raise SettingError(f"{paths[0]}: the key is gone; restore it, or run `lintel keys rotate {role}`")
        return [CryptoSigner(read_key(path)) for path in there]
