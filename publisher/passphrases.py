"""Where a command line gets the passphrases of key files from: a file, or the terminal; never an argument."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from publisher.key_files import Passphrases

passphrase_option = click.option(
    "--passphrase-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
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
