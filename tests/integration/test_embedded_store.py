"""The embedded server: one per home, for as long as anybody uses it, with its content."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from liststore import embedded
from restriction.errors import SettingError
from tests.fakes.valkey import ended

USER = """
import asyncio, pathlib, sys
from liststore import embedded
async def main():
    async with embedded.open(pathlib.Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    """A home that is left by everybody in the end. Short, since a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder:
        yield Path(folder)
        await ended(Path(folder))


async def start_user(home: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """Another process that uses the store, in a process group of its own, and the address that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *(arguments or ("-c", USER, str(home)))),
        env={"LINTEL_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode().strip()


async def until(ask: Callable[[], bool]) -> None:
    """Wait for a yes; a server that is away says none."""
    async with asyncio.timeout(20):
        while True:
            try:
                if ask():
                    return
            except RedisError:
                pass
            await asyncio.sleep(0.02)


def server_pid(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_it_answers_keeps_appending_and_never_evicts(home: Path) -> None:
    async with embedded.open(home) as url:
        with Redis.from_url(url) as client:
            wanted = {
                "appendonly": "yes",
                "appendfsync": "everysec",
                "maxmemory-policy": "noeviction",
                "save": "",
                "port": "0",
            }
            assert client.config_get(*wanted) == wanted


async def test_nobody_else_of_the_machine_can_reach_it(home: Path) -> None:
    async with embedded.open(home) as url:
        socket = url.removeprefix("unix://")
        for path in (socket, os.path.dirname(socket)):  # noqa: PTH120 (os.stat takes it as it is)
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700  # noqa: PTH116 (the loop may wait for one stat)


async def test_users_who_come_at_once_share_one_server(home: Path) -> None:
    async with AsyncExitStack() as stack:
        others = await asyncio.gather(*(start_user(home) for _ in range(3)))
        urls = await asyncio.gather(*(stack.enter_async_context(embedded.open(home)) for _ in range(3)))
        assert len({*urls, *(url for _, url in others)}) == 1
        assert len({server_pid(url) for url in urls}) == 1
        for process, _ in others:
            process.kill()
            await process.wait()


async def test_it_outlives_every_user_but_the_last_and_then_nothing_is_left(home: Path) -> None:
    first, url = await start_user(home)
    second, _ = await start_user(home)
    pid = server_pid(url)
    first.kill()
    await first.wait()
    await asyncio.sleep(0.5)  # longer than the keeper's tick: time enough for it to end by mistake
    assert server_pid(url) == pid
    keeper = parent_of(pid)
    second.kill()
    await second.wait()
    await until(lambda: not any(Path(f"/proc/{process}").exists() for process in (pid, keeper)))


async def test_ctrl_c_for_a_users_whole_group_does_not_reach_the_server(home: Path) -> None:
    user, url = await start_user(home)
    async with embedded.open(home):
        pid = server_pid(url)
        os.killpg(user.pid, signal.SIGINT)
        await user.wait()
        await asyncio.sleep(0.5)  # a signal would have arrived
        assert server_pid(url) == pid


@pytest.mark.parametrize("killed", ["server", "keeper", "both"])
async def test_it_comes_back_with_its_content_after_kill_9(home: Path, killed: str) -> None:
    async with embedded.open(home) as url:
        with Redis.from_url(url) as client:
            client.set("kept", "value")
        pid = server_pid(url)
        keeper = parent_of(pid)
        for victim in {"server": [pid], "keeper": [keeper], "both": [keeper, pid]}[killed]:
            os.kill(victim, signal.SIGKILL)
        await until(lambda: server_pid(url) != pid)
        with Redis.from_url(url) as client:
            assert client.get("kept") == b"value"


async def test_it_keeps_its_content_from_the_last_user_to_the_next(home: Path) -> None:
    async with embedded.open(home) as url:
        with Redis.from_url(url) as client:
            client.set("kept", "value")
    await ended(home)
    async with embedded.open(home) as url:
        with Redis.from_url(url) as client:
            assert client.get("kept") == b"value"


async def test_a_user_who_comes_while_it_ends_is_given_a_living_one(home: Path) -> None:
    for _ in range(5):
        async with embedded.open(home) as url:
            with Redis.from_url(url) as client:
                assert client.ping()


async def test_a_home_whose_path_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="LINTEL_HOME"):
        async with embedded.open(tmp_path / ("x" * 100)):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_store_run_prints_the_address_and_ends_cleanly(home: Path, number: signal.Signals) -> None:
    process, url = await start_user(home, "-m", "cli", "store", "run")
    with Redis.from_url(url) as client:
        assert client.ping()
    process.send_signal(number)
    assert await process.wait() == 0
    await ended(home)
