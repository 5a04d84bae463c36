"""One check on one screen, and the batch of them.

Rules that hold here:
- I1: RESTRICTED needs a record that the store gave in this call and whose fingerprint equals the question's.
- I11: whatever fails between question and answer gives UNDETERMINED or an error, never a clearance.
- I12: an answer decided from a matched record is recorded before it is given; reasons about us are not.
- Whatever can be wrong with a question is refused before the first look-up, for everybody alike.

It does not authenticate, count or phrase: access and doors do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gateway.access import Unit, permit
from gateway.question import Answer, Clocks, Question
from gateway.turns import in_turns
from gateway.views import View, Views
from ledger.journal import Journal, Told
from liststore.base import ListReader
from restriction.calendar import day_of
from restriction.decision import ABOUT_US, Circumstances, Decision, Match, Outcome, Reason, Sale, decide, undetermined
from restriction.errors import FreshnessUnmetError, LedgerUnavailableError, QuestionError, StoreUnavailableError
from restriction.identity import Identity, normalise
from restriction.measures import require_service_day, require_subject
from restriction.name import canonical_name
from restriction.record import decode


@dataclass(frozen=True, slots=True)
class Asked:
    """A permitted question on one view of the list, and what it comes to when no record matches."""

    view: View
    unit: Unit
    question: Question
    sale: Sale
    circumstances: Circumstances
    unmatched: Decision

    @property
    def is_settled(self) -> bool:
        """Whether no record can change the answer: a list too old to clear anybody is too old to restrict anybody."""
        return self.unmatched.outcome is not Outcome.NOT_RESTRICTED


@dataclass(frozen=True, slots=True)
class Possible:
    """A question of a batch whose token is possibly present; document and name are canonical."""

    asked: Asked
    identity: Identity
    name: str = field(repr=False)
    token: bytes = field(repr=False)


class Screener:
    """Answers questions from the list in service."""

    def __init__(
        self, views: Views, store: ListReader, journal: Journal, clocks: Clocks, decision_ids: Iterator[str]
    ) -> None:
        self._views = views
        self._store = store
        self._journal = journal
        self._clocks = clocks
        self._decision_ids = decision_ids

    async def check(self, unit: Unit, question: Question) -> Answer:
        """The answer to one question.

        Raises: NotReadyError, PurposeNotAllowedError, SandboxOnlyError, FreshnessUnmetError, InvalidFieldError.
        """
        asked = self._permit(unit, question, self._views.current())
        identity, name = _normalise(asked)
        token = asked.view.keys.token(identity)
        if asked.is_settled or asked.view.lacks(token):
            return self._record(asked, asked.unmatched)
        try:
            match = _match(asked.view, identity, name, await self._store.find(token, asked.view.announcement))
            decision = decide(match, asked.sale, asked.circumstances)
        except StoreUnavailableError:
            decision = undetermined(Reason.STORE_UNAVAILABLE, asked.sale, asked.circumstances)
        return self._record(asked, decision)

    async def check_many(self, unit: Unit, questions: Sequence[Question]) -> list[Answer | QuestionError]:
        """Answers on one view in the order of the questions, each an answer or its own error; one trip to the store.

        Raises: NotReadyError.
        """
        view = self._views.current()
        screened = [self._screened(unit, question, view) async for question in in_turns(questions)]
        possible = [each for each in screened if isinstance(each, Possible)]
        settled = iter(await self._settle(possible, view))
        return [next(settled) if isinstance(each, Possible) else each for each in screened]

    def _screened(self, unit: Unit, question: Question, view: View) -> Possible | Answer | QuestionError:
        """What `check` does before the store: an answer, an error, or a question that needs a record."""
        try:
            asked = self._permit(unit, question, view)
            identity, name = _normalise(asked)
        except QuestionError as error:
            return error
        token = view.keys.token(identity)
        if asked.is_settled or view.lacks(token):
            return self._record(asked, asked.unmatched)
        return Possible(asked, identity, name, token)

    async def _settle(self, possible: Sequence[Possible], view: View) -> list[Answer]:
        """What `check` does from the store on, for many."""
        if not possible:
            return []
        try:
            found = await self._store.find_many([each.token for each in possible], view.announcement)
        except StoreUnavailableError as error:
            found = [error] * len(possible)
        return [self._settled(each, record) async for each, record in in_turns(zip(possible, found, strict=True))]

    def _settled(self, possible: Possible, record: bytes | Exception | None) -> Answer:
        asked = possible.asked
        try:
            if isinstance(record, Exception):
                raise record
            match = _match(asked.view, possible.identity, possible.name, record)
            decision = decide(match, asked.sale, asked.circumstances)
        except StoreUnavailableError:
            decision = undetermined(Reason.STORE_UNAVAILABLE, asked.sale, asked.circumstances)
        return self._record(asked, decision)

    def _permit(self, unit: Unit, question: Question, view: View) -> Asked:
        """The question, let in by sector, mode, freshness and service day, in the order in which they may refuse."""
        now_s, age_s = self._clocks.wall(), view.age_s(self._clocks.monotonic())
        permit(unit, question.product, view)
        _require_freshness(question, view, age_s)
        require_service_day(question.product, question.service_day, day_of(now_s))
        sale = Sale(question.product, question.service_day)
        circumstances = Circumstances(now_s, unit.sector, view.parameters, age_s)
        return Asked(view, unit, question, sale, circumstances, decide(None, sale, circumstances))

    def _record(self, asked: Asked, decision: Decision) -> Answer:
        """The answer, recorded first (I12) when it says something about the subject."""
        decision_id = next(self._decision_ids)
        if decision.outcome is not Outcome.NOT_RESTRICTED and decision.reason not in ABOUT_US:
            try:
                self._journal.append(_told(asked, decision, decision_id))
            except LedgerUnavailableError:
                decision = undetermined(Reason.LEDGER_UNAVAILABLE, asked.sale, asked.circumstances)
        return Answer(decision_id, decision, asked.view, asked.circumstances.now_s)


def _normalise(asked: Asked) -> tuple[Identity, str]:
    """Whom the question is about: the canonical document and name. Raises: InvalidFieldError, SandboxOnlyError."""
    question = asked.question
    identity = normalise(question.document, asked.unit.mode, day_of(asked.circumstances.now_s))
    require_subject(question.product, is_unit=identity.is_unit)
    return identity, canonical_name(question.name)


def _match(view: View, identity: Identity, name: str, record_bytes: bytes | None) -> Match | None:
    """The record of exactly this identity. Raises: StoreUnavailableError when it is another's or no record at all."""
    if record_bytes is None:
        return None
    try:
        record = decode(record_bytes)
    except ValueError as error:
        raise StoreUnavailableError("record: not readable: reload the list") from error
    if record.fingerprint != view.keys.fingerprint(identity):
        raise StoreUnavailableError("record: its fingerprint is not the question's: a reply was crossed")
    return Match(record, view.keys.name(name), identity.weak)


def _require_freshness(question: Question, view: View, age_s: float) -> None:
    too_old = question.max_list_age_s is not None and age_s > question.max_list_age_s
    if too_old or view.version < question.at_least_version:
        raise FreshnessUnmetError(
            f"the list is at version {view.version}, {age_s:.1f} s old: ask again later, or ask for less",
            list_version=view.version,
            list_age_s=age_s,
        )


def _told(asked: Asked, decision: Decision, decision_id: str) -> Told:
    audit = asked.view.keys.audit
    return Told(
        time_ms=int(asked.circumstances.now_s * 1_000),
        unit=asked.unit.id,
        measure=int(decision.measure),
        outcome=int(decision.outcome),
        reason=int(decision.reason or 0),
        list_version=asked.view.version,
        entries=tuple(audit(ref.hex()) for ref in decision.entry_refs),
        booking=audit(asked.question.booking_reference),
        decision_id=decision_id,
    )
