"""What the commands of the court's side share: options, and how they tell a person or a script what is.

A passphrase comes from a file or from the terminal, never from an argument.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from publisher.key_files import Passphrases

FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
directory_option = click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="The directory of the list.",
)  # fmt: skip
passphrase_option = click.option(
    "--passphrase-file", type=FILE,
    help="Passphrases of encrypted keys, one a line; asked for on the terminal when left out.",
)  # fmt: skip


def opener(file: Path | None) -> Passphrases:
    """Where passphrases of existing keys come from."""
    if file is not None:
        lines = file.read_bytes().splitlines()
        return lambda _: lines
    if sys.stdin.isatty():
        return lambda path: [click.prompt(f"Passphrase of {path}", hide_input=True, err=True).encode()]
    return lambda _: []


def tell(told: Mapping[str, Any], table: Table, *, as_json: bool = False) -> None:
    """Show these in the table's two columns, or as JSON, as when piped."""
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(told))
        return
    for name, value in told.items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)
