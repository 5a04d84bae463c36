"""Between the SDK's values and the messages of `lintel.v1`.

An answer is believed only when it is whole: an outcome or advice that is unspecified or unknown, or an answer to
another question, raises `UnusableAnswerError` and is never taken for "not restricted".
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final, TypeVar, cast

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from lintel.v1 import answer_pb2, document_pb2, restriction_pb2
from lintel_client.errors import Failure, LintelClientError, UnusableAnswerError, from_status
from lintel_client.products import Product
from lintel_client.values import Advice, Decision, ListStatus, Measure, Notice, Outcome, Question, Reason

_FEN: Final = "_fen"
_FEN_PER_YUAN: Final = 100
_NANOS_PER_FEN: Final = 10_000_000
_PRODUCT_FIELDS: Final = {
    field.message_type.name: field.name
    for field in restriction_pb2.CheckRequest.DESCRIPTOR.oneofs_by_name["product"].fields
    if field.message_type is not None  # every member of this oneof is a message
}
# The number of a product's field in CheckRequest is that of its measure plus this.
_FIELD_NUMBERS_AFTER: Final = 20
_MEASURES: Final = {
    name: restriction_pb2.CheckRequest.DESCRIPTOR.fields_by_name[field].number - _FIELD_NUMBERS_AFTER
    for name, field in _PRODUCT_FIELDS.items()
}
N = TypeVar("N", bound=enum.IntEnum)


def request_of(question: Question) -> restriction_pb2.CheckRequest:
    """The message of a question."""
    document, date = question.document, question.service_date
    request = restriction_pb2.CheckRequest(
        request_id=question.request_id,
        document=document_pb2.Document(
            type=cast("document_pb2.DocumentType.ValueType", document.type.value),
            number=document.number,
            issuing_country=document.issuing_country,
        ),
        name=question.name,
        booking_reference=question.booking_reference,
        at_least_version=question.at_least_version,
        language_code=question.language,
        service_date=None if date is None else Date(year=date.year, month=date.month, day=date.day),
    )
    if question.max_list_age_s is not None:
        request.max_list_age.FromTimedelta(dt.timedelta(seconds=question.max_list_age_s))
    _write_product(getattr(request, _PRODUCT_FIELDS[type(question.product).__name__]), question.product)
    return request


def decision_of(question: Question, answer: answer_pb2.CheckResponse) -> Decision:
    """The decision in an answer to this question. Raises: UnusableAnswerError."""
    measure, outcome = _member(Measure, answer.measure), _member(Outcome, answer.outcome)
    if (answer.request_id, measure) != (question.request_id, _MEASURES[type(question.product).__name__]):
        raise _unusable("it belongs to another question")
    return Decision(
        request_id=answer.request_id,
        decision_id=answer.decision_id,
        measure=measure,
        outcome=outcome,
        advice=_member(Advice, answer.advice),
        reason=_member(Reason, answer.reason) if outcome is Outcome.UNDETERMINED else None,
        cap_fen=_fen(answer) if outcome is Outcome.CAPPED else None,
        list_version=answer.list_version,
        list_as_of=_instant(answer.list_as_of),
        legal_basis=tuple(answer.legal_basis),
        desk_text=answer.desk_text,
        notice=Notice(answer.notice.reference, answer.notice.text) if answer.HasField("notice") else None,
        alternatives=tuple(answer.alternatives),
    )


def batch_of(
    questions: Sequence[Question], response: restriction_pb2.BatchCheckResponse
) -> list[Decision | LintelClientError]:
    """One decision or error for each question, in order. Raises: UnusableAnswerError when their number differs."""
    if len(response.results) != len(questions):
        raise _unusable("its number of results is not that of the questions")
    return list(_results(questions, response))


def status_of(response: restriction_pb2.GetListStatusResponse) -> ListStatus:
    """The status in a response."""
    return ListStatus(
        ready=response.ready,
        not_ready_reason=response.not_ready_reason,
        version=response.version,
        as_of=_instant(response.as_of) if response.HasField("as_of") else None,
        age_s=response.age.ToTimedelta().total_seconds(),
        record_count=response.record_count,
        epoch=response.epoch,
        digest=response.digest,
        server_time=_instant(response.server_time),
        build=response.build,
    )


def _results(
    questions: Sequence[Question], response: restriction_pb2.BatchCheckResponse
) -> Iterator[Decision | LintelClientError]:
    for question, result in zip(questions, response.results, strict=True):
        kind = result.WhichOneof("result")
        try:
            if kind == "answer":
                yield decision_of(question, result.answer)
            else:
                yield from_status(result.error) if kind == "error" else _unusable("it is empty")
        except UnusableAnswerError as error:
            yield error


def _write_product(message: Message, product: Product) -> None:
    message.SetInParent()
    for field in fields(product):
        value = getattr(product, field.name)
        if field.name.endswith(_FEN):
            getattr(message, field.name.removesuffix(_FEN)).CopyFrom(_money(value))
        else:
            setattr(message, field.name, value)


def _money(fen: int) -> Money:
    yuan, rest = divmod(abs(fen), _FEN_PER_YUAN)
    sign = -1 if fen < 0 else 1
    return Money(currency_code="CNY", units=sign * yuan, nanos=sign * rest * _NANOS_PER_FEN)


def _fen(answer: answer_pb2.CheckResponse) -> int:
    cap = answer.cap
    if not answer.HasField("cap") or cap.currency_code != "CNY" or cap.nanos % _NANOS_PER_FEN:
        raise _unusable("it is capped without a cap in CNY")
    return cap.units * _FEN_PER_YUAN + cap.nanos // _NANOS_PER_FEN


def _member(kind: type[N], number: int) -> N:
    try:
        return kind(number)
    except ValueError:
        raise _unusable(f"its {kind.__name__.lower()} is unspecified or unknown to this version") from None


def _instant(timestamp: Timestamp) -> dt.datetime:
    return timestamp.ToDatetime(dt.UTC)


def _unusable(why: str) -> UnusableAnswerError:
    return UnusableAnswerError(Failure(f"the answer cannot be used: {why}", "ANSWER_UNUSABLE"))
