"""A PostgreSQL server of one test run, when its binaries are on this machine.

It listens on a unix socket in a directory of its own, and runs as another user when the tests run as root, which it
refuses to be.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import sqlalchemy as sa

_NOT_ROOT: Final = "nobody"
_numbers = count(1)


def find_binaries() -> Path | None:
    """Where `initdb` and `pg_ctl` are."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


@contextmanager
def server(binaries: Path) -> Iterator[sa.URL]:
    """A running server; the URL of its first database."""
    directory = Path(tempfile.mkdtemp(prefix="lintel-pg-"))
    user = _NOT_ROOT if os.geteuid() == 0 else None
    if user:
        owner = pwd.getpwnam(user)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    place = directory / "main"

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(place), *arguments]
        subprocess.run(command, check=True, user=user, cwd=directory, stdout=subprocess.DEVNULL)  # noqa: S603  found above

    try:
        run("initdb", "-U", "lintel", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {directory} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-w", "-l", str(directory / "log"), "-o", options, "start")
        try:
            yield sa.URL.create("postgresql", "lintel", database="postgres", query={"host": str(directory)})
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory)


def new_database(url: sa.URL) -> str:
    """The URL of a fresh database on this server."""
    name = f"book{next(_numbers)}"
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)
