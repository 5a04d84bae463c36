"""The byte form of what the feed carries: deltas, snapshot manifests and the chunks of a snapshot.

A document is one zstd frame around one protobuf message of `lintel.feed.v1`.
Rules that hold for every document taken in:
- Nothing is expanded before its frame has stated a size and a window, and nothing whose are above its limit.
- Nothing is made into objects before its items were counted: an item of two bytes becomes an object of a hundred.
- It is canonical: tokens have 16 bytes, ascend strictly and are unique, records are canonical, no field is unknown, no
  byte trails, and writing it again gives the same message.
- Counts, lengths and versions are checked here; whether a document follows on the list held is decided in
  `restriction.trusted_list`, and whether its digest is true where it is applied.
Whatever breaks a rule raises `RefusedListError` with LIST_OVERSIZED or LIST_FORGED; no message names a token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, TypeVar

import zstandard
from google.protobuf.message import DecodeError, Message

from lintel.feed.v1 import feed_pb2
from restriction.change import (
    DIGEST_BYTES,
    MAX_CHANGES_PER_DELTA,
    TOKEN_BYTES,
    Change,
    Chunk,
    Delta,
    Lane,
    ListId,
    ListState,
    Snapshot,
)
from restriction.errors import RefusedListError
from restriction.record import FINGERPRINT_BYTES, is_canonical

ENVIRONMENTS: Final = ("live", "sandbox")
# 2,000 changes of common size are 0.2 MB; a record may hold many parts, so leave room for 2 KiB each.
MAX_DELTA_BYTES: Final = 4 << 20
# 256 chunks of about 200 bytes each are 50 kB.
MAX_MANIFEST_BYTES: Final = 256 << 10
# A partition of a list of 10 million is 5 MB; room for a list ten times as long.
MAX_CHUNK_BYTES: Final = 64 << 20
# Whoever loads a list makes room for as many records as it states; ten times the largest list that is thought of.
MAX_RECORDS: Final = 100_000_000
# A list of 10 million is 1.3 GB; an agent keeps two snapshots on its disk for a moment.
MAX_SNAPSHOT_BYTES: Final = 8 << 30
MAX_KEY_ID_CHARS: Final = 64
MAX_LIST_NAME_CHARS: Final = 64
_PARTITIONS: Final = 256
# Besides its items a message has two fields; a few to spare, so that a small one is told its own fault.
_MAX_OTHER_FIELDS: Final = 16
# A record in a chunk: its token, and the shortest record with its tag and length.
_MIN_BYTES_A_RECORD: Final = TOKEN_BYTES + 2 + FINGERPRINT_BYTES + 1
_VARINT, _LENGTH_DELIMITED, _ONE_BYTE_TAG = 0, 2, 0x80
_SHA256_BYTES: Final = 32
# Protobuf numbers lanes from one because zero is "unspecified"; the domain numbers them from zero.
_LANE_TO_WIRE: Final = {Lane.EASE: feed_pb2.LANE_EASE, Lane.BURDEN: feed_pb2.LANE_BURDEN}
_LANE_FROM_WIRE: Final = {wire: lane for lane, wire in _LANE_TO_WIRE.items()}

_MessageT = TypeVar("_MessageT", bound=Message)


def encode_delta(delta: Delta) -> bytes:
    """The file of a delta, its changes in token order. Raises: ValueError when it is larger than a reader accepts."""
    changes = sorted(delta.changes, key=lambda change: change.token)
    message = feed_pb2.Delta(
        base_version=delta.base_version,
        after=_state_to_wire(delta.after),
        changes=[feed_pb2.Change(token=c.token, record=c.record, lane=_LANE_TO_WIRE[c.lane]) for c in changes],
    )
    return _close(message, MAX_DELTA_BYTES)


def decode_delta(raw: bytes) -> Delta:
    """The delta of this file. Raises: RefusedListError."""
    message = _open(raw, feed_pb2.Delta(), MAX_DELTA_BYTES, MAX_CHANGES_PER_DELTA)
    _require(len(message.changes) <= MAX_CHANGES_PER_DELTA, "delta has too many changes", "LIST_OVERSIZED")
    after = _state_from_wire(message.after)
    _require(message.base_version < after.version, "delta does not lead to a later version")
    changes = tuple(_change_from_wire(change) for change in message.changes)
    _require_ascending([change.token for change in changes])
    return Delta(message.base_version, after, changes)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The manifest file of a snapshot, its chunks in partition order."""
    chunks = sorted(snapshot.chunks, key=lambda chunk: chunk.partition)
    message = feed_pb2.Snapshot(
        state=_state_to_wire(snapshot.state),
        chunks=[
            feed_pb2.Chunk(partition=c.partition, path=c.path, length=c.length, expanded=c.expanded, sha256=c.sha256)
            for c in chunks
        ],
    )
    return _close(message, MAX_MANIFEST_BYTES)


def decode_snapshot(raw: bytes) -> Snapshot:
    """The manifest of this file. Raises: RefusedListError."""
    message = _open(raw, feed_pb2.Snapshot(), MAX_MANIFEST_BYTES, _PARTITIONS)
    _require(len(message.chunks) <= _PARTITIONS, "snapshot has too many chunks", "LIST_OVERSIZED")
    chunks = tuple(_chunk_from_wire(chunk) for chunk in message.chunks)
    size = sum(chunk.expanded for chunk in chunks)
    _require(size <= MAX_SNAPSHOT_BYTES, "snapshot is larger than its limit", "LIST_OVERSIZED")
    partitions = [chunk.partition for chunk in chunks]
    _require(partitions == sorted(set(partitions)), "snapshot chunks are not in strictly ascending partitions")
    return Snapshot(_state_from_wire(message.state), chunks)


def encode_chunk(partition: int, records: Mapping[bytes, bytes]) -> tuple[bytes, int]:
    """The file of one partition's records, and the length of its content before compression."""
    tokens = sorted(records)
    message = feed_pb2.ChunkBody(
        partition=partition, tokens=b"".join(tokens), records=[records[token] for token in tokens]
    )
    return _close(message, MAX_CHUNK_BYTES), message.ByteSize()


def describe_chunk(partition: int, directory: str, raw: bytes, expanded: int) -> Chunk:
    """What a manifest says of this chunk file; it is named after its own SHA-256."""
    sha256 = hashlib.sha256(raw).digest()
    return Chunk(partition, f"{directory}/{sha256.hex()}.chunk", len(raw), expanded, sha256)


def decode_chunk(raw: bytes, chunk: Chunk) -> dict[bytes, bytes]:
    """Records by token of the file that `chunk` describes. Raises: RefusedListError."""
    _require(len(raw) == chunk.length, "chunk has another length than its manifest says")
    _require(hashlib.sha256(raw).digest() == chunk.sha256, "chunk has another SHA-256 than its manifest says")
    message = _open(raw, feed_pb2.ChunkBody(), chunk.expanded, chunk.expanded // _MIN_BYTES_A_RECORD)
    _require(message.partition == chunk.partition, "chunk is of another partition than its manifest says")
    _require(len(message.tokens) == TOKEN_BYTES * len(message.records), "chunk has more tokens than records, or fewer")
    packed = message.tokens  # each access copies it
    tokens = [packed[at : at + TOKEN_BYTES] for at in range(0, len(packed), TOKEN_BYTES)]
    _require_ascending(tokens)
    _require(all(token[0] == chunk.partition for token in tokens), "chunk holds a token of another partition")
    for record in message.records:
        _require(bool(record), "chunk holds an empty record")
        _require_canonical(record)
    return dict(zip(tokens, message.records, strict=True))


def _close(message: Message, max_bytes: int) -> bytes:
    plain = message.SerializeToString(deterministic=True)
    if len(plain) > max_bytes:
        raise ValueError(f"{type(message).__name__}: {len(plain)} bytes, at most {max_bytes}; split it")
    return zstandard.ZstdCompressor(level=3).compress(plain)


def _open(raw: bytes, empty: _MessageT, max_bytes: int, max_items: int) -> _MessageT:
    kind = type(empty).__name__
    # A frame may be a little longer than its content when that does not compress.
    _require(len(raw) <= max_bytes + (max_bytes >> 6) + 1024, f"{kind} is too long", "LIST_OVERSIZED")
    try:
        expanded = zstandard.frame_content_size(raw)
        _require(expanded <= max_bytes, f"{kind} expands beyond its limit", "LIST_OVERSIZED")
        _require(expanded > 0, f"{kind} does not state its size")
        window = zstandard.get_frame_parameters(raw).window_size
        _require(window <= max_bytes, f"{kind} asks for too large a window", "LIST_OVERSIZED")
        plain = zstandard.ZstdDecompressor().decompress(raw, allow_extra_data=False)
        _require(_has_at_most(max_items + _MAX_OTHER_FIELDS, plain), f"{kind} has too many items", "LIST_OVERSIZED")
        empty.ParseFromString(plain)
    except (zstandard.ZstdError, DecodeError, IndexError) as error:
        raise RefusedListError("LIST_FORGED", f"{kind} cannot be read; fetch it again") from error
    empty.DiscardUnknownFields()
    _require(empty.SerializeToString(deterministic=True) == plain, f"{kind} is not canonical")
    return empty


def _has_at_most(limit: int, plain: bytes) -> bool:
    """Whether these bytes of a message hold so many fields or fewer, unless they cannot be read beyond them.

    Raises: IndexError when they end within a field.
    """
    at, size, fields = 0, len(plain), 0
    while at < size and fields <= limit:
        tag = plain[at]
        if tag >= _ONE_BYTE_TAG or tag & 7 not in {_VARINT, _LENGTH_DELIMITED}:
            raise DecodeError("a field that no message of ours has")
        number = shift = 0
        while True:
            at += 1
            number |= (plain[at] & 0x7F) << shift
            if plain[at] < _ONE_BYTE_TAG:
                break
            shift += 7
        at += 1 + (number if tag & 7 == _LENGTH_DELIMITED else 0)
        fields += 1
    return fields <= limit


def _state_to_wire(state: ListState) -> feed_pb2.ListState:
    list_id = state.list_id
    return feed_pb2.ListState(
        list_id=feed_pb2.ListId(name=list_id.name, environment=list_id.environment, epoch=list_id.epoch),
        version=state.version, digest=state.digest, count=state.count, key_id=state.key_id,
    )  # fmt: skip


def _state_from_wire(wire: feed_pb2.ListState) -> ListState:
    list_id = ListId(wire.list_id.name, wire.list_id.environment, wire.list_id.epoch)
    _require(0 < len(list_id.name) <= MAX_LIST_NAME_CHARS, "list name is missing or too long")
    _require(list_id.environment in ENVIRONMENTS, "environment is neither live nor sandbox")
    _require(len(wire.digest) == DIGEST_BYTES, "digest has not 32 bytes")
    _require(0 < len(wire.key_id) <= MAX_KEY_ID_CHARS, "key id is missing or too long")
    _require(wire.count <= MAX_RECORDS, "list has more records than any", "LIST_OVERSIZED")
    return ListState(list_id, wire.version, wire.digest, wire.count, wire.key_id)


def _change_from_wire(wire: feed_pb2.Change) -> Change:
    _require(wire.lane in _LANE_FROM_WIRE, "change has no lane")
    if wire.record:
        _require_canonical(wire.record)
    return Change(wire.token, wire.record, _LANE_FROM_WIRE[wire.lane])


def _chunk_from_wire(wire: feed_pb2.Chunk) -> Chunk:
    _require(wire.partition < _PARTITIONS, "chunk names a partition that does not exist")
    _require(0 < wire.expanded <= MAX_CHUNK_BYTES, "chunk is larger than its limit", "LIST_OVERSIZED")
    _require(0 < wire.length <= MAX_CHUNK_BYTES, "chunk is larger than its limit", "LIST_OVERSIZED")
    _require(len(wire.sha256) == _SHA256_BYTES, "chunk has no SHA-256")
    path = PurePosixPath(wire.path)
    inside = not path.is_absolute() and ".." not in path.parts and path.name == f"{wire.sha256.hex()}.chunk"
    _require(inside, "chunk path leaves the feed or is not named after its SHA-256")
    return Chunk(wire.partition, wire.path, wire.length, wire.expanded, wire.sha256)


def _require_ascending(tokens: Sequence[bytes]) -> None:
    _require(all(len(token) == TOKEN_BYTES for token in tokens), "a token has not 16 bytes")
    _require(_ascends(tokens), "tokens do not ascend strictly")


def _ascends(tokens: Iterable[bytes]) -> bool:
    last = b""
    for token in tokens:
        if token <= last:
            return False
        last = token
    return True


def _require_canonical(record: bytes) -> None:
    _require(is_canonical(record), "a record is not canonical")


def _require(holds: bool, otherwise: str, alarm: str = "LIST_FORGED") -> None:  # noqa: FBT001 a check reads as a sentence
    if not holds:
        raise RefusedListError(alarm, f"{otherwise}; the last good list stays")
