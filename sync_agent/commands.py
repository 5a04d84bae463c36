"""`lintel agent`: follow a feed from the command line."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TaskID

import settings
from liststore import embedded
from liststore.wiring import open_writer
from restriction.errors import NotReadyError, SettingError, StoreUnavailableError
from settings import Settings, token_secret
from sync_agent.agent import Agent
from sync_agent.canary import Canary
from sync_agent.fetcher import FeedSource, Progress
from sync_agent.report import STATUS_FILE, read_report
from sync_agent.wiring import AgentPlace, build_agent

_log = logging.getLogger(__name__)
_Command = TypeVar("_Command", bound=Callable[..., Any])
# A pass takes a few milliseconds; a load of the whole list takes minutes, and is begun anew after a cut.
_FINISH_S: Final = 5.0
_STEPS_A_LINE: Final = 64  # without a terminal, a log line for each quarter of the partitions


@click.group()
def agent() -> None:
    """Move the list forward: from the court's signed feed into the store."""


def _options(command: _Command) -> _Command:
    for option in (
        click.option(
            "--state", type=click.Path(path_type=Path, file_okay=False), required=True,
            help="Directory of the verified copy; one agent at a time.",
        ),
        click.option(
            "--root", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=True,
            help="The pinned root, feed/root.json of the court's side.",
        ),
        click.option("--feed", required=True, help="URL of the feed."),
    ):  # fmt: skip
        command = option(command)
    return command


@agent.command()
@_options
@click.option("--interval", "interval_s", default=0.2, show_default=True, help="Seconds between two looks at the feed.")
def run(feed: str, root: Path, state: Path, interval_s: float) -> None:
    """Follow the feed until SIGTERM or Ctrl-C; a pass under way has five seconds to finish."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with Canary(time.monotonic) as canary:
        canary.start()  # it is ready when the first document has come
        place = AgentPlace(FeedSource(feed, root.read_bytes()), state, canary)
        asyncio.run(_run(place, settings.current(), interval_s))


@agent.command()
@_options
def once(feed: str, root: Path, state: Path) -> None:
    """Make one pass and say what is in service."""
    with Canary(time.monotonic) as canary:
        asyncio.run(_once(AgentPlace(FeedSource(feed, root.read_bytes()), state, canary), settings.current()))


@agent.command()
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), required=True, help="An agent's directory.")
def status(state: Path) -> None:
    """Say, as JSON, what the agent of this directory last put in service, what waits, and which alarms it raised."""
    found = read_report(state / STATUS_FILE, time.time())  # noqa: TID251 - an edge
    click.echo(json.dumps(found, ensure_ascii=False, indent=2))


async def _run(place: AgentPlace, current: Settings, interval_s: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _agent(place, current) as following:
        running = asyncio.create_task(following.run(stop, interval_s))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=_FINISH_S)
            running.cancel()
        stopped.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _once(place: AgentPlace, current: Settings) -> None:
    async with _agent(place, current) as following:
        await following.sync_once()
        with suppress(StoreUnavailableError):  # the pass has said so
            await following.acknowledger.turn()
    alarms = "; ".join(alarm.message for alarm in following.alarms.raised)
    if following.in_service is None or alarms:
        raise NotReadyError(alarms or "nothing is in service; see whether the feed has a list")
    state = following.in_service.state
    click.echo(f"list {state.list_id.name} version {state.version}: {state.count} records in service")


@asynccontextmanager
async def _agent(place: AgentPlace, current: Settings) -> AsyncIterator[Agent]:
    secrets = token_secret.read(current.token_secret_file)
    with _only_one(place.state_directory), _progress() as progress:
        async with embedded.address(current.redis_url, current.home) as url:
            store = open_writer(url, secrets.current.bucket_key)
            try:
                # The clock is read here, at the edge.
                yield build_agent(place, store, secrets, progress, time.time)  # noqa: TID251 - an edge
            finally:
                await store.close()


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the state directory: python-tuf and the verified copy want one process in it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingError(f"--state: {directory}: another agent is in it; give each agent its own") from error
        yield


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal, a log line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _logged
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=of, visible=done < of)

        yield show


def _logged(what: str, done: int, of: int) -> None:
    if done == of or done % _STEPS_A_LINE == 0:
        _log.info("%s: %d of %d", what, done, of)
