"""What callers install: values, errors and patience, without a server."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import EnumDescriptor

import lintel_client as sdk
from gateway.doors.grpc.errors_table import ROWS, status_of
from lintel.v1 import answer_pb2, document_pb2, product_pb2, restriction_pb2
from lintel_client import errors, products, values, wire
from lintel_client.connection import Connection
from lintel_client.patience import MAX_ATTEMPTS, Patience
from restriction.errors import FreshnessUnmetError, InvalidFieldError, OverloadedError

PYTHON = Path(sdk.__file__).parents[1]
DECISION = sdk.Decision(
    "r", "d", sdk.Measure.LODGE, sdk.Outcome.NOT_RESTRICTED, sdk.Advice.PROCEED, None, None, 1,
    dt.datetime(2026, 5, 5, tzinfo=dt.UTC),
)  # fmt: skip


def test_decision_refuses_to_be_a_condition_and_says_what_to_look_at() -> None:
    with pytest.raises(TypeError, match=r"may_proceed or \.outcome"):
        bool(DECISION)


def test_repr_tells_no_number_and_no_name() -> None:
    document = sdk.Document(sdk.DocumentType.PASSPORT, "P1234567", "UTO")
    asked = sdk.Question(document, "ANNA KELLER", sdk.Air(sdk.FlightKind.SCHEDULED), "B-1")
    notice = sdk.Notice("7K3M-9Q", "for the guest")
    for hidden in ("P1234567", "UTO", "KELLER", "B-1", "for the guest", "test_secret"):
        assert hidden not in repr((asked, notice, Connection("a", "test_secret")))


def _wire_enums() -> dict[str, EnumDescriptor]:
    found: dict[str, EnumDescriptor] = {}
    for module in (answer_pb2, document_pb2, product_pb2):
        found |= dict(module.DESCRIPTOR.enum_types_by_name)
    return found


@pytest.mark.parametrize("name", _wire_enums())
def test_enums_have_the_wire_names_and_numbers(name: str) -> None:
    wire_enum = _wire_enums()[name]
    prefix = wire_enum.values[0].name.removesuffix("UNSPECIFIED")
    ours: type[enum.IntEnum] = getattr(sdk, name)
    assert {member.name: member.value for member in ours} == {
        value.name.removeprefix(prefix): value.number for value in wire_enum.values if value.number
    }


@pytest.mark.parametrize("message", product_pb2.DESCRIPTOR.message_types_by_name.values(), ids=lambda m: m.name)
def test_products_have_the_wire_fields(message: object) -> None:
    fields = message.fields  # type: ignore[attr-defined]  # a message descriptor
    ours = [field.name.removesuffix("_fen") for field in dataclasses.fields(getattr(sdk, message.name))]  # type: ignore[attr-defined]
    assert ours == [field.name for field in fields]


def test_every_product_of_the_oneof_can_be_asked_about() -> None:
    members = restriction_pb2.CheckRequest.DESCRIPTOR.oneofs_by_name["product"].fields
    assert {field.message_type.name for field in members if field.message_type} == {
        kind.__name__ for kind in products.Product.__args__
    }


def test_amount_is_sent_in_yuan_and_nanos() -> None:
    document = sdk.Document(sdk.DocumentType.RESIDENT_ID, "1")
    asked = sdk.Question(document, "n", sdk.Resort(123_45, "resort-5a"), "b")
    sent = wire.request_of(asked).resort.amount
    assert (sent.currency_code, sent.units, sent.nanos) == ("CNY", 123, 450_000_000)
    assert not wire.request_of(asked).HasField("service_date")


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_table_is_mapped_back_with_its_reason(kind: type[Exception]) -> None:
    made: dict[type[Exception], Exception] = {
        InvalidFieldError: InvalidFieldError("document.number", "CHECK_DIGIT", "scan again"),
        FreshnessUnmetError: FreshnessUnmetError("older", list_version=4, list_age_s=9.5),
        OverloadedError: OverloadedError("busy", retry_after_s=0.25),
    }
    raised = made.get(kind) or kind.__new__(kind)
    status = status_of(raised)
    error = errors.from_status(status)
    assert error.reason
    assert set(error.failure.desk_texts) == {"en", "zh-CN"}
    assert (type(error) is sdk.GatewayFaultError) == (status.code == 13)
    if kind is InvalidFieldError:
        assert (error.field, error.failure.problem) == ("document.number", "CHECK_DIGIT")
    if kind is FreshnessUnmetError:
        assert error.failure.facts == {"list_version": "4", "list_age_s": "9.500"}
    if kind is OverloadedError:
        assert error.failure.retry_after_s == 0.25


def unreachable(retry_after_s: float | None = None) -> sdk.UnreachableError:
    return sdk.UnreachableError(sdk.Failure("no", retry_after_s=retry_after_s))


def test_waits_grow_and_end_after_the_last_attempt() -> None:
    patience = Patience(deadline_s=100)
    waits = [patience.wait_s(unreachable(), attempt, 0, 0.5) for attempt in range(1, MAX_ATTEMPTS + 1)]
    assert waits[-1] is None
    growing = [wait for wait in waits if wait is not None]
    assert growing == sorted(set(growing))


def test_no_wait_goes_beyond_the_deadline() -> None:
    assert Patience(deadline_s=1).wait_s(unreachable(2), 1, 0, 0) is None
    assert Patience(deadline_s=3).wait_s(unreachable(2), 1, 0, 0) == 2


def test_overload_without_retry_info_is_not_asked_again() -> None:
    assert Patience(deadline_s=9).wait_s(sdk.OverloadedError(sdk.Failure("no")), 1, 0, 0) is None


def test_call_is_never_given_less_than_it_needs_to_fail_by_itself() -> None:
    assert Patience(deadline_s=1).left_s(5) > 0


@pytest.mark.parametrize("missing", ["LINTEL_ADDRESS", "LINTEL_KEY"])
def test_missing_setting_is_named(missing: str) -> None:
    given = {"LINTEL_ADDRESS": "127.0.0.1:1", "LINTEL_KEY": "test_k"}
    del given[missing]
    with pytest.raises(sdk.SettingError, match=missing):
        Connection.from_env(given)


def test_client_is_made_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("not read before the first call", encoding="utf-8")
    monkeypatch.setenv("LINTEL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("LINTEL_KEY", "test_k")
    monkeypatch.setenv("LINTEL_CA_FILE", str(authority))
    with sdk.Client.from_env():
        assert Connection.from_env() == Connection("127.0.0.1:1", "test_k", authority)


def test_unreadable_ca_file_is_named_before_the_first_call(tmp_path: Path) -> None:
    with pytest.raises(sdk.SettingError, match="LINTEL_CA_FILE"):
        sdk.Client("127.0.0.1:1", key="test_k", ca_file=tmp_path / "none.pem")


def test_blocking_client_is_the_asynchronous_one_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run clients/python/unasync.py when this fails."""
    monkeypatch.syspath_prepend(str(PYTHON))
    import unasync  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - a script, found where it lies

    monkeypatch.setattr(sys, "argv", ["unasync.py", "--check"])
    assert unasync.main() == 0


def test_everything_public_is_exported() -> None:
    for module in (errors, products, values):
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                assert name in sdk.__all__


def test_an_insecure_flag_that_means_nothing_is_refused_by_name() -> None:
    with pytest.raises(sdk.SettingError, match="LINTEL_INSECURE"):
        Connection.from_env({"LINTEL_ADDRESS": "127.0.0.1:1", "LINTEL_KEY": "test_k", "LINTEL_INSECURE": "true"})
