"""The demo as a newcomer runs it: it shows what it promises, and leaves nothing behind."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Three whole demos, and what they invite to: each a dozen processes to start, on whatever machine this is.
pytestmark = pytest.mark.timeout(180)
DEMO = (sys.executable, "-m", "cli", "sandbox", "demo")
ROOT = Path(__file__).parents[2]
PROMISED = (
    "list: version 1, ", "clear: NOT_RESTRICTED", "lodge: RESTRICTED, DECLINE", "NOTICE ", "resort-cap: CAPPED",
    "exempt-today: NOT_RESTRICTED", "name-mismatch: UNDETERMINED IDENTITY_MISMATCH", "venue: lifted; NOT_RESTRICTED",
)  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """Ours, with a temporary directory of the demo's own; what is left there is what the demo left."""
    return {**os.environ, "TMPDIR": str(folder)}  # noqa: TID251 - a child inherits what this process was given


def started_from(folder: Path) -> list[str]:
    """Command lines of processes that name this folder or live in it."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            line, home = (process / "cmdline").read_bytes(), (process / "cwd").readlink()
        except OSError:
            continue
        if process.name.isdigit() and (str(folder).encode() in line or home.is_relative_to(folder)):
            found.append(line.replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path, since a socket's is bounded."""
    return tmp_path_factory.mktemp("demo")


def test_demo_once_shows_every_kind_of_answer_and_leaves_nothing(folder: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*DEMO, "--once"], env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [promise for promise in PROMISED if promise not in done.stdout] == []
    assert list(folder.iterdir()) == []
    assert started_from(folder) == []


@contextmanager
def demo_in(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo as a script's background job has it, SIGINT ignored; killed if it does not end by itself."""
    as_job = ["bash", "-c", "trap '' INT; exec \"$@\"", "job", *DEMO]
    with subprocess.Popen(as_job, env=environment(folder), stdout=subprocess.PIPE, text=True) as demo:  # noqa: S603 - our own command
        try:
            yield demo
        except BaseException:
            demo.kill()
            raise


def invitation(demo: subprocess.Popen[str]) -> list[str]:
    """The commands that a running demo invites to, once it has said all it says."""
    assert demo.stdout is not None
    said = itertools.takewhile(lambda line: line != "Ctrl-C ends it.\n", demo.stdout)
    return [line for line in said if line.startswith("  ") and "./run lintel" in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_whole_when_it_is_told_to(folder: Path, number: signal.Signals) -> None:
    with demo_in(folder) as demo:
        tried = [subprocess.run(["bash", "-c", line], cwd=ROOT, check=False).returncode for line in invitation(demo)]  # noqa: S603, S607 - what the demo told us to type
        demo.send_signal(number)
        demo.communicate(timeout=40)
    assert demo.returncode == 0
    assert tried == [10, 0, 0]  # restricted; the list in service; the court's side
    assert list(folder.iterdir()) == []
    assert started_from(folder) == []
