"""Keys by which callers are known: random, shown once, and stored as their SHA-256 alone.

The prefix `live_` or `test_` shows whoever holds a key whose identities it is for.
Both sides make keys: a gateway's host those of its units, and the court's side its own.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from restriction.identity import Mode

MODE_WORDS: Final = {Mode.LIVE: "live", Mode.SANDBOX: "test"}
_KEY_BYTES: Final = 24  # 192 bits: not to be guessed, and still one short line


def hash_key(key: str) -> str:
    """The stored form of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(mode: Mode) -> str:
    """A fresh random key with the visible prefix of its mode."""
    return f"{MODE_WORDS[mode]}_{secrets.token_urlsafe(_KEY_BYTES)}"
