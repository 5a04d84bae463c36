"""Seals: whoever lacks the bucket key cannot alter, swap or forge what a reader trusts.

A sealed value is its 16-byte keyed BLAKE2b checksum followed by the payload; each kind of value has a checksum of its
own (BLAKE2b personalisation), so that one kind never passes for another.
A seal says nothing about age: versions, generations and places are in the payloads and are compared by the readers.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from typing import Final

from restriction.errors import StoreNotWholeError

SEAL_BYTES: Final = 16
# hashlib lets go of the GIL from 2,048 bytes on, which costs a busy server more than hashing 2,047 bytes again;
# values far above a bucket's size are hashed in one call, so that other threads run meanwhile.
_QUIET_BYTES: Final = 2_047
_BUSY_FROM_BYTES: Final = 1 << 16


class Kind(enum.Enum):
    """What a sealed value is; at most 16 bytes (BLAKE2b personalisation)."""

    HEAD = b"lintel head"
    BUCKET = b"lintel bucket"
    ANNOUNCEMENT = b"lintel announce"
    ADDITIONS = b"lintel additions"
    FILTER = b"lintel filter"
    PARAMETERS = b"lintel params"
    EFFECT = b"lintel effect"


def seal(key: bytes, kind: Kind, payload: bytes) -> bytes:
    """The payload under its checksum."""
    return _checksum(key, kind, payload) + payload


def unseal(key: bytes, kind: Kind, raw: bytes | None) -> bytes:
    """The payload. Raises: StoreNotWholeError when it is missing, altered, of another kind or under another key."""
    if raw is None:
        raise StoreNotWholeError(f"{kind.name.lower()}: missing: reload the list")
    payload = raw[SEAL_BYTES:]
    if not hmac.compare_digest(raw[:SEAL_BYTES], _checksum(key, kind, payload)):
        raise StoreNotWholeError(f"{kind.name.lower()}: altered or foreign: reload the list")
    return payload


def _checksum(key: bytes, kind: Kind, payload: bytes) -> bytes:
    state = hashlib.blake2b(key=key, digest_size=SEAL_BYTES, person=kind.value)
    step = _QUIET_BYTES if len(payload) < _BUSY_FROM_BYTES else len(payload)
    view = memoryview(payload)
    for start in range(0, len(payload), step or 1):
        state.update(view[start : start + step])
    return state.digest()
