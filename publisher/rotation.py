"""Changing the keys of a feed in service: rotation, revocation and renewal.

An online key is changed in five steps, each of which leaves a feed that agents accept, and after each of which the same
command, run again, goes on:
1. The fresh key is written beside the old one: from here on whoever signs does so under both.
2. All roles are signed anew, under both.
3. The next root is published: it names the fresh key and leaves the old one out, which revokes it at once.
4. Both keys sign on for a while, for agents that read the older root a moment ago.
5. The fresh key takes the old one's place, whose file is gone with that, and all roles are signed anew under it alone.

Every draft is signed, and held to both thresholds, before anything is written. Nobody is asked for anything while the
feed's lock is held, since heartbeats wait for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from publisher.feed import Feed
from publisher.key_files import Passphrases, new_key, read_key, short, write_key
from publisher.roots import RootFiles, SafeKey, root_key_of, signed, successor, with_online_keys, with_root_key
from publisher.sign import ONLINE_ROLES, next_key, online_key
from restriction.errors import SettingError
from settings.files import sync_directory

# A root that was renewed within this time is not renewed again, so that a command cut short can be repeated.
_RENEWED: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """The next root, signed, and the online keys made for it."""

    before: Root
    root: Metadata[Root]
    made: Mapping[str, Ed25519PrivateKey] = field(default_factory=dict, repr=False)

    @property
    def changes(self) -> tuple[tuple[str, str, str], ...]:
        """Each role whose key changes, with the ids of the revoked and of the fresh key."""
        found = []
        for role in (Root.type, *ONLINE_ROLES):
            old, fresh = self.before.roles[role].keyids, self.root.signed.roles[role].keyids
            gone = [key_id for key_id in old if key_id not in fresh]
            come = [key_id for key_id in fresh if key_id not in old]
            found += [(role, *pair) for pair in zip(gone, come, strict=True)]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class KeyRoom:
    """The keys of the court's side in one directory, and the feed that they sign."""

    directory: Path
    feed: Feed

    @property
    def keys(self) -> Path:
        """Where the key files lie."""
        return self.directory / "keys"

    @property
    def roots(self) -> RootFiles:
        """The roots of the feed."""
        return RootFiles(self.directory / "feed")

    @property
    def begun(self) -> tuple[str, ...]:
        """Roles whose rotation has come as far as a published root."""
        root = self.roots.in_force
        pending = {role: next_key(self.keys, role) for role in ONLINE_ROLES}
        return tuple(
            role for role, path in pending.items() if path.exists() and _id_of(path) in root.roles[role].keyids
        )

    def brought(self, files: Sequence[Path], passphrases: Passphrases = lambda _: []) -> tuple[SafeKey, ...]:
        """Root keys from these files, or else from wherever `init` left them. Raises: SettingError."""
        paths = files or sorted((self.keys / "offline").glob("*.pem"))
        return tuple(SafeKey.read(path, passphrases) for path in paths)

    def draft_rotation(self, roles: Sequence[str], safes: Sequence[SafeKey], now_s: float) -> Draft:
        """A root that names a fresh key for each of these roles; no file left by a crash is trusted to be fresh."""
        before = self.roots.in_force
        made = {role: new_key() for role in roles}
        after = with_online_keys(
            successor(before, now_s), {role: CryptoSigner(key).public_key for role, key in made.items()}
        )
        return Draft(before, signed(before, after, safes), made)

    def draft_replacement(self, prefix: str, new: SafeKey, safes: Sequence[SafeKey], now_s: float) -> Draft | None:
        """A root with `new` in the place of the root key whose id begins so; None when that is done already."""
        before = self.roots.in_force
        revoked, root_keys = root_key_of(before, prefix), before.roles[Root.type].keyids
        if revoked is None and new.signer.public_key.keyid in root_keys:
            return None
        if revoked is None:
            ids = ", ".join(map(short, root_keys))
            raise SettingError(f"--replace: {prefix}: not a root key; root {before.version} has {ids}")
        if new.signer.public_key.keyid in before.keys:
            raise SettingError(
                f"{new.path}: {short(new.signer.public_key.keyid)} has a role already; run `lintel keys new`"
            )
        after = with_root_key(successor(before, now_s), revoked, new.signer.public_key)
        return Draft(before, signed(before, after, (*safes, new)))

    def draft_renewal(self, safes: Sequence[SafeKey], now_s: float) -> Draft | None:
        """A root with the same keys and a later expiry; None when it was renewed within the last day."""
        before = self.roots.in_force
        after = successor(before, now_s)
        return None if after.expires - before.expires < _RENEWED else Draft(before, signed(before, after, safes))

    def publish(self, draft: Draft, now_s: float) -> None:
        """Put the drafted root in force, steps 1 to 3. The caller holds the lock, since before the draft."""
        for role, key in draft.made.items():
            path = next_key(self.keys, role)
            path.unlink(missing_ok=True)  # no root has named it
            write_key(path, key)
        if draft.made:
            self.feed.sign_anew(now_s)
        self.roots.publish(draft.root)

    def finish(self, now_s: float) -> tuple[str, ...]:
        """Let the fresh keys sign alone, step 5; gives whose. The caller holds the lock."""
        self.roots.settle()
        begun = self.begun
        for role in begun:
            next_key(self.keys, role).replace(online_key(self.keys, role))
        if begun:
            sync_directory(online_key(self.keys, begun[0]).parent)
            self.feed.sign_anew(now_s)
        return begun


def rotate(
    room: KeyRoom,
    roles: Sequence[str],
    safes: Sequence[SafeKey],
    clock: Callable[[], float],
    pause: Callable[[], None],
) -> Draft | None:
    """Give each role a fresh key; a rotation that was begun is finished instead, which gives None.

    Raises: SettingError, before anything is changed.
    """
    with room.feed.lock():
        draft = None if room.begun else room.draft_rotation(roles, safes, clock())
        if draft is not None:
            room.publish(draft, clock())
    pause()
    with room.feed.lock():
        room.finish(clock())
    return draft


def _id_of(path: Path) -> str:
    return CryptoSigner(read_key(path)).public_key.keyid
