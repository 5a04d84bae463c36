"""Ways to change a document, numbered, so that a case is three small values and can be made again anywhere.

Byte-wise kinds know nothing of the content. JSON kinds change metadata as a tree, protobuf kinds change a message as a
row of fields; both give something that is still well formed.
Nothing here signs or sends.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

Mutator = Callable[[bytes, int], bytes]
Json = Any  # any value that JSON holds

# What a value of a tree becomes: other types, emptiness, and numbers beyond any field.
_ODD: Final[tuple[Json, ...]] = (
    None, True, False, -1, 0, 2**31, 2**63, 2**64, 10**40, 0.5, "", "x", "0" * 64, "2999-01-01T00:00:00Z", "2020-01-01",
    "../..", [], [None], [[]], {}, {"": {}}, {"x": 1},
)  # fmt: skip
# Varints at their edges, the last one longer than any reader takes.
_VARINTS: Final = (b"\x00", b"\x01", b"\x7f", b"\xff\x7f", b"\xff" * 4 + b"\x0f", b"\xff" * 9 + b"\x01", b"\xff" * 11)


def flip(raw: bytes, number: int) -> bytes:
    """Bit `number` inverted."""
    at, bit = divmod(number, 8)
    return raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]


def cut(raw: bytes, number: int) -> bytes:
    """The first `number` bytes."""
    return raw[:number]


def insert(raw: bytes, number: int) -> bytes:
    """A byte more at a place: the one that is there, a space, or a zero."""
    at, which = divmod(number, 3)
    return raw[:at] + (raw[at : at + 1], b" ", b"\0")[which] + raw[at:]


def drop(raw: bytes, number: int) -> bytes:
    """A byte less at this place."""
    return raw[:number] + raw[number + 1 :]


def swap(raw: bytes, number: int) -> bytes:
    """Two neighbours exchanged."""
    return raw[:number] + raw[number : number + 2][::-1] + raw[number + 2 :]


BYTEWISE: Final[Mapping[str, tuple[Mutator, int]]] = {
    # Each with how many cases there are for a byte.
    "flip": (flip, 8),
    "cut": (cut, 1),
    "insert": (insert, 3),
    "drop": (drop, 1),
    "swap": (swap, 1),
}


def cross(raw: bytes, other: bytes, number: int) -> bytes:
    """A sixteenth of the document in the place of which another one has its own."""
    piece = max(1, len(raw) // 16)
    at = number * piece % max(1, len(raw))
    return raw[:at] + other[at : at + piece] + raw[at + piece :]


def trees(tree: Json) -> Iterator[Json]:
    """Every way to change one place of a tree: its value becomes odd, is dropped, doubled, or its key is renamed."""
    for path in _paths(tree):
        for odd in _ODD:
            yield _changed(tree, path, functools.partial(_put, odd))
        yield _changed(tree, path, lambda holder, key: holder.__delitem__(key))
        yield _changed(tree, path, _nested)
        yield _changed(tree, path, _renamed)


def _put(value: Json, holder: Json, key: Json) -> None:
    holder[key] = value


def _nested(holder: Json, key: Json) -> None:
    holder[key] = [holder[key]]


def _renamed(holder: Json, key: Json) -> None:
    if isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder.append(holder[key])


def _paths(tree: Json, above: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from _paths(value, (*above, key))


def _changed(tree: Json, path: Sequence[Json], change: Callable[[Json, Json], object]) -> Json:
    changed = copy.deepcopy(tree)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return changed


def json_texts(raw: bytes) -> Iterator[bytes]:
    """Texts of the trees, and texts that mean the same or say a key twice."""
    tree = json.loads(raw)
    for changed in trees(tree):
        yield json.dumps(changed).encode()
    yield json.dumps(tree, separators=(",", ":")).encode()
    yield json.dumps(tree, indent=7, sort_keys=True).encode()
    yield b" " + raw + b"\n"
    yield raw[:-1] + b',"signed":{}}'
    yield b'{"signed":{},' + raw.lstrip()[1:]
    yield b"\xef\xbb\xbf" + raw
    yield b"[" * 5_000 + b"]" * 5_000
    yield raw.replace(b"1", b"1e0", 1)
    yield raw.decode().encode("utf-16")


def messages(plain: bytes, depth: int = 3) -> Iterator[bytes]:
    """Every way to change one field of a message, and of the messages in it: dropped, doubled, moved, or made odd."""
    fields = _fields(plain)
    if fields is None or not depth:
        return
    for at, (tag, body) in enumerate(fields):
        before, after = fields[:at], fields[at + 1 :]
        yield _joined([*before, *after])
        yield _joined([*fields, (tag, body)])
        yield _joined([*before, (tag, body), (tag, body), *after])
        yield _joined([*after, (tag, body), *before])
        yield _joined([*before, (tag ^ 0x10, body), *after])
        for odd in _odd_bodies(tag):
            yield _joined([*before, (tag, odd), *after])
        if tag & 7 == 2:
            for inner in messages(_content(body), depth - 1):
                yield _joined([*before, (tag, _sized(inner)), *after])
    yield plain + b"\x7a\x01x"  # a field that no message has


def _odd_bodies(tag: int) -> Iterator[bytes]:
    if tag & 7 == 0:
        yield from _VARINTS
    else:
        yield from (_sized(bytes(length)) for length in (0, 1, 7, 15, 17, 31, 33, 300))
        yield b"\xff\xff\xff\xff\x0f"  # a length that nothing has


def _fields(plain: bytes) -> list[tuple[int, bytes]] | None:
    """The fields in their order as (tag, rest); None when this is no message of small tags."""
    fields, at = [], 0
    while at < len(plain):
        tag = plain[at]
        end = _end_of_varint(plain, at + 1)
        if tag >= 0x80 or tag & 7 not in {0, 2} or end > len(plain):
            return None
        if tag & 7:
            end += len(_content(plain[at + 1 :]))
        fields.append((tag, plain[at + 1 : end]))
        at = end
    return fields if at == len(plain) else None


def _end_of_varint(plain: bytes, at: int) -> int:
    while at < len(plain) and plain[at] >= 0x80:
        at += 1
    return at + 1


def _content(body: bytes) -> bytes:
    end = _end_of_varint(body, 0)
    length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(body[:end]))
    return body[end : end + length]


def _sized(content: bytes) -> bytes:
    length, size = len(content), bytearray()
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*size, length]) + content


def _joined(fields: Sequence[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([tag & 0xFF]) + body for tag, body in fields)
