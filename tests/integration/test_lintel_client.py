"""The SDK against a real gRPC server, blocking and asynchronous alike."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from google.type.money_pb2 import Money

import lintel_client as sdk
from lintel.v1 import answer_pb2 as pb
from lintel.v1 import restriction_pb2
from tests.fakes.scripted_gateway import AS_OF_S, Script, ScriptedGateway, answer, serving

Request = restriction_pb2.CheckRequest
T = TypeVar("T")
Asking = Callable[[str, sdk.Question, float], sdk.Decision]


def question(**more: Any) -> sdk.Question:
    document = sdk.Document(sdk.DocumentType.RESIDENT_ID, "010101194001010019")
    product = sdk.Lodging(4, sdk.RatingStatus.IN_FORCE, "hotel-4", emergency=False)
    return sdk.Question(document, "样本", product, "B-1", dt.date(2026, 5, 5), **more)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def ask_blocking(address: str, asked: sdk.Question, timeout_s: float) -> sdk.Decision:
    with sdk.Client(address, key="test_k", insecure=True) as client:
        return client.check(asked, timeout_s=timeout_s)


def ask_async(address: str, asked: sdk.Question, timeout_s: float) -> sdk.Decision:
    async def work() -> sdk.Decision:
        async with sdk.AsyncClient(address, key="test_k", insecure=True) as client:
            return await client.check(asked, timeout_s=timeout_s)

    return run(work())


@pytest.fixture(params=[ask_blocking, ask_async], ids=["blocking", "async"])
def ask(request: pytest.FixtureRequest) -> Asking:
    chosen: Asking = request.param
    return chosen


def failing(code: int, times: int, *details: Any) -> Script:
    """Fails so many times, then answers."""
    left = [times]

    def script(request: Request) -> pb.CheckResponse | status_pb2.Status:
        if not left[0]:
            return answer(request)
        left[0] -= 1
        status = status_pb2.Status(code=code, message="no")
        for detail in details:
            status.details.add().Pack(detail)
        return status

    return script


def test_question_arrives_whole_with_its_credential(ask: Asking) -> None:
    gateway = ScriptedGateway(answer)
    asked = question(at_least_version=3, max_list_age_s=1.5, language="en")
    with serving(gateway) as address:
        decision = ask(address, asked, 5)
    (request,) = gateway.asked
    assert gateway.credentials == ["Bearer test_k"]
    assert (request.request_id, request.name, request.booking_reference) == (asked.request_id, "样本", "B-1")
    assert (request.document.type, request.document.number) == (1, "010101194001010019")
    assert (request.service_date.year, request.service_date.month, request.service_date.day) == (2026, 5, 5)
    assert (request.at_least_version, request.max_list_age.nanos, request.language_code) == (3, 500_000_000, "en")
    assert (request.lodging.star_rating, request.lodging.HasField("emergency")) == (4, True)
    assert decision.may_proceed
    assert decision.list_version == 7
    assert decision.list_as_of == dt.datetime.fromtimestamp(AS_OF_S, dt.UTC)


def test_capped_and_noticed_answer_is_read_whole(ask: Asking) -> None:
    def script(request: Request) -> pb.CheckResponse:
        notice = pb.Notice(reference="7K3M-9Q", text="for the guest")
        cap = Money(currency_code="CNY", units=1000, nanos=500_000_000)
        return answer(request, "CAPPED", "DECLINE", cap=cap, notice=notice, legal_basis=["x"], alternatives=["y"])

    with serving(ScriptedGateway(script)) as address:
        decision = ask(address, question(), 5)
    assert (decision.outcome, decision.cap_fen) == (sdk.Outcome.CAPPED, 100_050)
    assert decision.notice == sdk.Notice("7K3M-9Q", "for the guest")
    assert (decision.legal_basis, decision.alternatives) == (("x",), ("y",))
    assert not decision.may_proceed


def test_unspecified_outcome_is_an_error_and_never_clear(ask: Asking) -> None:
    with (
        serving(ScriptedGateway(lambda request: pb.CheckResponse(request_id=request.request_id))) as address,
        pytest.raises(sdk.UnusableAnswerError),
    ):
        ask(address, question(), 5)


@pytest.mark.parametrize("field", ["outcome", "advice", "measure"])
def test_number_unknown_to_this_sdk_is_an_error(ask: Asking, field: str) -> None:
    def script(request: Request) -> pb.CheckResponse:
        said = answer(request)
        setattr(said, field, 99)
        return said

    with serving(ScriptedGateway(script)) as address, pytest.raises(sdk.UnusableAnswerError, match=field):
        ask(address, question(), 5)


def test_answer_to_another_question_is_an_error(ask: Asking) -> None:
    def script(request: Request) -> pb.CheckResponse:
        said = answer(request)
        said.request_id = "another"
        return said

    with serving(ScriptedGateway(script)) as address, pytest.raises(sdk.UnusableAnswerError, match="another"):
        ask(address, question(), 5)


def test_undetermined_without_a_reason_is_an_error(ask: Asking) -> None:
    with (
        serving(ScriptedGateway(lambda request: answer(request, "UNDETERMINED"))) as address,
        pytest.raises(sdk.UnusableAnswerError, match="reason"),
    ):
        ask(address, question(), 5)


@pytest.mark.parametrize("code", [code_pb2.UNAVAILABLE, code_pb2.CANCELLED], ids=["unavailable", "cancelled"])
def test_a_gateway_that_is_away_or_ending_is_asked_again(ask: Asking, code: int) -> None:
    gateway = ScriptedGateway(failing(code, 2))
    with serving(gateway) as address:
        assert ask(address, question(), 5).may_proceed
    assert len(gateway.asked) == 3
    assert len({request.request_id for request in gateway.asked}) == 1


def test_retry_info_is_honoured_within_the_deadline(ask: Asking) -> None:
    soon = error_details_pb2.RetryInfo(retry_delay=Duration(nanos=20_000_000))
    gateway = ScriptedGateway(failing(code_pb2.RESOURCE_EXHAUSTED, 1, soon))
    with serving(gateway) as address:
        assert ask(address, question(), 5).may_proceed
    assert len(gateway.asked) == 2


def test_retry_info_beyond_the_deadline_is_not_waited_for(ask: Asking) -> None:
    late = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=60))
    gateway = ScriptedGateway(failing(code_pb2.RESOURCE_EXHAUSTED, 1, late))
    with serving(gateway) as address, pytest.raises(sdk.OverloadedError) as raised:
        ask(address, question(), 2)
    assert raised.value.failure.retry_after_s == 60
    assert len(gateway.asked) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.INVALID_ARGUMENT, sdk.InvalidQuestionError),
        (code_pb2.PERMISSION_DENIED, sdk.NotPermittedError),
        (code_pb2.UNAUTHENTICATED, sdk.NotAuthenticatedError),
        (code_pb2.INTERNAL, sdk.GatewayFaultError),
        (code_pb2.RESOURCE_EXHAUSTED, sdk.OverloadedError),
        (code_pb2.DEADLINE_EXCEEDED, sdk.NoAnswerInTimeError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_asking_again_cannot_mend_is_raised_at_once(ask: Asking, code: int, kind: type[Exception]) -> None:
    gateway = ScriptedGateway(failing(code, 1))
    with serving(gateway) as address, pytest.raises(kind):
        ask(address, question(), 5)
    assert len(gateway.asked) == 1


def test_field_and_reason_of_an_error_are_carried(ask: Asking) -> None:
    info = error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="lintel")
    violation = error_details_pb2.BadRequest.FieldViolation(field="document.number", reason="CHECK_DIGIT")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    desk = error_details_pb2.LocalizedMessage(locale="en", message="Scan again.")
    gateway = ScriptedGateway(failing(code_pb2.INVALID_ARGUMENT, 1, info, bad, desk))
    with serving(gateway) as address, pytest.raises(sdk.InvalidQuestionError) as raised:
        ask(address, question(), 5)
    error = raised.value
    assert (error.reason, error.field, error.failure.problem) == ("INVALID_FIELD", "document.number", "CHECK_DIGIT")
    assert error.failure.desk_texts == {"en": "Scan again."}


def test_nobody_listening_is_told_within_the_timeout(ask: Asking) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises((sdk.UnreachableError, sdk.NoAnswerInTimeError)):
            ask(f"127.0.0.1:{unheard.getsockname()[1]}", question(), 1)


def test_batch_gives_a_decision_or_an_error_for_each_in_order() -> None:
    def script(request: Request) -> pb.CheckResponse | status_pb2.Status:
        if request.booking_reference == "bad":
            return status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="no")
        if request.booking_reference == "empty":
            return pb.CheckResponse(request_id=request.request_id)
        return answer(request)

    asked = [
        question(),
        *(sdk.Question(q.document, q.name, q.product, ref) for q in [question()] for ref in ("bad", "empty")),
    ]
    with serving(ScriptedGateway(script)) as address, sdk.Client(address, key="test_k", insecure=True) as client:
        good, bad, empty = client.batch_check(asked)
    assert isinstance(good, sdk.Decision)
    assert good.request_id == asked[0].request_id
    assert isinstance(bad, sdk.InvalidQuestionError)
    assert isinstance(empty, sdk.UnusableAnswerError)


def test_batch_of_another_length_is_an_error_for_all() -> None:
    gateway = ScriptedGateway(answer, reshape=lambda response: response.results.pop())
    with (
        serving(gateway) as address,
        sdk.Client(address, key="test_k", insecure=True) as client,
        pytest.raises(sdk.UnusableAnswerError, match="number of results"),
    ):
        client.batch_check([question(), question()])


def test_batch_result_without_answer_or_error_is_an_error() -> None:
    gateway = ScriptedGateway(answer, reshape=lambda response: response.results[0].Clear())
    with serving(gateway) as address, sdk.Client(address, key="test_k", insecure=True) as client:
        (only,) = client.batch_check([question()])
    assert isinstance(only, sdk.UnusableAnswerError)


def test_list_status_tells_version_and_age() -> None:
    async def work(address: str) -> sdk.ListStatus:
        async with sdk.AsyncClient(address, key="test_k", insecure=True) as client:
            return await client.list_status()

    with serving(ScriptedGateway(answer)) as address:
        status = run(work(address))
    assert (status.ready, status.version, status.age_s) == (True, 7, 3.0)
