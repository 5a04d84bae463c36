"""What every door answers, refuses and never says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from lintel.v1 import answer_pb2 as answers
from lintel.v1 import document_pb2 as documents
from lintel.v1 import product_pb2 as products
from lintel.v1 import restriction_pb2 as pb
from restriction.calendar import Span, day_of
from restriction.errors import StoreUnavailableError
from restriction.measures import Sector
from restriction.parameters import Parameters
from restriction.record import Exemption
from tests.fakes.court import NOW, number
from tests.fakes.doors import CLEAR, KEYS_OF, LISTED, Door, House, Refusal, check_request
from tests.fakes.gateway import ALL_MEASURES, NAME, identity, record

SECRETS: Final = (number(LISTED), NAME, "佚名氏", "G22334455", "booking-secret")


async def test_listed_guest_is_declined_with_basis_notice_and_alternatives(door: Door) -> None:
    answer = await door.check(check_request(LISTED, language_code="en"))
    assert (answer.outcome, answer.advice) == (answers.OUTCOME_RESTRICTED, answers.ADVICE_DECLINE)
    assert (answer.measure, answer.reason) == (answers.MEASURE_LODGE, answers.REASON_UNSPECIFIED)
    assert list(answer.legal_basis) == ["二(七)2"]
    assert answer.notice.reference in answer.notice.text
    assert answer.notice.reference in answer.desk_text
    assert "0759-1" in answer.notice.text
    assert answer.alternatives
    assert NAME not in str(answer)


async def test_reference_can_be_read_over_a_telephone(door: Door) -> None:
    answer = await door.check(check_request(LISTED))
    assert len(answer.notice.reference) == 7
    assert answer.notice.reference[4] == "-"


async def test_texts_are_chinese_unless_asked_otherwise(door: Door) -> None:
    assert "告知单" in (await door.check(check_request(LISTED))).notice.text
    assert "告知单" in (await door.check(check_request(LISTED, language_code="zh-CN"))).notice.text


async def test_clear_guest_gets_nothing_but_the_answer(door: Door) -> None:
    answer = await door.check(check_request(CLEAR))
    assert {field.name for field, _ in answer.ListFields()} == {
        "request_id", "decision_id", "measure", "outcome", "advice", "list_version", "list_as_of",
    }  # fmt: skip
    assert (answer.outcome, answer.advice) == (answers.OUTCOME_NOT_RESTRICTED, answers.ADVICE_PROCEED)
    assert (answer.list_version, answer.list_as_of.seconds) == (1, NOW)
    assert answer.request_id == check_request().request_id


async def test_never_listed_lifted_and_exempt_are_the_same_bytes(door: Door, house: House) -> None:
    day = day_of(NOW)
    exempt = record(identity(LISTED), exemptions=(Exemption(ALL_MEASURES, Span(day, day + 1)),))
    await house.desk.list.change({identity(LISTED): exempt, identity(LISTED + 1): None})
    await house.desk.follower.advance()
    given = [await door.check(check_request(sequence)) for sequence in (CLEAR, LISTED, LISTED + 1)]
    for answer in given:
        answer.decision_id = ""
    assert len({answer.SerializeToString() for answer in given}) == 1
    assert given[0].outcome == answers.OUTCOME_NOT_RESTRICTED


async def test_doubt_that_is_held_gives_the_held_notice(door: Door) -> None:
    request = check_request(LISTED, name="别名")
    request.air.flight_kind = products.FLIGHT_KIND_SCHEDULED
    answer = await door.check(request, KEYS_OF[Sector.AIRLINE])
    assert (answer.reason, answer.advice) == (answers.REASON_IDENTITY_MISMATCH, answers.ADVICE_HOLD)
    assert "值班经理" in answer.notice.text
    assert answer.desk_text == ""


async def test_doubt_that_proceeds_has_no_notice(door: Door) -> None:
    answer = await door.check(check_request(LISTED, name="别名"))
    assert (answer.reason, answer.advice) == (answers.REASON_IDENTITY_MISMATCH, answers.ADVICE_PROCEED)
    assert not answer.HasField("notice")


async def test_cap_is_told_in_whole_fen(door: Door, house: House) -> None:
    parameters = parameters_with(RESORT_LIST={"R-1": "GRADED_RESORT"}, RESORT_CAP="1000.50")
    await house.desk.writer.put_parameters(parameters)
    await house.desk.list.change({})
    await house.desk.follower.advance()
    request = check_request(LISTED)
    request.resort.amount.CopyFrom(Money(currency_code="CNY", units=3_000))
    request.resort.establishment_id = "R-1"
    answer = await door.check(request, KEYS_OF[Sector.RESORT])
    assert answer.outcome == answers.OUTCOME_CAPPED
    assert (answer.cap.currency_code, answer.cap.units, answer.cap.nanos) == ("CNY", 1_000, 500_000_000)
    assert "1000.50" in answer.notice.text


def parameters_with(**values: Any) -> bytes:
    top = {"version": 1, "date": "2026-01-01", "authority": "court", "values": values}
    return Parameters.parse(top).to_bytes()


class TestBatch:
    async def test_results_keep_their_order_each_an_answer_or_its_own_error(self, door: Door) -> None:
        masked, unnamed = check_request(LISTED, name="*"), check_request(CLEAR + 1, request_id="x")
        checks = [check_request(CLEAR), masked, check_request(LISTED), unnamed]
        results = (await door.batch(pb.BatchCheckRequest(checks=checks))).results
        assert [result.WhichOneof("result") for result in results] == ["answer", "error", "answer", "error"]
        assert results[2].answer.outcome == answers.OUTCOME_RESTRICTED
        assert Refusal("", results[1].error).field_and_problem == ("name", "MASKED")
        assert Refusal("", results[3].error).field_and_problem == ("request_id", "MALFORMED")

    async def test_holds_no_notice(self, door: Door) -> None:
        results = (await door.batch(pb.BatchCheckRequest(checks=[check_request(LISTED)]))).results
        assert not results[0].answer.HasField("notice")
        assert results[0].answer.alternatives

    async def test_of_a_thousand_is_answered_and_of_more_refused(self, door: Door) -> None:
        checks = [check_request(LISTED if number % 100 == 0 else 10 + number) for number in range(900)]
        results = (await door.batch(pb.BatchCheckRequest(checks=checks + checks[:100]))).results
        told = [index for index, result in enumerate(results) if result.answer.outcome == answers.OUTCOME_RESTRICTED]
        assert told == list(range(0, 1_000, 100))
        with pytest.raises(Refusal) as refused:
            await door.batch(pb.BatchCheckRequest(checks=checks + checks[:101]))
        assert refused.value.field_and_problem == ("checks", "TOO_LONG")

    async def test_without_checks_is_refused(self, door: Door) -> None:
        with pytest.raises(Refusal) as refused:
            await door.batch(pb.BatchCheckRequest())
        assert (refused.value.code, refused.value.field_and_problem) == ("INVALID_ARGUMENT", ("checks", "MISSING"))


class TestStatus:
    async def test_tells_the_list_in_service(self, door: Door, house: House) -> None:
        house.desk.pass_time(2.5)
        status = await door.status()
        assert (status.ready, status.version, status.epoch, status.record_count) == (True, 1, 1, 2)
        assert (status.as_of.seconds, status.age.seconds, status.age.nanos) == (NOW, 2, 500_000_000)
        assert len(status.digest) == 32
        assert status.server_time.seconds == NOW + 2
        assert (status.build, status.not_ready_reason) == ("test", "")


# Messages take enum values by number here, bare as an old caller may send them: hence each `arg-type` below.
@dataclass(frozen=True)
class Bad:
    """A question that is refused: the change that spoils it, and what is said."""

    field: str
    problem: str
    change: dict[str, Any]
    sector: Sector = Sector.HOTEL


def document(number_: str, kind: int = documents.DOCUMENT_TYPE_RESIDENT_ID, country: str = "") -> dict[str, Any]:
    return {"document": documents.Document(type=kind, number=number_, issuing_country=country)}  # type: ignore[arg-type]


def money(units: int = 0, nanos: int = 0, currency: str = "CNY") -> Money:
    return Money(currency_code=currency, units=units, nanos=nanos)


def lodging(**fields: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "star_rating": 4,
        "rating_status": 2,
        "establishment_id": "H-1",
        "emergency": False,
    } | fields
    return {"lodging": products.Lodging(**{name: value for name, value in whole.items() if value is not None})}


def rail(train: str | None, seat: int) -> dict[str, Any]:
    return {"rail": products.Rail(train_number=train, seat_class=seat)}  # type: ignore[arg-type]


def venue(**fields: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"sale_kind": 1, "payer": 1, "venue_kind": 3, "amount": money(1), "establishment_id": "V-1"}
    whole |= fields
    return {"venue": products.Venue(**{name: value for name, value in whole.items() if value is not None})}


def insurance(premium: Money | None) -> dict[str, Any]:
    policy = products.Insurance(cash_value=2, premium_mode=1, policy_act=1)  # type: ignore[arg-type]
    if premium is not None:
        policy.premium.CopyFrom(premium)
    return {"insurance": policy}


def dated(year: int, month: int, day: int) -> dict[str, Any]:
    return {"service_date": Date(year=year, month=month, day=day)}


AIRLINE, RAIL, AGENCY, SCHOOL = Sector.AIRLINE, Sector.RAIL, Sector.TRAVEL_AGENCY, Sector.PRIVATE_SCHOOL
REGISTRY, DEALER, HOUSING = Sector.PROPERTY_REGISTRY, Sector.CAR_DEALER, Sector.HOUSING
BAD: Final = (
    Bad("request_id", "MISSING", {"request_id": ""}),
    Bad("request_id", "MALFORMED", {"request_id": "17"}),
    Bad("request_id", "MALFORMED", {"request_id": "6e2a7c1e3b1f4f0e9a550d6f3f0a1b2c"}),
    Bad("request_id", "MALFORMED", {"request_id": "6e2a7c1e-3b1f-4f0e-9a55-0d6f3f0a1b2g"}),
    Bad("request_id", "MALFORMED", {"request_id": "6e2a7c1e-3b1f-4f0e-9a55-0d6f3f0a1b2c\n"}),
    Bad("document.type", "MISSING", document(number(LISTED), 0)),
    Bad("document.type", "UNKNOWN", document(number(LISTED), 99)),
    Bad("document.number", "EMPTY", document("")),
    Bad("document.number", "EMPTY", document(" - ")),
    Bad("document.number", "MALFORMED", document("佚名氏")),
    Bad("document.number", "MALFORMED", document(number(LISTED)[:17])),
    Bad("document.number", "MALFORMED", document(number(LISTED) + "1")),
    Bad("document.number", "TOO_LONG", document("1" * 65)),
    Bad("document.number", "MASKED", document("010101********0015")),
    Bad("document.number", "CHECK_DIGIT", document(number(LISTED)[:17] + ("1" if number(LISTED)[17] != "1" else "2"))),
    Bad("document.number", "IMPOSSIBLE_BIRTH_DATE", document("010101198002300018")),
    Bad("document.number", "FUTURE_BIRTH_DATE", document("010101209901010013")),
    Bad("document.issuing_country", "NOT_APPLICABLE", document(number(LISTED), 1, "CHN")),
    Bad("document.issuing_country", "MISSING", document("G22334455", 7)),
    Bad("document.issuing_country", "UNKNOWN", document("G22334455", 7, "CH")),
    Bad("document.type", "UNIT_NOT_APPLICABLE", document("00000000A", 9)),
    Bad("name", "EMPTY", {"name": ""}),
    Bad("name", "EMPTY", {"name": "　"}),
    Bad("name", "MASKED", {"name": "张*"}),
    Bad("name", "TOO_LONG", {"name": "佚" * 201}),
    Bad("name", "MALFORMED", {"name": "佚\x00名氏"}),
    Bad("booking_reference", "MISSING", {"booking_reference": ""}),
    Bad("booking_reference", "MALFORMED", {"booking_reference": "b" * 65}),
    Bad("booking_reference", "MALFORMED", {"booking_reference": "booking-secret\n"}),
    Bad("booking_reference", "LOOKS_LIKE_A_DOCUMENT", {"booking_reference": number(LISTED)}),
    Bad("booking_reference", "LOOKS_LIKE_A_DOCUMENT", {"booking_reference": "room 12, 110105-19491231-002X"}),
    Bad("booking_reference", "LOOKS_LIKE_A_DOCUMENT", {"booking_reference": "110105491231002"}),
    Bad(
        "booking_reference", "LOOKS_LIKE_A_DOCUMENT",
        {"booking_reference": "of G22334455"} | document("G22334455", 7, "UTO"),
    ),
    Bad("language_code", "UNKNOWN", {"language_code": "fr"}),
    Bad("language_code", "UNKNOWN", {"language_code": "zh"}),
    Bad("service_date", "MISSING", {"service_date": None}),
    Bad("service_date", "IMPOSSIBLE", dated(0, 0, 0)),
    Bad("service_date", "IMPOSSIBLE", dated(2026, 5, 0)),
    Bad("service_date", "IMPOSSIBLE", dated(0, 5, 15)),
    Bad("service_date", "IMPOSSIBLE", dated(2026, 2, 30)),
    Bad("service_date", "IMPOSSIBLE", dated(2026, 13, 1)),
    Bad("service_date", "IMPOSSIBLE", dated(-1, 1, 1)),
    Bad("service_date", "IMPOSSIBLE", dated(2026, 5, 13)),
    Bad("service_date", "IMPOSSIBLE", dated(2027, 5, 17)),
    Bad("max_list_age", "IMPOSSIBLE", {"max_list_age": Duration(seconds=-1)}),
    Bad("max_list_age", "IMPOSSIBLE", {"max_list_age": Duration(nanos=-1)}),
    Bad("product", "MISSING", {"lodging": None}),
    Bad("lodging.star_rating", "MISSING", lodging(star_rating=None)),
    Bad("lodging.star_rating", "IMPOSSIBLE", lodging(star_rating=6)),
    Bad("lodging.rating_status", "MISSING", lodging(rating_status=0)),
    Bad("lodging.rating_status", "UNKNOWN", lodging(rating_status=77)),
    Bad("lodging.rating_status", "IMPOSSIBLE", lodging(rating_status=1)),
    Bad("lodging.establishment_id", "MISSING", lodging(establishment_id=None)),
    Bad("lodging.establishment_id", "MALFORMED", lodging(establishment_id="H 1")),
    Bad("lodging.emergency", "MISSING", lodging(emergency=None)),
    Bad("rail.train_number", "MISSING", rail(None, 6), RAIL),
    Bad("rail.train_number", "MALFORMED", rail("佚名氏", 6), RAIL),
    Bad("rail.seat_class", "MISSING", rail("G1", 0), RAIL),
    Bad("rail.seat_class", "UNKNOWN", rail("G1", 17), RAIL),
    Bad("rail.seat_class", "IMPOSSIBLE", rail("G1", 16), RAIL),
    Bad("air.flight_kind", "MISSING", {"air": products.Air()}, AIRLINE),
    Bad("venue.amount", "MISSING", venue(amount=None)),
    Bad("venue.amount", "MISSING", venue(amount=money(1, currency=""))),
    Bad("venue.amount", "IMPOSSIBLE", venue(amount=money(1, currency="USD"))),
    Bad("venue.amount", "IMPOSSIBLE", venue(amount=money(-1))),
    Bad("venue.amount", "MALFORMED", venue(amount=money(1, 1))),
    Bad("venue.amount", "MALFORMED", venue(amount=money(1, -10_000_000))),
    Bad("venue.amount", "MALFORMED", venue(amount=money(1, 1_000_000_000))),
    Bad("venue.amount", "IMPOSSIBLE", venue(amount=money(9_000_000_000_000_000_000))),
    Bad("venue.sale_kind", "MISSING", venue(sale_kind=0)),
    Bad("venue.payer", "MISSING", venue(payer=0)),
    Bad("venue.venue_kind", "UNKNOWN", venue(venue_kind=5)),
    Bad("insurance.premium", "MISSING", insurance(None), Sector.INSURER),
    Bad("insurance.premium", "IMPOSSIBLE", insurance(money(1, currency="EUR")), Sector.INSURER),
    Bad(
        "outbound_tour.service", "MISSING",
        {"outbound_tour": products.OutboundTour(destination_country="THA")}, AGENCY,
    ),
    Bad(
        "outbound_tour.destination_country", "UNKNOWN",
        {"outbound_tour": products.OutboundTour(service=1, destination_country="TH")}, AGENCY,  # type: ignore[arg-type]
    ),
    Bad("tuition.school_id", "MISSING", {"tuition": products.Tuition(payer_relation=1, funds=1)}, SCHOOL),  # type: ignore[arg-type]
    Bad("tuition.funds", "MISSING", {"tuition": products.Tuition(school_id="S", payer_relation=1)}, SCHOOL),  # type: ignore[arg-type]
    Bad("property.buyers", "MISSING", {"property": products.Property(property_act=1)}, REGISTRY),  # type: ignore[arg-type]
    Bad("vehicle.vehicle_use", "MISSING", {"vehicle": products.Vehicle(vehicle_kind=1, vehicle_act=1)}, DEALER),  # type: ignore[arg-type]
    Bad(
        "construction.necessity", "MISSING",
        {"construction": products.Construction(work=1, amount=money(1))}, HOUSING,  # type: ignore[arg-type]
    ),
    Bad("resource_development.resource_act", "MISSING", {"resource_development": {}}, Sector.RESOURCE_EXCHANGE),
    Bad("state_equity.equity_act", "MISSING", {"state_equity": {}}, Sector.EQUITY_EXCHANGE),
)  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.field} {bad.problem}")
async def test_bad_question_is_refused_by_field_and_reason_for_everybody(door: Door, house: House, bad: Bad) -> None:
    house.desk.reader.calls.clear()
    with pytest.raises(Refusal) as refused:
        await door.check(check_request(**bad.change), KEYS_OF[bad.sector])
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert refused.value.field_and_problem == (bad.field, bad.problem)
    assert house.desk.reader.calls == []
    said = str(refused.value.status) + str(refused.value.status.SerializeToString())
    assert not [secret for secret in SECRETS if secret in said or repr(secret.encode())[2:-1] in said]


async def test_message_that_is_none_is_refused_by_name(door: Door) -> None:
    for raw in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):
        with pytest.raises(Refusal) as refused:
            await door.check(raw)
        assert refused.value.field_and_problem == ("request", "MALFORMED")


async def test_check_over_64_kib_is_refused_by_name(door: Door) -> None:
    with pytest.raises(Refusal) as refused:
        await door.check(check_request(name="x" * 65_536))
    assert refused.value.field_and_problem == ("request", "TOO_LONG")


class TestI15:
    @pytest.mark.parametrize("key", [None, "", "test_", "live_hotel", KEYS_OF[Sector.HOTEL] + "x"])
    async def test_no_answer_without_a_valid_credential(self, door: Door, house: House, key: str | None) -> None:
        for ask in (door.check(check_request(), key), door.batch(pb.BatchCheckRequest(), key), door.status(key)):
            with pytest.raises(Refusal) as refused:
                await ask
            assert (refused.value.code, refused.value.reason) == ("UNAUTHENTICATED", "CREDENTIAL_INVALID")
        assert not house.tally.answers

    async def test_credential_is_asked_for_before_the_message_is_read(self, door: Door) -> None:
        with pytest.raises(Refusal) as refused:
            await door.check(b"\xff\xff", None)
        assert refused.value.code == "UNAUTHENTICATED"

    @pytest.mark.parametrize("sector", [sector for sector in Sector if sector is not Sector.HOTEL])
    async def test_sector_without_the_measure_is_refused_first(self, door: Door, sector: Sector) -> None:
        for request in (check_request(), check_request(name="*", language_code="fr")):
            with pytest.raises(Refusal) as refused:
                await door.check(request, KEYS_OF[sector])
            assert (refused.value.code, refused.value.reason) == ("PERMISSION_DENIED", "PURPOSE_NOT_ALLOWED")

    async def test_walk_in_sale_is_refused_for_everybody(self, door: Door) -> None:
        for sequence in (LISTED, CLEAR):
            request = check_request(sequence)
            request.venue.CopyFrom(venue(sale_kind=products.SALE_KIND_WALK_IN)["venue"])
            with pytest.raises(Refusal) as refused:
                await door.check(request)
            assert refused.value.reason == "PURPOSE_NOT_ALLOWED"

    async def test_issued_identity_is_refused_with_a_sandbox_key(self, door: Door) -> None:
        with pytest.raises(Refusal) as refused:
            await door.check(check_request(**document("11010519491231002X")))
        assert (refused.value.code, refused.value.reason) == ("PERMISSION_DENIED", "SANDBOX_ONLY")


async def test_freshness_that_cannot_be_met_is_told_with_version_and_age(door: Door, house: House) -> None:
    house.desk.pass_time(5)
    for change in ({"at_least_version": 2}, {"max_list_age": Duration(seconds=4, nanos=999_999_999)}):
        with pytest.raises(Refusal) as refused:
            await door.check(check_request(**change))
        assert (refused.value.code, refused.value.reason) == ("FAILED_PRECONDITION", "FRESHNESS_UNMET")
        told = refused.value.detail(error_details_pb2.ErrorInfo).metadata
        assert (told["list_version"], told["list_age_s"]) == ("1", "5.000")
    await door.check(check_request(at_least_version=1, max_list_age=Duration(seconds=5)))


async def test_store_that_is_away_is_an_answer_and_not_an_error(door: Door, house: House) -> None:
    house.desk.reader.failing["find"] = StoreUnavailableError("away")
    answer = await door.check(check_request(LISTED))
    assert (answer.outcome, answer.reason) == (answers.OUTCOME_UNDETERMINED, answers.REASON_STORE_UNAVAILABLE)
    assert not answer.HasField("notice")


async def test_every_error_speaks_to_the_desk_in_both_languages(door: Door) -> None:
    with pytest.raises(Refusal) as refused:
        await door.check(check_request(name=""), None)
    said = {said.locale: said.message for said in refused.value.details(error_details_pb2.LocalizedMessage)}
    assert said.keys() == {"zh-CN", "en"}
    assert all(said.values())


async def test_our_fault_says_where_to_find_it_and_nothing_else(door: Door, house: House) -> None:
    house.desk.reader.failing["find"] = RuntimeError(number(LISTED))
    with pytest.raises(Refusal) as refused:
        await door.check(check_request(LISTED))
    assert (refused.value.code, refused.value.reason) == ("INTERNAL", "INTERNAL")
    assert refused.value.detail(error_details_pb2.ErrorInfo).metadata["incident"].startswith("incident-")
    assert number(LISTED) not in str(refused.value.status)


async def test_answers_are_counted_by_unit_and_errors_by_reason(door: Door, house: House) -> None:
    await door.check(check_request(CLEAR))
    await door.batch(pb.BatchCheckRequest(checks=[check_request(CLEAR), check_request(name="")]))
    with pytest.raises(Refusal):
        await door.check(check_request(name=""))
    assert [(key[0], count) for key, count in house.tally.answers.items()] == [("hotel-1", 2)]
    assert house.tally.errors == {"INVALID_FIELD": 2}
