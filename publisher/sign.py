"""The keys of the signed feed, and what they sign.

Three root keys stay offline and two of them are needed; targets, snapshot and timestamp have one online key each, since
they sign without a person present. Key files are PEM (PKCS 8) with mode 600.
The root names the list (name, environment, epoch): whoever pins the root has pinned the list.
Encryption of key files, hardware keys and root rotation are not done here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Metadata, Role, Root, Snapshot, Targets, Timestamp

from restriction.change import ListId
from restriction.errors import SettingError
from restriction.listing import LIST_FIELD
from settings.files import replace_file

ROOT_KEYS: Final = ("root-1", "root-2", "root-3")
ROOT_THRESHOLD: Final = 2
ONLINE_ROLES: Final = (Targets.type, Snapshot.type, Timestamp.type)
# Two years: a root is renewed with keys from a safe, by people.
_ROOT_LIFE: Final = dt.timedelta(days=730)
_KEY_MODE: Final = 0o600
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
            replace_file(folder / f"{name}.pem", CryptoSigner.generate_ed25519().private_bytes, _KEY_MODE)


def sign_root(directory: Path, list_id: ListId, now_s: float) -> Metadata[Root]:
    """The first root, naming the list and every key, signed with all three root keys."""
    root_signers = [_signer(directory / "offline" / f"{name}.pem") for name in ROOT_KEYS]
    online = {role: _signer(directory / "online" / f"{role}.pem").public_key for role in ONLINE_ROLES}
    keys: dict[str, Key] = {key.keyid: key for key in (*online.values(), *(s.public_key for s in root_signers))}
    roles = {role: Role([key.keyid], 1) for role, key in online.items()}
    roles[Root.type] = Role([signer.public_key.keyid for signer in root_signers], ROOT_THRESHOLD)
    named: dict[str, Any] = {LIST_FIELD: asdict(list_id)}
    root = Root(1, None, instant(now_s) + _ROOT_LIFE, keys, roles, consistent_snapshot=True, unrecognized_fields=named)
    metadata = Metadata(root)
    for signer in root_signers:
        metadata.sign(signer, append=True)
    return metadata


class OnlineSigners:
    """The online keys of one feed."""

    def __init__(self, directory: Path) -> None:
        self._signers = {role: _signer(directory / "online" / f"{role}.pem") for role in ONLINE_ROLES}

    def sign(self, metadata: Metadata[OnlineT]) -> bytes:
        """The signed bytes of this role's metadata."""
        metadata.sign(self._signers[metadata.signed.type])
        return metadata.to_bytes()


def _signer(path: Path) -> CryptoSigner:
    try:
        return CryptoSigner(load_pem_private_key(path.read_bytes(), None))
    except (OSError, ValueError) as error:
        raise SettingError(f"{path}: signing key cannot be read; restore it or run `lintel publisher init`") from error
