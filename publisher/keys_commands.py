"""`lintel keys`: who may sign the list, from the command line.

Every command can be run again after it was cut short, and beside `lintel publisher serve`.
A passphrase comes from a file or a terminal, never from the command line. Whoever must be asked is asked before the
feed is locked.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.table import Table
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from publisher.key_files import new_key, short, write_key
from publisher.key_listing import KeyListing, key_listing
from publisher.options import FILE, directory_option, opener, passphrase_option
from publisher.publish import MAX_OVERTAKEN
from publisher.publish import overtake as signed_above
from publisher.roots import SafeKey
from publisher.rotation import Draft, KeyRoom
from publisher.rotation import rotate as rotate_online
from publisher.sign import ONLINE_ROLES
from publisher.wiring import key_room, opened
from restriction.errors import SettingError

_CLOCK: Final = time.time  # noqa: TID251 - an edge
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _signed_by_safes(command: _Command) -> _Command:
    for option in (
        click.option("--dry-run", is_flag=True, help="Say what would be signed, and change nothing."),
        passphrase_option,
        click.option(
            "--with", "safes", type=FILE, multiple=True,
            help="A root key out of its safe; repeat it. Those in keys/offline when left out.",
        ),
        directory_option,
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def keys() -> None:
    """Who may sign the list: look, rotate, revoke, renew."""


@keys.command(name="list")
@directory_option
@click.option("--json", "as_json", is_flag=True, help="JSON, as when piped.")
def list_keys(directory: Path, *, as_json: bool) -> None:
    """Say which keys count, since which root, until when, where they lie, and what to see to."""
    listing = key_listing(key_room(directory), _CLOCK())
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(listing.to_json()))
    else:
        Console().print(_table(listing))
    for warning in listing.warnings:
        click.echo(f"warning: {warning}", err=True)


def _table(listing: KeyListing) -> Table:
    title = f"Root {listing.root}, signed by {listing.threshold} root keys"
    table = Table("role", "key", "since root", "expires", "private key", title=title)
    for row in listing.keys:
        table.add_row(row.role, short(row.key_id), str(row.since_root), row.expires, row.file or "not here")
    return table


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--encrypt", is_flag=True, help="Under a passphrase: of the file, or asked for on the terminal.")
@click.option("--passphrase-file", type=FILE, help="Its first line is the passphrase.")
def new(file: Path, *, encrypt: bool, passphrase_file: Path | None) -> None:
    """Make a key for a safe, and print its public id."""
    if passphrase_file and not encrypt:
        raise click.UsageError("--passphrase-file: add --encrypt")
    key = new_key()
    write_key(file, key, _chosen(file, passphrase_file) if encrypt else None)
    click.echo(CryptoSigner(key).public_key.keyid)


@keys.command()
@click.argument("roles", nargs=-1, required=True, type=click.Choice([*sorted(ONLINE_ROLES), Root.type]))
@_signed_by_safes
@click.option("--replace", help="root: the id of the key that is lost or stolen; its beginning will do.")
@click.option("--new", "new_file", type=FILE, help="root: the key that takes its place, from `lintel keys new`.")
@click.option(
    "--overlap", "overlap_s", default=30.0, show_default=True, type=click.FloatRange(min=0),
    help="Seconds in which the old key signs on as well, for agents that read the older root a moment ago.",
)  # fmt: skip
def rotate(  # noqa: PLR0913 - one parameter per option is click's way
    roles: tuple[str, ...],
    directory: Path,
    *,
    safes: tuple[Path, ...],
    passphrase_file: Path | None,
    dry_run: bool,
    replace: str | None,
    new_file: Path | None,
    overlap_s: float,
) -> None:
    """Give ROLES fresh keys and revoke the old ones: timestamp, snapshot, targets; or root, one key at a time."""
    is_root = roles == (Root.type,)
    if is_root != bool(replace and new_file) or (not is_root and (Root.type in roles or replace or new_file)):
        raise click.UsageError("root is rotated alone, with --replace KEY and --new FILE; other roles without them")
    room, secrets = key_room(directory), opener(passphrase_file)
    brought = room.brought(safes, secrets)
    if replace and new_file:
        fresh = SafeKey.read(new_file, secrets)
        draft = _change_root(room, lambda: room.draft_replacement(replace, fresh, brought, _CLOCK()), dry_run=dry_run)
        _say(draft, "this key is replaced already; nothing to sign", dry_run=dry_run)
        return
    chosen = tuple(dict.fromkeys(roles))
    begun = room.begun
    if dry_run:
        rotation = None if begun else room.draft_rotation(chosen, brought, _CLOCK())
    else:
        rotation = rotate_online(room, chosen, brought, _CLOCK, lambda: time.sleep(overlap_s))
    done = "would be finished" if dry_run else "is finished"
    _say(rotation, f"the rotation of {', '.join(begun)} begun before {done}; nothing else changes", dry_run=dry_run)


@keys.command()
@_signed_by_safes
def renew(directory: Path, *, safes: tuple[Path, ...], passphrase_file: Path | None, dry_run: bool) -> None:
    """Sign the root anew with the same keys and a later expiry."""
    room = key_room(directory)
    brought = room.brought(safes, opener(passphrase_file))
    draft = _change_root(room, lambda: room.draft_renewal(brought, _CLOCK()), dry_run=dry_run)
    _say(draft, "the root was renewed within the last day; nothing to sign", dry_run=dry_run)


@keys.command()
@directory_option
@click.argument("version", type=click.IntRange(min=1, max=MAX_OVERTAKEN))
def overtake(directory: Path, version: int) -> None:
    """Sign the list as it is above VERSION, which a thief of all online keys had put in service; rotate them first."""
    with opened(directory) as court:
        state = signed_above(court.book, court.feed, version, _CLOCK())
    click.echo(f"list version {state.version}: {state.count} records")


def _change_root(room: KeyRoom, drafted: Callable[[], Draft | None], *, dry_run: bool) -> Draft | None:
    with room.feed.lock():
        draft = drafted()
        if not dry_run and draft is None:
            room.roots.settle()
        elif not dry_run and draft is not None:
            room.publish(draft, _CLOCK())
    return draft


def _say(draft: Draft | None, otherwise: str, *, dry_run: bool) -> None:
    if draft is None:
        click.echo(otherwise)
        return
    would = "would be " if dry_run else ""
    root = draft.root.signed
    by = ", ".join(map(short, draft.root.signatures))
    click.echo(f"root {root.version} {would}signed by {by}; expires {root.expires:%Y-%m-%d}")
    for role, gone, come in draft.changes:
        name = short(come) if role == Root.type or not dry_run else "a fresh key"
        click.echo(f"{role}: {short(gone)} {would}revoked, {name} in its place")
    if draft.made:
        click.echo(f"targets, snapshot and timestamp {would}signed anew")


def _chosen(key_file: Path, file: Path | None) -> bytes:
    """The passphrase of a key that is made now."""
    if file is not None:
        passphrase = next(iter(file.read_bytes().splitlines()), b"")
    elif sys.stdin.isatty():
        text: str = click.prompt(f"Passphrase of {key_file}", hide_input=True, confirmation_prompt=True, err=True)
        passphrase = text.encode()
    else:
        raise SettingError("--encrypt: no terminal to ask on; give the passphrase by --passphrase-file")
    if not passphrase:
        raise SettingError(f"{file or key_file}: the passphrase is empty; write one of many characters")
    return passphrase
