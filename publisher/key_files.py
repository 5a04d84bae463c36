"""Files of private keys: PEM (PKCS 8) with mode 600, in clear or under a passphrase.

A passphrase comes from whoever calls, and no message holds one.
A key is known by its id, which is computed from its public half alone; people use the first eight digits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from restriction.errors import SettingError
from settings.files import replace_file

Passphrases = Callable[[Path], list[bytes]]
_MODE: Final = 0o600
_SHORT: Final = 8


def short(key_id: str) -> str:
    """The id of a key as people read it."""
    return key_id[:_SHORT]


def new_key() -> Ed25519PrivateKey:
    """A key that nobody has seen."""
    return Ed25519PrivateKey.generate()


def write_key(path: Path, key: Ed25519PrivateKey, passphrase: bytes | None = None) -> None:
    """Write a key, encrypted if there is a passphrase. Raises: SettingError when something lies there."""
    if path.exists():
        raise SettingError(f"{path}: there is a file of this name; a key never takes another's place, name a free one")
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    try:
        replace_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), _MODE)
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}: the key is not written; name a place that can be") from error


def is_encrypted(path: Path) -> bool:
    """Whether the key of this file needs a passphrase. Raises: SettingError when there is no key in it."""
    return _in_clear(path, _read(path)) is None


def read_key(path: Path, passphrases: Passphrases = lambda _: []) -> PrivateKeyTypes:
    """The key of this file, under the first passphrase that opens it. Raises: SettingError."""
    raw = _read(path)
    key = _in_clear(path, raw)
    if key is not None:
        return key
    for passphrase in passphrases(path):
        try:
            return load_pem_private_key(raw, passphrase)
        except ValueError:  # not this one's passphrase
            continue
    raise SettingError(f"{path}: the key is encrypted and no passphrase given opens it; give the one it was made with")


def _in_clear(path: Path, raw: bytes) -> PrivateKeyTypes | None:
    """The key, None when it is encrypted. Raises: SettingError when it is none."""
    try:
        return load_pem_private_key(raw, None)
    except TypeError:  # how the library says that a passphrase is needed
        return None
    except ValueError as error:
        raise SettingError(f"{path}: this is no private key in PEM; restore the key file") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(f"{path}: signing key cannot be read: {error.strerror}; restore it") from error
