"""Plain questions on the wire, and what came back held against the oracle.

A plain question is `tests.oracle.judge.Asked`: strings and numbers as a caller knows them.
An answer is right when it is the oracle's; an UNDETERMINED about us (stale list, store or ledger away) is neither right
nor wrong, and is counted apart; NOT_RESTRICTED for somebody listed, or RESTRICTED for somebody who is not, is wrong
whatever the fault.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.type import date_pb2, money_pb2

from lintel.v1 import answer_pb2, document_pb2, restriction_pb2
from tests.oracle.judge import Asked, Verdict

ABOUT_US: Final = frozenset({"STALE_LIST", "STORE_UNAVAILABLE", "LEDGER_UNAVAILABLE"})
_FEN: Final = "_fen"


class Finding(enum.Enum):
    """What an answer turned out to be."""

    RIGHT = "right"
    WRONG = "wrong"
    ABOUT_US = "undetermined about us"
    UNANSWERED = "unanswered"


def request_of(asked: Asked) -> restriction_pb2.CheckRequest:
    """The question as a message, with a request id of its own."""
    request = restriction_pb2.CheckRequest(
        request_id=str(uuid.uuid4()),
        document=document_pb2.Document(
            type=document_pb2.DocumentType.Value(f"DOCUMENT_TYPE_{asked.document_type}"),
            number=asked.number,
            issuing_country=asked.issuing_country,
        ),
        name=asked.name,
        booking_reference="load",
        service_date=_date(asked.service_date),
    )
    product = getattr(request, asked.product)
    product.SetInParent()
    for name, value in asked.fields.items():
        _put(product, name, value)
    return request


def finding(expected: Verdict, answer: answer_pb2.CheckResponse | grpc.StatusCode) -> Finding:
    """What this answer, or the code that came instead of one, is worth."""
    if isinstance(answer, grpc.StatusCode):
        if answer.name == expected.outcome:
            return Finding.RIGHT
        refused = answer in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED}
        return Finding.WRONG if refused else Finding.UNANSWERED
    outcome = answer_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_")
    reason = answer_pb2.Reason.Name(answer.reason).removeprefix("REASON_")
    if outcome == "UNDETERMINED" and reason in ABOUT_US:
        return Finding.ABOUT_US
    right = (
        outcome == expected.outcome
        and (not expected.reasons or reason in expected.reasons)
        and (expected.cap_fen is None or _fen_of(answer.cap) == expected.cap_fen)
    )
    return Finding.RIGHT if right else Finding.WRONG


def _put(product: Message, name: str, value: Any) -> None:  # noqa: ANN401 - plain values of any field
    if name.endswith(_FEN):
        getattr(product, name.removesuffix(_FEN)).CopyFrom(_money(value))
        return
    field = product.DESCRIPTOR.fields_by_name[name]
    if field.enum_type is not None:
        prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
        value = field.enum_type.values_by_name[prefix + value].number
    setattr(product, name, value)


def _money(fen: int) -> money_pb2.Money:
    yuan, rest = divmod(abs(fen), 100)
    sign = -1 if fen < 0 else 1
    return money_pb2.Money(currency_code="CNY", units=sign * yuan, nanos=sign * rest * 10_000_000)


def _fen_of(money: money_pb2.Money) -> int:
    return int(Decimal(money.units) * 100 + Decimal(money.nanos) / 10_000_000)


def _date(date: dt.date | None) -> date_pb2.Date | None:
    return None if date is None else date_pb2.Date(year=date.year, month=date.month, day=date.day)
