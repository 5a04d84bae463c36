"""The watched folder: what is taken, where it goes, and what a crash in the middle leaves."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from publisher.drop import Drop
from publisher.wiring import Founding, Publisher, found, opened
from restriction.identity import Mode
from restriction.parameters import Parameters
from sandbox.stage import PARAMETERS
from tests.fakes.court import NAME, NOW, NUMBER, Json, lift_line, list_line, retain_line
from tests.fakes.court_files import csv_rows, json_lines


class Court:
    """A court's list, its drop folder, and what was found there."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.drop = Drop(publisher, lambda: NOW)
        self.folder = self.drop.directory

    def put(self, name: str, content: bytes) -> None:
        """As a court does it: written under another name, then renamed into place."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / ".part").write_bytes(content)
        (self.folder / ".part").rename(self.folder / name)

    def report(self, name: str, folder: str = "done") -> Json:
        told: Json = json.loads((self.folder / folder / f"{name}.report.json").read_bytes())
        return told

    def sign_courts(self) -> None:
        with self.publisher.feed.lock():
            self.publisher.feed.publish_parameters(Parameters.parse(PARAMETERS.read_bytes()).to_bytes(), NOW)

    def left(self, folder: str = "") -> list[str]:
        """The files of a folder."""
        return sorted(path.name for path in (self.folder / folder).iterdir() if path.is_file())


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    found(tmp_path / "court", Founding("sandbox", Mode.SANDBOX), NOW)
    with opened(tmp_path / "court") as publisher:
        yield Court(publisher)


def test_a_file_is_signed_and_leaves_with_its_report(court: Court) -> None:
    court.put("a.ndjson", json_lines(list_line()))

    court.drop.take_in()

    assert (court.left(), court.left(".taken")) == ([], [])
    assert court.left("done") == ["a.ndjson", "a.ndjson.report.json"]
    told = court.report("a.ndjson")
    assert [row["entry_id"] for row in told["accepted"]] == ["n-1"]
    assert (told["version"], court.publisher.feed.state.count) == (court.publisher.feed.state.version, 1)


def test_files_are_taken_in_the_order_of_their_names(court: Court) -> None:
    court.put("2.ndjson", json_lines(lift_line()))
    court.put("1.ndjson", json_lines(list_line()))

    court.drop.take_in()

    assert len(court.report("1.ndjson")["accepted"]) == len(court.report("2.ndjson")["accepted"]) == 1
    assert court.publisher.feed.state.count == 0


def test_rows_of_the_public_list_are_taken(court: Court) -> None:
    court.sign_courts()
    court.put("a.CSV", csv_rows({}))

    court.drop.take_in()

    assert len(court.report("a.CSV")["accepted"]) == 1


@pytest.mark.parametrize("name", [".a.ndjson", "a.ndjson.part", "a.csv.part", "a.txt", "done.ndjson/b"])
def test_another_name_is_left_alone(name: str, court: Court) -> None:
    path = court.folder / name
    path.parent.mkdir(parents=True)
    path.write_bytes(json_lines(list_line()))

    court.drop.take_in()

    assert path.exists()
    assert court.publisher.book.entries == 0


def test_a_file_that_fails_as_a_whole_is_refused_and_the_next_is_taken(court: Court) -> None:
    court.put("a.csv", csv_rows({}))
    court.put("b.ndjson", json_lines(list_line()))

    court.drop.take_in()

    assert court.left("refused") == ["a.csv", "a.csv.report.json"]
    assert "lintel publisher parameters" in court.report("a.csv", "refused")["refused"]
    assert len(court.report("b.ndjson")["accepted"]) == 1


def test_a_file_that_breaks_intake_is_refused_without_being_quoted(court: Court) -> None:
    def broken() -> float:
        raise ValueError(NAME)

    court.put("a.ndjson", json_lines(list_line()))

    Drop(court.publisher, broken).take_in()

    assert court.report("a.ndjson", "refused") == {"refused": "ValueError"}


def test_a_file_of_the_same_name_overwrites_nothing(court: Court) -> None:
    for sequence in (1, 2, 3):
        court.put("a.ndjson", json_lines(list_line(sequence)))
        court.drop.take_in()

    told = [court.report(name)["accepted"][0]["entry_id"] for name in ("a.ndjson", "a~2.ndjson", "a~3.ndjson")]
    assert told == ["n-1", "n-2", "n-3"]


def test_a_file_claimed_before_a_crash_is_taken_first_and_its_events_are_duplicates(court: Court) -> None:
    lines = [list_line(), retain_line(), lift_line()]
    court.put("a.ndjson", json_lines(*lines[:1]))
    court.drop.take_in()
    (court.folder / "done/a.ndjson").unlink()
    (court.folder / ".taken/a.ndjson").write_bytes(json_lines(*lines))
    court.put("a.ndjson", json_lines(list_line(2)))

    court.drop.take_in()

    told = court.report("a.ndjson")
    assert (len(told["duplicate"]), len(told["accepted"])) == (1, 2)
    assert len(court.report("a~2.ndjson")["accepted"]) == 1
    assert court.left(".taken") == []


def test_a_fault_of_this_side_keeps_the_file_and_those_after_it(court: Court, tmp_path: Path) -> None:
    court.put("a.ndjson", json_lines(list_line()))
    court.put("b.ndjson", json_lines(lift_line()))
    book = sa.create_engine(f"sqlite:///{tmp_path / 'court/book.sqlite'}")
    with book.begin() as away:
        away.execute(sa.text("ALTER TABLE entries RENAME TO gone"))

    with pytest.raises(sa.exc.OperationalError):
        court.drop.take_in()
    assert (court.left(), court.left(".taken")) == (["b.ndjson"], ["a.ndjson"])

    with book.begin() as back:
        back.execute(sa.text("ALTER TABLE gone RENAME TO entries"))
    book.dispose()
    court.drop.take_in()
    assert len(court.report("a.ndjson")["accepted"]) == len(court.report("b.ndjson")["accepted"]) == 1


def test_neither_report_nor_log_holds_a_name_or_number(court: Court, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    court.put("a.csv", csv_rows({}))
    bad = [list_line(2, case_no=[NUMBER]), list_line(3, court=NUMBER), list_line() | {NAME: NAME}]
    court.put("b.ndjson", json_lines(list_line(), *bad))

    court.drop.take_in()

    told = caplog.text + "".join(path.read_text() for path in court.folder.rglob("*.report.json"))
    assert "UNKNOWN_KEY" in told
    assert NUMBER not in told
    assert NAME not in told


def test_serve_watches_the_folder(court: Court) -> None:
    court.put("a.ndjson", json_lines(list_line()))
    arguments = ("serve", "--listen", "127.0.0.1:0", "--dir", str(court.publisher.directory))
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "cli", "publisher", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as serving:
        assert serving.stderr is not None
        logged = next((line for line in serving.stderr if b"taken in" in line), None)
        serving.terminate()

    assert logged is not None
    assert len(court.report("a.ndjson")["accepted"]) == 1
    assert serving.returncode == 0
