"""From an entry to its parts of records, and from parts to the one record of a token."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher import bodies
from restriction.calendar import Span, start_of
from restriction.change import Lane
from restriction.entry import (
    SUBJECT,
    Entry,
    ExemptionReason,
    Grant,
    Kind,
    LiftGround,
    Objection,
    ObjectionKind,
    Subject,
)
from restriction.events import EntryState
from restriction.identity import Identity
from restriction.lawful import measures_in
from restriction.measures import Measure
from restriction.parts import MAX_PARTS, ends_at, lane_between, parts_of, record_of
from restriction.record import Exemption, Part, Record, decode, encode
from restriction.record import Grant as Granted
from restriction.statements import Lift, Retention
from restriction.states import Phase
from tests.fakes.court import KEYS, TRAVEL, company, day, entry, exemption, held, link, resident, unit_entry

TERM = Span(day("2026-05-01"), day("2027-05-01"))
EVERYTHING = measures_in(Measure)
UNIT_MEASURES = measures_in(
    (
        Measure.VENUE, Measure.INS, Measure.BUILD, Measure.VEHICLE, Measure.PROP_ACQ, Measure.PROP_DEV,
        Measure.STATE_EQ,
    )
)  # fmt: skip
LINK_MEASURES = EVERYTHING & ~measures_in((Measure.RESORT_CAP, Measure.VEHICLE, Measure.PROP_DEV, Measure.STATE_EQ))


def share(of: Entry, who: Identity | None = None, **changes: Any) -> Record:
    return parts_of(held(of=of, **changes), KEYS)[KEYS.token(who or of.subject.documents[0])]


def part(of: Entry, who: Identity | None = None, **changes: Any) -> Part:
    (only,) = share(of, who, **changes).parts
    return only


def written(measure: Measure, span: Span, holder: str = SUBJECT, **changes: Any) -> Grant:
    return replace(Grant(f"g-{measure.name}", measure, holder, span), **changes)


def test_a_default_entry_has_one_name_and_one_grant() -> None:
    record = share(entry())

    assert record.fingerprint == KEYS.fingerprint(resident(1))
    assert record.parts == (
        Part(
            entry_ref=KEYS.audit("n-1")[:8],
            court=4408,
            starts_at=start_of(TERM.start),
            ends_at=start_of(day("2027-05-01")),
            until_day=TERM.until,
            names=(KEYS.name("样本一"),),
            grants=(Granted(EVERYTHING, 0, TERM),),
        ),
    )
    assert len(encode(record)) <= 69


@pytest.mark.parametrize(
    ("who", "measures"),
    [(company(), UNIT_MEASURES), (resident(700), LINK_MEASURES)],
    ids=["the unit", "its link"],
)
def test_what_is_left_out_is_what_the_register_gives_that_holder(who: Identity, measures: int) -> None:
    assert part(unit_entry(), who).grants == (Granted(measures, 0, TERM),)


def test_a_written_grant_stands_alone_and_other_holders_keep_their_defaults() -> None:
    of = unit_entry(grants=(written(Measure.VEHICLE, Span(TERM.start), "link:l1", explicit=True),))

    vehicle = 1 << Measure.VEHICLE
    assert part(of, resident(700)).grants == (Granted(vehicle, vehicle, TERM),)
    assert part(of, company()).grants == (Granted(UNIT_MEASURES, 0, TERM),)


def test_written_grants_of_one_span_are_one_set_of_bits() -> None:
    june, july = Span(day("2026-06-01"), day("2026-07-01")), Span(day("2026-07-01"), day("2026-08-01"))
    of = entry(
        grants=(written(Measure.EDU, july, explicit=True), written(Measure.AIR, june), written(Measure.RAIL, june))
    )

    edu = 1 << Measure.EDU
    assert part(of).grants == (Granted(TRAVEL, 0, june), Granted(edu, edu, july))


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (Span(day("2026-01-01"), None), TERM),
        (Span(day("2026-06-01"), day("2030-01-01")), Span(day("2026-06-01"), TERM.until)),
    ],
)
def test_no_grant_outlives_its_entry(stated: Span, kept: Span) -> None:
    assert part(entry(grants=(written(Measure.AIR, stated),))).grants[0].span == kept


def test_a_grant_outside_the_term_is_none() -> None:
    assert parts_of(held(of=entry(grants=(written(Measure.AIR, Span(day("2028-01-01"))),))), KEYS) == {}


def test_a_grant_of_a_link_stays_within_the_link() -> None:
    summer = Span(day("2026-06-01"), day("2026-09-01"))

    assert part(unit_entry(links=(link(span=summer),)), resident(700)).grants[0].span == summer


@pytest.mark.parametrize("phase", [Phase.LIFTED, Phase.REVOKED])
def test_an_entry_that_is_over_has_no_part(phase: Phase) -> None:
    assert parts_of(held(phase), KEYS) == {}
    assert parts_of(EntryState(Phase.PURGED, None, "4408"), KEYS) == {}


def test_an_entry_that_is_not_publishable_has_no_part() -> None:
    assert parts_of(held(of=entry(publishable=False)), KEYS) == {}


def test_a_suspended_entry_says_so() -> None:
    assert part(entry(), phase=Phase.SUSPENDED).suspended


def test_under_retention_only_the_subjects_kept_measures_stay_to_its_end() -> None:
    until = day("2028-01-01")
    kept = parts_of(held(Phase.RETAINED, unit_entry(), retention=Retention(1 << Measure.BUILD, until)), KEYS)

    assert set(kept) == {KEYS.token(company())}
    (only,) = kept[KEYS.token(company())].parts
    assert only.grants == (Granted(1 << Measure.BUILD, 0, Span(TERM.start, until)),)
    assert (only.ends_at, only.until_day) == (start_of(until), until)


def test_a_grant_with_an_end_of_its_own_is_not_prolonged_by_retention() -> None:
    own = Span(TERM.start, day("2026-08-01"))
    of = entry(grants=(written(Measure.AIR, own),))

    assert part(of, phase=Phase.RETAINED, retention=Retention(TRAVEL, day("2026-12-31"))).grants[0].span == own


def test_every_document_and_every_name_of_the_holder_counts() -> None:
    of = entry(subject=Subject(Kind.PERSON, ("样本新", "样本旧", "样本旧"), (resident(1), resident(2))))
    shares = parts_of(held(of=of), KEYS)

    assert set(shares) == {KEYS.token(resident(1)), KEYS.token(resident(2))}
    assert {record.parts[0].names for record in shares.values()} == {
        tuple(sorted((KEYS.name("样本新"), KEYS.name("样本旧"))))
    }


@pytest.mark.parametrize(
    ("documents", "weak"),
    [((True,), True), ((False,), False), ((True, False), False), ((False, True), False)],
)
def test_a_part_is_weak_when_the_list_gave_fifteen_digits_alone(documents: tuple[bool, ...], weak: bool) -> None:
    stated = tuple(replace(resident(1), weak=one) for one in documents)

    assert part(entry(subject=Subject(Kind.PERSON, ("样本",), stated))).weak is weak


def test_exemptions_belong_to_their_holder_and_an_empty_one_is_none() -> None:
    june = Span(day("2026-06-01"), day("2026-06-10"))
    of = unit_entry(
        exemptions=(
            exemption(exemption_id="x-2", holder="link:l1", span=june, reason=ExemptionReason.NECESSARY),
            exemption(exemption_id="x-3", holder="link:l1", span=Span(june.start, june.start)),
        )
    )

    assert part(of, resident(700)).exemptions == (Exemption(TRAVEL, june),)
    assert part(of, company()).exemptions == ()


def test_two_links_of_one_person_are_two_parts_of_one_record() -> None:
    record = share(unit_entry(links=(link(), link("l2", name="样本别名"))), resident(700))

    assert [one.names for one in record.parts] == [(KEYS.name("样本代表"),), (KEYS.name("样本别名"),)]


# --- the record of a token -------------------------------------------------------------------------------------------


def shares_of(*entry_ids: str) -> list[Record]:
    return [share(entry(entry_id=entry_id)) for entry_id in entry_ids]


def test_no_share_is_no_record() -> None:
    assert record_of([]) is None


@given(st.permutations(["n-1", "n-2", "n-3", "n-4"]))
def test_a_record_does_not_depend_on_the_order_of_its_shares(order: list[str]) -> None:
    record = record_of(shares_of(*order))

    assert record == record_of(shares_of("n-1", "n-2", "n-3", "n-4"))
    assert record is not None
    assert decode(encode(record)) == record


def test_more_entries_than_a_record_counts_keep_those_that_bind_longest() -> None:
    open_ended = [share(entry(entry_id=f"open-{number}", term=Span(TERM.start))) for number in range(200)]
    record = record_of([*shares_of(*map(str, range(MAX_PARTS))), *open_ended])

    assert record is not None
    assert len(record.parts) == MAX_PARTS
    assert {one.parts[0] for one in open_ended} <= set(record.parts)
    encode(record)


def test_entries_that_a_record_cannot_count_leave_no_measure_unbound() -> None:
    """Whoever is held by many cases is not silently cleared of what a short one alone binds now."""
    everywhere = Granted(1 << Measure.LODGE, 0, Span(TERM.start))
    plain = replace(share(entry()).parts[0], ends_at=None, until_day=None, grants=(everywhere,))
    exempt = replace(plain, exemptions=(Exemption(1 << Measure.LODGE, Span(TERM.start, TERM.start + 9)),))
    short = replace(everywhere, span=TERM)
    binding = replace(plain, entry_ref=b"binding!", ends_at=start_of(day("2027-05-01")), grants=(short,))
    alone = replace(binding, entry_ref=b"alone!!!", grants=(replace(short, measures=1 << Measure.VEHICLE),))
    many = [replace(exempt, entry_ref=number.to_bytes(8, "big")) for number in range(MAX_PARTS)]
    record = record_of([Record(bytes(8), (one,)) for one in (*many, binding, alone)])

    assert record is not None
    assert len(record.parts) == MAX_PARTS
    assert {binding, alone} <= set(record.parts)


@pytest.mark.parametrize(
    ("of", "end"),
    [
        (entry(), start_of(day("2027-05-01"))),
        (entry(term=Span(TERM.start)), None),
        (
            entry(term=Span(TERM.start), grants=(written(Measure.AIR, Span(TERM.start, day("2026-08-01"))),)),
            start_of(day("2026-08-01")),
        ),
    ],
    ids=["term", "open", "its last grant"],
)
def test_a_share_ends_with_its_entry_or_its_last_grant(of: Entry, end: int | None) -> None:
    assert ends_at(share(of)) == end


# --- lanes -----------------------------------------------------------------------------------------------------------

BASE = share(entry(exemptions=(exemption(),)))


def changed(**changes: Any) -> Record:
    return replace(BASE, parts=(replace(BASE.parts[0], **changes),))


LONGER = Exemption(TRAVEL, Span(day("2026-05-20"), day("2026-05-30")))
SHORTER = Exemption(TRAVEL, Span(day("2026-05-20"), day("2026-05-21")))
FEWER = (Granted(TRAVEL, 0, TERM),)


@pytest.mark.parametrize(
    ("old", "new", "lane"),
    [
        (None, BASE, Lane.BURDEN),
        (BASE, None, Lane.EASE),
        (BASE, changed(suspended=True), Lane.EASE),
        (changed(suspended=True), BASE, Lane.BURDEN),
        (BASE, changed(exemptions=(LONGER,)), Lane.EASE),
        (BASE, changed(exemptions=(SHORTER,)), Lane.BURDEN),
        (BASE, changed(exemptions=()), Lane.BURDEN),
        (BASE, changed(grants=FEWER), Lane.EASE),
        (BASE, changed(names=(KEYS.name("他"),)), Lane.EASE),
        (BASE, changed(exemptions=(), grants=FEWER), Lane.EASE),
        (BASE, replace(BASE, parts=BASE.parts * 2), Lane.BURDEN),
        (replace(BASE, parts=BASE.parts * 2), BASE, Lane.EASE),
    ],
    ids=[
        "listed", "lifted", "suspended", "resumed", "exempted", "exemption cut", "exemption ended", "fewer grants",
        "renamed", "both", "linked twice", "one link ended",
    ],
)  # fmt: skip
def test_whatever_eases_in_any_way_travels_in_the_lane_that_eases(
    old: Record | None, new: Record | None, lane: Lane
) -> None:
    assert lane_between(old, new) is lane


# --- how the book keeps it -------------------------------------------------------------------------------------------

FULL = unit_entry(
    grants=(written(Measure.INS, TERM, explicit=True),),
    exemptions=(exemption(),),
    objections=(Objection(ObjectionKind.RECONSIDERATION, 20_000, "DISMISSED"),),
)
PERSON = entry(subject=Subject(Kind.PERSON, ("样本",), (replace(resident(1), weak=True),), 3_650))


@pytest.mark.parametrize(
    ("phase", "of"), list(itertools.product((Phase.LISTED, Phase.LIFTED, Phase.RETAINED), (FULL, PERSON)))
)
def test_a_state_read_back_from_the_book_is_the_same(phase: Phase, of: Entry) -> None:
    state = held(phase, of, lift=Lift(LiftGround.SETTLED, 20_000), lifted_in="b", retention=Retention(TRAVEL, 21_000))

    assert bodies.decode(bodies.encode(state)) == state
    assert bodies.decode(bodies.encode(EntryState(Phase.TOMBSTONE, None, "44"))) == EntryState(
        Phase.TOMBSTONE, None, "44"
    )
