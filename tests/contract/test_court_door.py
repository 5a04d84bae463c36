"""CourtService through a real server: what the court is told of its versions, and that nobody else is told it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.access import Court, UnitState, read_units, write_units
from gateway.doors.grpc.court import COURT_SERVICE
from lintel.v1 import court_pb2 as pb
from liststore.effects import Confirmation, Effect
from restriction.errors import StoreUnavailableError
from restriction.identity import Mode
from tests.fakes.doors import COURT_KEY, HOTEL_KEY, KEYS_OF, House, Refusal, check_request
from tests.fakes.gateway import LIST_ID, Desk, identity, record

AHEAD, CURRENT, EARLIER = 3, 2, 1
EASED = Effect(LIST_ID.epoch, CURRENT, 1_780_000_000.25)
APPLIED = replace(EASED, applied_at=1_780_000_000.5, replicas=Confirmation(1, 2))
ACKNOWLEDGED = replace(
    APPLIED, lifts_acknowledged_at=1_780_000_001.0, acknowledged_at=1_780_000_002.0, replicas=Confirmation(2, 2)
)


@pytest.fixture
async def second(desk: Desk, house: House) -> House:
    """A house whose list has come to its second version."""
    await desk.list.change({identity(9): record(identity(9))})
    return house


@pytest.mark.parametrize(
    ("known", "asked", "state"),
    [
        ([], AHEAD, pb.EFFECT_STATE_NOT_APPLIED),
        ([replace(EASED, version=AHEAD)], AHEAD, pb.EFFECT_STATE_LIFTS_IN_EFFECT),
        ([EASED], CURRENT, pb.EFFECT_STATE_APPLIED),
        ([APPLIED], CURRENT, pb.EFFECT_STATE_APPLIED),
        ([ACKNOWLEDGED], CURRENT, pb.EFFECT_STATE_ACKNOWLEDGED),
        ([], CURRENT, pb.EFFECT_STATE_APPLIED),
        ([APPLIED], EARLIER, pb.EFFECT_STATE_APPLIED),
        ([ACKNOWLEDGED], EARLIER, pb.EFFECT_STATE_ACKNOWLEDGED),
        ([ACKNOWLEDGED, replace(APPLIED, version=EARLIER)], EARLIER, pb.EFFECT_STATE_APPLIED),
        ([replace(ACKNOWLEDGED, epoch=LIST_ID.epoch + 1)], CURRENT, pb.EFFECT_STATE_APPLIED),
    ],
    ids=[
        "nothing of it", "lifts written, not announced", "announced before it was noted", "announced", "acknowledged",
        "announced and unknown", "forgotten before one that is not acknowledged",
        "forgotten before one that is acknowledged", "its own word before a later one's", "another epoch's word",
    ],
)  # fmt: skip
async def test_state_is_as_far_as_the_version_has_come(
    second: House, known: list[Effect], asked: int, state: pb.EffectState.ValueType
) -> None:
    await second.desk.writer.put_effects(known)
    told = await second.caller.effect(asked)
    assert pb.EffectState.Name(told.state) == pb.EffectState.Name(state)
    assert (told.current_version, told.list_name, told.environment, told.epoch) == (
        CURRENT, LIST_ID.name, LIST_ID.environment, LIST_ID.epoch,
    )  # fmt: skip


async def test_every_instant_and_count_is_told(second: House) -> None:
    await second.desk.writer.put_effects([ACKNOWLEDGED])
    told = await second.caller.effect(CURRENT)
    fields = ("lifts_effective_time", "applied_time", "lifts_acknowledged_time", "acknowledged_time")
    assert [getattr(told, field).ToMicroseconds() for field in fields] == [
        1_780_000_000_250_000, 1_780_000_000_500_000, 1_780_000_001_000_000, 1_780_000_002_000_000,
    ]  # fmt: skip
    assert (told.replicas_confirmed, told.replicas_configured) == (2, 2)


async def test_what_has_not_happened_has_no_instant(second: House) -> None:
    await second.desk.writer.put_effects([EASED])
    told = await second.caller.effect(CURRENT)
    assert [field.name for field, _ in told.ListFields() if field.name.endswith("_time")] == ["lifts_effective_time"]


async def test_a_question_about_no_version_is_refused_by_field(house: House) -> None:
    with pytest.raises(Refusal) as refused:
        await house.caller.effect(0)
    assert (refused.value.code, refused.value.field_and_problem) == ("INVALID_ARGUMENT", ("list_version", "MISSING"))


async def test_a_store_that_is_away_is_told_as_such(house: House) -> None:
    house.desk.reader.failing["effects"] = StoreUnavailableError("away")
    with pytest.raises(Refusal) as refused:
        await house.caller.effect(1)
    assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")


async def test_while_nothing_is_announced_nothing_is_told(house: House) -> None:
    house.desk.reader.replies["announcement"] = None
    with pytest.raises(Refusal) as refused:
        await house.caller.effect(1)
    assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "NOT_READY")


@pytest.mark.parametrize("key", KEYS_OF.values(), ids=KEYS_OF)
async def test_no_unit_uses_the_courts_service(house: House, key: str) -> None:
    with pytest.raises(Refusal) as refused:
        await house.caller.effect(1, key)
    assert (refused.value.code, refused.value.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize("method", ["Check", "BatchCheck", "GetListStatus"])
async def test_the_court_uses_no_method_of_the_units(house: House, method: str) -> None:
    with pytest.raises(Refusal) as refused:
        await house.caller.call(method, check_request(), COURT_KEY)
    assert (refused.value.code, refused.value.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize("key", [None, "", "test_nobody", HOTEL_KEY.upper()], ids=["none", "empty", "unknown", "case"])
async def test_without_a_credential_nothing_is_told(house: House, key: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        await house.caller.effect(1, key)
    assert (refused.value.code, refused.value.reason) == ("UNAUTHENTICATED", "CREDENTIAL_INVALID")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"state": UnitState.SUSPENDED}, ("UNAUTHENTICATED", "CREDENTIAL_INVALID")),
        ({"mode": Mode.LIVE}, ("PERMISSION_DENIED", "SANDBOX_ONLY")),
    ],
    ids=["suspended", "of a live list"],
)
async def test_a_court_that_is_suspended_or_another_modes_is_refused(
    house: House, change: dict[str, object], refusal: tuple[str, str]
) -> None:
    path = house.desk.home / "units.yaml"
    courts = [replace(caller, **change) for caller in read_units(path) if isinstance(caller, Court)]  # type: ignore[arg-type]
    path.unlink()
    await house.access.reread()
    write_units(path, tuple(courts))
    await house.access.reread()
    with pytest.raises(Refusal) as refused:
        await house.caller.effect(1)
    assert (refused.value.code, refused.value.reason) == refusal


async def test_a_message_that_is_none_is_refused_only_after_its_credential(house: House) -> None:
    for key, code in ((COURT_KEY, "INVALID_ARGUMENT"), (HOTEL_KEY, "PERMISSION_DENIED"), (None, "UNAUTHENTICATED")):
        with pytest.raises(Refusal) as refused:
            await house.caller.call(f"/{COURT_SERVICE}/GetEffect", b"\xff", key)
        assert refused.value.code == code
