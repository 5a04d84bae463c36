"""The bucket codec: exact, canonical, and closed against what is not its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liststore.base import Generation
from liststore.bucket import encode_bucket, open_bucket
from liststore.keys import Place
from liststore.seal import SEAL_BYTES, Kind, seal, unseal
from restriction.errors import StoreUnavailableError

KEY = bytes(range(32))
PLACE = Place(Generation(3, 4, "k1"), 0xAB, 5)
# Tokens of few distinct bytes, so that one token's end and the next one's beginning often spell a third.
STORED = st.text("\x00\x01", min_size=15, max_size=15).map(str.encode)
TOKENS = STORED.map(lambda stored: bytes([PLACE.partition]) + stored)
RECORDS = st.dictionaries(TOKENS, st.binary(min_size=1, max_size=60), max_size=90)


@given(RECORDS)
def test_records_come_back_as_they_were_put(records: dict[bytes, bytes]) -> None:
    bucket = open_bucket(KEY, PLACE, encode_bucket(KEY, PLACE, records))
    assert bucket.records() == records
    assert bucket.tokens() == sorted(records)


@given(RECORDS, TOKENS)
def test_find_equals_the_dictionary(records: dict[bytes, bytes], other: bytes) -> None:
    bucket = open_bucket(KEY, PLACE, encode_bucket(KEY, PLACE, records))
    assert {token: bucket.find(token) for token in [*records, other]} == {other: records.get(other), **records}


def test_a_token_spelled_by_two_neighbours_is_not_found() -> None:
    first, second = bytes([PLACE.partition]) + b"a" * 15, bytes([PLACE.partition]) + b"b" * 15
    bucket = open_bucket(KEY, PLACE, encode_bucket(KEY, PLACE, {first: b"1", second: b"2"}))
    assert bucket.find(bytes([PLACE.partition]) + b"a" * 7 + b"b" * 8) is None


def test_a_token_is_found_behind_a_place_where_two_neighbours_spell_it() -> None:
    wanted = bytes([PLACE.partition]) + b"b" * 15
    spelling = bytes([PLACE.partition]) + b"a" + b"b" * 14  # its end and the first "b" of the next spell it early
    bucket = open_bucket(KEY, PLACE, encode_bucket(KEY, PLACE, {spelling: b"1", wanted: b"2"}))
    assert bucket.find(wanted) == b"2"


@given(RECORDS)
def test_one_content_has_one_byte_form(records: dict[bytes, bytes]) -> None:
    backwards = dict(reversed(records.items()))
    assert encode_bucket(KEY, PLACE, records) == encode_bucket(KEY, PLACE, backwards)


def test_an_empty_record_is_no_record() -> None:
    token = bytes([PLACE.partition]) + bytes(15)
    assert encode_bucket(KEY, PLACE, {token: b""}) == encode_bucket(KEY, PLACE, {})


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place(Generation(4, 4, "k1"), 0xAB, 5),
        Place(Generation(3, 5, "k1"), 0xAB, 5),
        Place(Generation(3, 4, "k1"), 0xAC, 5),
        Place(Generation(3, 4, "k1"), 0xAB, 6),
    ],
    ids=["generation", "bucket bits", "partition", "index"],
)
def test_a_bucket_is_believed_at_its_own_place_alone(elsewhere: Place) -> None:
    with pytest.raises(StoreUnavailableError, match="foreign"):
        open_bucket(KEY, elsewhere, encode_bucket(KEY, PLACE, {}))


@given(RECORDS, st.data())
def test_a_bucket_with_one_bit_altered_is_not_believed(records: dict[bytes, bytes], draw: st.DataObject) -> None:
    raw = bytearray(encode_bucket(KEY, PLACE, records))
    raw[draw.draw(st.integers(0, len(raw) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(StoreUnavailableError):
        open_bucket(KEY, PLACE, bytes(raw))


@pytest.mark.parametrize("length", [0, 1, 2_047, 2_048, 65_535, 65_536, 200_000])
def test_a_sealed_payload_of_any_length_comes_back(length: int) -> None:
    payload = bytes(range(256)) * (length // 256 + 1)
    assert unseal(KEY, Kind.FILTER, seal(KEY, Kind.FILTER, payload[:length])) == payload[:length]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HEAD])
def test_a_value_of_one_kind_never_passes_for_another(kind: Kind) -> None:
    with pytest.raises(StoreUnavailableError):
        unseal(KEY, kind, seal(KEY, Kind.HEAD, b"payload"))


def test_a_seal_is_16_bytes() -> None:
    assert len(seal(KEY, Kind.HEAD, b"")) == SEAL_BYTES == 16
