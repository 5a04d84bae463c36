"""The plausibility guard from lines to published records: what waits, what goes ahead, what is approved."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from publisher import tables
from publisher.budget import LIMITS
from publisher.holding import BatchState
from publisher.intake import Intake
from restriction.errors import SettingError
from restriction.identity import Mode
from tests.fakes import postgres
from tests.fakes.bad_lines import raw
from tests.fakes.books import listed, publish, sqlite_url
from tests.fakes.court import (
    KEYS,
    NOW,
    Json,
    exempt_line,
    head,
    instant,
    lift_line,
    list_line,
    number,
    resident,
    retain_line,
)
from tests.fakes.second_signers import SMALL, GuardedCourt, guarded_court, statuses

HOUR_S = 3_600
JUNE = instant("2026-06-01T00:00:00")


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[sa.URL]:
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL: no initdb and pg_ctl on this machine, so the guard is tested on SQLite alone")
    with postgres.server(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def court(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GuardedCourt]:
    sqlite = request.param == "sqlite"
    url = sqlite_url(tmp_path) if sqlite else postgres.new_database(request.getfixturevalue("postgres_server"))
    with guarded_court(tmp_path, url) as opened:
        yield opened


def wave(first: int = 10, count: int = 4) -> list[dict[str, object]]:
    """More listings than `SMALL` lets go."""
    return [list_line(sequence) for sequence in range(first, first + count)]


def on_list(court: GuardedCourt) -> set[int]:
    """Sequence numbers of the persons on the published list."""
    tokens = {KEYS.token(resident(sequence)): sequence for sequence in range(1, 60)}
    return {tokens[token] for token in listed(court.book)}


def add_link(sequence: int, link: int) -> dict[str, object]:
    document = {"type": "RESIDENT_ID", "number": number(link)}
    body = {"version": 2, "changes": {"subject": {"documents": [document]}}}
    return head("CORRECT", f"correct-{sequence}-{link}", entry_id=f"n-{sequence}", **body)


# --- what waits -------------------------------------------------------------------------------------------------------


def test_a_first_load_does_not_wait(court: GuardedCourt) -> None:
    assert set(statuses(court.submit(*wave(count=20)))) == {"accepted"}
    assert len(on_list(court)) == 20


def test_a_plausible_batch_goes_at_once(court: GuardedCourt) -> None:
    court.begin(list_line(1))

    assert set(statuses(court.submit(*wave(count=3)))) == {"accepted"}
    assert on_list(court) == {1, 10, 11, 12}
    assert court.waiting() == []


@pytest.mark.parametrize("chunk_lines", [100, 1])
def test_a_batch_above_the_measure_waits_as_a_whole(court: GuardedCourt, chunk_lines: int) -> None:
    court.begin(list_line(1))

    rows = court.submit(*wave(), chunk_lines=chunk_lines)

    assert statuses(rows) == ["held"] * 4
    assert {(row.field, row.reason) for row in rows} == {("batch", "WAITS: lintel publisher approve batch-1")}
    assert on_list(court) == {1}
    [waiting] = court.waiting()
    assert (waiting.state, waiting.lists, waiting.changes, waiting.lifts) == (BatchState.WAITING, 4, 0, 0)


@pytest.mark.parametrize("chunk_lines", [100, 1])
def test_its_lifts_go_ahead(court: GuardedCourt, chunk_lines: int) -> None:
    court.begin(list_line(1), list_line(2))

    rows = court.submit(*wave(), lift_line(1), chunk_lines=chunk_lines)

    assert statuses(rows) == ["held"] * 4 + ["accepted"]
    assert on_list(court) == {2}


def test_a_batch_in_many_chunks_goes_once_its_end_shows_it_plausible(court: GuardedCourt) -> None:
    court.begin(list_line(1))

    assert set(statuses(court.submit(*wave(count=3), chunk_lines=1))) == {"accepted"}
    assert on_list(court) == {1, 10, 11, 12}
    assert court.waiting() == []


def test_other_batches_pass_one_that_waits(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())

    assert statuses(court.submit(list_line(2), batch="batch-2")) == ["accepted"]
    assert on_list(court) == {1, 2}


def test_a_wave_in_many_small_batches_stops_within_a_day(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    for batch in range(3):
        court.submit(*wave(10 + 3 * batch, 3), batch=f"batch-{batch}", now_s=NOW + batch * HOUR_S)

    assert statuses(court.submit(list_line(30), batch="late", now_s=NOW + 3 * HOUR_S)) == ["held"]
    assert statuses(court.submit(list_line(31), batch="next day", now_s=NOW + 24 * HOUR_S)) == ["accepted"]


def test_the_norm_of_past_days_widens_the_measure(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    for past in range(7):
        court.submit(list_line(20 + past), batch=f"batch-{past}", now_s=NOW + past * 24 * HOUR_S)

    assert set(statuses(court.submit(*wave(30, 20), batch="big", now_s=NOW + 7 * 24 * HOUR_S))) == {"accepted"}


def test_lifts_above_their_ceiling_wait_but_never_a_single_one(court: GuardedCourt) -> None:
    court.begin(*wave(10, 10))

    rows = court.submit(*(lift_line(sequence) for sequence in range(10, 18)))

    assert [(row.status, row.reason) for row in rows] == [("held", "LIFTS_WAIT: lintel publisher approve batch-1")] * 8
    assert len(on_list(court)) == 10
    assert statuses(court.submit(lift_line(18), batch="batch-2")) == ["accepted"]
    again = lift_line(10) | {"event_id": "lift-again"}
    assert statuses(court.submit(again, batch="batch-3")) == ["accepted"]
    assert on_list(court) == {*range(11, 18), 19}
    court.approve()
    assert on_list(court) == {19}


# --- entries that wait ------------------------------------------------------------------------------------------------


def test_a_lift_of_an_entry_that_waits_wins_over_its_approval(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())

    assert statuses(court.submit(lift_line(10), batch="batch-2")) == ["accepted"]
    assert court.waiting()[0].lists == 3
    court.approve()

    assert on_list(court) == {1, 11, 12, 13}


def test_an_exemption_of_an_entry_that_waits_is_there_when_it_is_approved(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())

    assert statuses(court.submit(exempt_line(10), batch="batch-2")) == ["accepted"]
    court.approve()

    assert len(listed(court.book)[KEYS.token(resident(10))].parts[0].exemptions) == 1


def test_what_burdens_an_entry_that_waits_joins_its_wait(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())

    [row] = court.submit(add_link(10, 50), batch="batch-2")

    assert (row.status, row.reason) == ("held", "WAITS: lintel publisher approve batch-1")
    assert on_list(court) == {1}
    court.approve()
    assert on_list(court) == {1, 11, 12, 13, 50}


def test_a_person_whom_another_entry_holds_is_not_held_by_one_that_waits(court: GuardedCourt) -> None:
    """A record that is signed anew for another reason must not carry what waits."""
    court.begin(list_line(1))
    same = list_line(20)["entry"]["subject"] | {"documents": [{"type": "RESIDENT_ID", "number": number(1)}]}
    court.submit(*wave(), list_line(20, subject=same))

    court.submit(exempt_line(1), batch="batch-2")

    assert len(listed(court.book)[KEYS.token(resident(1))].parts) == 1
    court.approve()
    assert len(listed(court.book)[KEYS.token(resident(1))].parts) == 2


def test_ending_exemptions_of_many_waits_and_a_later_one_stays(court: GuardedCourt) -> None:
    people = range(10, 14)
    court.begin(*wave(), *(exempt_line(sequence) for sequence in people))
    ends = [head("END_EXEMPT", f"end-{n}", entry_id=f"n-{n}", exemption_id="x-1") for n in people]
    during = NOW + 6 * 24 * HOUR_S

    assert statuses(court.submit(*ends, now_s=during)) == ["held"] * 4
    assert all(record.parts[0].exemptions for record in listed(court.book).values())
    court.submit(lift_line(10), batch="batch-2", now_s=during)
    court.approve(now_s=during)
    assert on_list(court) == {11, 12, 13}


# --- approval ---------------------------------------------------------------------------------------------------------


def test_approval_publishes_exactly_what_waited(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())

    court.approve()

    assert on_list(court) == {1, 10, 11, 12, 13}
    assert court.waiting() == []
    assert statuses(court.submit(*wave())) == ["duplicate"] * 4


def test_approving_twice_says_who_did(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())
    signed = court.signed()
    court.bench.approve(signed, NOW)

    with pytest.raises(SettingError, match="judge decided `approve`"):
        court.signed()
    with pytest.raises(SettingError, match="changed since it was signed"):
        court.bench.approve(signed, NOW)
    publish(court.book)
    assert len(on_list(court)) == 5


def test_a_signature_does_not_cover_what_came_after_it(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())
    signed = court.signed()
    court.submit(add_link(10, 50), batch="batch-2")

    with pytest.raises(SettingError, match="changed since it was signed"):
        court.bench.approve(signed, NOW)
    assert on_list(court) == {1}


def test_what_is_signed_counts_what_its_digest_is_of(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())
    [seen] = court.waiting()
    court.submit(lift_line(10), batch="batch-2")

    said = court.bench.statement(seen, court.book.state.list_id, "approve")

    assert (said.lists, said.changes, said.lifts) == (3, 0, 0)


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize("counts", [{"lists": 3}, {"changes": 1}, {"lifts": 1}], ids=str)
def test_a_signature_of_other_counts_decides_nothing(court: GuardedCourt, decision: str, counts: Json) -> None:
    court.begin(list_line(1))
    court.submit(*wave())
    signed = court.signed(decision=decision)
    wrong = replace(signed, statement=replace(signed.statement, **counts))

    with pytest.raises(SettingError, match=f"{decision}: what waits has changed since it was signed"):
        getattr(court.bench, decision)(wrong, NOW)
    assert court.waiting()


def test_approved_waves_do_not_spend_the_day(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave(count=20))
    court.approve()

    assert statuses(court.submit(list_line(50), batch="batch-2")) == ["accepted"]


def test_a_batch_whose_submitter_died_is_judged_by_what_it_brought(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    for batch, lines in (("small", wave(10, 3)), ("large", wave(20, 5))):
        cut_short(court, batch, lines)
    assert on_list(court) == {1}

    court.bench.settle_abandoned(NOW)
    publish(court.book)

    assert on_list(court) == {1, 10, 11}
    assert [batch.batch_id for batch in court.waiting()] == ["large"]


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_batch_that_is_being_taken_in_is_not_decided(court: GuardedCourt, decision: str) -> None:
    court.begin(list_line(1))
    cut_short(court, "batch-1", wave(20, 5))

    with pytest.raises(SettingError, match="batch batch-1: still being taken in"):
        getattr(court, decision)()
    assert court.waiting()[0].lists == 4

    court.bench.settle_abandoned(NOW)
    getattr(court, decision)()
    assert court.waiting() == []


def test_a_batch_that_is_submitted_again_goes_on_where_it_was_cut(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    cut_short(court, "batch-1", wave(10, 5))

    rows = court.submit(*wave(10, 5), chunk_lines=1)

    assert statuses(rows) == ["duplicate"] * 4 + ["held"]
    assert court.waiting()[0].lists == 5


# --- the clock --------------------------------------------------------------------------------------------------------


def test_a_batch_of_which_all_has_ended_is_forgotten_with_its_names_and_numbers(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*(list_line(10 + n, term_until="2026-06-01") for n in range(4)))
    court.submit(exempt_line(10), batch="batch-2")

    court.book.sweep(JUNE)

    assert left(court) == {"held_shares": 0, "held_entries": 0, "held_lines": 0}
    assert batches(court) == {"first-load"}


def test_a_batch_of_which_some_has_ended_waits_with_the_rest(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(list_line(9, term_until="2026-06-01"), *wave())

    court.book.sweep(JUNE)

    assert left(court) == {"held_shares": 4, "held_entries": 4, "held_lines": 4}
    court.approve(now_s=JUNE)
    assert on_list(court) == {1, 10, 11, 12, 13}


def test_lifts_that_wait_still_take_people_off_after_the_terms_that_they_set_have_ended(court: GuardedCourt) -> None:
    court.begin(*wave(10, 10))
    court.submit(*(shorter(sequence) for sequence in range(10, 18)))
    assert court.waiting()[0].lifts == 8

    court.book.sweep(JUNE)
    court.approve(now_s=JUNE)

    assert on_list(court) == {18, 19}
    assert batches(court) == {"first-load"}


def shorter(sequence: int) -> dict[str, object]:
    change = {"version": 2, "changes": {"term_until": "2026-06-01"}}
    return head("CORRECT", f"shorter-{sequence}", entry_id=f"n-{sequence}", **change)


def test_a_batch_that_is_being_taken_in_is_known_when_all_that_it_brought_has_ended(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    cut_short(court, "batch-1", [list_line(10 + n, term_until="2026-06-01") for n in range(4)])

    court.book.sweep(JUNE)

    assert left(court) == {"held_shares": 0, "held_entries": 0, "held_lines": 0}
    assert batches(court) == {"first-load", "batch-1"}


def left(court: GuardedCourt) -> dict[str, int]:
    """How many rows of what waits there are."""
    with court.book.reading() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (tables.held_shares, tables.held_entries, tables.held_lines)
        }


def batches(court: GuardedCourt) -> set[str]:
    with court.book.reading() as connection:
        return set(connection.execute(sa.select(tables.batches.c.batch_id)).scalars())


def cut_short(court: GuardedCourt, batch: str, lines: list[dict[str, object]]) -> None:
    """All but the last line of a batch, one chunk each, and then nothing more."""
    intake = Intake(court.book, KEYS, Mode.SANDBOX, chunk_lines=1, limits=SMALL)
    chunks = intake.chunks(io.BytesIO(b"\n".join(map(raw, lines))), batch, lambda: NOW)
    for _ in lines[:-1]:
        next(chunks)


# --- rejection --------------------------------------------------------------------------------------------------------


def test_a_rejected_batch_leaves_the_book_as_it_was_and_may_come_again(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())

    court.reject()

    assert on_list(court) == {1}
    assert court.book.entries == 1
    with court.book.reading() as connection:
        kept = connection.execute(sa.select(tables.rejected_lines.c.event_id)).scalars().all()
    assert kept == [f"list-{sequence}" for sequence in range(10, 14)]
    assert statuses(court.submit(*wave(count=3), batch="batch-2")) == ["accepted"] * 3


def test_lifts_that_went_ahead_of_a_rejected_batch_stay(court: GuardedCourt) -> None:
    court.begin(list_line(1), list_line(2))
    court.submit(*wave(), lift_line(1))
    court.submit(lift_line(10), batch="batch-2")

    court.reject()

    assert on_list(court) == {2}
    assert statuses(court.submit(list_line(10) | {"event_id": "again"}, batch="batch-3")) == ["rejected"]


def test_an_exemption_of_a_rejected_listing_waits_for_the_next_one(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())
    court.submit(exempt_line(10), batch="batch-2")

    court.reject()
    court.submit(list_line(10), batch="batch-3")

    assert len(listed(court.book)[KEYS.token(resident(10))].parts[0].exemptions) == 1


def test_what_joined_a_rejected_batch_goes_to_a_human(court: GuardedCourt) -> None:
    court.begin(list_line(1))
    court.submit(*wave())
    court.submit(add_link(10, 50), batch="batch-2")

    court.reject()

    assert [(one.event_id, one.reason) for one in court.book.quarantined()] == [
        ("correct-10-50", "JOINED_REJECTED_BATCH batch-1")
    ]


def test_rejected_lifts_leave_their_people_listed(court: GuardedCourt) -> None:
    court.begin(*wave(10, 10))
    court.submit(*(lift_line(sequence) for sequence in range(10, 18)))

    court.reject()

    assert len(on_list(court)) == 10
    assert statuses(court.submit(lift_line(10), batch="batch-2")) == ["accepted"]
    assert on_list(court) == set(range(11, 20))


def test_the_limits_of_a_live_list_are_those_of_the_design() -> None:
    assert (LIMITS.least_subjects, LIMITS.list_divisor, LIMITS.norm_factor) == (1_000, 200, 20)


def test_a_retention_goes_with_its_lift_ahead_of_a_wave(court: GuardedCourt) -> None:
    court.begin(list_line(1))

    rows = court.submit(*wave(), lift_line(1), retain_line(1))

    assert statuses(rows)[4:] == ["accepted", "accepted"]
    assert on_list(court) == {1}
