"""Who may ask: the units file, credentials, what a unit's sector is allowed, and the court's own role.

Rules that hold here:
- I15: no answer without a credential that a live unit holds, and for a measure that its sector may ask about.
- The court asks about its list alone, and no unit does: neither's credential opens the other's service.
- The file in force is the last one that could be read whole: a broken edit changes nothing and is reported.

It does not limit rates.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import yaml

from gateway.views import View
from restriction.errors import (
    LintelError,
    PurposeNotAllowedError,
    RoleNotAllowedError,
    SandboxOnlyError,
    SettingError,
    UnauthenticatedError,
)
from restriction.fields import same_place
from restriction.identity import Mode
from restriction.measures import Sector
from restriction.measures import permit as permit_sector
from restriction.products import Lodging, Product, Resort, Tuition, Venue
from settings.caller_keys import MODE_WORDS, hash_key
from settings.files import replace_file

REREAD_INTERVAL_S: Final = 0.5  # a suspension is in force within this time
_MODES: Final = {word: mode for mode, word in MODE_WORDS.items()}
_COURT: Final = "court"  # the `role` of a row; a unit's has none
_SCHEME: Final = "Bearer "
_log: Final = structlog.get_logger(__name__)


class UnitState(enum.StrEnum):
    """Whether a unit's credential counts."""

    LIVE = "live"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Unit:
    """Whoever asks. `establishments` is None when the unit may ask for any establishment of its own sector."""

    id: str
    sector: Sector
    mode: Mode
    key_sha256: str
    state: UnitState = UnitState.LIVE
    establishments: frozenset[str] | None = None
    responsible_person: str = ""
    privacy_contact: str = ""


@dataclass(frozen=True, slots=True)
class Court:
    """The court's side of the list, which asks what became of its versions and nothing about anybody."""

    id: str
    mode: Mode
    key_sha256: str
    state: UnitState = UnitState.LIVE


Caller = Unit | Court


class Access:
    """The callers in force, by the hash of their key; re-read while running when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at_ns = self._changed_at_ns()
        self._callers = _by_key(read_units(path))

    def authenticate(self, credential: str | None) -> Unit:
        """The live unit that holds this credential (`Bearer KEY`).

        Raises: UnauthenticatedError, RoleNotAllowedError.
        """
        caller = self._live(credential)
        if not isinstance(caller, Unit):
            raise RoleNotAllowedError("this is the court's key: the court asks CourtService alone")
        return caller

    def authenticate_court(self, credential: str | None) -> Court:
        """The court, if this credential is its own. Raises: UnauthenticatedError, RoleNotAllowedError."""
        caller = self._live(credential)
        if not isinstance(caller, Court):
            raise RoleNotAllowedError("this is a unit's key: CourtService is for the court that publishes the list")
        return caller

    def _live(self, credential: str | None) -> Caller:
        if credential is None or not credential.startswith(_SCHEME):
            raise UnauthenticatedError("send the metadata `authorization: Bearer KEY`")
        caller = self._callers.get(hash_key(credential[len(_SCHEME) :]))
        if caller is None or caller.state is not UnitState.LIVE:
            raise UnauthenticatedError("no live unit holds this key: ask whoever keeps the units file")
        return caller

    async def keep_current(self) -> None:
        """Re-read the file whenever it changed, until cancelled."""
        while True:
            await asyncio.sleep(REREAD_INTERVAL_S)
            await self.reread()

    async def reread(self) -> None:
        """Put the file in force if it changed and can be read whole."""
        changed_at_ns = self._changed_at_ns()
        if changed_at_ns == self._read_at_ns:
            return
        self._read_at_ns = changed_at_ns
        try:
            self._callers = _by_key(await asyncio.to_thread(read_units, self._path))
        except LintelError as error:
            _log.error("units_file_refused", problem=str(error), in_force="the last good one")
        else:
            _log.info("units_file_read", units=len(self._callers))

    def _changed_at_ns(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0


def permit(unit: Unit, product: Product, view: View) -> None:
    """Let the unit ask about this sale on this list. Raises: PurposeNotAllowedError, SandboxOnlyError."""
    if unit.mode is not view.mode:
        raise SandboxOnlyError(f"this list has {view.mode} identities and the key is for {unit.mode} ones")
    permit_sector(unit.sector, product, view.parameters)
    if unit.establishments is not None:
        _permit_establishment(unit.establishments, product)


def _permit_establishment(own: frozenset[str], product: Product) -> None:
    match product:
        case Lodging() | Venue() | Resort():
            place: str | None = product.establishment_id
        case Tuition():
            place = product.school_id
        case _:
            place = None
    if place is not None and same_place(place) not in map(same_place, own):
        raise PurposeNotAllowedError("the establishment is not one of this unit's: ask for your own")


def read_units(path: Path) -> tuple[Caller, ...]:
    """The units of a file, and its court; none where there is no file.

    Raises: SettingError naming the row and what is wrong.
    """
    try:
        rows = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) or []
    except FileNotFoundError:
        return ()
    except (OSError, yaml.YAMLError) as error:
        raise SettingError(f"units file {path}: not readable as YAML: mend or restore it") from error
    if not isinstance(rows, list):
        raise SettingError(f"units file {path}: not a list of units: mend or restore it")
    units = tuple(_caller(path, number, row) for number, row in enumerate(rows, start=1))
    for field in ("id", "key_sha256"):
        if len({getattr(unit, field) for unit in units}) != len(units):
            raise SettingError(f"units file {path}: two units have the same {field}: remove one")
    return units


def write_units(path: Path, units: tuple[Caller, ...]) -> None:
    """Replace the file, whole or not at all."""
    rows = [_row(unit) for unit in units]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, yaml.safe_dump(rows, sort_keys=False, allow_unicode=True).encode(), mode=0o600)


def _by_key(callers: tuple[Caller, ...]) -> Mapping[str, Caller]:
    return {caller.key_sha256: caller for caller in callers}


def _caller(path: Path, number: int, row: Any) -> Caller:  # noqa: ANN401 - whatever a YAML file may hold
    try:
        row = dict(row)
        row |= {"mode": _MODES[row["mode"]], "state": UnitState(row.get("state", UnitState.LIVE))}
        if row.get("role") == _COURT:
            del row["role"]
            return Court(**row)
        places = row.pop("establishments", None)
        return Unit(
            sector=Sector(row.pop("sector")),
            establishments=None if places is None else frozenset(map(str, places)),
            **row,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(
            f"units file {path}: unit {number}: {type(error).__name__}: compare with `units add`"
        ) from error


def _row(unit: Caller) -> dict[str, object]:
    row: dict[str, object] = {
        "id": unit.id,
        **({"role": _COURT} if isinstance(unit, Court) else {"sector": unit.sector.value}),
        "mode": MODE_WORDS[unit.mode],
        "key_sha256": unit.key_sha256,
        "state": unit.state.value,
    }
    if isinstance(unit, Court):
        return row
    if unit.establishments is not None:
        row["establishments"] = sorted(unit.establishments)
    optional = {"responsible_person": unit.responsible_person, "privacy_contact": unit.privacy_contact}
    return row | {field: text for field, text in optional.items() if text}
