"""The fault proxy does what it says, to standing and to new connections, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.proxy import GOOD, LOOPBACK, Address, Fault, Link, standing

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@pytest.fixture(params=["tcp", "unix"])
async def link(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Link]:
    """A link to a server that says everything back."""
    if request.param == "unix":
        upstream: Address = tmp_path / "up"
        server = await asyncio.start_unix_server(_echo, tmp_path / "up")
        listen: Address = tmp_path / "link"
    else:
        server = await asyncio.start_server(_echo, *LOOPBACK)
        upstream, listen = server.sockets[0].getsockname()[:2], LOOPBACK
    async with server, standing(upstream, listen) as link:
        yield link


async def opened(link: Link) -> Streams:
    if isinstance(link.address, Path):
        return await asyncio.open_unix_connection(link.address)
    return await asyncio.open_connection(*link.address)


async def said_back(streams: Streams, text: bytes) -> bytes:
    """What comes back, empty when nothing does within 0.1 s."""
    reader, writer = streams
    writer.write(text)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            return await reader.readexactly(len(text))
    return b""


async def test_a_good_link_passes_everything_in_order_and_the_end_too(link: Link) -> None:
    reader, writer = await opened(link)
    sent = bytes(range(256)) * 4_000
    writer.write(sent)
    writer.write_eof()
    assert await reader.read() == sent
    assert (link.accepted, link.passed_bytes) == (1, 2 * len(sent))
    writer.close()


async def test_a_delay_is_a_distance_and_not_a_queue(link: Link) -> None:
    link.fault = Fault(delay_s=0.05)
    reader, writer = await opened(link)
    began_s = time.monotonic()
    for number in range(10):
        writer.write(bytes([number]))
        await asyncio.sleep(0.005)
    assert await reader.readexactly(10) == bytes(range(10))
    assert 0.1 <= time.monotonic() - began_s < 0.4  # there and back, once; not ten times
    writer.close()


async def test_jitter_keeps_the_order(link: Link) -> None:
    link.fault = Fault(jitter_s=0.02)
    reader, writer = await opened(link)
    for number in range(20):
        writer.write(bytes([number]))
        await asyncio.sleep(0)
    assert await reader.readexactly(20) == bytes(range(20))
    writer.close()


async def test_a_throttled_link_carries_so_many_bytes_a_second(link: Link) -> None:
    link.fault = Fault(bytes_per_s=1_000_000)
    streams = await opened(link)
    began_s = time.monotonic()
    streams[1].write(bytes(200_000))
    await streams[0].readexactly(200_000)
    assert time.monotonic() - began_s >= 0.2
    streams[1].close()


async def test_a_deaf_link_accepts_and_says_nothing_until_it_hears_again(link: Link) -> None:
    before = await opened(link)
    assert await said_back(before, b"one") == b"one"
    link.fault = Fault(deaf=True)
    after = await opened(link)
    assert await said_back(before, b"two") == b""
    assert await said_back(after, b"two") == b""
    link.fault = GOOD
    assert await before[0].readexactly(3) == b"two"
    assert await after[0].readexactly(3) == b"two"
    for _, writer in (before, after):
        writer.close()


async def test_a_refusing_link_leaves_standing_connections_alone(link: Link) -> None:
    before = await opened(link)
    assert await said_back(before, b"one") == b"one"
    link.fault = Fault(refused=True)
    reader, writer = await opened(link)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    assert await said_back(before, b"two") == b"two"
    for each in (before[1], writer):
        each.close()


@pytest.mark.parametrize("is_reset", [False, True])
async def test_a_cut_ends_every_standing_connection(link: Link, *, is_reset: bool) -> None:
    streams = [await opened(link) for _ in range(3)]
    for each in streams:
        assert await said_back(each, b"x") == b"x"
    assert link.cut(is_reset=is_reset) == 3
    expected = (asyncio.IncompleteReadError,) if not is_reset else (ConnectionResetError, asyncio.IncompleteReadError)
    for reader, writer in streams:
        with pytest.raises(expected):
            await reader.readexactly(1)
        writer.close()
    again = await opened(link)
    assert await said_back(again, b"x") == b"x"
    again[1].close()


async def test_a_truncated_direction_passes_the_given_bytes_and_ends(link: Link) -> None:
    streams = await opened(link)
    assert await said_back(streams, bytes(100)) == bytes(100)
    link.fault = Fault(cut_after_bytes=40)
    streams[1].write(bytes(100))
    assert len(await streams[0].read()) <= 40
    streams[1].close()
    link.fault = replace(link.fault, cut_after_bytes=None)
    streams = await opened(link)
    assert await said_back(streams, bytes(100)) == bytes(100)
    streams[1].close()
    assert link.ended == 1


async def test_of_a_truncated_reply_exactly_the_given_bytes_arrive() -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(bytes(100))
        writer.close()

    server = await asyncio.start_server(reply, *LOOPBACK)
    async with server, standing(server.sockets[0].getsockname()[:2]) as link:
        link.fault = Fault(cut_after_bytes=40)
        reader, writer = await opened(link)
        writer.write(b"?")
        assert len(await reader.read()) == 40
        writer.close()


async def test_an_upstream_that_is_away_is_a_reset(tmp_path: Path) -> None:
    async with standing(tmp_path / "nobody", tmp_path / "link") as link:
        reader, writer = await opened(link)
        assert await reader.read() == b""
        writer.close()
