from __future__ import annotations

import hashlib
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybloom_live import BloomFilter

from restriction.errors import FilterCorruptError, FilterFullError
from restriction.filter import FilterStamp, ListFilter

STAMP = FilterStamp(generation=3, version=41, key_id="k-1")
TOKENS = st.lists(st.binary(min_size=16, max_size=16), max_size=60, unique=True)


def filled(tokens: list[bytes], capacity: int = 60) -> ListFilter:
    list_filter = ListFilter.empty(capacity, 0.001, STAMP)
    list_filter.add_all(tokens)
    return list_filter


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def signed(body: bytes) -> bytes:
    return body + hashlib.blake2b(body, digest_size=32).digest()


@given(TOKENS)
def test_added_token_is_never_absent(tokens: list[bytes]) -> None:
    assert all(map(filled(tokens).might_contain, tokens))


@given(TOKENS)
def test_restored_filter_is_the_same_filter(tokens: list[bytes]) -> None:
    before = filled(tokens)
    after = ListFilter.from_image(before.to_image())
    assert all(map(after.might_contain, tokens))
    assert (after.stamp, len(after), after.capacity) == (STAMP, len(before), before.capacity)
    assert after.to_image() == before.to_image()


def test_absent_tokens_hit_no_more_often_than_promised() -> None:
    draw = random.Random(20240604)  # noqa: S311 - a repeatable sample, not a secret
    list_filter = filled([draw.randbytes(16) for _ in range(5_000)], capacity=5_000)
    hits = sum(list_filter.might_contain(draw.randbytes(16)) for _ in range(20_000))
    assert hits < 2 * 0.001 * 20_000


def test_full_filter_refuses_before_it_adds() -> None:
    list_filter = filled(numbered(10), capacity=10)
    image = list_filter.to_image()
    with pytest.raises(FilterFullError):
        list_filter.add(b"one too many....")
    assert list_filter.to_image() == image


def test_full_filter_still_takes_what_it_holds() -> None:
    list_filter = filled(numbered(10), capacity=10)
    list_filter.add_all(numbered(10))
    assert len(list_filter) == 10


def test_restored_filter_knows_how_full_it_is() -> None:
    with pytest.raises(FilterFullError):
        ListFilter.from_image(filled(numbered(10), capacity=10).to_image()).add(b"one too many....")


def test_any_altered_byte_is_refused() -> None:
    image = filled(numbered(10)).to_image()
    for place in range(len(image)):
        altered = bytearray(image)
        altered[place] ^= 1
        with pytest.raises(FilterCorruptError):
            ListFilter.from_image(bytes(altered))


@pytest.mark.parametrize("length", [0, 1, 31, 32, 80, 81, -1])
def test_cut_image_is_refused(length: int) -> None:
    with pytest.raises(FilterCorruptError):
        ListFilter.from_image(filled(numbered(10)).to_image()[:length])


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [
        pytest.param(0, "8s", b"LINTELF9", id="another format"),
        pytest.param(8, "d", 0.5, id="another error rate"),
        pytest.param(8, "d", 1.5, id="impossible error rate"),
        pytest.param(8, "d", float("nan"), id="error rate that is no number"),
        pytest.param(16, "Q", 0, id="no capacity"),
        pytest.param(16, "Q", 10, id="another capacity"),
        pytest.param(16, "Q", 2**60, id="a capacity that would eat the memory"),
        pytest.param(24, "Q", 62, id="more tokens than capacity"),
        pytest.param(48, "B", 2, id="shorter key id"),
        pytest.param(48, "B", 255, id="longer key id"),
    ],
)
def test_header_that_does_not_fit_the_bits_is_refused(offset: int, form: str, value: float | bytes) -> None:
    """The checksum is right: the image was written wrongly, not altered on the way."""
    body = bytearray(filled(numbered(10)).to_image()[:-32])
    struct.pack_into(f"<{form}", body, offset, value)
    with pytest.raises(FilterCorruptError):
        ListFilter.from_image(signed(bytes(body)))


def test_surplus_bits_are_refused() -> None:
    with pytest.raises(FilterCorruptError):
        ListFilter.from_image(signed(filled(numbered(10)).to_image()[:-32] + b"\0"))


def test_bits_of_a_library_that_hashes_otherwise_are_refused() -> None:
    """Such a filter would answer `absent` for everybody on the list."""
    image = filled([]).to_image()
    foreign = BloomFilter(61, 0.001)
    foreign.add("hashed otherwise")
    bits = foreign.bitarray.tobytes()
    with pytest.raises(FilterCorruptError, match="hashed otherwise"):
        ListFilter.from_image(signed(image[: -32 - len(bits)] + bits))
