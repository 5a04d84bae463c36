"""The worker's own file of what it told: whole, in order, and never silently cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.journal import Journal, Told, read_records
from restriction.errors import LedgerUnavailableError

TOLD = Told(
    time_ms=1_780_000_000_000, unit="hotel-1", measure=3, outcome=2, reason=0, list_version=7,
    entries=(bytes(range(16)), bytes(16)), booking=bytes(16), decision_id="d-00000001",
)  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, "run")


def records(directory: Path) -> list[Told]:
    return [told for path in sorted(directory.glob("*.journal")) for told in read_records(path)]


def numbered(number: int) -> Told:
    return replace(TOLD, list_version=number)


def test_record_is_in_the_file_when_append_returns(journal: Journal, tmp_path: Path) -> None:
    for number in range(3):
        journal.append(numbered(number))
        assert records(tmp_path) == [numbered(each) for each in range(number + 1)]


def test_record_survives_kill_9_of_its_process(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from ledger.journal import Journal\n"
        "from tests.unit.test_journal import TOLD\n"
        "Journal(pathlib.Path(sys.argv[1]), 'run').append(TOLD)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)  # noqa: S603 - our own code
    assert killed.returncode == -signal.SIGKILL
    assert records(tmp_path) == [TOLD]


def test_nobody_else_may_read_the_file(journal: Journal, tmp_path: Path) -> None:
    journal.append(TOLD)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_journal_that_told_nothing_leaves_no_file(journal: Journal, tmp_path: Path) -> None:
    journal.close()
    assert list(tmp_path.iterdir()) == []


@given(st.integers(min_value=0, max_value=400), st.integers(min_value=0, max_value=255))
def test_torn_or_altered_tail_ends_the_reading_and_spoils_nothing_before_it(cut: int, flip: int) -> None:
    with temporary_file() as path:
        journal = Journal(path.parent, path.stem)
        for number in range(2):
            journal.append(numbered(number))
        (file,) = path.parent.glob(f"{path.stem}*.journal")
        whole = file.read_bytes()
        file.write_bytes(whole[:cut] + bytes([flip]) * (cut % 3))
        read = list(read_records(file))
        assert read == [numbered(number) for number in range(2)][: len(read)]
        assert len(read) >= cut * 2 // len(whole) - 1


@contextlib.contextmanager
def temporary_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "run"


def test_every_altered_byte_is_found(journal: Journal, tmp_path: Path) -> None:
    journal.append(TOLD)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert list(read_records(path)) == []


def test_directory_that_is_gone_refuses_the_record(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="journal"):
        Journal(tmp_path / "gone", "run").append(TOLD)


@pytest.fixture
def file_size_limit() -> Iterator[int]:
    """A limit that the kernel keeps: a write across it is done in part, one beyond it fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, limits[1]))
    yield 700
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, ignored)


def test_full_disk_refuses_the_record_and_leaves_the_file_whole(
    journal: Journal, tmp_path: Path, file_size_limit: int
) -> None:
    written = 0
    with contextlib.suppress(LedgerUnavailableError):
        while written < 100:
            journal.append(numbered(written))
            written += 1
    assert 0 < written < 100
    with pytest.raises(LedgerUnavailableError):
        journal.append(TOLD)
    assert records(tmp_path) == [numbered(number) for number in range(written)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits[1], limits[1]))
    journal.append(numbered(written))
    assert records(tmp_path) == [numbered(number) for number in range(written + 1)]
    assert file_size_limit == 700


async def test_failed_sync_begins_a_fresh_file_with_what_may_be_lost(journal: Journal, tmp_path: Path) -> None:
    journal.append(numbered(0))
    await journal.sync()
    journal.append(numbered(1))
    broken = journal._descriptor  # noqa: SLF001 - the file that fails
    assert broken is not None
    read_end, write_end = os.pipe()
    os.dup2(write_end, broken)  # a pipe cannot be synced
    await journal.sync()
    os.close(read_end)
    os.close(write_end)
    journal.append(numbered(2))
    assert list(read_records(tmp_path / "run-2.journal")) == [numbered(1), numbered(2)]


async def test_record_that_came_during_a_sync_is_not_taken_for_synced(journal: Journal, tmp_path: Path) -> None:
    journal.append(numbered(0))
    syncing = asyncio.create_task(journal.sync())
    await asyncio.sleep(0)  # it syncs in a thread from here on
    journal.append(numbered(1))
    await syncing
    journal._abandon()  # noqa: SLF001 - as after a sync that failed
    journal.append(numbered(2))
    assert list(read_records(tmp_path / "run-2.journal")) == [numbered(1), numbered(2)]


async def test_records_are_synced_in_the_background(journal: Journal) -> None:
    syncing = asyncio.create_task(journal.keep_synced())
    journal.append(TOLD)
    async with asyncio.timeout(5):
        while journal._unsynced:  # noqa: SLF001, ASYNC110 - what is not yet known to be on disk
            await asyncio.sleep(0)
    syncing.cancel()
    journal.close()
