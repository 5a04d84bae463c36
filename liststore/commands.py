"""`lintel store`: the embedded server by hand."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from liststore import embedded


@click.group()
def store() -> None:
    """The exact store."""


@store.command()
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LINTEL_HOME",
    required=True,
    help="Where the store lies; LINTEL_HOME when left out.",
)
def run(home: Path) -> None:
    """Keep this home's embedded Valkey running, print its address, and end with SIGTERM or Ctrl-C.

    Others that use the same home share it, and keep it after this command has ended.
    """
    asyncio.run(_run(home))


async def _run(home: Path) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with embedded.open(home) as url:
        click.echo(url)
        await stopped.wait()
