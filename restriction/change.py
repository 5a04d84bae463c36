"""Changes of the list between court and store: deltas, snapshots and the state they lead to.

A delta holds final records per token (upsert, or removal when `record` is empty), never instructions.
The digest is an additive set hash over stored bytes, keyed with the token secret's digest key: adding and removing a
record are one addition and one subtraction, and the order of changes does not matter.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

TOKEN_BYTES: Final = 16
MAX_CHANGES_PER_DELTA: Final = 2_000
MAX_DELTAS: Final = 300
DIGEST_BYTES: Final = 32
_MODULUS: Final = 1 << (8 * DIGEST_BYTES)


class Lane(enum.IntEnum):
    """Which lane a change travels in: whatever eases is written before whatever burdens."""

    EASE = 0
    BURDEN = 1


@dataclass(frozen=True, slots=True)
class Change:
    """The final record of one token; an empty record removes it."""

    token: bytes
    record: bytes
    lane: Lane


@dataclass(frozen=True, slots=True)
class ListId:
    """Which list this is; bound into everything signed, so that one list can never be fed as another."""

    name: str
    environment: str  # "live" or "sandbox"
    epoch: int


@dataclass(frozen=True, slots=True)
class ListState:
    """A list at one version: `count` records whose digest is `digest`, tokens made under key `key_id`."""

    list_id: ListId
    version: int
    digest: bytes
    count: int
    key_id: str


@dataclass(frozen=True, slots=True)
class Delta:
    """Signed changes from `base_version` (exclusive) up to `after.version`; `after` is the state they lead to."""

    base_version: int
    after: ListState
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One file of a snapshot: all records of one partition. Lengths in bytes; `expanded` is before compression."""

    partition: int
    path: str
    length: int
    expanded: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole list at one version, in chunks by partition (at most one chunk each; an absent one is empty)."""

    state: ListState
    chunks: tuple[Chunk, ...]


class Digest:
    """Additive set hash of (token, record) pairs modulo 2^256, keyed BLAKE2b-256."""

    def __init__(self, key: bytes, value: bytes = bytes(DIGEST_BYTES)) -> None:
        # A keyed state is copied for each term: setting the key up costs as much as hashing a common record.
        self._keyed = hashlib.blake2b(digest_size=DIGEST_BYTES, key=key)
        self._sum = int.from_bytes(value, "little")

    def add(self, token: bytes, record: bytes) -> None:
        """Take one stored record in. An empty record is no record and leaves the sum unchanged."""
        if record:
            self._sum = (self._sum + self._term(token, record)) % _MODULUS

    def remove(self, token: bytes, record: bytes) -> None:
        """Take one stored record out."""
        if record:
            self._sum = (self._sum - self._term(token, record)) % _MODULUS

    @property
    def value(self) -> bytes:
        """The digest now, 32 bytes."""
        return self._sum.to_bytes(DIGEST_BYTES, "little")

    def _term(self, token: bytes, record: bytes) -> int:
        hashed = self._keyed.copy()
        hashed.update(token + record)
        return int.from_bytes(hashed.digest(), "little")


def fold(deltas: Iterable[Delta]) -> tuple[Change, ...]:
    """The changes of consecutive deltas as one: the last write per token wins, in the better lane of all its writes.

    So a lift is as early as any, though its token was burdened again; that burden is then early as well, which it may
    be: it is the verified list's record.
    """
    last: dict[bytes, Change] = {}
    for delta in deltas:
        for change in delta.changes:
            before = last.get(change.token)
            better = before is not None and before.lane < change.lane
            last[change.token] = replace(change, lane=Lane.EASE) if better else change
    return tuple(last.values())
