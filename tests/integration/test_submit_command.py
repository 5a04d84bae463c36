"""`lintel publisher submit` by the command that people type: which form a file has, and what its report tells."""

from __future__ import annotations

import fcntl
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from publisher.commands import publisher
from publisher.duties import duties
from publisher.publish import BESIDE_LIFTS
from publisher.wiring import opened
from restriction.change import Lane
from sandbox.stage import PARAMETERS
from tests.fakes.court import NAME, NUMBER, Json, list_line
from tests.fakes.court_files import csv_rows, json_lines


class Desk:
    """Somebody at a terminal of a court that has founded a list."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        assert self.run("init", "--sandbox").exit_code == 0

    def run(self, command: str, *arguments: str, typed: bytes | None = None) -> Result:
        return CliRunner().invoke(publisher, [command, "--dir", str(self.directory), *arguments], input=typed)

    def report(self, *arguments: str, typed: bytes | None = None) -> Json:
        result = self.run("submit", *arguments, typed=typed)
        assert result.exit_code == 0, result.output
        told: Json = json.loads(result.stdout)
        return told


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "court")


@pytest.fixture
def signed(desk: Desk) -> Desk:
    assert desk.run("parameters", str(PARAMETERS)).exit_code == 0
    return desk


@pytest.mark.parametrize("name", ["list.csv", "LIST.CSV"])
def test_a_file_named_csv_is_read_by_its_columns(name: str, signed: Desk, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(csv_rows({}, {"cardNum": "1"}))

    told = signed.report(str(tmp_path / name))

    assert [row["line"] for row in told["accepted"]] == [2]
    assert [(row["line"], row["field"]) for row in told["rejected"]] == [(3, "cardNum")]
    with opened(signed.directory) as court:
        assert (court.feed.state.version, court.feed.state.count) == (told["version"], 1)


def test_a_stream_is_csv_when_told(signed: Desk) -> None:
    assert len(signed.report("-", "--csv", typed=csv_rows({}))["accepted"]) == 1
    assert [row["reason"] for row in signed.report("-", typed=csv_rows({}))["rejected"]] == ["NOT_JSON"] * 2


def test_a_listing_by_row_and_its_lift_by_event_meet(signed: Desk) -> None:
    entry_id = signed.report("-", "--csv", typed=csv_rows({}))["accepted"][0]["entry_id"]
    lift = {key: list_line()[key] for key in ("issued_at", "effective_at", "issuer", "legal_basis")} | {
        "event_id": "lift", "type": "LIFT", "entry_id": entry_id, "ground": "PERFORMED", "ground_at": "2026-05-14",
    }  # fmt: skip

    assert len(signed.report("-", typed=json_lines(lift))["accepted"]) == 1
    with opened(signed.directory) as court:
        assert court.feed.state.count == 0


def test_csv_is_refused_while_no_court_directory_is_signed(desk: Desk) -> None:
    refused = desk.run("submit", "-", "--csv", typed=csv_rows({}))

    assert "lintel publisher parameters" in str(refused.exception)
    with opened(desk.directory) as court:
        assert court.book.entries == 0


def test_json_needs_no_court_directory(desk: Desk) -> None:
    assert len(desk.report("-", typed=json_lines(list_line()))["accepted"]) == 1


def test_a_report_tells_no_name_and_no_number(signed: Desk) -> None:
    bad = {"courtName": NUMBER}, {"served_at": NUMBER}, {"caseCode": ""}, {"partyTypeName": NAME}

    told = signed.run("submit", "-", "--csv", "--json", typed=csv_rows({}, *bad)).output

    assert len(json.loads(told)["rejected"]) == len(bad)
    assert NUMBER not in told
    assert NAME not in told


def test_a_lift_returns_before_additions_that_waited_are_signed(signed: Desk) -> None:
    signed.report("-", typed=json_lines(list_line()))
    with opened(signed.directory) as court, court.book.writing() as writing:
        writing.mark({number.to_bytes(16, "big"): Lane.BURDEN for number in range(2_500)})
    lift = {key: list_line()[key] for key in ("issued_at", "effective_at", "issuer", "legal_basis")} | {
        "event_id": "lift", "type": "LIFT", "entry_id": list_line()["entry"]["entry_id"],
        "ground": "PERFORMED", "ground_at": "2026-05-14",
    }  # fmt: skip

    assert signed.report("-", typed=json_lines(lift))["version"] == 2
    with opened(signed.directory) as court:
        assert court.book.waiting == 2_500 - BESIDE_LIFTS


def test_nobody_who_submits_waits_until_a_long_queue_is_signed(signed: Desk) -> None:
    signed.report("-", typed=json_lines(list_line()))
    with opened(signed.directory) as court:
        with court.book.writing() as writing:
            writing.mark({bytes(16): Lane.BURDEN})
        let_in = list[bool]()

        def clock() -> float:
            with (signed.directory / ".submitting").open("wb") as file, suppress(BlockingIOError):
                let_in.append(False)
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                let_in[-1] = True
            return time.time()  # noqa: TID251 - what is signed now must not have run out

        _, sign, _ = duties(court, clock)
        sign.act()
        assert let_in[-1]
        assert court.book.waiting == 0
