"""Keys: head and buckets of a partition in one slot, and every token in exactly one bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liststore.base import Generation
from liststore.keys import Keys, place_of, places, spread
from restriction.errors import SettingError

KEYS = Keys()


@given(st.binary(min_size=16, max_size=16), st.integers(0, 12))
def test_a_token_lies_in_a_bucket_of_its_partition(token: bytes, bits: int) -> None:
    generation = Generation(1, bits, "k1")
    place = place_of(generation, token)
    assert place.partition == token[0]
    assert 0 <= place.index < 1 << bits
    assert place.index == int.from_bytes(token[1:5], "big") >> (32 - bits)


def test_the_places_of_a_partition_are_all_its_buckets() -> None:
    generation = Generation(1, 3, "k1")
    assert [place.index for place in places(generation, 7)] == list(range(8))


def test_head_and_buckets_share_a_hash_tag_and_nothing_else_has_it() -> None:
    generation = Generation(12, 3, "k1")
    keys = [KEYS.head(12, 0x3F), *map(KEYS.bucket, places(generation, 0x3F))]
    assert all("{p3f}" in key for key in keys)
    assert len(set(keys)) == len(keys)
    assert "{p3f}" not in KEYS.head(12, 0x3E)


def test_what_one_script_announces_shares_a_hash_tag() -> None:
    assert all("{list}" in key for key in (KEYS.announcement, KEYS.additions(3), KEYS.hints))


def test_generations_and_prefixes_never_share_a_key() -> None:
    assert KEYS.head(1, 0) != KEYS.head(2, 0)
    assert KEYS.head(1, 0) != Keys("other:").head(1, 0)


@pytest.mark.parametrize("prefix", ["{x}:", "a{", "}"])
def test_a_prefix_with_a_brace_is_refused(prefix: str) -> None:
    with pytest.raises(SettingError, match="brace"):
        Keys(prefix)


@given(st.lists(st.binary(min_size=15, max_size=15), max_size=40), st.integers(0, 4))
def test_a_partition_spread_out_has_every_record_in_the_bucket_where_it_is_looked_for(
    rests: list[bytes], bits: int
) -> None:
    generation = Generation(1, bits, "k1")
    records = {bytes([7]) + rest: rest for rest in rests}
    held = spread(generation, 7, records)
    assert list(held) == places(generation, 7)
    assert {token: place for place, some in held.items() for token in some} == {
        token: place_of(generation, token) for token in records
    }


@pytest.mark.parametrize("token", [bytes(16), bytes([7]) * 15, b""], ids=["of another partition", "cut", "empty"])
def test_a_token_that_is_not_of_the_partition_is_not_spread(token: bytes) -> None:
    with pytest.raises(ValueError, match="partition 7"):
        spread(Generation(1, 2, "k1"), 7, {token: b"record"})
