"""How a live list loses its last record: only with signatures of the root threshold, which agents ask for too.

Rules that hold:
- Until then the last record stays on the list as one that binds nobody, so that its person's lift does not wait.
- Signatures are collected in `feed/approvals/`, which is not served; once they suffice they are signed into the feed
  together with the delta that empties the list, for that version alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from publisher.feed import Feed
from publisher.roots import SafeKey
from restriction.change import Change, Lane, ListState
from restriction.easing import idle
from restriction.emptying import Emptying, decode_approval, encode_approval, is_approved
from restriction.errors import SettingError
from settings.files import replace_file

if TYPE_CHECKING:
    from publisher.publish import Outbox  # it imports this module

_LIVE: Final = "live"


def needs_approval(before: ListState, after: ListState) -> bool:
    """Whether this step empties a live list."""
    return before.list_id.environment == _LIVE and before.count > 0 and after.count == 0


def sparing_last(changes: Sequence[Change], before: Mapping[bytes, bytes]) -> list[Change]:
    """These changes, which empty a list that has `before` of them, but with its last record left, binding nobody."""
    last = next(change.token for change in reversed(changes) if change.token in before)
    others = [change for change in changes if change.token != last]
    kept = idle(before[last])
    return others if kept == before[last] else [*others, Change(last, kept, Lane.EASE)]


def is_pending(book: Outbox, feed: Feed) -> bool:
    """Whether the last record of a live list waits for the root keys."""
    state, changes = feed.state, book.next_changes(2)
    alone = len(changes) == 1 and not changes[0].record and state.count == 1
    return alone and state.list_id.environment == _LIVE and bool(book.published([changes[0].token]))


def approval(feed: Feed, version: int) -> bytes | None:
    """The document that approves an empty list at this version; None while signatures are missing."""
    signatures = _collected(feed, version)
    approved = is_approved(Emptying(feed.list_id, version), signatures, feed.root)
    return encode_approval(signatures) if approved else None


def sign(feed: Feed, safe: SafeKey) -> tuple[int, int]:
    """Add this root key's signature for the next version; how many there are, and how many it takes.

    Signatures of keys that were replaced since they signed are let go.
    The caller holds the feed's lock. Raises: SettingError when it is no root key.
    """
    version, root = feed.state.version + 1, feed.root
    role = root.roles["root"]
    if safe.signer.public_key.keyid not in role.keyids:
        raise SettingError(f"{safe.path}: not a root key of this list; an empty list takes {role.threshold} of these")
    signature = safe.signer.sign(Emptying(feed.list_id, version).to_bytes())
    collected = {keyid: given for keyid, given in _collected(feed, version).items() if keyid in role.keyids}
    signatures = collected | {signature.keyid: signature.signature}
    path = _path(feed, version)
    path.parent.mkdir(exist_ok=True)
    replace_file(path, encode_approval(signatures))
    return len(signatures), role.threshold


def _collected(feed: Feed, version: int) -> dict[str, str]:
    try:
        return decode_approval(_path(feed, version).read_bytes())
    except FileNotFoundError:
        return {}


def _path(feed: Feed, version: int) -> Path:
    return feed.targets_directory.parent / "approvals" / f"{version}.json"
