"""Sealed values: pages of additions join into exactly the history they cover."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liststore.base import Head
from liststore.sealed import TOKENS_PER_PAGE, Step, decode_head, encode_head, encode_pages, open_pages
from restriction.errors import GapError, StoreUnavailableError

KEY = bytes(range(32))
FIRST = [number.to_bytes(16, "big") for number in range(2 * TOKENS_PER_PAGE + 1)]
SECOND = [bytes(15) + b"x"]
HISTORY = [*encode_pages(KEY, Step(1, 0, 3), FIRST), *encode_pages(KEY, Step(1, 3, 4), SECOND)]


def joined(wanted: Step, pages: Iterable[bytes]) -> list[bytes]:
    return [token for page in open_pages(KEY, wanted, pages) for token in page]


def test_a_large_step_is_several_pages_and_an_empty_one_is_one() -> None:
    assert len(encode_pages(KEY, Step(1, 0, 3), FIRST)) == 3
    assert len(encode_pages(KEY, Step(1, 0, 3), [])) == 1


def test_consecutive_steps_join() -> None:
    assert joined(Step(1, 0, 4), HISTORY) == FIRST + SECOND


@pytest.mark.parametrize("lost", range(4))
def test_any_lost_page_is_a_gap(lost: int) -> None:
    with pytest.raises(GapError):
        joined(Step(1, 0, 4), HISTORY[:lost] + HISTORY[lost + 1 :])


def test_pages_out_of_order_are_a_gap() -> None:
    with pytest.raises(GapError):
        joined(Step(1, 0, 4), HISTORY[::-1])


def test_pages_of_another_generation_are_a_gap() -> None:
    with pytest.raises(GapError):
        joined(Step(2, 0, 4), HISTORY)


def test_an_altered_page_is_not_believed() -> None:
    with pytest.raises(StoreUnavailableError):
        joined(Step(1, 0, 4), [HISTORY[0][:-1] + b"!", *HISTORY[1:]])


NUMBERS = st.integers(0, 2**64 - 1)
HEADS = st.builds(
    Head, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.text(max_size=20), st.binary(min_size=32, max_size=32)
)  # fmt: skip


@given(HEADS, st.integers(0, 255))
def test_a_head_comes_back_as_it_was_sealed(head: Head, partition: int) -> None:
    assert decode_head(KEY, partition, encode_head(KEY, partition, head)) == head


@given(HEADS, HEADS)
def test_two_heads_share_bytes_only_when_they_are_equal(one: Head, other: Head) -> None:
    assert (encode_head(KEY, 0, one) == encode_head(KEY, 0, other)) == (one == other)


def test_a_head_of_another_schema_is_refused() -> None:
    head = Head(1, 1, 1, 1, "k1", bytes(32), schema=2)
    with pytest.raises(StoreUnavailableError, match="schema"):
        decode_head(KEY, 0, encode_head(KEY, 0, head))
