"""The public list's CSV through intake: what a row becomes, and which column a refusal names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.book import Book
from publisher.csv_lines import NEEDED, CsvLines
from publisher.report import Row
from restriction.calendar import start_of
from restriction.events import Status
from restriction.parameters import Court, CourtLevel
from tests.fakes.books import EMPTY, listed, publish, sqlite_url, submit
from tests.fakes.court import KEYS, NAME, NUMBER, day, number, resident
from tests.fakes.court_files import ROW

DIRECTORY = {4408: Court(4408, "湛江市中级人民法院", "Zhanjiang", "0759", CourtLevel.INTERMEDIATE, city=True)}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book.create(sqlite_url(tmp_path), EMPTY)
    yield opened
    opened.close()


def rows(book: Book, *wanted: dict[str, str], header: list[str] | None = None) -> list[Row]:
    columns = header or list(dict.fromkeys(name for row in wanted for name in row))
    lines = [",".join(columns), *(",".join(row.get(name, "") for name in columns) for row in wanted)]
    return submit(book, [line.encode() for line in lines], form=CsvLines(DIRECTORY))


def test_a_row_of_the_public_list_is_listed(book: Book) -> None:
    (row,) = rows(book, ROW)
    publish(book)

    (part,) = listed(book)[KEYS.token(resident(1))].parts
    assert (row.line, row.status, row.reason) == (2, Status.ACCEPTED, "")
    assert row.entry_id.startswith("csv-")
    assert (part.court, part.starts_at, part.ends_at) == (4408, start_of(day("2026-05-01")), None)
    assert part.names == (KEYS.name(NAME),)


def test_a_row_twice_is_one_entry_and_an_altered_one_an_alarm(book: Book) -> None:
    told = rows(book, ROW, ROW, ROW | {"gistId": "other"})

    assert [row.status.value for row in told] == ["accepted", "duplicate", "rejected"]
    assert told[2].reason == "EVENT_ID_REUSED"


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"disruptTypeName": "违反财产报告制度"}, "2028-05-01"),
        ({"disruptTypeName": "有履行能力而拒不履行生效法律文书确定义务"}, None),
        ({"disruptTypeName": "有履行能力而拒不履行,违反限制消费令".replace(",", "，")}, "2028-05-01"),
        ({"ground": "3", "term_until": "2027-01-01"}, "2027-01-01"),
        ({"term_until": "2027年1月2日"}, "2027-01-02"),
    ],
)
def test_the_end_follows_from_the_ground_unless_stated(changes: dict[str, str], until: str | None, book: Book) -> None:
    rows(book, ROW | changes)
    publish(book)

    assert listed(book)[KEYS.token(resident(1))].parts[0].until_day == (until and day(until))


def test_a_unit_is_listed_by_either_of_its_codes(book: Book) -> None:
    unit = ROW | {"partyTypeName": "法人或其他组织", "iname": "样本公司"}

    (row,) = rows(book, unit | {"cardNum": "00000000-A"})

    assert row.status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        *(({name: ""}, name, "MISSING") for name in NEEDED),
        ({"cardNum": NUMBER[:6] + "****" + NUMBER[10:]}, "cardNum", "MASKED"),
        ({"cardNum": "123"}, "cardNum", "MALFORMED"),
        ({"cardNum": number(3, "20100101")}, "cardNum", "UNDER_18"),
        ({"iname": "样*"}, "iname", "MASKED"),
        ({"courtName": "别的法院"}, "courtName", "UNKNOWN_COURT"),
        ({"partyTypeName": "未知"}, "partyTypeName", "UNKNOWN"),
        ({"publishDate": "5 May 2026"}, "publishDate", "MALFORMED"),
        ({"served_at": "2026-02-30"}, "served_at", "MALFORMED"),
        ({"ground": "9"}, "ground", "OUT_OF_RANGE"),
        ({"disruptTypeName": "其他"}, "disruptTypeName", "UNKNOWN"),
        ({"ground": "2", "term_until": "2036-01-01"}, "term_until", "LONGER_THAN_FIVE_YEARS"),
        ({"decided_at": "2026-03-01"}, "risk_notice_at", "AFTER_DECISION"),
    ],
)
def test_a_bad_row_is_refused_by_its_column_and_its_neighbour_kept(
    changes: dict[str, str], column: str, reason: str, book: Book
) -> None:
    bad, good = rows(book, ROW | changes, ROW | {"cardNum": number(2), "iname": "样本二"})

    assert (bad.line, bad.status, bad.field, bad.reason) == (2, Status.REJECTED, column, reason)
    assert good.status is Status.ACCEPTED
    assert NUMBER not in repr(bad)


@pytest.mark.parametrize("left_out", NEEDED)
def test_a_file_without_a_needed_column_lists_nobody(left_out: str, book: Book) -> None:
    told = rows(book, ROW, ROW, header=[name for name in ROW if name != left_out])

    assert [(row.field, row.reason) for row in told] == [(left_out, "MISSING_COLUMN")] * 2


@pytest.mark.parametrize(
    ("header", "field", "reason"),
    [
        ([*ROW, "amount"], "amount", "UNKNOWN_COLUMN"),
        ([*ROW, NUMBER], "header", "UNKNOWN_COLUMN"),
        ([*ROW, "iname"], "header", "COLUMN_TWICE"),
    ],
)
def test_a_file_with_another_column_lists_nobody(header: list[str], field: str, reason: str, book: Book) -> None:
    assert [(row.field, row.reason) for row in rows(book, ROW, header=header)] == [(field, reason)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a,b", "WRONG_NUMBER_OF_CELLS"),
        ('"样本'.encode(), "NOT_CSV"),
        ("样本".encode("gbk"), "NOT_UTF8"),
        (b"x" * 70_000, "TOO_LONG"),
    ],
)
def test_a_line_that_is_no_row_is_refused(line: bytes, reason: str, book: Book) -> None:
    told = submit(book, [",".join(ROW).encode(), line], form=CsvLines(DIRECTORY))

    assert [(row.line, row.field, row.reason) for row in told] == [(2, "line", reason)]


def test_an_empty_file_has_no_rows(book: Book) -> None:
    assert submit(book, [], form=CsvLines({})) == []


def test_without_a_directory_a_court_is_named_by_its_code(book: Book) -> None:
    form = CsvLines({})
    cells = ",".join((ROW | {"courtName": "4408"}).values())

    (row,) = submit(book, [",".join(ROW).encode(), cells.encode()], form=form)

    assert row.status is Status.ACCEPTED
