"""What needs no server: the public register of measures, and the version."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import click
from rich.console import Console
from rich.table import Table

from restriction.measures import REGISTER, Measure, Rule


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def measures(*, as_json: bool) -> None:
    """Show the register: every measure, its clause, who may ask, and whom it binds."""
    rows = [_row(measure, rule) for measure, rule in REGISTER.items()]
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table("measure", "clause", "name", "asked by", "binds", title="湛委办发电〔2019〕25号")
    for row in rows:
        table.add_row(row["measure"], row["clause"], row["name"], ", ".join(row["sectors"]), ", ".join(row["roles"]))
    Console().print(table)


@click.command()
def version() -> None:
    """Print the version of Lintel."""
    click.echo(metadata.version("lintel"))
