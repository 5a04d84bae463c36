"""The storm through the door: a real gateway on a slow link to its store, and callers who hang up or are late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from lintel.v1 import answer_pb2, restriction_pb2, restriction_pb2_grpc
from liststore.wiring import open_writer
from loadtests.asking import ABOUT_US, request_of
from loadtests.judged import CALL_TIMEOUT_S, Caller
from restriction.calendar import date_from_day
from sandbox.identities import HOTEL, Question
from settings import token_secret
from tests.faults.cancels_people import NAME, People, Person, Worth
from tests.faults.cancels_storm import AFTER_UNFIT_S, ATTEMPTS, LATEST_S, LINK, Counts
from tests.faults.house import Site
from tests.faults.proxy import GOOD, standing

LISTED: Final = 400
OTHERS: Final = 100
LANES: Final = 8
CHANNELS: Final = 4
_WAYS: Final = (45, 45, 10)  # of 100 calls: ended by a deadline, by hanging up, not at all
SHORTEST_S: Final = 0.001  # a deadline that has passed before the question leaves tests nothing
_CUT_SHORT: Final = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED})
_ABOUT_US: Final = frozenset(answer_pb2.Reason.Value(f"REASON_{name}") for name in ABOUT_US)


@dataclass(frozen=True, slots=True)
class Calls:
    """`cancels` calls that end before their answer, half by hanging up and half by a deadline."""

    folder: Path
    seed: int
    now_s: int
    cancels: int


def storm_of_calls(calls: Calls) -> Counts:
    """The storm, and after it one call for everybody on a good link."""
    return asyncio.run(_rage(calls))


async def _rage(calls: Calls) -> Counts:
    site = await asyncio.to_thread(Site.at, calls.folder)
    people = People.of(token_secret.read(site.court / "token.secret").current, calls.now_s, LISTED, OTHERS)
    counts = Counts()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, site.stop)
        link = await stack.enter_async_context(standing(("127.0.0.1", site.port_of("store")), seed=calls.seed))
        site.through["gateway", "store"] = link
        await _open(site, people)
        hotels = [await _hotel(stack, site) for _ in range(CHANNELS)]
        before, link.fault = link.accepted, LINK
        all_dice = [random.Random(calls.seed * 1_000 + lane) for lane in range(LANES)]  # noqa: S311 - repeatable
        await asyncio.gather(*(_lane(hotels, people.persons, (dice, calls.cancels), counts) for dice in all_dice))
        counts.given_up, link.fault = link.accepted - before, GOOD
        for person in people.persons:
            counts.afterwards[await _worth_in_the_end(hotels[0], person)] += 1
    return counts


async def _open(site: Site, people: People) -> None:
    """Store and gateway, serving these people without court and agent: this list does not move."""
    site.start("store")
    await asyncio.to_thread(site.await_listening, "store")
    writer = open_writer(f"redis://127.0.0.1:{site.port_of('store')}", people.keys.bucket_key)
    await people.put(writer)
    await writer.close()
    site.start("gateway")
    await asyncio.to_thread(site.await_serving, 1)


async def _hotel(stack: AsyncExitStack, site: Site) -> Caller:
    channel = await stack.enter_async_context(
        grpc.aio.insecure_channel(site.address, options=[("grpc.use_local_subchannel_pool", 1)])
    )
    stub: restriction_pb2_grpc.RestrictionServiceAsyncStub = restriction_pb2_grpc.RestrictionServiceStub(channel)
    return Caller(stub, (("authorization", f"Bearer {site.keys['hotel']}"),))


async def _lane(
    hotels: Sequence[Caller], persons: Sequence[Person], storm: tuple[random.Random, int], counts: Counts
) -> None:
    """One desk: call after call, most of them ended early, until the storm has had its cancels."""
    dice, cancels = storm
    while counts.cancelled < cancels:
        person, ends_s = dice.choice(persons), dice.uniform(SHORTEST_S, 2 * LATEST_S)
        way = dice.choices((0, 1, 2), _WAYS)[0]
        timeout_s, hang_up_s = (ends_s, None) if way == 0 else (CALL_TIMEOUT_S, ends_s if way == 1 else None)
        worth = await _call(dice.choice(hotels), person, timeout_s, hang_up_s)
        if worth is None:
            counts.cancelled += 1
        else:
            counts.answers[worth] += 1


async def _call(hotel: Caller, person: Person, timeout_s: float, hang_up_s: float | None = None) -> Worth | None:
    """What a call is told; None when it ended before it was told anything."""
    call = hotel.stub.Check(_request(person), timeout=timeout_s, metadata=hotel.metadata)
    if hang_up_s is not None:
        asyncio.get_running_loop().call_later(hang_up_s, call.cancel)
    try:
        return worth_of(person, await call)
    except asyncio.CancelledError:
        return None
    except grpc.aio.AioRpcError as error:
        return None if error.code() in _CUT_SHORT else Worth.UNFIT


def worth_of(person: Person, answer: answer_pb2.CheckResponse) -> Worth:
    """As `Person.worth`; over the wire the court shows in the guest's notice."""
    if answer.outcome == answer_pb2.OUTCOME_UNDETERMINED and answer.reason in _ABOUT_US:
        return Worth.UNFIT
    if person.is_listed and answer.outcome == answer_pb2.OUTCOME_NOT_RESTRICTED:
        return Worth.CLEARED
    outcome = answer_pb2.OUTCOME_RESTRICTED if person.is_listed else answer_pb2.OUTCOME_NOT_RESTRICTED
    is_own = person.court_name in answer.notice.text if person.is_listed else not answer.notice.text
    return Worth.RIGHT if answer.outcome == outcome and is_own else Worth.CROSSED


async def _worth_in_the_end(hotel: Caller, person: Person) -> Worth:
    """The worth of the first answer that says something."""
    worth: Worth | None = Worth.UNFIT
    for _ in range(ATTEMPTS):
        worth = await _call(hotel, person, CALL_TIMEOUT_S)
        if worth is not Worth.UNFIT:
            break
        await asyncio.sleep(AFTER_UNFIT_S)
    return worth or Worth.UNFIT


def _request(person: Person) -> restriction_pb2.CheckRequest:
    document, day = person.question.document, person.question.service_day
    date = None if day is None else date_from_day(day)
    return request_of(Question("hotel", "lodging", HOTEL, document.type.name, document.number, NAME, "", date))
