"""The book on SQLite, and on PostgreSQL where its binaries are found: whole writings, the outbox, the clock's sweep."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from publisher.book import Book
from publisher.writing import Waiting, Writes
from restriction.change import Lane
from restriction.errors import SettingError
from restriction.record import decode
from tests.fakes import postgres
from tests.fakes.books import EMPTY, listed, publish, sqlite_url, submit
from tests.fakes.court import (
    KEYS,
    NOW,
    exempt_line,
    head,
    instant,
    lift_line,
    list_line,
    number,
    resident,
    retain_line,
)


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[sa.URL]:
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL: no initdb and pg_ctl on this machine, so the book is tested on SQLite alone")
    with postgres.server(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return postgres.new_database(request.getfixturevalue("postgres_server"))


@pytest.fixture
def book(url: str) -> Iterator[Book]:
    opened = Book.create(url, EMPTY)
    yield opened
    opened.close()


def token(sequence: int) -> bytes:
    return KEYS.token(resident(sequence))


def unit_line(**link_changes: object) -> dict[str, object]:
    known = {
        "link_id": "l1", "role": "PRINCIPAL", "name": "样本代表", "from": "2026-05-01", "until": "2026-06-01",
        "documents": [{"type": "RESIDENT_ID", "number": number(700)}], "basis_no": "b-1",
    }  # fmt: skip
    subject = {"kind": "UNIT", "name": "样本公司", "documents": [{"type": "ORGANISATION_CODE", "number": "00000000A"}]}
    return list_line(1, subject=subject, links=[known | link_changes])


# --- privacy ---------------------------------------------------------------------------------------------------------


def test_an_error_of_the_database_quotes_nobody(url: str, book: Book) -> None:
    """I14: what a driver says of a failed statement goes to a terminal or a log."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE waiting"))
    engine.dispose()
    with pytest.raises(sa.exc.SQLAlchemyError) as caught, book.writing() as writing:
        writing.save(Writes(waiting=[Waiting("n-1", number(1).encode())]), NOW)
    assert number(1) not in str(caught.value)


# --- the outbox ------------------------------------------------------------------------------------------------------


def test_a_listing_waits_is_published_and_waits_no_longer(book: Book) -> None:
    submit(book, [list_line()])
    assert book.waiting == 1

    (change,) = publish(book)

    assert (change.token, change.lane) == (token(1), Lane.BURDEN)
    assert book.waiting == 0
    assert book.published([token(1), token(2)]) == {token(1): change.record}
    assert book.state.version == 1
    assert book.next_changes(10) == []


def test_what_eases_is_drawn_before_what_burdens(book: Book) -> None:
    submit(book, [list_line(sequence) for sequence in range(1, 6)])
    publish(book)

    submit(book, [list_line(sequence) for sequence in range(10, 40)], "batch-2")
    submit(book, [lift_line(2), exempt_line(3), head("SUSPEND", "s-4", entry_id="n-4")], "batch-3")

    eased = book.next_changes(3)
    assert {change.token for change in eased} == {token(2), token(3), token(4)}
    assert {change.lane for change in eased} == {Lane.EASE}
    assert [change.lane for change in book.next_changes(100)] == [Lane.EASE] * 3 + [Lane.BURDEN] * 30


@pytest.mark.parametrize("lift_is_first", [True, False])
def test_a_token_that_one_chunk_eases_and_burdens_takes_the_better_lane(book: Book, *, lift_is_first: bool) -> None:
    submit(book, [list_line()])
    publish(book)
    lines = [lift_line(1), list_line(1, entry_id="n-9") | {"event_id": "list-9"}]
    submit(book, lines if lift_is_first else reversed(lines), "batch-2")

    (change,) = publish(book)

    assert change.lane is Lane.EASE


def test_a_token_that_was_eased_and_burdened_keeps_the_better_lane(book: Book) -> None:
    submit(book, [list_line()])
    publish(book)
    submit(book, [head("SUSPEND", "s-1", entry_id="n-1")], "batch-2")
    submit(book, [list_line(1, entry_id="n-9") | {"event_id": "list-9"}], "batch-3")

    (change,) = publish(book)

    assert change.lane is Lane.EASE
    assert [part.suspended for part in decode(change.record).parts].count(True) == 1


def test_a_resumption_burdens(book: Book) -> None:
    submit(book, [list_line(), head("SUSPEND", "s-1", entry_id="n-1")])
    publish(book)
    submit(book, [head("RESUME", "r-1", entry_id="n-1")], "batch-2")

    assert [change.lane for change in publish(book)] == [Lane.BURDEN]


def test_what_was_listed_and_lifted_before_it_was_drawn_is_never_published(book: Book) -> None:
    submit(book, [list_line()])
    submit(book, [lift_line()], "batch-2")

    assert book.waiting == 1
    assert publish(book) == []
    assert book.waiting == 0


def test_a_mark_made_after_drawing_survives_the_publication(book: Book) -> None:
    submit(book, [list_line()])
    drawn = book.next_changes(10)
    submit(book, [lift_line()], "batch-2")
    book.mark_published(drawn, replace(EMPTY, version=1))

    (change,) = publish(book)

    assert (change.token, change.record) == (token(1), b"")
    assert listed(book) == {}


def test_publishing_a_part_of_what_was_drawn_leaves_the_rest(book: Book) -> None:
    submit(book, [list_line(1), list_line(2)])
    first, second = book.next_changes(10)
    book.mark_published([first], replace(EMPTY, version=1))

    assert book.next_changes(10) == [second]


def test_marking_twice_and_from_another_process_is_marking_once(book: Book, url: str) -> None:
    submit(book, [list_line()])
    changes = book.next_changes(10)
    other = Book.open(url)
    for opened in (other, book, book):
        opened.mark_published(changes, replace(EMPTY, version=1))

    assert other.next_changes(10) == []
    assert (other.waiting, other.state.version) == (0, 1)
    other.close()


def test_a_draw_without_any_change_does_not_hide_those_behind_it(book: Book) -> None:
    submit(book, [list_line(sequence) for sequence in range(1, 6)])
    submit(book, [lift_line(sequence) for sequence in range(1, 6)], "batch-2")
    submit(book, [list_line(9)], "batch-3")

    assert [change.token for change in book.next_changes(2)] == [token(9)]


# --- records ---------------------------------------------------------------------------------------------------------


def test_entries_of_one_person_make_one_record_and_lift_alone(book: Book) -> None:
    submit(book, [list_line(), list_line(1, entry_id="n-b") | {"event_id": "list-b"}])
    publish(book)
    assert len(listed(book)[token(1)].parts) == 2

    submit(book, [lift_line()], "batch-2")
    publish(book)

    (part,) = listed(book)[token(1)].parts
    assert part.entry_ref == KEYS.audit("n-b")[:8]


def test_published_records_come_by_partition_in_order(book: Book) -> None:
    submit(book, [list_line(sequence) for sequence in range(1, 401)])
    publish(book)

    tokens = [key for partition in range(256) for key, _ in book.published_records(partition)]
    assert tokens == sorted(token(sequence) for sequence in range(1, 401))
    for partition in (0, 255):
        assert all(key[0] == partition for key, _ in book.published_records(partition))


def test_nothing_published_holds_a_name_or_a_number(book: Book) -> None:
    submit(book, [list_line()])

    (change,) = publish(book)

    assert number(1).encode() not in change.record
    assert "样本一".encode() not in change.record


# --- the clock -------------------------------------------------------------------------------------------------------


def test_an_entry_leaves_the_list_at_the_second_its_term_ends(book: Book) -> None:
    submit(book, [list_line(1, term_until="2026-06-01"), list_line(2)])
    publish(book)
    end = instant("2026-06-01T00:00:00")

    assert book.sweep(end - 0.5) == 0
    assert book.sweep(end) == 1
    assert book.sweep(end) == 0
    (change,) = publish(book)
    assert (change.token, change.record, change.lane) == (token(1), b"", Lane.EASE)


def test_a_link_leaves_the_list_when_it_ends_and_the_unit_stays(book: Book) -> None:
    submit(book, [unit_line()])
    publish(book)
    assert len(listed(book)) == 2

    assert book.sweep(instant("2026-06-01T00:00:00")) == 1
    publish(book)

    assert token(700) not in listed(book)
    assert len(listed(book)) == 1


def test_a_retention_leaves_the_list_at_its_own_end(book: Book) -> None:
    submit(book, [list_line(), lift_line(), retain_line(until="2026-06-01")])
    publish(book)

    assert book.sweep(instant("2026-06-01T00:00:00")) == 1
    assert [change.record for change in publish(book)] == [b""]


def test_what_has_ended_is_not_written_again_by_a_later_event(book: Book) -> None:
    submit(book, [unit_line()])
    publish(book)
    june = instant("2026-06-02T12:00:00")
    book.sweep(june)
    publish(book)

    submit(book, [head("SUSPEND", "s-1", entry_id="n-1")], "batch-2", june)
    publish(book)

    assert token(700) not in listed(book)


# --- whole or not at all ---------------------------------------------------------------------------------------------


def test_a_writing_that_fails_leaves_nothing(book: Book) -> None:
    submit(book, [list_line()])
    broken = Writes(events={"e-new": b"digest", "list-1": b"known already"}, marks={token(5): Lane.BURDEN})

    def write() -> None:
        with book.writing() as writing:
            writing.mark({token(4): Lane.EASE})
            writing.save(broken, NOW)

    with pytest.raises(sa.exc.IntegrityError):
        write()

    with book.writing() as writing:
        assert writing.events(["e-new", "list-1"]).keys() == {"list-1"}
    assert book.waiting == 1


KILLED = """
import os, signal, sys
from publisher.book import Book
from restriction.change import Lane
book = Book.open(sys.argv[1])
with book.writing() as writing:
    writing.mark({bytes([n]) * 16: Lane.BURDEN for n in range(200)})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_in_mid_chunk_leaves_nothing_and_no_lock(book: Book, url: str) -> None:
    submit(book, [list_line()])

    died = subprocess.run([sys.executable, "-c", KILLED, url], check=False)  # noqa: S603  our own interpreter and text

    assert died.returncode == -9
    submit(book, [list_line(2)], "batch-2")
    assert {change.token for change in publish(book)} == {token(1), token(2)}


def test_a_second_writer_waits_for_the_first(book: Book, url: str) -> None:
    other = Book.open(url)
    with book.writing() as writing:
        writing.mark({token(1): Lane.BURDEN})
        assert other.waiting == 0
    with other.writing() as writing:
        writing.mark({token(2): Lane.BURDEN})
    assert (book.waiting, other.waiting) == (2, 2)
    other.close()


# --- opening ---------------------------------------------------------------------------------------------------------


def test_creating_again_keeps_what_is_there(book: Book, url: str) -> None:
    submit(book, [list_line()])
    again = Book.create(url, replace(EMPTY, version=9))

    assert (again.state, again.waiting, again.entries) == (EMPTY, 1, 1)
    again.close()


@pytest.mark.parametrize("bad", ["nonsense", "mysql://host/book"])
def test_another_url_is_refused(bad: str) -> None:
    with pytest.raises(SettingError):
        Book.open(bad)


def test_a_missing_book_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="found a list"):
        Book.open(sqlite_url(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_a_file_without_tables_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "book.sqlite").touch()

    with pytest.raises(SettingError, match="found a list"):
        Book.open(sqlite_url(tmp_path))
