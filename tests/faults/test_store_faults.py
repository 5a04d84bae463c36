"""The store's faults run small: nothing is wrong, and what would be wrong is reported."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from liststore.wiring import open_reader, open_writer
from restriction.errors import StoreUnavailableError
from tests.fakes.liststore import BUCKET_KEY, put_list
from tests.fakes.stores import GENERATION, RECORDS, TOKENS
from tests.faults import store_faults, store_faults_promotion
from tests.faults.plan import Plan
from tests.faults.proxy import standing
from tests.faults.store_faults import TABLE
from tests.faults.store_faults_promotion import await_servers, promotions, server


def test_every_fault_of_the_design_is_in_the_table() -> None:
    assert list(TABLE) == [
        "SIGKILL", "SIGSTOP 5 s", "FLUSHALL", "two agents, one paused", "1 bucket deleted", "1 bucket altered",
        "1 % of buckets deleted", "1 % of buckets altered",
    ]  # fmt: skip


@pytest.mark.timeout(240)  # a whole house of processes is started, on a machine that may be busy
def test_a_flushed_store_under_load_and_a_promotion_make_no_answer_wrong(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_faults, "TABLE", {"FLUSHALL": TABLE["FLUSHALL"]})
    monkeypatch.setattr(store_faults, "BEFORE_S", 0.5)
    monkeypatch.setattr(store_faults, "ANSWERS", 1)
    outcome = store_faults.run(Plan(1, tmp_path_factory.mktemp("f"), scale=0.005))
    assert outcome.violations == ()
    (flushed,) = outcome.figures["FLUSHALL"]
    assert (flushed["wrong"], flushed["ended within patience"]) == (0, True)
    assert flushed["asked"] > 100
    assert flushed["waits before, ms"]["p99"] > 0
    assert outcome.figures["promotion of a stale replica"]["runs"] == 1
    assert outcome.figures["judged in all"] > outcome.figures["all"]["asked"]


async def test_a_stale_replica_that_is_believed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liststore.reader.check_head", lambda *_: None)
    monkeypatch.setattr(store_faults_promotion, "STEADY_S", 1.0)
    outcome = await promotions(Plan(1, tmp_path, scale=0.005))
    assert outcome.figures["wrongly RESTRICTED"] > 0
    assert outcome.figures["wrongly NOT_RESTRICTED"] > 0
    assert len(outcome.violations) >= 2


def test_a_question_finds_its_store_again_over_a_connection_that_was_reset(tmp_path: Path) -> None:
    """On the gateway's own loop, which does not call that a lost connection."""

    async def ask(port: int) -> None:
        await await_servers([port])
        async with standing(("127.0.0.1", port)) as link:
            url = f"redis://{link.url}"
            writer, reader = open_writer(url, BUCKET_KEY), open_reader(url, BUCKET_KEY)
            announced = await put_list(writer, RECORDS, generation=GENERATION)
            for _ in range(3):
                assert await reader.find(TOKENS[0], announced) == RECORDS[TOKENS[0]]
                with suppress(StoreUnavailableError):  # what followers read is not asked twice: they come again
                    assert await reader.announcement() == announced
                assert link.cut() > 0
                await asyncio.sleep(0.05)  # until the loop has heard of it
            await reader.close()
            await writer.close()

    with server(tmp_path / "server") as port:
        uvloop.run(ask(port))
