"""Crashes at every step: what must hold does, and the experiments see it when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from liststore.base import Announcement, FilterImage
from liststore.keys import Keys
from liststore.keyspace import Swap
from liststore.redis_client import BULK, connect
from liststore.redis_keyspace import RedisKeyspace
from liststore.seal import Kind, seal
from liststore.sealed import decode_announcement, decode_head, encode_announcement, encode_filter_image, encode_head
from restriction.filter import FilterStamp
from sync_agent.loader import empty_filter
from tests.fakes.list_publisher import KEYS
from tests.faults import crashes, crashes_publisher, crashes_store, crashes_syscalls
from tests.faults.crash import checks, tracing, worlds
from tests.faults.crash.bench import Bench, Tally, job, one_pass, recover
from tests.faults.crash.passing import Passes
from tests.faults.crash.process import Failed, Nursery, nursery
from tests.faults.crash.server import Photograph, Server, standing
from tests.faults.crash.steps import SteppedKeyspace, Steps
from tests.faults.plan import Plan

pytestmark = pytest.mark.timeout(240)  # many processes are started, on a machine that may be busy
needs_strace = pytest.mark.skipif(tracing.STRACE is None, reason="strace is not installed")
Cells = dict[str, bytes]


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with nursery(Passes.__module__, "encodings.idna") as children:
        yield children


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with standing() as server:
        yield server


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, server: Server, children: Nursery) -> Iterator[Bench]:
    with worlds.made("one delta", 1, tmp_path_factory.mktemp("w"), server) as world:
        yield Bench(world, server, children, Tally())


@pytest.fixture(scope="module")
def brought(bench: Bench) -> Photograph:
    """The store after a pass that nobody disturbed."""
    told = one_pass(bench)
    assert told.alarms == ()
    return bench.server.photograph()


def test_a_few_kills_of_agents_leave_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashes, "KINDS", ("store lost",))
    outcome = crashes.run(Plan(2, tmp_path, scale=0.005))
    assert outcome.violations == ()
    assert outcome.figures["kills"] > 3
    assert outcome.figures["seconds to recover"]["max"] > 0


def test_a_few_kills_of_the_store_are_healed(tmp_path: Path) -> None:
    outcome = crashes_store.run(Plan(1, tmp_path, scale=0.01))
    assert outcome.violations == ()
    assert outcome.figures["kills"] == 2


def test_a_few_kills_of_the_courts_side_lose_and_double_nothing(tmp_path: Path) -> None:
    outcome = crashes_publisher.run(Plan(1, tmp_path, scale=0.002))
    assert outcome.violations == ()
    assert outcome.figures["kills"] > 2


@needs_strace
def test_a_few_syscalls_may_kill_or_fail(tmp_path: Path) -> None:
    outcome = crashes_syscalls.run(Plan(1, tmp_path, scale=0.01))
    assert outcome.violations == ()
    assert outcome.figures["kills"] > 2
    assert sum(error["runs"] for error in outcome.figures["errors"].values()) > 2


@needs_strace
@pytest.mark.parametrize("name", ["disk full", "disk error"])
def test_a_disk_that_fails_is_an_alarm_and_not_the_agents_end(bench: Bench, tmp_path: Path, name: str) -> None:
    """What was verified is read once more by our own hand, and the step after this one is well."""
    error = crashes_syscalls.ERRORS[name]
    call = [
        call
        for call in crashes_syscalls.calls_of(bench, tmp_path / "trace")
        if call.name == "openat" and "metadata/targets.json" in call.arguments
    ][-1]
    told = crashes_syscalls.fail(bench, call, error.errno, tmp_path / "trace")
    assert told is not None
    assert told.raised == {"DISK_FAILED"}
    assert list(crashes_syscalls.wrong(bench, told, error)) == []


def _announced(cells: Mapping[str, bytes]) -> Announcement:
    return decode_announcement(KEYS.bucket_key, cells[Keys().announcement])


def _a_partition_behind(cells: Cells, partition: int) -> None:
    key = Keys().head(_announced(cells).generation.number, partition)
    head = decode_head(KEYS.bucket_key, partition, cells[key])
    cells[key] = encode_head(KEYS.bucket_key, partition, replace(head, version=head.version - 1))


def _another_digest(cells: Cells, partition: int) -> None:
    key = Keys().head(_announced(cells).generation.number, partition)
    head = decode_head(KEYS.bucket_key, partition, cells[key])
    cells[key] = encode_head(KEYS.bucket_key, partition, replace(head, digest=bytes(32)))


def _an_altered_bucket(cells: Cells, partition: int) -> None:
    key = next(name for name in cells if f"{{p{partition:02x}}}" in name and not name.endswith("head"))
    cells[key] = cells[key][:-1]


def _an_announcement_nobody_signed(cells: Cells, _partition: int) -> None:
    announced = _announced(cells)
    later = replace(announced, state=replace(announced.state, version=announced.state.version + 1))
    cells[Keys().announcement] = encode_announcement(KEYS.bucket_key, later)


def _no_announcement(cells: Cells, _partition: int) -> None:
    del cells[Keys().announcement]


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_a_partition_behind, checks.BEYOND),
        (_another_digest, checks.MISMATCH),
        (_an_altered_bucket, checks.UNREADABLE),
        (_an_announcement_nobody_signed, checks.BEYOND),
        (_no_announcement, checks.UNREADABLE),
    ],
)
def test_what_is_wrong_after_a_kill_is_found(
    bench: Bench, brought: Photograph, damage: Callable[[Cells, int], None], rule: str
) -> None:
    cells = dict(brought.cells)
    assert list(checks.after_kill(bench.world, brought)) == []
    damage(cells, next(iter(bench.world.new.records))[0])
    assert rule in {found for found, _ in checks.after_kill(bench.world, Photograph(cells, brought.streams))}


def _mixed(bench: Bench, brought: Photograph, partitions: Sequence[int]) -> Photograph:
    """The older store with these partitions as they are after the pass."""
    newer = {name: cell for name, cell in brought.cells.items() if any(f"{{p{at:02x}}}" in name for at in partitions)}
    return Photograph({**bench.world.before.store.cells, **newer}, brought.streams)


def test_an_addition_that_is_visible_before_a_lift_is_found(bench: Bench, brought: Photograph) -> None:
    old, new = bench.world.old.records, bench.world.new.records
    lifted = {token[0] for token in old.keys() - new.keys()}
    added = {token[0] for token in new.keys() - old.keys()} - lifted
    found = checks.after_kill(bench.world, _mixed(bench, brought, sorted(added)))
    assert {rule for rule, _ in found} == {checks.ORDER}


def test_a_record_of_neither_list_is_found(bench: Bench, brought: Photograph) -> None:
    world = replace(bench.world, new=replace(bench.world.new, records={**bench.world.new.records, bytes(16): b"x"}))
    assert checks.HALF in {rule for rule, _ in checks.after_kill(world, brought)}


def _the_older_store(store: Photograph, bench: Bench) -> Photograph:
    del store
    return bench.world.before.store


def _another_generation(store: Photograph, _bench: Bench) -> Photograph:
    return Photograph({**store.cells, "lintel:{p00}:1:head": b""}, store.streams)


def _other_parameters(store: Photograph, _bench: Bench) -> Photograph:
    other = seal(KEYS.bucket_key, Kind.PARAMETERS, b"{}")
    return Photograph({**store.cells, Keys().parameters: other}, store.streams)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_the_older_store, checks.NOT_HEALED),
        (_another_generation, checks.LITTER),
        (_other_parameters, checks.NOT_HEALED),
    ],
)
def test_what_a_fresh_agent_left_wrong_is_found(
    bench: Bench, brought: Photograph, damage: Callable[[Photograph, Bench], Photograph], rule: str
) -> None:
    bench.server.restore(brought)
    assert list(checks.after_recovery(bench.world, brought)) == []
    assert rule in {found for found, _ in checks.after_recovery(bench.world, damage(brought, bench))}


def test_a_filter_without_a_stored_token_is_found(bench: Bench, brought: Photograph) -> None:
    announced = _announced(brought.cells)
    number, version = announced.generation.number, announced.state.version
    empty = empty_filter(10, FilterStamp(number, version, KEYS.key_id)).to_image()
    image = encode_filter_image(KEYS.bucket_key, FilterImage(number, version, empty))
    damaged = Photograph({**brought.cells, Keys().filter_image(number): image}, brought.streams)
    bench.server.restore(damaged)
    assert checks.MISMATCH in {rule for rule, _ in checks.after_recovery(bench.world, damaged)}


def test_a_move_that_was_cut_short_leaves_no_token_out_of_the_filter(
    tmp_path: Path, server: Server, children: Nursery
) -> None:
    """Whoever goes on cannot see in the store what the one before has added there."""
    with worlds.made("gap", 1, tmp_path, server) as world:
        bench = Bench(world, server, children, Tally())
        gap = one_pass(bench).steps.index("announce")
        world.reset(server)
        children.run(replace(job(world), gap=gap))
        recover(bench, "cut short")
        assert bench.tally.told == []


class Torn(SteppedKeyspace):
    """A store that sets the cells of a swap one after the other."""

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        for swap in swaps:
            for cell in swap.cells.items():
                await self.put(dict([cell]))
        return [True] * len(swaps)


class TornPasses(Passes):
    """An agent over a torn store."""

    def keyspace(self, steps: Steps) -> SteppedKeyspace:
        return Torn(RedisKeyspace(connect(self.place.store, BULK)), steps)


def test_a_store_that_tears_a_write_is_found_by_kills(bench: Bench) -> None:
    assert bench.world.new.state is not None
    torn = TornPasses(bench.world.place, bench.world.new.state)
    bench.world.reset(bench.server)
    steps = bench.children.run(torn).given.steps
    writes = [gap for gap, name in enumerate(steps) if name == "put a partition"]
    found = set()
    for gap in writes[1:4:2]:
        bench.world.reset(bench.server)
        bench.children.run(replace(torn, gap=gap))
        found |= {rule for rule, _ in checks.after_kill(bench.world, bench.server.photograph())}
    assert checks.MISMATCH in found


def _raise() -> object:
    raise ValueError("x")


def test_what_a_child_raises_is_not_lost(children: Nursery) -> None:
    with pytest.raises(Failed, match="ValueError: x"):
        children.run(_raise)
