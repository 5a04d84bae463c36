"""Intake into a real book: one row for every line, whatever stands in it."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from publisher.book import Book
from publisher.intake import Intake, read_lines
from publisher.lines import MAX_LINE_BYTES
from publisher.report import Report, Row
from restriction.events import Status
from restriction.identity import Mode
from restriction.record import decode
from tests.fakes.bad_lines import BAD_LINES, changed, entry_with, raw
from tests.fakes.books import EMPTY, listed, publish, sqlite_url, submit
from tests.fakes.court import (
    KEYS,
    NAME,
    NOW,
    NUMBER,
    exempt_line,
    head,
    instant,
    lift_line,
    list_line,
    number,
    resident,
    retain_line,
)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book.create(sqlite_url(tmp_path), EMPTY)
    yield opened
    opened.close()


def statuses(rows: list[Row]) -> list[str]:
    return [row.status.value for row in rows]


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_refused_by_field_and_reason_and_its_neighbours_are_kept(name: str, book: Book) -> None:
    line, field, reason = BAD_LINES[name]

    before, bad, after = submit(book, [list_line(2), line, list_line(3)])

    assert (bad.line, bad.status, bad.field, bad.reason) == (2, Status.REJECTED, field, reason)
    assert (before.status, after.status) == (Status.ACCEPTED, Status.ACCEPTED)
    told = repr(bad)
    assert NUMBER not in told
    assert NAME not in told


def test_every_line_of_a_long_bad_batch_has_its_row(book: Book) -> None:
    lines = [line for bad, _, _ in BAD_LINES.values() for line in (bad, raw(list_line(500)))]

    rows = submit(book, lines)

    assert [row.line for row in rows] == list(range(1, len(lines) + 1))
    assert statuses(rows)[1::2] == ["accepted"] + ["duplicate"] * (len(BAD_LINES) - 1)


def test_a_repeated_event_is_a_duplicate_and_other_content_is_refused(book: Book) -> None:
    other = changed(list_line(), ("entry", "case_no"), "(2026)粤08执9号")
    reordered = dict(reversed(list_line().items()))

    rows = submit(book, [list_line(), reordered, other])
    again = submit(book, [list_line(), other], "batch-2")

    assert statuses(rows) == ["accepted", "duplicate", "rejected"]
    assert statuses(again) == ["duplicate", "rejected"]
    assert {(row.field, row.reason) for row in (rows[2], again[1])} == {("event_id", "EVENT_ID_REUSED")}


def test_a_refused_event_may_come_again_corrected(book: Book) -> None:
    assert statuses(submit(book, [entry_with("ground", 2)])) == ["rejected"]
    assert statuses(submit(book, [list_line()], "batch-2")) == ["accepted"]


def test_what_comes_before_its_listing_waits_for_it_and_then_applies(book: Book) -> None:
    held = submit(book, [exempt_line(), head("SUSPEND", "s-1", entry_id="n-1")])
    listing = submit(book, [list_line()], "batch-2")
    publish(book)

    part = listed(book)[KEYS.token(resident(1))].parts[0]
    assert statuses(held) == ["held", "held"]
    assert statuses(listing) == ["accepted"]
    assert part.suspended
    assert len(part.exemptions) == 1
    assert statuses(submit(book, [exempt_line()], "batch-3")) == ["duplicate"]


def test_what_waited_in_the_same_batch_applies_too(book: Book) -> None:
    rows = submit(book, [head("SUSPEND", "s-1", entry_id="n-1"), list_line(), head("RESUME", "r-1", entry_id="n-1")])

    assert statuses(rows) == ["held", "accepted", "accepted"]


def test_what_waited_and_is_not_lawful_goes_to_a_human(book: Book) -> None:
    submit(book, [exempt_line(holder="link:l9"), list_line()])

    assert [(one.event_id, one.field, one.reason) for one in book.quarantined()] == [
        ("exempt-1", "exemption.holder", "UNKNOWN_HOLDER")
    ]


def test_a_lift_before_its_listing_overtakes_it(book: Book) -> None:
    assert statuses(submit(book, [lift_line(), list_line()])) == ["accepted", "overtaken"]
    assert publish(book) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 0, 1)], ids=["lift first", "retain first", "retain early"])
@pytest.mark.parametrize("filler", [0, 250], ids=["one chunk", "chunks apart"])
def test_a_lift_and_its_retain_meet_in_any_order(order: tuple[int, ...], filler: int, book: Book) -> None:
    lines = [list_line(), lift_line(), retain_line()]
    between = [raw(list_line(sequence)) for sequence in range(600, 600 + filler)]
    first, second, third = (raw(lines[at]) for at in order)

    rows = submit(book, [first, *between, second, *between, third])
    publish(book)

    assert all(row.status is Status.ACCEPTED for row in rows if row.event_id in {"list-1", "lift-1", "retain-1"})
    assert len(rows) == 3 + 2 * filler
    part = listed(book)[KEYS.token(resident(1))].parts[0]
    assert part.until_day == part.grants[0].span.until
    assert part.grants[0].measures.bit_count() == 1


def test_a_retain_without_its_lift_is_refused_at_the_end_of_the_batch(book: Book) -> None:
    rows = submit(book, [list_line(), retain_line(), list_line(2)])
    submit(book, [lift_line()], "batch-2")

    assert statuses(rows) == ["accepted", "rejected", "accepted"]
    assert (rows[1].field, rows[1].reason) == ("type", "NOT_WHEN_ACTIVE")
    assert [row.reason for row in submit(book, [retain_line()], "batch-3")] == ["WITHOUT_ITS_LIFT"]


def test_a_retain_twice_in_one_batch_is_applied_once(book: Book) -> None:
    rows = submit(book, [list_line(), retain_line(), retain_line(), lift_line()])

    assert statuses(rows) == ["accepted", "accepted", "duplicate", "accepted"]


def test_a_retain_that_waited_is_no_exception_to_event_ids(book: Book) -> None:
    filler = [list_line(sequence) for sequence in range(600, 700)]
    other = head("SUSPEND", "retain-1", entry_id="n-600")

    rows = submit(book, [list_line(), retain_line(), *filler, other, *filler, lift_line()])

    told = {row.line: (row.status.value, row.reason) for row in rows}
    assert told[2] == ("rejected", "EVENT_ID_REUSED")
    assert told[103] == ("accepted", "")
    assert told[len(rows)] == ("accepted", "")


def test_what_goes_beyond_urgent_travel_is_quarantined_and_the_rest_applies(book: Book) -> None:
    rows = submit(book, [list_line(), exempt_line(measures=["AIR", "LODGE"])])
    publish(book)

    assert statuses(rows) == ["accepted", "quarantined"]
    assert len(listed(book)[KEYS.token(resident(1))].parts[0].exemptions) == 1
    assert [one.reason for one in book.quarantined()] == ["BEYOND_URGENT_TRAVEL"]
    assert statuses(submit(book, [exempt_line(measures=["AIR", "LODGE"])], "batch-2")) == ["duplicate"]


def test_a_future_lift_is_quarantined_and_accepted_when_its_time_has_come(book: Book) -> None:
    future = changed(lift_line(), ("effective_at",), "2026-05-15T12:01:01+08:00")

    early = submit(book, [list_line(), future])
    assert statuses(early) == ["accepted", "quarantined"]
    assert len(book.quarantined()) == 1

    assert statuses(submit(book, [future], "batch-2", NOW + 1)) == ["accepted"]
    assert book.quarantined() == []


def test_an_entry_that_is_not_publishable_is_kept_and_never_published(book: Book) -> None:
    assert statuses(submit(book, [list_line(1, publishable=False)])) == ["accepted"]
    assert book.entries == 1
    assert publish(book) == []


def test_a_lift_stamped_by_a_clock_that_is_a_minute_ahead_takes_effect_at_once(book: Book) -> None:
    ahead = changed(lift_line(), ("effective_at",), "2026-05-15T12:01:00+08:00")

    assert statuses(submit(book, [list_line(), ahead])) == ["accepted", "accepted"]
    publish(book)
    assert listed(book) == {}


def test_a_time_between_seconds_is_not_yet_reached(book: Book) -> None:
    halfway = changed(lift_line(), ("effective_at",), "2026-05-15T12:00:59.5+08:00")

    rows = submit(book, [list_line(), halfway], now_s=instant("2026-05-15T11:59:59"))

    assert statuses(rows) == ["accepted", "quarantined"]


def test_a_lift_stamped_within_this_second_takes_effect_at_once(book: Book) -> None:
    just_now = changed(lift_line(), ("effective_at",), "2026-05-15T11:59:59.2+08:00")

    rows = submit(book, [list_line(), just_now], now_s=instant("2026-05-15T11:59:59") + 0.3)

    assert statuses(rows) == ["accepted", "accepted"]


def test_a_listing_stamped_between_seconds_does_not_start_before(book: Book) -> None:
    halfway = changed(list_line(), ("effective_at",), "2026-05-15T11:59:59.2+08:00")

    submit(book, [halfway])

    (change,) = publish(book)
    assert decode(change.record).parts[0].starts_at == instant("2026-05-15T12:00:00")


def test_a_live_list_accepts_no_sandbox_identity(book: Book) -> None:
    intake = Intake(book, KEYS, Mode.LIVE)
    rows = list(intake.submit(io.BytesIO(raw(list_line())), "batch-1", lambda: NOW))

    assert [row.reason for row in rows] == ["SANDBOX_ONLY"]


def test_a_batch_needs_an_id(book: Book) -> None:
    with pytest.raises(ValueError, match="id"):
        list(Intake(book, KEYS, Mode.SANDBOX).submit(io.BytesIO(), "", lambda: NOW))


def test_lines_are_read_in_bounded_memory_with_any_line_end() -> None:
    stream = io.BytesIO(b"\xef\xbb\xbfa\r\n" + b"b" * (5 * MAX_LINE_BYTES) + b"\nc")

    first, long, last = read_lines(stream)

    assert (first, last) == (b"a", b"c")
    assert MAX_LINE_BYTES < len(long) < MAX_LINE_BYTES + 10


def test_the_report_tells_every_row_in_both_forms(book: Book) -> None:
    rows = submit(book, [list_line(), b"{}", lift_line(), lift_line(), exempt_line(2)])
    out = io.BytesIO()
    console = Console(file=io.StringIO(), width=200)

    with Report() as report:
        report.add(rows)
        report.write_json(out, 7)
        console.print(report.table())

    told = orjson.loads(out.getvalue())
    assert told["version"] == 7
    assert {status: len(told[status]) for status in map(str, Status)} == {
        "accepted": 2, "duplicate": 1, "overtaken": 0, "held": 1, "rejected": 1, "quarantined": 0,
    }  # fmt: skip
    assert told["rejected"] == [
        {"line": 2, "status": "rejected", "event_id": "", "entry_id": "", "field": "event_id", "reason": "MISSING"}
    ]
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO, given above
    assert "2 accepted, 1 duplicate, 1 held, 1 rejected" in shown
    assert "exempt-2" in shown


def test_a_reused_event_id_raises_an_alarm(book: Book) -> None:
    with Report() as report:
        report.add(submit(book, [list_line(), changed(list_line(), ("entry", "case_no"), "c")]))

        assert [row.line for row in report.alarms] == [2]


def test_a_wrong_number_is_withdrawn_and_whom_it_hit_is_recorded(book: Book) -> None:
    right = [{"type": "RESIDENT_ID", "number": number(9)}]
    submit(book, [list_line()])
    publish(book)

    correction = head("CORRECT", "c-1", entry_id="n-1", version=2, changes={"subject": {"documents": right}})
    submit(book, [correction], "batch-2")
    first, second = publish(book)

    assert (first.token, first.record) == (KEYS.token(resident(1)), b"")
    assert second.token == KEYS.token(resident(9))
    assert book.wrong_hits() == [("n-1", KEYS.token(resident(1)), int(NOW))]


def test_a_correction_that_ends_an_entry_withdraws_no_number(book: Book) -> None:
    submit(book, [list_line(), head("CORRECT", "c-1", entry_id="n-1", version=2, changes={"publishable": False})])

    assert book.wrong_hits() == []


@pytest.mark.parametrize("was_on", [True, False], ids=["on", "off"])
def test_intake_leaves_the_search_for_cycles_as_it_was(book: Book, *, was_on: bool) -> None:
    (gc.enable if was_on else gc.disable)()
    try:
        submit(book, [list_line(), b"no event"])
        assert gc.isenabled() is was_on
    finally:
        gc.enable()
