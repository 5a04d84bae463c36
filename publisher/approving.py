"""`lintel publisher approve` and `lintel publisher approvers`: the second signer at the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table

from publisher import approvers, emptying
from publisher.approvers import Statement
from publisher.duties import submitting
from publisher.options import FILE, directory_option, opener, passphrase_option, tell
from publisher.publish import publish_queued
from publisher.roots import SafeKey
from publisher.second_signer import WaitingBatch
from publisher.wiring import Publisher, opened
from restriction.errors import SettingError

EMPTY: Final = "EMPTY"  # what `approve` calls the emptying of the list, which is no batch
_CLOCK: Final = time.time  # noqa: TID251 - an edge


@click.group(name="approvers")
def approvers_group() -> None:
    """The second signers, who approve batches that change more than is plausible."""


@approvers_group.command()
@directory_option
@click.argument("name")
@click.option("--key", "key_file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to make.")
def add(directory: Path, name: str, key_file: Path) -> None:
    """Make a second signer's key, and register its public half."""
    with opened(directory):
        approvers.add(directory, name, key_file)
    click.echo(f"registered {name}; hand {key_file} to that person alone, who must not be who submits")


@approvers_group.command(name="list")
@directory_option
def list_approvers(directory: Path) -> None:
    """Name the second signers."""
    with opened(directory):
        for name in approvers.names(directory):
            click.echo(name)


@click.command()
@directory_option
@click.argument("batch")
@click.option("--key", "key_file", type=FILE, required=True, help="Your private key.")
@passphrase_option
@click.option("--reject", is_flag=True, help="Drop what waits; the record of what was submitted stays.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def approve(  # noqa: PLR0913 - one parameter per option is click's way
    directory: Path, batch: str, key_file: Path, *, passphrase_file: Path | None, reject: bool, yes: bool
) -> None:
    """Approve a batch that waits, by its id as `status` shows it, and sign it into the feed.

    EMPTY in place of a batch approves that the list loses its last record; it takes two root keys, one after the other.
    """
    with opened(directory) as court, submitting(directory):
        if batch == EMPTY:
            if reject:
                raise click.UsageError("--reject: EMPTY cannot be rejected; what nobody approves stays")
            _approve_empty(court, SafeKey.read(key_file, opener(passphrase_file)), yes=yes)
            return
        _publish(court)  # an approval that was cut short
        waiting = court.bench.find(batch)
        statement = court.bench.statement(waiting, court.feed.list_id, "reject" if reject else "approve")
        _show(court, statement)
        if not yes:
            click.confirm(f"{statement.decision} this batch?", abort=True)
        signed = approvers.verified(directory, statement, approvers.sign(statement, key_file, opener(passphrase_file)))
        (court.bench.reject if reject else court.bench.approve)(signed, _CLOCK())
        click.echo(f"{signed.approver} {statement.decision}s {waiting.batch_id}; list version {_publish(court)}")


def _approve_empty(court: Publisher, safe: SafeKey, *, yes: bool) -> None:
    _require_pending(court)
    click.echo("after this the list restricts nobody")
    if not yes:  # nobody thinks while holding the lock: heartbeats need it
        click.confirm("approve the empty list?", abort=True)
    with court.feed.lock():
        _require_pending(court)
        given, needed = emptying.sign(court.feed, safe)
    click.echo(f"{given} of {needed} root keys approve; list version {_publish(court)}")


def _require_pending(court: Publisher) -> None:
    if not emptying.is_pending(court.book, court.feed):
        raise SettingError("EMPTY: no last record of a live list waits; see `lintel publisher status`")


def _publish(court: Publisher) -> int:
    return publish_queued(court.book, court.feed, court.keys.digest_key, _CLOCK).version


def _show(court: Publisher, statement: Statement) -> None:
    listed = court.feed.state.count
    told: dict[str, Any] = {
        "decision": statement.decision, "batch": statement.batch_id, "lists": statement.lists,
        "changes": statement.changes, "lifts": statement.lifts, "share_of_list": share(statement, listed),
        "digest": statement.digest,
    }  # fmt: skip
    tell(told, Table("what", "how much", title="What you sign"))


def share(batch: WaitingBatch | Statement, listed: int) -> float:
    """How much of the list the batch touches; 1.0 is as many records as there are."""
    return round((batch.lists + batch.changes + batch.lifts) / max(listed, 1), 4)


def waiting_batches(court: Publisher, now_s: float) -> list[dict[str, Any]]:
    """What `status` says of every batch that waits."""
    listed = court.feed.state.count
    return [
        {
            "batch": batch.batch_id, "state": batch.state.value, "age_s": round(now_s - batch.begun_at),
            "lists": batch.lists, "changes": batch.changes, "lifts": batch.lifts, "share_of_list": share(batch, listed),
        }
        for batch in court.bench.waiting()
    ]  # fmt: skip
