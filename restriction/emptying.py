"""The approval without which a live list is never emptied: a statement signed by the root threshold.

Rules that hold:
- It names one list, with its environment and epoch, and one version; it is good for nothing else.
- Only keys of the root role count, each once, and as many as the verified root asks for. Online keys count for nothing.

The document lies in the feed as `approvals/<version>.json`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

import orjson
from securesystemslib.signer import Signature
from tuf.api.metadata import Root

from restriction.change import ListId
from restriction.errors import RefusedListError

MAX_APPROVAL_BYTES: Final = 16 << 10  # a hundred signatures


@dataclass(frozen=True, slots=True)
class Emptying:
    """The version at which a list has no record left."""

    list_id: ListId
    version: int

    def to_bytes(self) -> bytes:
        """What a root key signs."""
        said = {"purpose": "lintel empty list", "list": asdict(self.list_id), "version": self.version}
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def encode_approval(signatures: dict[str, str]) -> bytes:
    """The document of these signatures: hex by key id."""
    return orjson.dumps({"signatures": signatures}, option=orjson.OPT_SORT_KEYS)


def decode_approval(raw: bytes) -> dict[str, str]:
    """The signatures of a document. Raises: RefusedListError when it is none."""
    with suppress(orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        signatures: dict[str, str] = orjson.loads(raw)["signatures"]
        if all(isinstance(text, str) for text in signatures.values()):
            return signatures
    raise RefusedListError("LIST_FORGED", "an approval is malformed; the last good list stays")


def is_approved(emptying: Emptying, signatures: dict[str, str], root: Root) -> bool:
    """Whether the root threshold signed this."""
    signed = {key_id: Signature(key_id, value) for key_id, value in signatures.items()}
    return bool(root.get_verification_result(Root.type, emptying.to_bytes(), signed))
