"""The second signers of a list: who they are, and what their signature says.

Rules that hold:
- A private key is made into a file for its owner and kept nowhere else; the list's directory has public keys alone.
- A signature is taken for one statement of one list: another batch, other counts or another digest need another one.

Whether whoever submits and whoever approves are two people is for those who hand out the keys.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from publisher.key_files import Passphrases, new_key, read_key, write_key
from restriction.change import ListId
from restriction.errors import SettingError
from settings.files import replace_file

REGISTER: Final = "approvers.json"
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Statement:
    """What is approved or rejected: so many records of this batch, whose held shares have this digest."""

    list_id: ListId
    batch_id: str
    decision: str  # "approve" or "reject"
    lists: int
    changes: int
    lifts: int
    digest: str

    def to_bytes(self) -> bytes:
        """What is signed."""
        return orjson.dumps({"purpose": "lintel batch", **asdict(self)}, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement that an approver of this list signed."""

    statement: Statement
    approver: str
    signature: bytes


def add(directory: Path, name: str, key_file: Path) -> None:
    """Make a key for this approver and register its public half. Raises: SettingError."""
    known = _register(directory)
    if name in known:
        raise SettingError(f"approver {name}: there is one of this name; choose another")
    key = new_key()
    write_key(key_file, key)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    replace_file(directory / REGISTER, orjson.dumps({**known, name: public}, option=orjson.OPT_INDENT_2), _PRIVATE)


def names(directory: Path) -> list[str]:
    """The approvers of this list."""
    return sorted(_register(directory))


def sign(statement: Statement, key_file: Path, passphrases: Passphrases) -> bytes:
    """The signature of the statement by this key. Raises: SettingError."""
    key = read_key(key_file, passphrases)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingError(f"{key_file}: not an Ed25519 key; make one with `lintel publisher approvers add`")
    return key.sign(statement.to_bytes())


def verified(directory: Path, statement: Statement, signature: bytes) -> Signed:
    """The statement as signed by whichever approver's key fits. Raises: SettingError when none does."""
    for name, public in _register(directory).items():
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, statement.to_bytes())
        except InvalidSignature:
            continue
        return Signed(statement, name, signature)
    raise SettingError("approve: no registered approver signed this; add one with `lintel publisher approvers add`")


def _register(directory: Path) -> Mapping[str, str]:
    path = directory / REGISTER
    if not os.path.lexists(path):
        return {}
    try:
        known: dict[str, str] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SettingError(f"{path}: cannot be read; restore it from the backup") from error
    return known
