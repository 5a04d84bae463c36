"""`lintel publisher approve` by the command that a second signer types, on a live list with the design's limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stdnum.iso7064 import mod_11_2

from publisher import approvers
from publisher.commands import publisher
from publisher.key_files import read_key, write_key
from publisher.wiring import opened
from restriction.calendar import date_from_day
from restriction.errors import SettingError
from tests.fakes.court import NOW, Json, lift_line, list_line
from tests.fakes.court_files import json_lines

WAVE = 1_001


def live_number(sequence: int) -> str:
    """A resident number as it may be issued, of nobody in particular."""
    body = f"440802{date_from_day(sequence // 999).strftime('%Y%m%d')}{1 + sequence % 999:03d}"
    return body + mod_11_2.calc_check_digit(body)


def live_line(sequence: int) -> Json:
    document = {"type": "RESIDENT_ID", "number": live_number(sequence)}
    return list_line(sequence, subject={"kind": "PERSON", "name": "样本一", "documents": [document]})


class Desk:
    """Two people at a terminal of a court whose live list has one entry."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = directory.with_name("judge.pem")
        assert self.run("init").exit_code == 0
        assert self.run("approvers", "add", "judge", "--key", str(self.key)).exit_code == 0
        self.submit(live_line(1))

    def run(self, *words: str, typed: bytes | None = None) -> Result:
        command, *arguments = words
        group = [command, arguments.pop(0)] if command == "approvers" else [command]
        return CliRunner().invoke(publisher, [*group, "--dir", str(self.directory), *arguments], input=typed)

    def submit(self, *lines: Json) -> Json:
        result = self.run("submit", "-", typed=json_lines(*lines))
        assert result.exit_code == 0, result.output
        told: Json = json.loads(result.stdout)
        return told

    def wave(self) -> str:
        """Submit more than may go; the batch's id as `status` shows it."""
        told = self.submit(*(live_line(100 + sequence) for sequence in range(WAVE)))
        assert len(told["held"]) == WAVE
        batch: str = self.status()["held_batches"][0]["batch"]
        assert told["held"][0]["reason"] == f"WAITS: lintel publisher approve {batch[:12]}"
        return batch

    def approve(self, batch: str, *options: str) -> Result:
        return self.run("approve", batch, "--key", str(self.key), "--yes", *options)

    def status(self) -> Json:
        told: Json = json.loads(self.run("status").stdout)
        return told


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "court")


def test_a_wave_waits_until_it_is_approved(desk: Desk) -> None:
    batch = desk.wave()
    before = desk.status()
    assert before["count"] == 1
    assert (before["held_batches"][0]["lists"], before["held_batches"][0]["share_of_list"]) == (WAVE, float(WAVE))

    told = desk.approve(batch[:12])

    assert told.exit_code == 0, told.output
    shown = json.loads(told.stdout.splitlines()[0])
    assert (shown["lists"], shown["changes"], shown["lifts"]) == (WAVE, 0, 0)
    assert desk.status()["count"] == 1 + WAVE
    assert desk.status()["held_batches"] == []
    assert "judge decided `approve`" in str(desk.approve(batch).exception)


def test_an_approval_that_died_before_it_was_published_is_published_by_the_next(desk: Desk) -> None:
    batch = desk.wave()
    with opened(desk.directory) as court:
        statement = court.bench.statement(court.bench.find(batch), court.feed.list_id, "approve")
        signed = approvers.verified(desk.directory, statement, approvers.sign(statement, desk.key, lambda _: []))
        court.bench.approve(signed, NOW)
        assert court.feed.state.count == 1

    desk.approve(batch)

    assert desk.status()["count"] == 1 + WAVE


def test_a_key_that_is_not_registered_approves_nothing(desk: Desk) -> None:
    batch = desk.wave()
    desk.key = desk.directory / "keys" / "online" / "targets.pem"

    assert "no registered approver signed this" in str(desk.approve(batch).exception)
    assert desk.status()["count"] == 1


def test_an_approvers_key_may_be_under_a_passphrase(desk: Desk, tmp_path: Path) -> None:
    batch, passphrase = desk.wave(), tmp_path / "passphrase"
    passphrase.write_bytes(b"correct horse")
    key = read_key(desk.key)
    assert isinstance(key, Ed25519PrivateKey)
    desk.key.unlink()
    write_key(desk.key, key, b"correct horse")
    assert "passphrase" in str(desk.approve(batch).exception)
    approved = desk.approve(batch, "--passphrase-file", str(passphrase))
    assert approved.exit_code == 0, approved.output
    assert desk.status()["held_batches"] == []


def test_nothing_is_signed_unless_the_approver_says_yes(desk: Desk) -> None:
    batch = desk.wave()

    assert desk.run("approve", batch, "--key", str(desk.key), typed=b"n\n").exit_code == 1
    assert desk.status()["held_batches"]


def test_a_rejected_wave_is_gone_and_may_be_sent_again(desk: Desk) -> None:
    batch = desk.wave()

    assert desk.approve(batch, "--reject").exit_code == 0

    assert desk.status()["held_batches"] == []
    assert desk.status()["entries"] == 1
    assert len(desk.submit(live_line(100))["accepted"]) == 1


def test_the_last_lift_of_a_live_list_takes_two_root_keys(desk: Desk) -> None:
    assert len(desk.submit(lift_line(1))["accepted"]) == 1
    assert (desk.status()["count"], desk.status()["emptying_waits_for_root_keys"]) == (1, True)

    for number in (1, 2):
        desk.key = desk.directory / "keys" / "offline" / f"root-{number}.pem"
        assert desk.approve("EMPTY").exit_code == 0

    assert (desk.status()["count"], desk.status()["emptying_waits_for_root_keys"]) == (0, False)
    assert isinstance(desk.approve("EMPTY").exception, SettingError)
