"""`lintel store`: the embedded server by hand."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

import settings
from liststore import embedded


@click.group()
def store() -> None:
    """The exact store."""


@store.command()
def run() -> None:
    """Keep the embedded Valkey of LINTEL_HOME running, print its address, and end with SIGTERM or Ctrl-C.

    Others that use the same home share it, and keep it after this command has ended.
    """
    asyncio.run(_run(settings.current().home))


async def _run(home: Path) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with embedded.open(home) as url:
        click.echo(url)
        await stopped.wait()
