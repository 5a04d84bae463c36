"""What keys a feed is under, as its operator wants to know it: whose, since when, until when, and what is wrong.

The private half of an encrypted file tells nobody whose it is, so such a file is named and not matched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from publisher.key_files import is_encrypted, read_key, short
from publisher.roots import since
from publisher.rotation import KeyRoom
from publisher.sign import ONLINE_ROLES, instant, next_key

# Three safes must be opened: people need weeks for that.
ROOT_WARNING: Final = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key of one role; `file` is where its private half lies, None when that is not here."""

    role: str
    key_id: str
    since_root: int
    expires: str
    file: str | None


@dataclass(frozen=True, slots=True)
class KeyListing:
    """Every key that counts, under which root, and what its operator should see to."""

    root: int
    threshold: int
    keys: tuple[KeyRow, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As it is printed by `lintel keys list --json`."""
        return asdict(self)


def key_listing(room: KeyRoom, now_s: float) -> KeyListing:
    """The keys of this room."""
    chain = room.roots.chain
    root = chain[-1]
    expires = {Root.type: root.expires, **room.feed.expires}
    files = dict(_files(room.keys))
    rows = tuple(
        KeyRow(role, key_id, since(chain, role, key_id), expires[role].isoformat(), files.get(key_id))
        for role in (Root.type, *ONLINE_ROLES)
        for key_id in root.roles[role].keyids
    )
    threshold = root.roles[Root.type].threshold
    return KeyListing(root.version, threshold, rows, tuple(_warnings(room, rows, root, now_s)))


def _files(keys: Path) -> Iterator[tuple[str, str]]:
    """The id and the file of each key that lies here in clear."""
    for path in _paths(keys):
        if not is_encrypted(path):
            yield CryptoSigner(read_key(path)).public_key.keyid, str(path)


def _paths(keys: Path) -> list[Path]:
    return sorted(keys.glob("*/*.pem"))


def _warnings(room: KeyRoom, rows: tuple[KeyRow, ...], root: Root, now_s: float) -> Iterator[str]:
    days = (root.expires - instant(now_s)).days
    if days < 0:
        yield f"root {root.version} has run out: agents accept nothing; run `lintel keys renew`"
    elif days < ROOT_WARNING.days:
        yield f"root {root.version} runs out in {days} days; run `lintel keys renew`"
    for role in ONLINE_ROLES:
        if next_key(room.keys, role).exists():
            yield f"{role}: a rotation was begun; run `lintel keys rotate {role}` to finish it"
    for row in rows:
        if row.role == Root.type and row.file:
            yield f"{row.file}: a root key lies on this host; carry it to a safe"
        elif row.role != Root.type and row.file is None:
            key, role = short(row.key_id), row.role
            yield f"{role}: the key {key} is not here; restore it or run `lintel keys rotate {role}`"
    yield from _strangers(room, {row.file for row in rows})


def _strangers(room: KeyRoom, known: set[str | None]) -> Iterator[str]:
    pending = {next_key(room.keys, role) for role in ONLINE_ROLES}
    for path in _paths(room.keys):
        if str(path) in known or path in pending:
            continue
        what = "is encrypted; carry it to a safe" if is_encrypted(path) else "counts for nothing; destroy it"
        yield f"{path}: this key {what}"
