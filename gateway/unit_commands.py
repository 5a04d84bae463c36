"""`lintel units`: who may ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace

import click
from rich.console import Console
from rich.table import Table

import settings
from gateway.access import Caller, Court, Unit, UnitState, read_units, write_units
from restriction.errors import SettingError
from restriction.identity import Mode
from restriction.measures import Sector
from settings.caller_keys import hash_key, new_key


@click.group()
def units() -> None:
    """Who may ask: the units file."""


@units.command()
@click.argument("unit_id", metavar="ID")
@click.option("--sector", required=True, type=click.Choice([sector.value for sector in Sector]))
@click.option("--sandbox", is_flag=True, help="A key for sandbox identities and a sandbox list only.")
@click.option("--establishment", multiple=True, help="Only for this establishment or school; may be repeated.")
@click.option("--responsible-person", default="", help="Who answers what needs a person, named on notices.")
@click.option("--privacy-contact", default="", help="The data-protection contact named on notices.")
def add(  # noqa: PLR0913 - one parameter per option is click's way
    *,
    unit_id: str,
    sector: str,
    sandbox: bool,
    establishment: tuple[str, ...],
    responsible_person: str,
    privacy_contact: str,
) -> None:
    """Add a unit and print its key, this once: only its hash is kept."""
    path = settings.current().units_file
    held = read_units(path)
    if any(unit.id == unit_id for unit in held):
        raise SettingError(f"unit {unit_id}: is in the file already: `units rotate` gives it another key")
    mode = Mode.SANDBOX if sandbox else Mode.LIVE
    key = new_key(mode)
    unit = Unit(
        id=unit_id,
        sector=Sector(sector),
        mode=mode,
        key_sha256=hash_key(key),
        establishments=frozenset(establishment) or None,
        responsible_person=responsible_person,
        privacy_contact=privacy_contact,
    )
    write_units(path, (*held, unit))
    click.echo(key)


@units.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="JSON, as when piped.")
def list_units(*, as_json: bool) -> None:
    """Show every unit, and the court; no key can be shown."""
    held = read_units(settings.current().units_file)
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps([_shown(unit) for unit in held], ensure_ascii=False))
        return
    table = Table("unit", "sector or role", "mode", "state", "establishments")
    for unit in held:
        table.add_row(unit.id, *_columns(unit))
    Console().print(table)


@units.command()
@click.argument("unit_id", metavar="ID")
def suspend(unit_id: str) -> None:
    """Refuse a unit from now on; running gateways take it up within a second."""
    _change(unit_id, lambda unit: replace(unit, state=UnitState.SUSPENDED))


@units.command()
@click.argument("unit_id", metavar="ID")
def rotate(unit_id: str) -> None:
    """Give a unit another key and print it, this once; the old one ends with it."""

    def rekeyed(unit: Caller) -> Caller:
        key = new_key(unit.mode)
        click.echo(key)
        return replace(unit, key_sha256=hash_key(key))

    _change(unit_id, rekeyed)


def _columns(unit: Caller) -> tuple[str, str, str, str]:
    if isinstance(unit, Court):
        return "court", unit.mode, unit.state, ""
    places = "any" if unit.establishments is None else ", ".join(sorted(unit.establishments))
    return unit.sector, unit.mode, unit.state, places


def _shown(unit: Caller) -> dict[str, object]:
    shown = asdict(unit)
    del shown["key_sha256"]
    if isinstance(unit, Court):
        return shown | {"role": "court"}
    return shown | {"establishments": None if unit.establishments is None else sorted(unit.establishments)}


def _change(unit_id: str, change: Callable[[Caller], Caller]) -> None:
    path = settings.current().units_file
    held = read_units(path)
    if all(unit.id != unit_id for unit in held):
        raise SettingError(f"unit {unit_id}: not in {path}: see `units list`")
    write_units(path, tuple(change(unit) if unit.id == unit_id else unit for unit in held))
