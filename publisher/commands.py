"""`lintel publisher`: the court's side from the command line."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from publisher import emptying, submission
from publisher.approving import approve, approvers_group, waiting_batches
from publisher.drop import Drop
from publisher.duties import duties
from publisher.heartbeat import Duty, FeedServer, serve
from publisher.options import FILE, directory_option, tell
from publisher.report import Report, VersionEffect
from publisher.submission import form_of, is_csv
from publisher.wiring import Founding, Gateways, Publisher, court_key, found, opened
from restriction.errors import LintelError, NotReadyError, SettingError
from restriction.identity import Mode
from restriction.parameters import Parameters

_CLOCK: Final = time.time  # noqa: TID251 - an edge


@click.group()
def publisher() -> None:
    """The court's side: take events in, sign the list, serve the feed."""


publisher.add_command(approve)
publisher.add_command(approvers_group)


@publisher.command()
@directory_option
@click.option("--sandbox", is_flag=True, help="A list of identities that were issued to nobody.")
@click.option("--list-name", help="What agents know the list by; `court` or `sandbox` when left out.")
@click.option("--book-url", help="SQLAlchemy URL of the book; a SQLite file in the directory when left out.")
@click.option(
    "--epoch", default=1, show_default=True, type=click.IntRange(min=1),
    help="Higher than before where the list was founded before and its keys are lost.",
)  # fmt: skip
def init(directory: Path, *, sandbox: bool, list_name: str | None, book_url: str | None, epoch: int) -> None:
    """Found a list: keys, an empty signed feed, a book, a token secret, the court's key, and a units file with it."""
    mode = Mode.SANDBOX if sandbox else Mode.LIVE
    found(directory, Founding(list_name or ("sandbox" if sandbox else "court"), mode, book_url, epoch), _CLOCK())
    click.echo(f"founded; carry {directory / 'keys' / 'offline'} to a safe, each key to a place of its own")
    click.echo(f"hand {directory / 'feed' / 'root.json'} and {directory / 'token.secret'} to the hosts of agents")


@publisher.command()
@directory_option
@click.argument("source", type=click.File("rb"))
@click.option("--csv", is_flag=True, help="Rows of the public list, whatever the file is called; *.csv needs no flag.")
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON, as when piped.")
@click.option(
    "--wait", is_flag=True, help="Ask gateways until the version is acknowledged, and say when it took effect."
)
@click.option("--gateway", multiple=True, envvar="LINTEL_ADDRESS", metavar="HOST:PORT", help="Whom; may be repeated.")
@click.option("--ca-file", type=FILE, envvar="LINTEL_CA_FILE", help="PEM; the system's authorities when left out.")
@click.option("--insecure", is_flag=True, envvar="LINTEL_INSECURE", help="Ask in clear text: on loopback only.")
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, help="Seconds to wait at most.")
def submit(  # noqa: PLR0913 - one parameter per option is click's way
    directory: Path,
    source: BufferedReader,
    *,
    csv: bool,
    as_json: bool,
    wait: bool,
    gateway: tuple[str, ...],
    ca_file: Path | None,
    insecure: bool,
    timeout_s: float,
) -> None:
    """Take in a file or `-`, sign what it changes, and report on every line.

    A line is an event in JSON; a row of CSV is a listing in the columns of the public list.

    With --wait: exit code 3 when the version is not acknowledged in time; it is signed all the same.
    """
    if wait and not gateway:
        raise click.UsageError("--wait: name a gateway by --gateway HOST:PORT, or by LINTEL_ADDRESS")
    gateways = Gateways(gateway, court_key(directory), ca_file, insecure) if wait else None
    with opened(directory) as opened_publisher, Report() as report:
        form = form_of(opened_publisher, csv=csv or is_csv(_name(source)))
        version = submission.submit(opened_publisher, source, form, _CLOCK, report)
        is_plain = as_json or not sys.stdout.isatty()
        if not is_plain:
            Console().print(report.table())
            click.echo(f"list version {version}")
        effect, problem = _waited(opened_publisher, version, gateways, timeout_s)
        if is_plain:
            report.write_json(sys.stdout.buffer, version, effect)
        elif effect is not None:
            click.echo(effect)
        for row in report.alarms:
            click.echo(f"alarm: line {row.line}: {row.reason}", err=True)
    if problem is not None:
        raise problem


def _waited(
    opened_publisher: Publisher, version: int, gateways: Gateways | None, timeout_s: float
) -> tuple[VersionEffect | None, LintelError | None]:
    """What became of the version, and what is to be said of it once the report is out."""
    if gateways is None:
        return None, None
    from publisher.effect import wait_for  # noqa: PLC0415 - whoever does not wait does without gRPC

    try:
        effect = wait_for(version, opened_publisher.feed.state.list_id, gateways, timeout_s)
    except LintelError as error:
        return None, error
    if effect.is_acknowledged:
        return effect, None
    return effect, NotReadyError(f"version {version} is signed; {effect.state} after {timeout_s:g} s")


def _name(source: BufferedReader) -> str:
    return str(getattr(source, "name", ""))  # not every stream has one, and a descriptor's is a number


@publisher.command()
@directory_option
@click.argument("source", type=click.File("rb"))
def parameters(directory: Path, source: BufferedReader) -> None:
    """Sign a parameters document (YAML or JSON) for every gateway."""
    parsed = Parameters.parse(source.read())
    with opened(directory) as opened_publisher:
        feed = opened_publisher.feed
        before = opened_publisher.parameters
        if parsed != before and parsed.version <= before.version:
            raise SettingError(f"parameters: version: {before.version} is in force; give this document a higher one")
        with feed.lock():
            feed.publish_parameters(parsed.to_bytes(), _CLOCK())
    click.echo(f"parameters version {parsed.version} signed; unset: {', '.join(sorted(parsed.unset)) or 'none'}")


@publisher.command(name="serve")
@directory_option
@click.option("--listen", default="127.0.0.1:8700", show_default=True, help="HOST:PORT of the feed.")
def serve_feed(directory: Path, listen: str) -> None:
    """Serve the feed, sign heartbeats and what waits, take in what is put into `drop/`, until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with opened(directory) as opened_publisher:
        server = _server(listen, directory / "feed")
        click.echo(f"http://{listen.rpartition(':')[0]}:{server.server_port}")
        drop = Duty("drop", 1.0, Drop(opened_publisher, _CLOCK).take_in)
        serve(server, (*duties(opened_publisher, _CLOCK), drop), stop)


def _server(listen: str, directory: Path) -> FeedServer:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingError(f"--listen: {listen}: write HOST:PORT")
    try:
        return FeedServer((host.strip("[]"), int(port)), directory)
    except OSError as error:
        raise SettingError(f"--listen: {listen}: {error.strerror}; choose another address") from error


@publisher.command()
@directory_option
@click.option("--json", "as_json", is_flag=True, help="JSON, as when piped.")
def status(directory: Path, *, as_json: bool) -> None:
    """Say what is signed, what waits, and how old the last heartbeat is."""
    with opened(directory) as opened_publisher:
        tell(_status(opened_publisher), Table("what", "now", title="The court's side"), as_json=as_json)


def _status(opened_publisher: Publisher) -> dict[str, Any]:
    feed, book = opened_publisher.feed, opened_publisher.book
    state, listing = feed.state, feed.listing
    return {
        "list_name": state.list_id.name,
        "environment": state.list_id.environment,
        "epoch": state.list_id.epoch,
        "version": state.version,
        "count": state.count,
        "digest": state.digest.hex(),
        "key_id": state.key_id,
        "as_of": feed.as_of,
        "heartbeat_age_s": round(_CLOCK() - feed.as_of, 1),
        "snapshot_version": listing.snapshot,
        "deltas": len(listing.deltas),
        "waiting": book.waiting,
        "held_batches": waiting_batches(opened_publisher, _CLOCK()),
        "emptying_waits_for_root_keys": emptying.is_pending(book, feed),
        "entries": book.entries,
        "quarantined": len(book.quarantined()),
        "parameters_version": opened_publisher.parameters.version,
    }
