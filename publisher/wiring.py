"""Puts the court's side together in one directory.

`keys/` (offline and online), `feed/` (what is served), `book.sqlite`, `token.secret`, `court.key`, `units.yaml`, and
`publisher.json`, which says whose identities the list holds and where the book is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import yaml

from publisher.book import Book
from publisher.budget import LIMITS
from publisher.feed import Feed
from publisher.folding import publish_snapshot, write_snapshot
from publisher.intake import Intake
from publisher.rotation import KeyRoom
from publisher.second_signer import Bench
from publisher.sign import OnlineSigners, create_keys, sign_root
from restriction.change import DIGEST_BYTES, ListId, ListState
from restriction.errors import SettingError
from restriction.identity import Mode
from restriction.listing import PARAMETERS_PATH
from restriction.parameters import Parameters
from restriction.token import TokenKeys, new_secret_text, read_secrets
from settings import token_secret
from settings.caller_keys import MODE_WORDS, hash_key, new_key
from settings.files import replace_file

_PRIVATE: Final = 0o600
COURT_KEY: Final = "court.key"  # what the court's side shows to a gateway; its hash is in the units file


@dataclass(frozen=True, slots=True)
class Publisher:
    """The court's side of one list."""

    directory: Path
    mode: Mode
    keys: TokenKeys
    book: Book
    feed: Feed

    @property
    def intake(self) -> Intake:
        """Where lines go; only courts of the signed directory may speak, once there is one."""
        courts = self.parameters.courts
        known = {str(code) for code in courts} if courts else None
        limits = LIMITS if self.mode is Mode.LIVE else None  # nobody is harmed by what a sandbox lists
        return Intake(self.book, self.keys, self.mode, known, limits=limits)

    @property
    def bench(self) -> Bench:
        """Where second signers approve."""
        return Bench(self.book, self.keys, self.mode)

    @property
    def parameters(self) -> Parameters:
        """The signed parameters; those of an empty document before the first."""
        if not self.feed.has_parameters:
            return Parameters()
        return Parameters.from_bytes(self.feed.read(PARAMETERS_PATH))


@dataclass(frozen=True, slots=True)
class Founding:
    """What a list is founded with. Without `book_url` the book is a SQLite file in the directory.

    A list that is founded again because its keys were lost has a later `epoch`, which agents are told by its root.
    """

    list_name: str
    mode: Mode
    book_url: str | None = None
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Gateways:
    """Where to ask, with which key, and how to trust them: a CA file, the system's CAs, or not at all."""

    addresses: tuple[str, ...]
    key: str = field(repr=False)
    ca_file: Path | None = None
    insecure: bool = False


def found(directory: Path, founding: Founding, now_s: float) -> None:
    """Make keys, an empty signed list, a book, a token secret, and a units file with the court alone.

    Raises: SettingError.
    """
    if directory.exists() and any(directory.iterdir()):
        raise SettingError(f"{directory}: not empty; name a directory of its own for the list")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    list_id = ListId(founding.list_name, founding.mode.value, founding.epoch)
    secret = new_secret_text()
    state = ListState(list_id, 0, bytes(DIGEST_BYTES), 0, read_secrets(secret).current.key_id)
    file = (directory / "book.sqlite").absolute()
    if founding.book_url is None:
        file.touch(_PRIVATE)  # it holds names and numbers; what SQLite puts beside it takes the mode over
    book_url = founding.book_url or f"sqlite:///{file}"
    Book.create(book_url, state).close()
    replace_file(directory / "token.secret", secret.encode(), _PRIVATE)
    key = new_key(founding.mode)
    replace_file(directory / COURT_KEY, f"{key}\n".encode(), _PRIVATE)
    replace_file(directory / "units.yaml", _units_of(founding.mode, key), _PRIVATE)
    create_keys(directory / "keys")
    feed = Feed.create(
        directory / "feed", OnlineSigners(directory / "keys"), sign_root(directory / "keys", list_id, now_s)
    )
    with feed.lock():
        publish_snapshot(feed, write_snapshot(feed, state, ()), now_s)
    # Written last: a directory with it is whole.
    replace_file(directory / "publisher.json", orjson.dumps({"mode": founding.mode, "book_url": book_url}), _PRIVATE)


def _units_of(mode: Mode, key: str) -> bytes:
    """A units file that lets the court ask what became of its list, and nobody anything else."""
    row = {"id": "court", "role": "court", "mode": MODE_WORDS[mode], "key_sha256": hash_key(key)}
    return yaml.safe_dump([row], sort_keys=False).encode()


def court_key(directory: Path) -> str:
    """What the court's side shows to a gateway. Raises: SettingError."""
    try:
        return (directory / COURT_KEY).read_text().strip()
    except OSError as error:
        raise SettingError(
            f"{directory / COURT_KEY}: {error.strerror}: put the key there whose hash is in the row of gateways' units "
            "file that says `role: court`"
        ) from error


@contextmanager
def opened(directory: Path) -> Iterator[Publisher]:
    """The court's side in this directory. Raises: SettingError when there is none."""
    written = _founded(directory)
    keys = token_secret.read(directory / "token.secret").current
    signers = OnlineSigners(directory / "keys")
    signers.require_all()
    feed = Feed(directory / "feed", signers)
    book = Book.open(written["book_url"])
    try:
        yield Publisher(directory, Mode(written["mode"]), keys, book, feed)
    finally:
        book.close()


def key_room(directory: Path) -> KeyRoom:
    """The keys of the court's side in this directory. Raises: SettingError when there is none."""
    _founded(directory)
    return KeyRoom(directory, Feed(directory / "feed", OnlineSigners(directory / "keys")))


def _founded(directory: Path) -> Mapping[str, str]:
    """What `init` wrote down of the list in this directory. Raises: SettingError when there is none."""
    try:
        written: Mapping[str, str] = orjson.loads((directory / "publisher.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SettingError(f"{directory}: no list was founded here; run `lintel publisher init --dir`") from error
    return written
