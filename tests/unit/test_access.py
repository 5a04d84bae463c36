"""Who may ask: credentials, the units file, and its changes while a gateway runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gateway.access import Access, Court, Unit, UnitState, read_units, write_units
from restriction.errors import RoleNotAllowedError, SettingError, UnauthenticatedError
from restriction.identity import Mode
from restriction.measures import Sector
from settings.caller_keys import hash_key, new_key

KEY, OTHER_KEY = new_key(Mode.LIVE), new_key(Mode.SANDBOX)
UNIT = Unit("hotel-1", Sector.HOTEL, Mode.LIVE, hash_key(KEY))
OTHER = Unit(
    "school-1", Sector.PRIVATE_SCHOOL, Mode.SANDBOX, hash_key(OTHER_KEY), UnitState.SUSPENDED,
    frozenset({"S-1", "S-2"}), "值班经理", "0759-1",
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "units.yaml"
    write_units(path, (UNIT, OTHER))
    return path


def touch(path: Path) -> None:
    """Give the file another time, however coarse the file system's clock is."""
    changed_ns = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(changed_ns, changed_ns))


def test_units_read_as_they_were_written(path: Path) -> None:
    assert read_units(path) == (UNIT, OTHER)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_court_reads_as_it_was_written_and_is_no_unit(path: Path) -> None:
    court_key = new_key(Mode.LIVE)
    court = Court("court", Mode.LIVE, hash_key(court_key))
    write_units(path, (UNIT, court))
    assert read_units(path) == (UNIT, court)
    access = Access(path)
    assert access.authenticate_court(f"Bearer {court_key}") == court
    for let_in, key in ((access.authenticate, court_key), (access.authenticate_court, KEY)):
        with pytest.raises(RoleNotAllowedError):
            let_in(f"Bearer {key}")


def test_file_holds_no_key(path: Path) -> None:
    assert KEY not in path.read_text()
    assert KEY.startswith("live_")
    assert OTHER_KEY.startswith("test_")


def test_absent_file_holds_no_unit(tmp_path: Path) -> None:
    assert read_units(tmp_path / "none.yaml") == ()


def test_key_of_a_live_unit_is_let_in(path: Path) -> None:
    assert Access(path).authenticate(f"Bearer {KEY}") == UNIT


@pytest.mark.parametrize(
    "credential",
    [
        None, "", KEY, "Bearer", "Bearer ", f"bearer {KEY}", f"Basic {KEY}", f"Bearer {KEY} ", f"Bearer {KEY[:-1]}",
        f"Bearer {KEY.swapcase()}", f"Bearer {UNIT.key_sha256}", f"Bearer {OTHER_KEY}", "Bearer 密钥",
    ],
    ids=[
        "none", "empty", "no scheme", "scheme alone", "no key", "scheme in small letters", "another scheme",
        "a space more", "a letter less", "other case", "the stored hash", "suspended unit", "not ASCII",
    ],
)  # fmt: skip
def test_anything_else_is_refused(path: Path, credential: str | None) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        Access(path).authenticate(credential)
    assert KEY not in str(refused.value)


async def test_suspension_is_in_force_once_the_file_is_read_again(path: Path) -> None:
    access = Access(path)
    write_units(path, (replace(UNIT, state=UnitState.SUSPENDED),))
    touch(path)
    await access.reread()
    with pytest.raises(UnauthenticatedError):
        access.authenticate(f"Bearer {KEY}")


async def test_broken_edit_changes_nothing_until_it_is_mended(path: Path) -> None:
    access = Access(path)
    path.write_text("- [")
    touch(path)
    await access.reread()
    assert access.authenticate(f"Bearer {KEY}") == UNIT
    path.write_text("[]")
    touch(path)
    await access.reread()
    with pytest.raises(UnauthenticatedError):
        access.authenticate(f"Bearer {KEY}")


@pytest.mark.parametrize(
    "change",
    [
        {"sector": "spa"}, {"mode": "real"}, {"state": "on"}, {"establishments": 3}, {"colour": "red"},
        {"key_sha256": None}, {"id": None}, {"role": "court"}, {"role": "judge"},
    ],
    ids=[
        "sector", "mode", "state", "establishments", "unknown field", "key missing", "id missing",
        "a court with a sector", "another role",
    ],
)  # fmt: skip
def test_unit_that_cannot_be_meant_is_refused_by_its_number(path: Path, change: dict[str, object]) -> None:
    rows = yaml.safe_load(path.read_text())
    rows[1] |= change
    rows[1] = {field: value for field, value in rows[1].items() if value is not None}
    path.write_text(yaml.safe_dump(rows))
    with pytest.raises(SettingError, match="unit 2"):
        read_units(path)


@pytest.mark.parametrize("twin", [replace(OTHER, id="hotel-1"), replace(OTHER, key_sha256=UNIT.key_sha256)])
def test_two_units_never_share_an_id_or_a_key(path: Path, twin: Unit) -> None:
    write_units(path, (UNIT, twin))
    with pytest.raises(SettingError, match="two units"):
        read_units(path)


@pytest.mark.parametrize("text", ["- [", "a: 1", "- 1"], ids=["no YAML", "no list", "no unit"])
def test_file_of_another_form_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingError, match=r"mend|compare"):
        read_units(path)
