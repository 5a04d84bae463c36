"""What the feed carries survives its byte form, and nothing else is taken for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
import zstandard
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from lintel.feed.v1 import feed_pb2
from restriction.change import MAX_CHANGES_PER_DELTA, Change, Chunk, Delta, Lane, ListId, ListState, Snapshot
from restriction.envelope import (
    MAX_CHUNK_BYTES,
    MAX_DELTA_BYTES,
    MAX_SNAPSHOT_BYTES,
    decode_chunk,
    decode_delta,
    decode_snapshot,
    describe_chunk,
    encode_chunk,
    encode_delta,
    encode_snapshot,
)
from restriction.errors import RefusedListError
from tests.fakes.list_publisher import lifted, listed, record_of, token_of

AFTER = ListState(ListId("test", "live", 1), 5, bytes(32), 2, "k1")
DELTA = Delta(3, AFTER, (listed(1), lifted(2), listed(3)))
RECORDS = {bytes([7]) + bytes([n]) * 15: record_of(n) for n in range(5)}
RAW_CHUNK, EXPANDED = encode_chunk(7, RECORDS)
CHUNK = describe_chunk(7, "snapshots/5", RAW_CHUNK, EXPANDED)
SNAPSHOT = Snapshot(AFTER, (CHUNK,))


def test_a_delta_survives_its_byte_form() -> None:
    assert decode_delta(encode_delta(DELTA)) == DELTA


def test_a_snapshot_survives_its_byte_form() -> None:
    assert decode_snapshot(encode_snapshot(SNAPSHOT)) == SNAPSHOT


def test_a_chunk_survives_its_byte_form() -> None:
    assert decode_chunk(RAW_CHUNK, CHUNK) == RECORDS


@given(st.lists(st.integers(0, 5_000), max_size=40, unique=True))
def test_the_order_of_changes_does_not_alter_the_file(numbers: list[int]) -> None:
    changes = tuple(map(listed, numbers))
    assert encode_delta(replace(DELTA, changes=changes)) == encode_delta(replace(DELTA, changes=changes[::-1]))


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_flipped_bit_never_gives_another_chunk(at: int, bit: int) -> None:
    flipped = bytearray(RAW_CHUNK)
    flipped[at % len(flipped)] ^= 1 << bit
    _refused(lambda: decode_chunk(bytes(flipped), CHUNK), "LIST_FORGED")


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else_is_raised(raw: bytes) -> None:
    with pytest.raises(RefusedListError):
        decode_delta(raw)
    with pytest.raises(RefusedListError):
        decode_snapshot(raw)


def _after(**fields: object) -> feed_pb2.ListState:
    good = {"version": 5, "digest": bytes(32), "count": 2, "key_id": "k1"}
    list_id = feed_pb2.ListId(name="test", environment="live", epoch=1)
    return feed_pb2.ListState(**({"list_id": list_id} | good | fields))  # type: ignore[arg-type] # fields vary by case


def _delta(*changes: feed_pb2.Change, base_version: int = 3, after: feed_pb2.ListState | None = None) -> feed_pb2.Delta:
    return feed_pb2.Delta(base_version=base_version, after=after or _after(), changes=changes)


def _change(token: bytes, record: bytes = b"", lane: feed_pb2.Lane.ValueType = feed_pb2.LANE_EASE) -> feed_pb2.Change:
    return feed_pb2.Change(token=token, record=record, lane=lane)


A, B = token_of(1), token_of(2)
MALFORMED_DELTAS = {
    "short token": _delta(_change(A[:15])),
    "long token": _delta(_change(A + b"x")),
    "repeated token": _delta(_change(A), _change(A)),
    "descending tokens": _delta(_change(B), _change(A)),
    "no lane": _delta(_change(A, lane=feed_pb2.LANE_UNSPECIFIED)),
    "record with a trailing byte": _delta(_change(A, record_of(1) + b"x")),
    "record that ends early": _delta(_change(A, record_of(1)[:-1])),
    "version that does not rise": _delta(_change(A), base_version=5),
    "short digest": _delta(_change(A), after=_after(digest=bytes(31))),
    "no key id": _delta(_change(A), after=_after(key_id="")),
    "no list name": _delta(_change(A), after=_after(list_id=feed_pb2.ListId(environment="live"))),
    "no environment": _delta(_change(A), after=_after(list_id=feed_pb2.ListId(name="test"))),
}


@pytest.mark.parametrize("message", MALFORMED_DELTAS.values(), ids=MALFORMED_DELTAS)
def test_a_malformed_delta_is_forged(message: feed_pb2.Delta) -> None:
    _refused(lambda: decode_delta(_frame(message.SerializeToString())), "LIST_FORGED")


def test_an_unknown_field_is_forged() -> None:
    plain = _delta(_change(A)).SerializeToString() + b"\xf8\x07\x01"
    _refused(lambda: decode_delta(_frame(plain)), "LIST_FORGED")


def test_a_field_written_twice_is_forged() -> None:
    plain = b"\x08\x02" + _delta(_change(A)).SerializeToString()
    _refused(lambda: decode_delta(_frame(plain)), "LIST_FORGED")


def test_bytes_after_the_frame_are_forged() -> None:
    _refused(lambda: decode_delta(encode_delta(DELTA) + b"x"), "LIST_FORGED")


def test_a_frame_that_hides_its_size_is_forged() -> None:
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(_delta(_change(A)).SerializeToString())
    _refused(lambda: decode_delta(hidden), "LIST_FORGED")


def test_a_bomb_is_oversized_before_it_is_expanded() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 26))
    assert len(bomb) < 100_000
    _refused(lambda: decode_delta(bomb), "LIST_OVERSIZED")


ITEM_OF_TWO_BYTES = b"\x1a\x00"  # a change, a chunk or a record without content


@pytest.mark.parametrize(
    "decode",
    [
        pytest.param(decode_delta, id="delta"),
        pytest.param(decode_snapshot, id="manifest"),
        pytest.param(
            lambda raw: decode_chunk(raw, describe_chunk(7, "snapshots/5", raw, zstandard.frame_content_size(raw))),
            id="chunk",
        ),
    ],
)
def test_items_are_counted_before_they_are_made_into_objects(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(RefusedListError, match=r"LIST_OVERSIZED: .* has too many items"):
        decode(_frame(ITEM_OF_TWO_BYTES * 100_000))


def test_a_field_that_ends_within_itself_is_forged() -> None:
    _refused(lambda: decode_delta(_frame(b"\x1a\x05x")), "LIST_FORGED")
    _refused(lambda: decode_delta(_frame(b"\x08\xff")), "LIST_FORGED")


def test_a_window_larger_than_the_document_may_be_is_oversized_before_it_is_allotted() -> None:
    plain = _delta(_change(A)).SerializeToString()
    sized_4_bytes, window_128_mib, last_raw_block = 2 << 6, 17 << 3, (len(plain) << 3 | 1).to_bytes(3, "little")
    header = bytes([*b"\x28\xb5\x2f\xfd", sized_4_bytes, window_128_mib]) + len(plain).to_bytes(4, "little")
    frame = header + last_raw_block + plain
    assert zstandard.decompress(frame) == plain
    _refused(lambda: decode_delta(frame), "LIST_OVERSIZED")


def test_a_frame_that_is_too_long_is_oversized_unread() -> None:
    _refused(lambda: decode_delta(bytes(2 * MAX_DELTA_BYTES)), "LIST_OVERSIZED")


def test_more_changes_than_a_delta_may_hold_are_oversized() -> None:
    changes = tuple(map(listed, range(MAX_CHANGES_PER_DELTA + 1)))
    _refused(lambda: decode_delta(encode_delta(replace(DELTA, changes=changes))), "LIST_OVERSIZED")


def test_a_delta_that_no_reader_would_take_is_not_written() -> None:
    # A change that large cannot come from the book; the length of its record is all that counts here.
    with pytest.raises(ValueError, match="split it"):
        encode_delta(replace(DELTA, changes=(Change(A, bytes(MAX_DELTA_BYTES), Lane.EASE),)))


def test_chunks_that_are_too_large_together_are_oversized_before_one_is_asked_for() -> None:
    half = MAX_SNAPSHOT_BYTES // MAX_CHUNK_BYTES
    chunks = [replace(CHUNK, partition=partition, expanded=MAX_CHUNK_BYTES) for partition in range(half + 1)]
    assert len(decode_snapshot(encode_snapshot(Snapshot(AFTER, tuple(chunks[:half])))).chunks) == half
    _refused(lambda: decode_snapshot(encode_snapshot(Snapshot(AFTER, tuple(chunks)))), "LIST_OVERSIZED")


MALFORMED_CHUNKS = {
    "path out of the feed": replace(CHUNK, path="../" + CHUNK.path),
    "absolute path": replace(CHUNK, path="/" + CHUNK.path),
    "path of another name": replace(CHUNK, path="snapshots/5/x.chunk"),
    "short hash": replace(CHUNK, sha256=CHUNK.sha256[:31]),
    "partition that does not exist": replace(CHUNK, partition=256),
}


@pytest.mark.parametrize("chunk", MALFORMED_CHUNKS.values(), ids=MALFORMED_CHUNKS)
def test_a_manifest_with_a_malformed_chunk_is_forged(chunk: Chunk) -> None:
    _refused(lambda: decode_snapshot(encode_snapshot(Snapshot(AFTER, (chunk,)))), "LIST_FORGED")


def test_a_manifest_with_a_chunk_beyond_the_limit_is_oversized() -> None:
    _refused(
        lambda: decode_snapshot(encode_snapshot(Snapshot(AFTER, (replace(CHUNK, expanded=1 << 40),)))), "LIST_OVERSIZED"
    )


def test_two_chunks_of_one_partition_are_forged() -> None:
    _refused(lambda: decode_snapshot(encode_snapshot(Snapshot(AFTER, (CHUNK, CHUNK)))), "LIST_FORGED")


def _body(partition: int, records: dict[bytes, bytes]) -> feed_pb2.ChunkBody:
    return feed_pb2.ChunkBody(partition=partition, tokens=b"".join(records), records=list(records.values()))


FOREIGN = {token_of(8): record_of(1)}
MALFORMED_BODIES = {
    "token of another partition": _body(7, FOREIGN),
    "another partition": _body(8, FOREIGN),
    "empty record": _body(7, {bytes([7]) * 16: b""}),
    "noise for a record": _body(7, {bytes([7]) * 16: b"x"}),
    "descending tokens": _body(7, {bytes([7]) + b"b" * 15: record_of(1), bytes([7]) + b"a" * 15: record_of(1)}),
    "a token without a record": feed_pb2.ChunkBody(partition=7, tokens=bytes([7]) * 16),
}


@pytest.mark.parametrize("body", MALFORMED_BODIES.values(), ids=MALFORMED_BODIES)
def test_a_malformed_chunk_is_forged_even_under_a_true_hash(body: Message) -> None:
    plain = body.SerializeToString()
    raw = _frame(plain)
    chunk = replace(CHUNK, length=len(raw), expanded=len(plain), sha256=hashlib.sha256(raw).digest())
    _refused(lambda: decode_chunk(raw, chunk), "LIST_FORGED")


def test_a_chunk_that_expands_beyond_what_its_manifest_says_is_oversized() -> None:
    _refused(lambda: decode_chunk(RAW_CHUNK, replace(CHUNK, expanded=EXPANDED - 1)), "LIST_OVERSIZED")


def _frame(plain: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(plain)


def _refused(decode: Callable[[], object], alarm: str) -> None:
    with pytest.raises(RefusedListError) as refusal:
        decode()
    assert refusal.value.alarm == alarm
