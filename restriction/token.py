"""Keyed tokens: the only form in which an identity or a name leaves the request.

One 32-byte secret is expanded into one key per use, so that values of one use say nothing about another's.
Rules that must hold: a plain or salted hash is never used (the number space is about 37 bits and falls in seconds);
keys never appear in a repr or an error; nothing here releases the GIL in a request (docs/adr/0003-tokens.md).
It does not read files: the secret's text is handed in.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from restriction.change import TOKEN_BYTES
from restriction.errors import SettingError
from restriction.identity import Identity
from restriction.record import FINGERPRINT_BYTES, NAME_TOKEN_BYTES

SECRET_BYTES: Final = 32
_HASHES: Final = (
    ("token", TOKEN_BYTES),
    ("fingerprint", FINGERPRINT_BYTES),
    ("name", NAME_TOKEN_BYTES),
    ("unit-reference", TOKEN_BYTES),
    ("audit", TOKEN_BYTES),
)
_LINE: Final = re.compile(r"(?P<key_id>[a-z0-9][a-z0-9-]{0,30}) (?P<secret>[0-9a-f]{64})")
_MAX_KEYS: Final = 2
_OWN_ID: Final = re.compile(r"k-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The keys expanded from one secret. Values made under different `key_id` never compare.

    What is used in every question is kept as a keyed hash that only waits for its message.
    """

    key_id: str
    bucket_key: bytes = field(repr=False)
    digest_key: bytes = field(repr=False)
    _token: blake2b = field(repr=False, compare=False)
    _fingerprint: blake2b = field(repr=False, compare=False)
    _name: blake2b = field(repr=False, compare=False)
    _unit_reference: blake2b = field(repr=False, compare=False)
    _audit: blake2b = field(repr=False, compare=False)

    @classmethod
    def expand(cls, key_id: str, secret: bytes) -> Self:
        """One key per label by HKDF-SHA-256 expansion (RFC 5869, 3.3: the secret is uniform, nothing to extract).

        Raises: SettingError when the secret has not 32 bytes.
        """
        if len(secret) != SECRET_BYTES:
            raise SettingError(f"token secret {key_id}: give {SECRET_BYTES} bytes, as `lintel publisher init` does")
        hashes = (blake2b(digest_size=size, key=_expanded(secret, label)) for label, size in _HASHES)
        return cls(key_id, _expanded(secret, "bucket"), _expanded(secret, "digest"), *hashes)

    def token(self, identity: Identity) -> bytes:
        """The store token, 16 bytes. 15 and 18 digits of one number give the same."""
        return _digest(self._token, _message(identity))

    def fingerprint(self, identity: Identity) -> bytes:
        """What a record carries to prove that it answers this identity, 8 bytes."""
        return _digest(self._fingerprint, _message(identity))

    def name(self, canonical_name: str) -> bytes:
        """The token of a canonical name, 8 bytes."""
        return _digest(self._name, canonical_name.encode())

    def unit_reference(self, text: str) -> bytes:
        """A reference that units may see, 16 bytes."""
        return _digest(self._unit_reference, text.encode())

    def audit(self, text: str) -> bytes:
        """A reference that only the ledger keeps, 16 bytes."""
        return _digest(self._audit, text.encode())


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of the list in service and, during a rotation, those of the list built beside it."""

    current: TokenKeys
    successor: TokenKeys | None = None


def read_secrets(text: str) -> Secrets:
    """The keys in the text of a secret file: one line `<key_id> <64 hex digits>` per key, the current one first.

    Raises: SettingError when the text has another form, two keys are not two, or a secret is not the one of its id.
    """
    lines = [_LINE.fullmatch(line) for line in text.splitlines()]
    matches = [line for line in lines if line is not None]
    if not 1 <= len(lines) <= _MAX_KEYS or len(matches) != len(lines):
        raise SettingError(
            "token secret file: give one or two lines `<key_id> <64 hex digits>`, as `lintel publisher init` writes it"
        )
    for group in ("key_id", "secret"):
        if len({match[group] for match in matches}) != len(matches):
            raise SettingError(f"token secret file: both lines have the same {group}: a successor is a key of its own")
    for match in matches:
        if _OWN_ID.fullmatch(match["key_id"]) and match["key_id"] != _id_of(bytes.fromhex(match["secret"])):
            raise SettingError(f"token secret file: {match['key_id']}: not the secret of its id: copy the line again")
    return Secrets(*(TokenKeys.expand(match["key_id"], bytes.fromhex(match["secret"])) for match in matches))


def new_secret_text() -> str:
    """The text of a secret file with one fresh random key."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return f"{_id_of(secret)} {secret.hex()}\n"


def _id_of(secret: bytes) -> str:
    """The id of a secret that was made here tells whether it was copied right, and nothing else about it."""
    return f"k-{_expanded(secret, 'id')[:4].hex()}"


def _expanded(secret: bytes, label: str) -> bytes:
    return HKDFExpand(algorithm=SHA256(), length=SECRET_BYTES, info=f"lintel/v1/{label}".encode()).derive(secret)


def _digest(keyed: blake2b, message: bytes) -> bytes:
    fresh = keyed.copy()
    fresh.update(message)
    return fresh.digest()


def _message(identity: Identity) -> bytes:
    # The type is digits only, so the first bar ends it and no two identities give one message.
    return b"%d|%b" % (identity.type, identity.number.encode())
