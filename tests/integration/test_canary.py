"""A document that stops, overloads or holds up its user does so to a process of its own, and is refused by name."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from restriction.calendar import Span
from restriction.change import Change, Delta, Lane
from restriction.decision import Circumstances, Match, Sale
from restriction.envelope import describe_chunk, encode_chunk, encode_delta, encode_snapshot
from restriction.errors import RefusedListError
from restriction.parameters import Parameters
from restriction.products import Measure
from restriction.record import Exemption, Grant, Part, Record, encode
from sync_agent.canary import Canary
from sync_agent.trial import Kind, Trial
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.list_publisher import ListPublisher, lifted, listed, record_of, token_of
from tests.unit.test_envelope import AFTER, CHUNK, RAW_CHUNK, SNAPSHOT

_DELTA = encode_delta(Delta(0, AFTER, (listed(1), lifted(2))))
_PARAMETERS = Parameters.parse({"version": 1, "date": "2026-05-01", "authority": "4408", "values": {}}).to_bytes()

_HANGS = "t.patience_s = lambda _: 0.2\ndef forever(*_):\n  while True: pass\nt._outcome = forever"


def _running(change: str) -> tuple[str, ...]:
    """The command of a trial process in which something is otherwise."""
    run = "t.main(sys.stdin.buffer, sys.stdout.buffer)"
    return sys.executable, "-c", f"import sys, os, time, sync_agent.trial as t\n{change}\n{run}"


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary(time.monotonic) as canary:
        yield canary


@pytest.mark.parametrize(
    ("kind", "raw", "chunk"),
    [
        pytest.param(Kind.DELTA, _DELTA, None, id="delta"),
        pytest.param(Kind.SNAPSHOT, encode_snapshot(SNAPSHOT), None, id="manifest"),
        pytest.param(Kind.CHUNK, RAW_CHUNK, CHUNK, id="chunk"),
        pytest.param(Kind.PARAMETERS, _PARAMETERS, None, id="parameters"),
    ],
)
def test_every_kind_of_document_is_tried_and_each_has_its_own_alarm(
    canary: Canary, kind: Kind, raw: bytes, chunk: object
) -> None:
    canary(kind, raw, chunk)  # type: ignore[arg-type] # a chunk or none
    with pytest.raises(RefusedListError, match="LIST_FORGED"):
        canary(kind, raw[:-1] + bytes([raw[-1] ^ 1]), chunk)  # type: ignore[arg-type] # as above
    canary(kind, raw, chunk)  # type: ignore[arg-type] # as above


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("t._outcome = lambda *_: os._exit(3)", id="ends"),
        pytest.param("t._outcome = lambda *_: os.kill(os.getpid(), 11)", id="is killed by a fault of memory"),
        pytest.param("t.Trial.__call__ = lambda *_: 1 / 0", id="meets an error that nobody foresaw"),
        pytest.param(_HANGS, id="never ends"),
    ],
)
def test_a_document_that_stops_its_trial_is_unfit(change: str) -> None:
    with Canary(time.monotonic, _running(change)) as canary:
        for _ in range(2):
            with pytest.raises(RefusedListError, match="LIST_UNFIT"):
                canary(Kind.DELTA, _DELTA)


def test_a_document_that_takes_more_memory_than_any_may_is_unfit() -> None:
    large, expanded = encode_chunk(7, {bytes([7]) + n.to_bytes(15, "big"): record_of(n) for n in range(40_000)})
    little_more = "t.MEMORY_BYTES = int(open('/proc/self/statm').read().split()[0]) * 4096 + (4 << 20)"
    with Canary(time.monotonic, _running(little_more)) as canary:
        with pytest.raises(RefusedListError, match=r"LIST_(UNFIT|FORGED)"):  # libraries have names of their own for it
            canary(Kind.CHUNK, large, describe_chunk(7, "snapshots/5", large, expanded))
        canary(Kind.DELTA, _DELTA)


def test_a_trial_that_does_not_answer_is_waited_for_a_limited_time() -> None:
    """A hundred seconds pass between any two looks at the clock."""
    silent = Canary(itertools.count(step=100).__next__, (sys.executable, "-c", "import time; time.sleep(600)"))
    with silent, pytest.raises(RefusedListError, match="LIST_UNFIT"):
        silent(Kind.DELTA, _DELTA)


async def test_the_agent_lives_on_with_its_last_good_list_and_takes_the_next_one(
    court: ListPublisher, host: AgentHost
) -> None:
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    dies_once = f"""
if not os.path.exists({str(host.directory / "died")!r}):
    t._outcome = lambda *_: (open({str(host.directory / "died")!r}, "w").close(), os._exit(1))
"""
    with Canary(time.monotonic, _running(dies_once)) as host.canary:
        court.publish(lifted(1), listed(2))
        again = host.start()
        await again.sync_once()
        assert alarms_of(again) == ["LIST_UNFIT"]
        assert set(await host.stored()) == {token_of(1)}
        assert [path.name for path in (host.directory / "deltas").iterdir()] == ["0-1.delta"]
        await again.sync_once()
    assert alarms_of(again) == []
    assert await host.stored() == court.book.records


@pytest.mark.parametrize("change", ["", _HANGS], ids=["idle", "in the middle of a document that never ends"])
def test_no_process_is_left_behind_by_an_agent_that_is_killed(change: str) -> None:
    agent = f"""
import time
from sync_agent.canary import Canary, Kind
canary = Canary(time.monotonic, {_running(change)!r})
print(canary.start().pid, flush=True)
canary(Kind.DELTA, {_DELTA!r})
print(flush=True)
time.sleep(600)
"""
    with subprocess.Popen((sys.executable, "-c", agent), stdout=subprocess.PIPE) as killed:  # noqa: S603 our own
        assert killed.stdout is not None
        trial = os.pidfd_open(int(killed.stdout.readline()))
        if not change:
            killed.stdout.readline()
        killed.kill()
    ended = select.poll()
    ended.register(trial, select.POLLIN)
    assert ended.poll(10_000), "it still runs"
    os.close(trial)


def test_a_trial_process_leaves_ctrl_c_to_the_agent(canary: Canary) -> None:
    canary(Kind.DELTA, _DELTA)
    trial = canary.start()
    trial.send_signal(signal.SIGINT)
    for _ in range(3):  # the signal may come a moment later
        canary(Kind.DELTA, _DELTA)
    assert canary.start() is trial
    assert trial.poll() is None


def test_every_measure_is_decided_about_for_every_form_of_record() -> None:
    sales: list[tuple[Sale, float]] = []

    def decide(match: Match, sale: Sale, at: Circumstances) -> None:
        assert match.name == match.record.parts[0].names[0]
        sales.append((sale, at.now_s))

    grants = (Grant(2, 0, Span(20_500)), Grant(4, 0, Span(20_700)))
    part = Part(bytes(8), 1, 1_780_000_000, None, None, (b"a name..",), grants, (Exemption(2, Span(20_600, 20_610)),))
    records = [encode(Record(bytes([n]) * 8, (part,) * times)) for n, times in ((1, 1), (2, 1), (3, 2))]
    changes = tuple(Change(token_of(n), record, Lane.BURDEN) for n, record in enumerate(records))
    Trial(decide)(Kind.DELTA, encode_delta(Delta(0, AFTER, changes)))
    days = {sale.service_day for sale, _ in sales}
    assert days == {None, 20_500, 20_700, 20_602}
    assert {sale.product.measure for sale, _ in sales} == set(Measure)
    assert {now_s for _, now_s in sales} == {1_780_000_000}
    assert len(sales) == 2 * 3 * len(Measure)  # of two forms, on three days


def test_records_are_decided_about_under_the_parameters_that_were_tried_last() -> None:
    seen = set[int]()
    trial = Trial(lambda _match, _sale, at: seen.add(at.parameters.version))
    trial(Kind.DELTA, _DELTA)
    trial(Kind.PARAMETERS, _PARAMETERS)
    seen.clear()
    trial(Kind.DELTA, _DELTA)
    assert seen == {1}


def test_a_heartbeat_is_fit_and_nothing_is_decided_about() -> None:
    decided = list[Match]()
    Trial(lambda match, _sale, _at: decided.append(match))(Kind.DELTA, encode_delta(Delta(0, AFTER, ())))
    assert decided == []
