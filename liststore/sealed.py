"""Byte forms of what is sealed but buckets, effects and parameters: heads, announcements, additions, filter images.

Heads are fixed binary, since every look-up reads one and every write compares one byte for byte; an announcement is
JSON, since operators read it.
A head carries its partition, so that one partition's head never stands in for another's.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from liststore.base import Announcement, FilterImage, Generation, Head
from liststore.seal import Kind, seal, unseal
from restriction.change import DIGEST_BYTES, TOKEN_BYTES, ListId, ListState
from restriction.errors import GapError, StoreNotWholeError

HEAD_SCHEMA: Final = 1
TOKENS_PER_PAGE: Final = 2_048  # 32 KB: a page is one entry of the stream
_HEAD: Final = struct.Struct(f"<HBQQQQ{DIGEST_BYTES}s")  # then the key id
_PAGE: Final = struct.Struct("<QQQHH")
_IMAGE: Final = struct.Struct("<QQ")


def encode_head(key: bytes, partition: int, head: Head) -> bytes:
    """The sealed head; one head has exactly one byte form."""
    fixed = _HEAD.pack(
        head.schema, partition, head.generation, head.epoch, head.version, head.as_of, head.digest
    )  # fmt: skip
    return seal(key, Kind.HEAD, fixed + head.key_id.encode())


def decode_head(key: bytes, partition: int, raw: bytes | None) -> Head:
    """The head of this partition. Raises: StoreNotWholeError when missing, altered, foreign or of another schema."""
    payload = unseal(key, Kind.HEAD, raw)
    schema, owner, generation, epoch, version, as_of, digest = _HEAD.unpack_from(payload)
    if (schema, owner) != (HEAD_SCHEMA, partition):
        raise StoreNotWholeError("head: foreign: of another partition or schema: reload the list")
    return Head(generation, epoch, version, as_of, payload[_HEAD.size :].decode(), digest, schema)


def encode_announcement(key: bytes, announcement: Announcement) -> bytes:
    """The sealed announcement."""
    values = asdict(announcement)
    values["state"]["digest"] = announcement.state.digest.hex()
    return seal(key, Kind.ANNOUNCEMENT, json.dumps(values, sort_keys=True).encode())


def decode_announcement(key: bytes, raw: bytes) -> Announcement:
    """The announcement. Raises: StoreNotWholeError when it is altered or foreign."""
    values = json.loads(unseal(key, Kind.ANNOUNCEMENT, raw))
    state = values["state"]
    return Announcement(
        Generation(**values["generation"]),
        ListState(**{**state, "list_id": ListId(**state["list_id"]), "digest": bytes.fromhex(state["digest"])}),
        values["as_of"],
    )


def encode_filter_image(key: bytes, image: FilterImage) -> bytes:
    """The sealed filter image."""
    return seal(key, Kind.FILTER, _IMAGE.pack(image.generation, image.version) + image.image)


def decode_filter_image(key: bytes, raw: bytes) -> FilterImage:
    """The filter image. Raises: StoreNotWholeError when it is altered or foreign."""
    payload = unseal(key, Kind.FILTER, raw)
    generation, version = _IMAGE.unpack_from(payload)
    return FilterImage(generation, version, payload[_IMAGE.size :])


@dataclass(frozen=True, slots=True)
class Step:
    """The history of one announcement: tokens upserted in versions `after < v <= upto` of a generation."""

    generation: int
    after: int
    upto: int


def encode_pages(key: bytes, step: Step, tokens: Sequence[bytes]) -> list[bytes]:
    """The sealed pages of a step, at least one: a step that added nothing is history as well."""
    joined, size = b"".join(tokens), TOKENS_PER_PAGE * TOKEN_BYTES
    pages = [joined[at : at + size] for at in range(0, len(joined), size)] or [b""]
    return [
        seal(key, Kind.ADDITIONS, _PAGE.pack(step.generation, step.after, step.upto, number, len(pages)) + page)
        for number, page in enumerate(pages)
    ]


def open_pages(key: bytes, wanted: Step, pages: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Tokens, a page at a time, of the consecutive steps that cover `wanted`, possibly some more.

    Raises: GapError, at the end, when the pages do not cover it; StoreNotWholeError when one is altered or foreign.
    """
    reached, expected = wanted.after, 0
    for raw in pages:
        if reached >= wanted.upto:
            break
        payload = unseal(key, Kind.ADDITIONS, raw)
        generation, after, upto, number, count = _PAGE.unpack_from(payload)
        if generation != wanted.generation or number != expected or after > reached:
            break
        yield [payload[at : at + TOKEN_BYTES] for at in range(_PAGE.size, len(payload), TOKEN_BYTES)]
        expected = (number + 1) % count
        reached = upto if expected == 0 else reached
    if reached < wanted.upto:
        raise GapError(f"additions: history reaches version {reached} of {wanted.upto}: read the whole list anew")
