"""What a check comes to when list, store, journal and question are as they should be, and when they are not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.access import Unit
from gateway.question import Answer
from restriction.calendar import day_of
from restriction.decision import Advice, Outcome, Reason
from restriction.errors import (
    FreshnessUnmetError,
    InvalidFieldError,
    LintelError,
    NotReadyError,
    PurposeNotAllowedError,
    SandboxOnlyError,
    StoreUnavailableError,
)
from restriction.identity import Document, DocumentType, Mode
from restriction.measures import Measure, Sector
from restriction.products import (
    Air,
    CashValue,
    FlightKind,
    Insurance,
    Payer,
    PolicyAct,
    PremiumMode,
    SaleKind,
    Venue,
    VenueKind,
)
from restriction.record import encode
from tests.fakes.court import NOW, number
from tests.fakes.gateway import ALL_MEASURES, FOUR_STARS, HOTEL, KEYS, Desk, identity, question, record

LISTED, ALSO_LISTED, CLEAR = 1, 2, 3
INSURER = Unit("insurer-1", Sector.INSURER, Mode.SANDBOX, "")
ISSUED = Document(DocumentType.RESIDENT_ID, "11010519491231002X")  # the example of GB 11643
WALK_IN = Venue(SaleKind.WALK_IN, Payer.SELF, VenueKind.OTHER, 1, "V-1")
ANNUITY = Insurance(CashValue.SOME, 10_000_000, PremiumMode.ANNUAL, PolicyAct.NEW)


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    await made.open(LISTED, ALSO_LISTED)
    return made


def without_filter(desk: Desk) -> None:
    """Ask the store about everybody, as with a filter that always hits."""
    desk.follower._view = replace(desk.follower.current(), filter=None)  # noqa: SLF001 - the state that faults lead to


async def outcome_of(desk: Desk, sequence: int, **changes: Any) -> tuple[Outcome, Reason | None]:
    decision = (await desk.screener.check(HOTEL, question(sequence, **changes))).decision
    return decision.outcome, decision.reason


async def test_listed_person_is_restricted_and_the_answer_names_its_version(desk: Desk) -> None:
    answer = await desk.screener.check(HOTEL, question(LISTED))
    assert answer.decision.outcome is Outcome.RESTRICTED
    assert answer.decision.advice is Advice.DECLINE
    assert answer.view.version == 1


async def test_absent_person_is_clear_without_a_trip_to_the_store(desk: Desk) -> None:
    desk.reader.calls.clear()
    assert await outcome_of(desk, CLEAR) == (Outcome.NOT_RESTRICTED, None)
    assert desk.reader.calls == []


async def test_decision_ids_differ(desk: Desk) -> None:
    answers = [await desk.screener.check(HOTEL, question(CLEAR)) for _ in range(3)]
    assert len({answer.decision_id for answer in answers}) == 3


class TestI1:
    async def test_filter_that_always_hits_restricts_nobody_who_is_not_listed(self, desk: Desk) -> None:
        without_filter(desk)
        for sequence in range(CLEAR, CLEAR + 20):
            assert await outcome_of(desk, sequence) == (Outcome.NOT_RESTRICTED, None)

    async def test_record_of_somebody_else_is_no_match_but_a_store_that_is_not_fit(self, desk: Desk) -> None:
        without_filter(desk)
        desk.reader.replies["find"] = encode(record(identity(LISTED)))
        assert await outcome_of(desk, CLEAR) == (Outcome.UNDETERMINED, Reason.STORE_UNAVAILABLE)
        assert desk.told() == []

    async def test_crossed_record_in_a_batch_is_no_match_either(self, desk: Desk) -> None:
        without_filter(desk)
        desk.reader.replies["find_many"] = [encode(record(identity(LISTED))), None]
        answers = await desk.screener.check_many(HOTEL, [question(CLEAR), question(CLEAR + 1)])
        assert [outcome(answer) for answer in answers] == [Outcome.UNDETERMINED, Outcome.NOT_RESTRICTED]

    async def test_another_name_leaves_it_undetermined(self, desk: Desk) -> None:
        assert await outcome_of(desk, LISTED, name="别名") == (Outcome.UNDETERMINED, Reason.IDENTITY_MISMATCH)

    async def test_fifteen_digits_leave_it_undetermined(self, desk: Desk) -> None:
        short = number(LISTED)
        document = Document(DocumentType.RESIDENT_ID_15, short[:6] + short[8:17])
        assert await outcome_of(desk, LISTED, document=document) == (Outcome.UNDETERMINED, Reason.WEAK_DOCUMENT)

    async def test_other_measure_than_granted_is_clear(self, desk: Desk) -> None:
        others = ALL_MEASURES ^ (1 << Measure.LODGE)
        await desk.list.change({identity(LISTED): record(identity(LISTED), measures=others)})
        await desk.follower.advance()
        assert await outcome_of(desk, LISTED) == (Outcome.NOT_RESTRICTED, None)

    async def test_record_that_is_no_record_is_a_store_that_is_not_fit(self, desk: Desk) -> None:
        desk.reader.replies["find"] = b"\xff\xff"
        assert await outcome_of(desk, LISTED) == (Outcome.UNDETERMINED, Reason.STORE_UNAVAILABLE)


async def test_lift_is_in_effect_at_commit_before_it_is_announced(desk: Desk) -> None:
    await desk.list.announce_later({identity(LISTED): None})
    assert await outcome_of(desk, LISTED) == (Outcome.NOT_RESTRICTED, None)


class TestI12:
    async def test_restricted_is_on_file_before_the_answer_is_given(self, desk: Desk) -> None:
        answer = await desk.screener.check(HOTEL, question(LISTED))
        (told,) = desk.told()
        assert told.decision_id == answer.decision_id
        assert (told.unit, told.measure, told.outcome, told.reason) == ("hotel-1", Measure.LODGE, Outcome.RESTRICTED, 0)
        assert (told.time_ms, told.list_version) == (NOW * 1_000, 1)
        assert told.booking == KEYS.audit("booking-1")
        assert told.entries == (KEYS.audit(bytes(8).hex()),)

    async def test_doubt_about_the_subject_is_on_file(self, desk: Desk) -> None:
        await outcome_of(desk, LISTED, name="别名")
        assert [(told.outcome, told.reason) for told in desk.told()] == [
            (Outcome.UNDETERMINED, Reason.IDENTITY_MISMATCH)
        ]

    async def test_every_answer_of_a_batch_is_on_file(self, desk: Desk) -> None:
        answers = await desk.screener.check_many(HOTEL, [question(LISTED), question(CLEAR), question(ALSO_LISTED)])
        given = [answer for answer in answers if isinstance(answer, Answer)]
        restricted = [answer.decision_id for answer in given if answer.decision.outcome is Outcome.RESTRICTED]
        assert [told.decision_id for told in desk.told()] == restricted

    async def test_clear_and_reasons_about_us_leave_nothing(self, desk: Desk) -> None:
        await outcome_of(desk, CLEAR)
        desk.reader.failing["find"] = StoreUnavailableError("away")
        await outcome_of(desk, LISTED)
        desk.pass_time(90_000)
        await outcome_of(desk, LISTED)
        assert list(desk.home.glob("*.journal")) == []

    async def test_unwritable_journal_withholds_what_was_matched(self, desk: Desk) -> None:
        desk.home.joinpath("journal-1.journal").write_bytes(b"")  # somebody has our name: the file cannot be begun
        assert await outcome_of(desk, LISTED) == (Outcome.UNDETERMINED, Reason.LEDGER_UNAVAILABLE)
        assert await outcome_of(desk, CLEAR) == (Outcome.NOT_RESTRICTED, None)


class TestFailPolicy:
    async def test_store_away_clears_whom_the_filter_lacks_and_nobody_else(self, desk: Desk) -> None:
        desk.reader.failing["find"] = StoreUnavailableError("away")
        assert await outcome_of(desk, CLEAR) == (Outcome.NOT_RESTRICTED, None)
        assert await outcome_of(desk, LISTED) == (Outcome.UNDETERMINED, Reason.STORE_UNAVAILABLE)

    @pytest.mark.parametrize("spoil", ["bucket lost", "bucket altered", "head lost", "head behind"])
    async def test_store_that_is_not_whole_clears_nobody(self, desk: Desk, spoil: str) -> None:
        spoil_store(desk, spoil, KEYS.token(identity(LISTED)))
        assert await outcome_of(desk, LISTED) == (Outcome.UNDETERMINED, Reason.STORE_UNAVAILABLE)

    async def test_without_filter_everybody_is_asked_of_the_store(self, desk: Desk) -> None:
        without_filter(desk)
        assert await outcome_of(desk, LISTED) == (Outcome.RESTRICTED, None)
        assert await outcome_of(desk, CLEAR) == (Outcome.NOT_RESTRICTED, None)
        assert desk.reader.calls.count("find") == 2

    async def test_without_filter_and_store_nobody_is_cleared(self, desk: Desk) -> None:
        without_filter(desk)
        desk.reader.failing["find"] = StoreUnavailableError("away")
        assert await outcome_of(desk, CLEAR) == (Outcome.UNDETERMINED, Reason.STORE_UNAVAILABLE)

    @pytest.mark.parametrize("sequence", [LISTED, CLEAR], ids=["listed", "absent"])
    async def test_list_past_its_limit_answers_nobody(self, desk: Desk, sequence: int) -> None:
        desk.pass_time(86_400)
        await desk.screener.check(HOTEL, question(sequence))
        desk.pass_time(1)
        desk.reader.failing["find"] = StoreUnavailableError("away")
        expected = (Outcome.UNDETERMINED, Reason.STALE_LIST)
        assert await outcome_of(desk, sequence, service_day=day_of(desk.wall())) == expected

    async def test_age_grows_even_while_the_wall_clock_is_set_back(self, desk: Desk) -> None:
        desk.monotonic.advance(86_401)
        assert await outcome_of(desk, CLEAR) == (Outcome.UNDETERMINED, Reason.STALE_LIST)

    async def test_nothing_loaded_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(NotReadyError):
            await Desk(tmp_path).screener.check(HOTEL, question(CLEAR))


class TestI11:
    @pytest.mark.parametrize(
        "fault", [RuntimeError("x"), TimeoutError(), OSError(), asyncio.CancelledError(), KeyError("x")], ids=repr
    )
    @pytest.mark.parametrize("sequence", [LISTED, CLEAR], ids=["listed", "absent"])
    async def test_fault_at_the_store_is_never_an_answer(self, desk: Desk, fault: BaseException, sequence: int) -> None:
        without_filter(desk)
        desk.reader.failing |= {"find": fault, "find_many": fault}
        with pytest.raises(type(fault)):
            await desk.screener.check(HOTEL, question(sequence))
        with pytest.raises(type(fault)):
            await desk.screener.check_many(HOTEL, [question(sequence)])

    async def test_reply_that_is_too_short_is_never_an_answer(self, desk: Desk) -> None:
        desk.reader.replies["find_many"] = [None]
        with pytest.raises(ValueError, match="shorter"):
            await desk.screener.check_many(HOTEL, [question(LISTED), question(ALSO_LISTED)])

    async def test_unknown_fault_of_one_bucket_is_never_an_answer(self, desk: Desk) -> None:
        desk.reader.replies["find_many"] = [RuntimeError("x")]
        with pytest.raises(RuntimeError):
            await desk.screener.check_many(HOTEL, [question(LISTED)])


class TestRefusals:
    @pytest.mark.parametrize(
        ("unit", "changes", "error"),
        [
            (replace(HOTEL, sector=Sector.RAIL), {}, PurposeNotAllowedError),
            (replace(HOTEL, establishments=frozenset({"H-2"})), {}, PurposeNotAllowedError),
            (replace(HOTEL, mode=Mode.LIVE), {"document": ISSUED}, SandboxOnlyError),
            (replace(HOTEL, mode=Mode.LIVE), {}, SandboxOnlyError),
            (HOTEL, {"document": ISSUED}, SandboxOnlyError),
            (HOTEL, {"product": WALK_IN}, PurposeNotAllowedError),
            (HOTEL, {"service_day": None}, InvalidFieldError),
            (HOTEL, {"service_day": day_of(NOW) - 2}, InvalidFieldError),
            (HOTEL, {"service_day": day_of(NOW) + 367}, InvalidFieldError),
            (HOTEL, {"name": "  "}, InvalidFieldError),
            (HOTEL, {"document": Document(DocumentType.RESIDENT_ID, "1")}, InvalidFieldError),
            (HOTEL, {"document": Document(DocumentType.ORGANISATION_CODE, "00000000A")}, InvalidFieldError),
            (HOTEL, {"at_least_version": 2}, FreshnessUnmetError),
        ],
        ids=[
            "sector", "establishment", "live unit and identity on sandbox list", "live unit on sandbox list",
            "live identity", "walk-in", "no service date",
            "past service date", "far service date", "no name", "bad number", "company as a guest", "later version",
        ],
    )  # fmt: skip
    async def test_is_refused_before_any_look_up(
        self, desk: Desk, unit: Unit, changes: dict[str, Any], error: type[LintelError]
    ) -> None:
        without_filter(desk)
        desk.reader.calls.clear()
        with pytest.raises(error) as refused:
            await desk.screener.check(unit, question(LISTED, **changes))
        assert desk.reader.calls == []
        assert number(LISTED) not in str(refused.value)

    async def test_establishment_of_the_unit_is_let_in(self, desk: Desk) -> None:
        unit = replace(HOTEL, establishments=frozenset({FOUR_STARS.establishment_id.swapcase()}))
        assert (await desk.screener.check(unit, question(LISTED))).decision.outcome is Outcome.RESTRICTED

    async def test_sale_without_establishment_is_let_in(self, desk: Desk) -> None:
        unit = replace(HOTEL, sector=Sector.AIRLINE, establishments=frozenset({"H-2"}))
        answer = await desk.screener.check(unit, question(LISTED, Air(FlightKind.SCHEDULED)))
        assert answer.decision.outcome is Outcome.RESTRICTED

    async def test_list_older_than_asked_for_is_refused_with_its_age(self, desk: Desk) -> None:
        desk.pass_time(31)
        await desk.screener.check(HOTEL, question(CLEAR, max_list_age_s=31.0))
        with pytest.raises(FreshnessUnmetError) as refused:
            await desk.screener.check(HOTEL, question(CLEAR, max_list_age_s=30.0))
        assert (refused.value.list_version, refused.value.list_age_s) == (1, 31.0)

    async def test_product_without_service_date_is_judged_today(self, desk: Desk) -> None:
        answer = await desk.screener.check(INSURER, question(LISTED, ANNUITY, service_day=None))
        assert answer.decision.reason is Reason.PARAMETER_UNSET


class TestBatch:
    async def test_answers_keep_their_order_and_each_error_its_place(self, desk: Desk) -> None:
        unnamed, last = question(LISTED, name=""), question(ALSO_LISTED)
        asked = [question(CLEAR), unnamed, question(LISTED), question(CLEAR + 1), last]
        answers = await desk.screener.check_many(HOTEL, asked)
        assert [outcome(answer) for answer in answers] == [
            Outcome.NOT_RESTRICTED, InvalidFieldError, Outcome.RESTRICTED, Outcome.NOT_RESTRICTED, Outcome.RESTRICTED,
        ]  # fmt: skip

    async def test_makes_one_trip_for_all_possible_hits_and_none_without(self, desk: Desk) -> None:
        desk.reader.calls.clear()
        await desk.screener.check_many(HOTEL, [question(LISTED), question(CLEAR), question(ALSO_LISTED)])
        await desk.screener.check_many(HOTEL, [question(CLEAR)])
        assert desk.reader.calls == ["find_many"]

    async def test_bucket_that_is_not_fit_spoils_its_own_answer_only(self, desk: Desk) -> None:
        spoil_store(desk, "bucket lost", KEYS.token(identity(LISTED)))
        answers = await desk.screener.check_many(HOTEL, [question(LISTED), question(ALSO_LISTED)])
        assert [outcome(answer) for answer in answers] == [Outcome.UNDETERMINED, Outcome.RESTRICTED]

    async def test_store_away_leaves_all_possible_hits_undetermined(self, desk: Desk) -> None:
        desk.reader.failing["find_many"] = StoreUnavailableError("away")
        answers = await desk.screener.check_many(HOTEL, [question(LISTED), question(CLEAR), question(ALSO_LISTED)])
        assert [outcome(answer) for answer in answers] == [
            Outcome.UNDETERMINED, Outcome.NOT_RESTRICTED, Outcome.UNDETERMINED,
        ]  # fmt: skip


def outcome(answer: Answer | LintelError) -> Outcome | type[LintelError]:
    return answer.decision.outcome if isinstance(answer, Answer) else type(answer)


def spoil_store(desk: Desk, how: str, token: bytes) -> None:
    """Lose or alter what the store holds about one token."""
    cells = desk.memory.keyspace.cells
    head, bucket = f"lintel:{{p{token[0]:02x}}}:1:head", f"lintel:{{p{token[0]:02x}}}:1:0"
    match how:
        case "bucket lost":
            del cells[bucket]
        case "bucket altered":
            cells[bucket] = cells[bucket][:-1] + bytes([cells[bucket][-1] ^ 1])
        case "head lost":
            del cells[head]
        case "head behind":
            view = desk.follower.current()
            ahead = replace(view.announcement, state=replace(view.announcement.state, version=2))
            desk.follower._view = replace(view, announcement=ahead)  # noqa: SLF001 - as before a failover
