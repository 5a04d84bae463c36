"""What needs no server: the public register of measures, and the version."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from importlib import metadata

import click
from rich.console import Console
from rich.table import Table

import settings
from liststore import embedded
from liststore.wiring import open_reader
from restriction.measures import REGISTER, Rule
from restriction.products import Measure
from settings import Settings, token_secret


@dataclass(frozen=True, slots=True)
class Row:
    """One measure as the public reads it."""

    measure: str
    name: str
    clause: str
    sectors: list[str]
    roles: list[str]
    natural_persons_only: bool
    service_date_required: bool


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON, as when piped.")
@click.option("--parameters", is_flag=True, help="The signed parameters in service here, as JSON, instead.")
def measures(*, as_json: bool, parameters: bool) -> None:
    """Show the register: every measure, its clause, who may ask, and whom it binds."""
    if parameters:
        click.echo(asyncio.run(_parameters(settings.current())))
        return
    rows = [_row(measure, rule) for measure, rule in REGISTER.items()]
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
        return
    table = Table("measure", "clause", "name", "asked by", "binds", title="湛委办发电〔2019〕25号")
    for row in rows:
        table.add_row(row.measure, row.clause, row.name, ", ".join(row.sectors), ", ".join(row.roles))
    Console().print(table)


async def _parameters(current: Settings) -> bytes:
    keys = token_secret.read(current.token_secret_file).current
    async with embedded.address(current.redis_url, current.home) as url:
        reader = open_reader(url, keys.bucket_key)
        try:
            return await reader.parameters() or b"{}"
        finally:
            await reader.close()


def _row(measure: Measure, rule: Rule) -> Row:
    return Row(
        measure.name,
        rule.name,
        rule.clause,
        [sector.value for sector in rule.asked_by],
        [role.name for role in sorted(rule.roles)],
        rule.natural_persons_only,
        rule.service_date_required,
    )


@click.command()
def version() -> None:
    """Print the version of Lintel."""
    click.echo(metadata.version("lintel"))
