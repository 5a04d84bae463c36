"""One table says what every error becomes, and the catalogue page is that table."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.rpc import code_pb2, error_details_pb2

from gateway.doors.grpc.errors_table import ROWS, catalogue, status_of
from restriction.errors import FitnessError, LintelError, OverloadedError, QuestionError

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {LintelError, QuestionError, FitnessError}


def classes(root: type[LintelError] = LintelError) -> set[type[LintelError]]:
    return {root}.union(*(classes(kind) for kind in root.__subclasses__())) - FAMILIES


@pytest.mark.parametrize("kind", sorted(classes(), key=str), ids=str)
def test_every_error_class_has_a_row_and_a_reason_of_its_own(kind: type[LintelError]) -> None:
    assert kind in ROWS, f"{kind.__name__}: give it a row in gateway/doors/grpc/errors_table.py"
    assert [other for other in classes() if other.reason == kind.reason] == [kind]


def test_every_row_speaks_both_languages() -> None:
    assert all(row.desk_en.isascii() and not row.desk_zh.isascii() for row in ROWS.values())


@pytest.mark.parametrize("kind", [k for k in classes() if issubclass(k, FitnessError)], ids=lambda k: k.__name__)
def test_what_is_for_the_operator_is_not_told_to_callers(kind: type[LintelError]) -> None:
    error = kind.__new__(kind)
    error.args = ("/secret/path",)
    assert "/secret/path" not in str(status_of(error))


def test_overload_says_when_to_come_back_and_which_limit_was_met() -> None:
    status = status_of(OverloadedError("256 calls are under way", retry_after_s=0.05))
    retry, quota = error_details_pb2.RetryInfo(), error_details_pb2.QuotaFailure()
    assert [detail.Unpack(retry) for detail in status.details].count(True) == 1
    assert [detail.Unpack(quota) for detail in status.details].count(True) == 1
    assert (status.code, retry.retry_delay.nanos) == (code_pb2.RESOURCE_EXHAUSTED, 50_000_000)


def test_unexpected_error_is_our_fault_and_its_message_is_not_told() -> None:
    status = status_of(ValueError("secret"), "i-1")
    assert status.code == code_pb2.INTERNAL
    assert "secret" not in str(status)
    assert "i-1" in str(status)


def test_catalogue_page_is_current() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert page == catalogue(), "run `lintel gateway errors > docs/errors.md`"
