"""The `lintel` command: one name for every part, each mounted from the room that owns it.

Rooms are imported when their command is asked for, so that `lintel check` does not pay for the publisher.
Exit codes: 0 may proceed, 10 restricted or capped, 11 undetermined, 2 usage or settings, 3 cannot reach, 4 refused.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Final

import click

from cli.exit_codes import CANNOT_REACH, REFUSED, USAGE
from restriction.errors import FitnessError, LintelError, SettingError

MOUNTS: Final[Mapping[str, str]] = {
    "agent": "sync_agent.commands:agent",
    "batch": "cli.ask:batch",
    "check": "cli.ask:check",
    "doctor": "cli.health:doctor",
    "gateway": "gateway.commands:gateway",
    "keys": "publisher.keys_commands:keys",
    "measures": "cli.register:measures",
    "publisher": "publisher.commands:publisher",
    "sandbox": "sandbox.commands:sandbox",
    "status": "cli.health:status",
    "store": "liststore.commands:store",
    "units": "gateway.unit_commands:units",
    "version": "cli.register:version",
}


class Mounted(click.Group):
    """A group whose commands are imported on demand from `MOUNTS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every mounted name, in order."""
        del ctx
        return sorted(MOUNTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported from its room; None when there is no such name."""
        del ctx
        if cmd_name not in MOUNTS:
            return None
        module, _, attribute = MOUNTS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(MOUNTS[cmd_name])
        return command


@click.command(cls=Mounted, context_settings={"help_option_names": ["-h", "--help"]})
def lintel() -> None:
    """Ask, before one sale, whether a court has restricted this person or company from this kind of purchase."""


def main() -> None:
    """Run `lintel`; an error of ours is one line on standard error and an exit code, never a traceback."""
    try:
        lintel()
    except LintelError as error:
        click.echo(f"lintel: {error.reason}: {error}", err=True)
        sys.exit(_exit_code_of(error))


def _exit_code_of(error: LintelError) -> int:
    if isinstance(error, SettingError):
        return USAGE
    return CANNOT_REACH if isinstance(error, FitnessError) else REFUSED
