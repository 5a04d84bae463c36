"""From answers to messages, with the texts that go with them.

Rules that hold here:
- NOT_RESTRICTED has neither basis, text, notice nor alternatives: never listed, lifted and exempt are the same bytes
  but for ids, version and time.
- The guest's notice goes into an answer that one guest's desk asked for, never into a batch.
"""

from __future__ import annotations

from typing import Final, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from gateway.access import Unit
from gateway.follower import Follower
from gateway.question import Answer, Clocks, Question
from lintel.v1 import answer_pb2 as pb
from lintel.v1.restriction_pb2 import GetListStatusResponse
from restriction.calendar import date_from_day, day_of
from restriction.decision import Advice, Decision, Outcome
from restriction.errors import NotReadyError
from restriction.notice import Paper, alternatives, desk_text, due_date, guest_notice, held_notice, reference_from

_FEN_PER_YUAN: Final = 100
_NANOS_PER_FEN: Final = 10_000_000
_NANOS_PER_SECOND: Final = 1_000_000_000
_TOLD: Final = frozenset({Outcome.RESTRICTED, Outcome.CAPPED})
_HELD: Final = frozenset({Advice.HOLD, Advice.MANUAL})


def write_answer(unit: Unit, question: Question, answer: Answer, *, with_notice: bool) -> pb.CheckResponse:
    """The message of an answer. `with_notice`: it is for one guest alone."""
    decision, announcement = answer.decision, answer.view.announcement
    response = pb.CheckResponse(
        request_id=question.request_id,
        decision_id=answer.decision_id,
        measure=cast("pb.Measure.ValueType", decision.measure),
        outcome=cast("pb.Outcome.ValueType", decision.outcome),
        advice=cast("pb.Advice.ValueType", decision.advice),
        list_version=announcement.state.version,
        list_as_of=Timestamp(seconds=announcement.as_of),
    )
    if decision.outcome is not Outcome.NOT_RESTRICTED:
        _explain(response, decision, question)
        _add_texts(response, unit, question, answer, with_notice=with_notice)
    return response


def list_status(follower: Follower, clocks: Clocks, build: str) -> GetListStatusResponse:
    """The message about the list in service, or about there being none."""
    now = Timestamp()
    now.FromNanoseconds(int(clocks.wall() * _NANOS_PER_SECOND))
    try:
        view = follower.current()
    except NotReadyError:
        return GetListStatusResponse(
            ready=False, not_ready_reason=follower.why_not_ready(), server_time=now, build=build
        )
    state, age = view.announcement.state, Duration()
    age.FromNanoseconds(int(view.age_s(clocks.monotonic()) * _NANOS_PER_SECOND))
    return GetListStatusResponse(
        version=state.version,
        as_of=Timestamp(seconds=view.announcement.as_of),
        age=age,
        record_count=state.count,
        digest=state.digest,
        epoch=state.list_id.epoch,
        ready=True,
        server_time=now,
        build=build,
    )


def _explain(response: pb.CheckResponse, decision: Decision, question: Question) -> None:
    if decision.reason is not None:
        response.reason = cast("pb.Reason.ValueType", decision.reason)
    if decision.cap_fen is not None:
        response.cap.CopyFrom(_money(decision.cap_fen))
    response.legal_basis.extend(decision.clauses)
    response.alternatives.extend(alternatives(question.product, question.language))


def _add_texts(
    response: pb.CheckResponse, unit: Unit, question: Question, answer: Answer, *, with_notice: bool
) -> None:
    decision, language, today = answer.decision, question.language, day_of(answer.at_s)
    reference = reference_from(answer.view.keys.unit_reference(answer.decision_id))
    paper = Paper(reference, date_from_day(today), unit.privacy_contact or unit.id)
    if decision.outcome in _TOLD:
        response.desk_text = desk_text(reference, language)
        text = guest_notice(question.product, decision, answer.view.parameters, paper, language)
    elif decision.advice in _HELD:
        text = held_notice(question.product, paper, unit.responsible_person or unit.id, due_date(today), language)
    else:
        return
    if with_notice:
        response.notice.CopyFrom(pb.Notice(reference=reference, text=text))


def _money(fen: int) -> Money:
    units, rest = divmod(fen, _FEN_PER_YUAN)
    return Money(currency_code="CNY", units=units, nanos=rest * _NANOS_PER_FEN)
