"""`lintel keys` by the commands that people type, over a list that was founded by `lintel publisher init`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tuf.api.metadata import Metadata, Root

from publisher.commands import publisher
from publisher.key_listing import key_listing
from publisher.keys_commands import keys
from publisher.sign import ONLINE_ROLES
from publisher.wiring import key_room, opened
from restriction.errors import SettingError
from restriction.listing import LIST_FIELD
from tests.fakes.court import Json

_DAY_S = 86_400


class Office:
    """Somebody at a terminal who has the keys of a list."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.offline = directory / "keys" / "offline"

    def run(self, command: str, *arguments: str) -> Result:
        return CliRunner().invoke(keys, [command, "--dir", str(self.directory), *arguments])

    def says(self, command: str, *arguments: str) -> str:
        result = self.run(command, *arguments)
        assert result.exit_code == 0, result.exception
        return result.output

    def refused(self, command: str, *arguments: str) -> str:
        result = self.run(command, *arguments)
        assert isinstance(result.exception, SettingError)
        return str(result.exception)

    @property
    def listing(self) -> Json:
        listing: Json = json.loads(self.run("list", "--json").stdout)
        return listing

    def ids(self, role: str) -> list[str]:
        return [row["key_id"] for row in self.listing["keys"] if row["role"] == role]

    @property
    def files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    directory = tmp_path / "court"
    assert CliRunner().invoke(publisher, ["init", "--dir", str(directory), "--sandbox"]).exit_code == 0
    return Office(directory)


def made(file: Path, *arguments: str) -> str:
    """A key for a safe; gives its id."""
    result = CliRunner().invoke(keys, ["new", str(file), *arguments])
    assert result.exit_code == 0, result.exception
    return result.output.strip()


def test_a_list_says_since_which_root_a_key_counts_and_where_it_lies(office: Office) -> None:
    office.says("rotate", "timestamp", "--overlap", "0")
    rows = {row["role"]: row for row in office.listing["keys"]}
    assert {role: row["since_root"] for role, row in rows.items()} == {
        "root": 1, "targets": 1, "snapshot": 1, "timestamp": 2,
    }  # fmt: skip
    assert rows["timestamp"]["file"] == str(office.directory / "keys/online/timestamp.pem")
    (office.offline / "root-1.pem").unlink()
    assert [row["file"] is None for row in office.listing["keys"] if row["role"] == "root"] == [True, False, False]


@pytest.mark.parametrize(("days", "warns"), [(91, False), (89, True), (-1, True)], ids=["91 days", "89 days", "over"])
def test_a_root_that_runs_out_within_ninety_days_is_warned_of(office: Office, days: int, *, warns: bool) -> None:
    room = key_room(office.directory)
    for path in office.offline.iterdir():
        path.unlink()
    now_s = room.roots.in_force.expires.timestamp() - days * _DAY_S
    assert any("lintel keys renew" in warning for warning in key_listing(room, now_s).warnings) == warns


@pytest.mark.parametrize(
    "warning", ["a root key lies on this host", "counts for nothing", "is encrypted", "is not here"]
)
def test_what_an_operator_must_see_to_is_warned_of(office: Office, warning: str) -> None:
    (office.directory / "phrase").write_text("a long passphrase\n")
    made(office.offline / "encrypted.pem", "--encrypt", "--passphrase-file", str(office.directory / "phrase"))
    made(office.offline / "stranger.pem")
    (office.directory / "keys/online/snapshot.pem").unlink()
    assert sum(warning in found for found in office.listing["warnings"]) == (3 if "root" in warning else 1)


def test_a_dry_run_says_what_would_be_signed_and_changes_nothing(office: Office) -> None:
    made(office.offline / "fresh.key")
    before = office.files | {office.directory / "feed" / ".lock": b""}
    online = office.says("rotate", "timestamp", "--dry-run")
    assert "root 2 would be signed by" in online
    assert f"timestamp: {office.ids('timestamp')[0][:8]} would be revoked" in online
    replaced = [f"--replace={office.ids('root')[0]}", f"--new={office.offline / 'fresh.key'}"]
    assert "root 2 would be signed" in office.says("rotate", "root", *replaced, "--dry-run")
    office.says("renew", "--dry-run")
    assert office.files == before


def test_a_root_key_is_replaced_by_one_from_an_encrypted_file(office: Office) -> None:
    old = office.ids("root")[0]
    phrase, fresh = office.directory / "phrase", office.directory / "fresh.pem"
    phrase.write_text("a long passphrase\n")
    key_id = made(fresh, "--encrypt", "--passphrase-file", str(phrase))
    assert b"ENCRYPTED" in fresh.read_bytes()
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    arguments = ["root", "--replace", old[:8], "--new", str(fresh)]
    assert "encrypted" in office.refused("rotate", *arguments)
    (office.directory / "other").write_text("another one\n")
    assert str(fresh) in office.refused("rotate", *arguments, "--passphrase-file", str(office.directory / "other"))
    opened_by = [*arguments, "--passphrase-file", str(phrase)]
    assert f"root: {old[:8]} revoked, {key_id[:8]} in its place" in office.says("rotate", *opened_by)
    assert "already" in office.says("rotate", *opened_by)
    assert office.listing["root"] == 2
    assert set(office.ids("root")) >= {key_id}
    assert old not in office.ids("root")
    room = key_room(office.directory)
    assert Metadata[Root].from_file(str(office.directory / "feed/root.json")).signed.version == 2
    assert room.roots.in_force.roles["root"].threshold == 2


def test_a_root_is_renewed_with_the_same_keys_once_a_day(office: Office) -> None:
    room = key_room(office.directory)
    before = room.roots.in_force
    now_s = before.expires.timestamp() - 100 * _DAY_S
    paths = sorted(office.offline.glob("*.pem"))[1:]
    with room.feed.lock():
        draft = room.draft_renewal(room.brought(paths), now_s)
        assert draft is not None
        room.publish(draft, now_s)
        assert room.draft_renewal((), now_s + _DAY_S / 2) is None
    after = room.roots.in_force
    assert (after.keys, after.version) == (before.keys, 2)
    assert (after.expires - before.expires).days == 630
    assert after.unrecognized_fields[LIST_FIELD] == before.unrecognized_fields[LIST_FIELD]


def test_a_key_never_takes_another_ones_place(office: Office) -> None:
    file = office.offline / "root-1.pem"
    before = file.read_bytes()
    result = CliRunner().invoke(keys, ["new", str(file)])
    assert isinstance(result.exception, SettingError)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [["root"], ["root", "timestamp"], ["timestamp", "--replace", "1"], ["root", "--replace", "1"]],
    ids=["root without its key", "root and another", "another with a root key", "no new key"],
)
def test_root_is_rotated_alone_and_by_name(office: Office, arguments: list[str]) -> None:
    assert office.run("rotate", *arguments).exit_code == 2


def test_a_key_that_is_not_a_root_key_cannot_be_replaced(office: Office) -> None:
    made(office.directory / "fresh.pem")
    told = office.refused("rotate", "root", "--replace", "ffffffff", "--new", str(office.directory / "fresh.pem"))
    assert office.ids("root")[2][:8] in told


def test_the_key_that_comes_does_not_count_for_the_root_before(office: Office) -> None:
    fresh = office.directory / "fresh.pem"
    made(fresh)
    arguments = ["root", "--replace", office.ids("root")[0], "--new", str(fresh)]
    told = office.refused("rotate", *arguments, "--with", str(office.offline / "root-2.pem"))
    assert "root 1 is signed by 2" in told
    assert office.listing["root"] == 1


def test_an_online_key_never_becomes_a_root_key(office: Office) -> None:
    online = office.directory / "keys/online/timestamp.pem"
    told = office.refused("rotate", "root", "--replace", office.ids("root")[0], "--new", str(online))
    assert "has a role already" in told


def test_what_is_no_key_is_named(office: Office) -> None:
    file = office.offline / "root-1.pem"
    file.write_bytes(b"-----BEGIN")
    assert "root-1.pem: this is no private key" in office.refused("rotate", "timestamp")


def test_a_rotation_that_was_cut_short_is_finished_without_root_keys(office: Office) -> None:
    room = key_room(office.directory)
    with room.feed.lock():
        draft = room.draft_rotation(["snapshot"], room.brought(()), 1.0)
        room.publish(draft, 1.0)
    (office.directory / "keys" / "safe").mkdir()
    for path in office.offline.iterdir():
        path.rename(office.directory / "keys" / "safe" / path.name)
    assert any("was begun" in warning for warning in office.listing["warnings"])
    assert "the rotation of snapshot begun before is finished" in office.says("rotate", "snapshot", "--overlap", "0")
    assert not any("was begun" in warning for warning in office.listing["warnings"])
    with opened(office.directory) as court, court.feed.lock():
        court.feed.heartbeat(2.0)


def test_a_list_without_a_key_takes_nothing_in(office: Office) -> None:
    (office.directory / "keys/online/targets.pem").unlink()
    with pytest.raises(SettingError, match="lintel keys rotate targets"), opened(office.directory):
        pass
    office.says("rotate", *ONLINE_ROLES, "--overlap", "0")
    with opened(office.directory) as court:
        assert court.feed.state.version == 0


def test_a_list_is_signed_again_above_a_version(office: Office) -> None:
    told = CliRunner().invoke(keys, ["overtake", "--dir", str(office.directory), "1000"])
    assert told.output == "list version 1001: 0 records\n"
    assert "1001" in office.refused("overtake", "1000")
    with opened(office.directory) as court:
        assert court.feed.state == court.book.state


def test_a_list_founded_again_is_of_a_later_epoch(tmp_path: Path) -> None:
    command = ["init", "--dir", str(tmp_path / "court"), "--epoch", "2"]
    assert CliRunner().invoke(publisher, command).exit_code == 0
    with opened(tmp_path / "court") as court:
        assert court.feed.state.list_id.epoch == court.book.state.list_id.epoch == 2
