"""What only a real server can show: late replies, refusals, forgotten scripts, absence."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis import Redis

from liststore.base import Announcement, ListReader
from liststore.keys import place_of
from liststore.redis_client import Patience
from liststore.wiring import open_reader, open_writer
from restriction.errors import SettingError, StoreNotWholeError, StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.stores import GENERATION, KEYS, RECORDS, TOKENS, UNHURRIED, moves

# One connection, so that the next command would meet a reply that was left behind.
ONE_CONNECTION = Patience(connect_s=1.0, read_s=5.0, retries=0, connections=1)


@pytest.fixture
async def announced(valkey_url: str) -> Announcement:
    writer = open_writer(valkey_url, BUCKET_KEY)
    announced = await put_list(writer, RECORDS, generation=GENERATION)
    await writer.close()
    return announced


@pytest.fixture
async def reader(valkey_url: str) -> AsyncIterator[ListReader]:
    reader = open_reader(valkey_url, BUCKET_KEY, patience=ONE_CONNECTION, bounds=UNHURRIED)
    yield reader
    await reader.close()


async def test_the_reply_of_a_cancelled_question_reaches_nobody_else(
    reader: ListReader, announced: Announcement, valkey_client: Redis
) -> None:
    """Cancelled at every stage: before, while and after the server answers."""
    for number in range(200):
        if number % 10 == 0:
            valkey_client.client_pause(5, all=True)
        asked = asyncio.create_task(reader.find(TOKENS[number % 50], announced))
        for _ in range(number % 8):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        wanted = TOKENS[50 + number % 100]
        assert await reader.find(wanted, announced) == RECORDS[wanted]


async def test_the_replies_of_a_cancelled_batch_reach_nobody_else(
    reader: ListReader, announced: Announcement, valkey_client: Redis
) -> None:
    for number in range(50):
        valkey_client.client_pause(5, all=True)
        asked = asyncio.create_task(reader.find_many(TOKENS[:100], announced))
        for _ in range(number % 8):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        assert await reader.find_many(TOKENS[100:103], announced) == [RECORDS[token] for token in TOKENS[100:103]]


async def test_answers_belong_to_their_questions_under_load(valkey_url: str, announced: Announcement) -> None:
    patience = Patience(connect_s=1.0, read_s=5.0, retries=0, connections=8)
    reader = open_reader(valkey_url, BUCKET_KEY, patience=patience, bounds=UNHURRIED)
    for _ in range(5):
        answers = await asyncio.gather(*(reader.find(token, announced) for token in TOKENS))
        assert answers == [RECORDS[token] for token in TOKENS]
    await reader.close()


async def test_a_slow_store_is_unavailable_within_the_readers_patience(
    valkey_url: str, announced: Announcement, valkey_client: Redis
) -> None:
    reader = open_reader(valkey_url, BUCKET_KEY)
    assert await reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]
    valkey_client.client_pause(300, all=True)
    began = asyncio.get_running_loop().time()
    with pytest.raises(StoreUnavailableError, match="Timeout"):
        await reader.find(TOKENS[0], announced)
    assert asyncio.get_running_loop().time() - began < 0.2
    valkey_client.client_unpause()
    assert await reader.find(TOKENS[1], announced) == RECORDS[TOKENS[1]]
    await reader.close()


async def test_an_absent_server_has_one_name_everywhere(announced: Announcement) -> None:
    with tempfile.TemporaryDirectory() as nowhere:
        url = f"unix://{Path(nowhere)}/none.sock"
        reader, writer = open_reader(url, BUCKET_KEY), open_writer(url, BUCKET_KEY)
        for call in (
            reader.find(TOKENS[0], announced),
            reader.announcement(),
            reader.additions(7, 1, 2),
            anext(reader.hints()),
            anext(reader.tokens(GENERATION)),
            writer.announcement(),
            writer.heads(7),
            writer.write(GENERATION, moves({}, {}, base=1, version=2)),
            writer.put_parameters(b""),
        ):
            with pytest.raises(StoreUnavailableError):
                await call
        found = await reader.find_many(TOKENS[:2], announced)
        assert all(isinstance(each, StoreUnavailableError) for each in found)
        await reader.close()
        await writer.close()


async def test_a_connection_that_the_server_closed_is_replaced_unseen(
    valkey_url: str, announced: Announcement, valkey_client: Redis
) -> None:
    reader = open_reader(valkey_url, BUCKET_KEY)
    for _ in range(5):
        assert await reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]
        valkey_client.client_kill_filter(_type="normal", skipme=True)
    await reader.close()


async def test_a_server_that_forgot_the_scripts_is_told_them_again(
    valkey_url: str, announced: Announcement, valkey_client: Redis
) -> None:
    writer = open_writer(valkey_url, BUCKET_KEY)
    assert announced == await writer.announcement()
    valkey_client.script_flush()
    await writer.write(GENERATION, moves(RECORDS, {}, base=1, version=2))
    assert await writer.read(GENERATION, TOKENS) == {}
    await writer.close()


async def test_a_server_that_evicts_is_refused_before_the_first_write(valkey_url: str, valkey_client: Redis) -> None:
    valkey_client.config_set("maxmemory-policy", "allkeys-lru")
    writer = open_writer(valkey_url, BUCKET_KEY)
    try:
        with pytest.raises(SettingError, match="noeviction"):
            await writer.put_parameters(b"document")
        assert valkey_client.dbsize() == 0
    finally:
        valkey_client.config_set("maxmemory-policy", "noeviction")
        await writer.close()


async def test_a_server_that_forbids_config_is_written_to(
    reader: ListReader, valkey_url: str, valkey_client: Redis
) -> None:
    valkey_client.acl_setuser("agent", enabled=True, nopass=True, keys="*", channels="*", commands=["+@all", "-config"])
    writer = open_writer(valkey_url.replace("unix://", "unix://agent:any@"), BUCKET_KEY)
    await writer.put_parameters(b"document")
    assert await reader.parameters() == b"document"
    valkey_client.acl_deluser("agent")
    await writer.close()


async def test_a_full_server_refuses_writes_and_keeps_answering(
    reader: ListReader, announced: Announcement, valkey_url: str, valkey_client: Redis
) -> None:
    writer = open_writer(valkey_url, BUCKET_KEY)
    await writer.put_parameters(b"before")
    valkey_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailableError, match="OutOfMemory"):
            await writer.write(GENERATION, moves(RECORDS, {}, base=1, version=2))
        assert await reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]
    finally:
        valkey_client.config_set("maxmemory", 0)
        await writer.close()


async def test_a_gateway_that_may_not_publish_answers_as_before(
    valkey_url: str, announced: Announcement, valkey_client: Redis
) -> None:
    valkey_client.acl_setuser("gateway", enabled=True, nopass=True, keys="*", reset_channels=True, commands=["+@all"])
    valkey_client.delete(KEYS.bucket(place_of(GENERATION, TOKENS[0])))
    reader = open_reader(valkey_url.replace("unix://", "unix://gateway:any@"), BUCKET_KEY, bounds=UNHURRIED)
    first, second = await reader.find_many(TOKENS[:2], announced)
    assert isinstance(first, StoreNotWholeError)
    assert second == RECORDS[TOKENS[1]]
    async with asyncio.timeout(5):
        while "gateway" not in {entry["username"] for entry in valkey_client.acl_log()}:  # noqa: ASYNC110 the server's
            await asyncio.sleep(0)
    assert await reader.find(TOKENS[1], announced) == RECORDS[TOKENS[1]]
    await reader.close()
    valkey_client.acl_deluser("gateway")


async def test_a_hint_that_is_no_number_is_passed_over(valkey_url: str, valkey_client: Redis) -> None:
    writer = open_writer(valkey_url, BUCKET_KEY)
    suspect = asyncio.ensure_future(anext(writer.suspects()))
    while not valkey_client.publish(KEYS.suspects, "no number"):  # noqa: ASYNC110 until somebody listens
        await asyncio.sleep(0)
    for said in ("", "-1", "9" * 5_000, "\N{SUPERSCRIPT TWO}", "7"):
        valkey_client.publish(KEYS.suspects, said)
    assert await suspect == 7
    await writer.close()
