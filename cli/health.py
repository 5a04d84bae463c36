"""What is in service here, and what is wrong: read from the store itself, so it works when a gateway does not.

What waits and what went wrong on the way is known to the agent alone: it is shown where one keeps its state.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

import settings
from liststore import embedded
from liststore.base import Announcement
from liststore.wiring import open_reader
from restriction.errors import LintelError, NotReadyError, SettingError, StoreUnavailableError
from settings import Settings, token_secret
from sync_agent.report import STATUS_FILE, read_report


@dataclass(frozen=True, slots=True)
class Status:
    """The list in service. Times are Unix seconds; `not_ready` says why there is none, and is empty when there is.

    `backlog`, `alarms` and `last_alarm` are what the agent of this host reports; `backlog` is None where there is none.
    Scripts read this as JSON: fields are only added.
    """

    ready: bool
    not_ready: str
    list_name: str = ""
    environment: str = ""
    epoch: int = 0
    version: int = 0
    record_count: int = 0
    digest: str = ""
    key_id: str = ""
    generation: int = 0
    as_of: int = 0
    age_s: float = 0.0
    parameters: bool = False
    backlog: dict[str, int] | None = None
    alarms: tuple[dict[str, Any], ...] = ()
    last_alarm: dict[str, Any] | None = None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON, as when piped.")
@click.option("--agent", type=click.Path(path_type=Path), help="State directory of this host's agent.  [home/agent]")
def status(*, as_json: bool, agent: Path | None) -> None:
    """Say which list is in service, how old it is, what waits, what went wrong last, and if there is no list, why."""
    current, now_s = settings.current(), time.time()  # noqa: TID251 - an edge
    found = _with_agent(asyncio.run(_status(current, now_s)), agent or current.home / "agent", now_s)
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
    else:
        table = Table("what", "now", title="The list in service")
        for name, value in asdict(found).items():
            table.add_row(name.replace("_", " "), str(value))
        Console().print(table)
    if not found.ready:
        raise NotReadyError(found.not_ready)


async def _status(current: Settings, now_s: float) -> Status:
    keys = token_secret.read(current.token_secret_file).current
    async with embedded.address(current.redis_url, current.home) as url:
        reader = open_reader(url, keys.bucket_key)
        try:
            announced = await reader.announcement()
            parameters = await reader.parameters()
        except StoreUnavailableError as error:
            return Status(ready=False, not_ready=f"{error}; see whether the store runs, and what the agent says")
        finally:
            await reader.close()
    if announced is None:
        return Status(ready=False, not_ready="nothing is announced yet: start `lintel agent run` and read what it says")
    return _of(announced, now_s, parameters=bool(parameters))


def _with_agent(found: Status, directory: Path, now_s: float) -> Status:
    """The status with what the agent of this directory reports, if there is one."""
    try:
        said = read_report(directory / STATUS_FILE, now_s)
    except SettingError:
        return found
    alarms = tuple(said["alarms"])
    why = "; ".join([found.not_ready, *(alarm["message"] for alarm in alarms)]) if found.not_ready else ""
    return replace(found, not_ready=why, backlog=said["backlog"], alarms=alarms, last_alarm=said["last_alarm"])


def _of(announced: Announcement, now_s: float, *, parameters: bool) -> Status:
    state = announced.state
    return Status(
        ready=True,
        not_ready="",
        list_name=state.list_id.name,
        environment=state.list_id.environment,
        epoch=state.list_id.epoch,
        version=state.version,
        record_count=state.count,
        digest=state.digest.hex(),
        key_id=state.key_id,
        generation=announced.generation.number,
        as_of=announced.as_of,
        age_s=round(now_s - announced.as_of, 3),
        parameters=parameters,
    )


@click.command()
def doctor() -> None:
    """Look at settings, secret, units and list in that order; say what is wrong and what to do next.

    Exit code: 0 when all is well, else 1.
    """
    failed = False
    for name, look in _CHECKUPS.items():
        try:
            click.echo(f"ok    {name}: {look(settings.current())}")
        except LintelError as error:
            failed = True
            click.echo(f"wrong {name}: {error}")
    sys.exit(1 if failed else 0)


def _look_at_secret(current: Settings) -> str:
    secrets = token_secret.read(current.token_secret_file)
    successor = f", successor {secrets.successor.key_id}" if secrets.successor else ""
    return f"key {secrets.current.key_id}{successor} in {current.token_secret_file}"


def _look_at_units(current: Settings) -> str:
    from gateway.access import Unit, read_units  # noqa: PLC0415 - `status` does without the gateway's imports

    count = sum(isinstance(caller, Unit) for caller in read_units(current.units_file))
    return f"{count} in {current.units_file}" + ("" if count else ": nobody may ask here: `lintel units add`")


def _look_at_list(current: Settings) -> str:
    found = asyncio.run(_status(current, time.time()))  # noqa: TID251 - an edge
    if not found.ready:
        raise NotReadyError(found.not_ready)
    return f"{found.list_name} version {found.version}, {found.record_count} records, {found.age_s:.1f} s old"


_CHECKUPS: Final[dict[str, Callable[[Settings], str]]] = {
    "settings": lambda current: f"home {current.home}, store {'by URL' if current.redis_url else 'embedded'}",
    "token secret": _look_at_secret,
    "units": _look_at_units,
    "list": _look_at_list,
}
