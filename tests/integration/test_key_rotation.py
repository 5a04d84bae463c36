"""Keys that are changed under agents in service, stolen, lost and replaced.

Every rotation is made by the court's own code over a feed that is served, and followed by a real agent.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root, Timestamp

from publisher.feed import Feed
from publisher.key_files import new_key, read_key, write_key
from publisher.publish import overtake
from publisher.roots import SafeKey
from publisher.rotation import KeyRoom, rotate
from publisher.sign import ONLINE_ROLES, ROOT_KEYS, OnlineSigners
from restriction.errors import SettingError
from restriction.listing import LIST_FIELD
from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import ListPublisher, lifted, listed, token_of
from tests.faults.attacks_keys import Thief, all_online

FAST_FORWARD = 10**9


class Killed(BaseException):
    """The process is gone: nothing after it is done."""


_hooks: list[Callable[[str], None]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "os.rename":
        for hook in _hooks:
            hook(str(arguments[1]))


sys.addaudithook(_audit)  # it cannot be taken away again, and does nothing unless asked


@contextmanager
def watched(hook: Callable[[str], None]) -> Iterator[None]:
    """Call the hook before each file takes its place."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def killed_before(write: int) -> Callable[[str], None]:
    """Dies before the write of this number, from zero."""
    left = write

    def hook(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    return hook


def no_pause() -> None:
    """Go on at once."""


def room_of(court: ListPublisher) -> KeyRoom:
    """The court's keys, as another process sees them."""
    return KeyRoom(court.directory, Feed(court.directory / "feed", OnlineSigners(court.directory / "keys")))


def safes(court: ListPublisher, *names: str) -> tuple[SafeKey, ...]:
    """Root keys out of their safes; the first two unless named."""
    paths = [court.directory / "keys" / "offline" / f"{name}.pem" for name in names or ROOT_KEYS[:2]]
    return tuple(SafeKey.read(path) for path in paths)


def turn(court: ListPublisher, *roles: str) -> None:
    """Rotate these roles without an overlap."""
    assert rotate(room_of(court), roles, safes(court), court.clock, no_pause) is not None


def lay_over(court: ListPublisher, overlay: dict[str, bytes]) -> None:
    """Put what a thief signed in the place of the court's files."""
    for path, content in overlay.items():
        (court.directory / "feed" / path).write_bytes(content)


def replaced_root_key(court: ListPublisher, name: str, into: Path) -> None:
    """Put a fresh root key in the place of the one in this file, which is moved away."""
    room, old = room_of(court), court.directory / "keys" / "offline" / f"{name}.pem"
    write_key(into, new_key())
    fresh = SafeKey.read(into)
    key_id = CryptoSigner(read_key(old)).public_key.keyid
    others = [other for other in ROOT_KEYS if other != name][:2]
    with room.feed.lock():
        draft = room.draft_replacement(key_id[:8], fresh, safes(court, *others), court.clock())
        assert draft is not None
        room.publish(draft, court.clock())
    into.replace(old)


@pytest.mark.parametrize("roles", [("timestamp",), ONLINE_ROLES], ids="-".join)
async def test_no_pass_is_refused_while_a_role_is_rotated_and_every_write_may_be_the_last(
    court: ListPublisher, host: AgentHost, roles: tuple[str, ...]
) -> None:
    """The command dies before its first write, its second, and so on; a heartbeat and an agent's pass come between."""
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    deaths = 0
    while True:
        try:
            with watched(killed_before(deaths)):
                rotate(room_of(court), roles, safes(court), court.clock, no_pause)
            break
        except Killed:
            deaths += 1
        for following in (agent, host.start()):  # one that knows the timestamp, and one that reads everything
            await following.sync_once()
            assert alarms_of(following) == [], deaths
        court.publish(listed(deaths + 1))
        await agent.sync_once()
        assert alarms_of(agent) == [], deaths
        assert agent.in_service is not None
        assert agent.in_service.state == court.feed.state
    assert deaths > 5
    assert room_of(court).begun == ()
    court.heartbeat()
    await agent.sync_once()
    newcomer = AgentHost(FeedSource(host.source.url, court.root), host.directory.with_name("newcomer"), host.clock)
    fresh = newcomer.start()
    await fresh.sync_once()
    assert alarms_of(agent) == alarms_of(fresh) == []


@pytest.mark.parametrize("role", ONLINE_ROLES)
async def test_an_agent_that_read_the_older_root_a_moment_ago_is_served_through_the_overlap(
    court: ListPublisher, host: AgentHost, role: str
) -> None:
    """Its root is the first one, the roles are read when the rotation has come to the overlap."""
    agent = host.start()
    await agent.sync_once()
    second = court.metadata / "2.root.json"
    seen: list[list[str]] = []

    def read_without_the_second_root() -> None:
        hidden = second.rename(second.with_suffix(".away"))
        court.heartbeat()
        seen.append([path.name for path in (court.directory / "keys" / "online").glob("*.next.pem")])
        photograph = court.directory / "photograph"
        shutil.copytree(court.metadata, photograph)
        hidden.rename(second)

    rotate(room_of(court), [role], safes(court), court.clock, read_without_the_second_root)
    assert seen == [[f"{role}.next.pem"]]
    shutil.rmtree(court.metadata)
    shutil.copytree(court.directory / "photograph", court.metadata)
    await agent.sync_once()
    assert alarms_of(agent) == []


@pytest.mark.parametrize("role", ONLINE_ROLES)
async def test_what_a_stolen_key_signs_after_its_rotation_is_forged(
    court: ListPublisher, host: AgentHost, role: str
) -> None:
    thief = Thief(court.directory, role)
    thief.signer(role)  # the thief has read the key file
    agent = host.start()
    await agent.sync_once()
    turn(court, role)
    await agent.sync_once()
    assert alarms_of(agent) == []
    in_force = thief.in_force()
    signed = {part.type: part for part in in_force}[role]
    signed.version += 1
    name = "timestamp.json" if role == Timestamp.type else f"{signed.version}.{role}.json"
    overlay = {f"metadata/{name}": thief.signed(signed)}
    honest = Thief(court.directory, *ONLINE_ROLES)
    targets, snapshot, timestamp = honest.in_force()
    del targets
    if role == "targets":
        snapshot.version += 1
        snapshot.meta["targets.json"].version += 1
        snapshot.meta["targets.json"].hashes = None
        snapshot.meta["targets.json"].length = None
        overlay[f"metadata/{snapshot.version}.snapshot.json"] = honest.signed(snapshot)
    if role != "timestamp":
        timestamp.version += 1
        timestamp.snapshot_meta.version += 1
        timestamp.snapshot_meta.hashes = timestamp.snapshot_meta.length = None
        overlay["metadata/timestamp.json"] = honest.signed(timestamp)
    lay_over(court, overlay)
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]
    assert role in agent.alarms.raised[0].message


async def test_a_root_signed_by_fewer_keys_than_the_threshold_is_forged(court: ListPublisher, host: AgentHost) -> None:
    agent = host.start()
    await agent.sync_once()
    thief = Thief(court.directory, ROOT_KEYS[0])
    lay_over(court, thief.sign_root(thief.take_over))
    court.heartbeat()
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]
    (court.metadata / "2.root.json").unlink()
    await agent.sync_once()
    assert alarms_of(agent) == []


async def test_a_root_key_that_was_replaced_signs_no_root_any_more(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    """The thief has two of the first root's keys, of which one was replaced in time."""
    thief = Thief(court.directory, *ROOT_KEYS[:2])
    stolen = {f"offline/{name}": (court.directory / "keys/offline" / f"{name}.pem").read_bytes() for name in ROOT_KEYS}
    agent = host.start()
    replaced_root_key(court, ROOT_KEYS[0], tmp_path / "fresh.pem")
    await agent.sync_once()
    fresh = (court.directory / "keys/offline" / f"{ROOT_KEYS[0]}.pem").read_bytes()
    (court.directory / "keys/offline" / f"{ROOT_KEYS[0]}.pem").write_bytes(stolen[f"offline/{ROOT_KEYS[0]}"])
    lay_over(court, thief.sign_root(thief.take_over))
    court.heartbeat()
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_FORGED"]
    (court.directory / "keys/offline" / f"{ROOT_KEYS[0]}.pem").write_bytes(fresh)
    (court.metadata / "3.root.json").unlink()
    turn(court, "timestamp")
    await agent.sync_once()
    assert alarms_of(agent) == []


async def test_agents_of_every_age_meet_after_all_root_keys_were_replaced(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    """One was off meanwhile, one starts from the first root, one from the newest, one from one between."""
    court.publish(listed(1))
    roots = [court.root]
    await host.start().sync_once()
    for name in ROOT_KEYS:
        replaced_root_key(court, name, tmp_path / f"fresh-{name}.pem")
        roots.append(court.root)
        turn(court, *ONLINE_ROLES)
    roots.append(court.root)
    court.publish(listed(2))
    old = host.start()
    await old.sync_once()
    assert alarms_of(old) == []
    assert old.in_service is not None
    assert old.in_service.state == court.feed.state
    for number, root in enumerate(roots):
        other = AgentHost(FeedSource(host.source.url, root), tmp_path / f"agent-{number}", host.clock)
        agent = other.start()
        await agent.sync_once()
        assert alarms_of(agent) == [], number
        assert agent.in_service is not None
        assert agent.in_service.state == court.feed.state
    assert [root.version for root in room_of(court).roots.chain] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("part", "wrong"), [("name", "other"), ("environment", "live"), ("epoch", 2)], ids=["list", "environment", "epoch"]
)
async def test_a_root_that_names_another_list_is_wrong_even_when_signed_right(
    court: ListPublisher, host: AgentHost, part: str, wrong: object
) -> None:
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    before = agent.in_service

    def rename(root: Root) -> None:
        root.unrecognized_fields[LIST_FIELD][part] = wrong

    lay_over(court, Thief(court.directory, *ROOT_KEYS).sign_root(rename))
    court.heartbeat()
    for following in (agent, host.start()):
        await following.sync_once()
        assert alarms_of(following) == ["LIST_WRONG"]
        assert following.in_service == before
    (court.metadata / "2.root.json").unlink()
    await agent.sync_once()
    assert alarms_of(agent) == []


async def test_an_agent_that_was_driven_far_ahead_comes_back_with_the_rotation(
    court: ListPublisher, host: AgentHost, clock: FakeClock
) -> None:
    """Whoever stole timestamp and snapshot keys signed versions and an instant that the court never reaches."""
    court.publish(listed(1))
    agent = host.start()
    await agent.sync_once()
    thief = Thief(court.directory, "timestamp", "snapshot")

    def leap(timestamp: Timestamp) -> None:
        timestamp.version = FAST_FORWARD
        timestamp.unrecognized_fields["as_of"] = int(clock()) + 10 * 365 * 86_400

    _, snapshot, timestamp = thief.in_force()
    snapshot.version = FAST_FORWARD
    leap(timestamp)
    timestamp.snapshot_meta.version = FAST_FORWARD
    timestamp.snapshot_meta.hashes = timestamp.snapshot_meta.length = None
    honest = (court.metadata / "timestamp.json").read_bytes()
    lay_over(
        court,
        {
            f"metadata/{FAST_FORWARD}.snapshot.json": thief.signed(snapshot),
            "metadata/timestamp.json": thief.signed(timestamp),
        },
    )
    await agent.sync_once()
    assert agent.alarms.raised[0].name == "CLOCK_SKEW"
    (court.metadata / "timestamp.json").write_bytes(honest)
    court.publish(listed(2))
    await agent.sync_once()
    assert "LIST_ROLLBACK" in alarms_of(agent)  # the leap holds it back

    clock.advance(11)
    turn(court, "timestamp", "snapshot")
    for following in (agent, host.start()):
        await following.sync_once()
        assert alarms_of(following) == []
        assert following.in_service is not None
        assert following.in_service.state == court.feed.state


def test_too_few_root_keys_change_nothing_and_are_named(court: ListPublisher) -> None:
    before = {path: path.read_bytes() for path in court.directory.rglob("*") if path.is_file()}
    with pytest.raises(SettingError, match=r"signed by 2 of .*root-2\.pem"):
        rotate(room_of(court), ["timestamp"], safes(court, ROOT_KEYS[1]), court.clock, no_pause)
    assert {path: path.read_bytes() for path in court.directory.rglob("*") if path.is_file()} == before | {
        court.directory / "feed" / ".lock": b""
    }


async def test_a_lost_online_key_is_replaced_by_a_rotation(court: ListPublisher, host: AgentHost) -> None:
    agent = host.start()
    await agent.sync_once()
    (court.directory / "keys" / "online" / "timestamp.pem").unlink()
    with pytest.raises(SettingError, match="lintel keys rotate timestamp"):
        court.heartbeat()
    turn(court, "timestamp")
    court.publish(listed(3))
    await agent.sync_once()
    assert alarms_of(agent) == []


async def test_the_publisher_that_serves_meanwhile_signs_on_with_the_fresh_keys(
    court: ListPublisher, host: AgentHost
) -> None:
    """`court` stands for the process that was running before the rotation."""
    agent = host.start()
    turn(court, *ONLINE_ROLES)
    for number in (1, 2):
        court.heartbeat()
        court.publish(listed(number))
        await agent.sync_once()
        assert alarms_of(agent) == []
    assert all_online(court).in_force()[0].version > 1


async def test_agents_driven_to_a_forged_version_come_back_when_the_court_signs_above_it(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    """Whoever stole all online keys took back a lift, whose digest they knew; no rotation alone lets agents return."""
    court.publish(listed(1), listed(2))
    before = court.feed.state
    court.publish(lifted(1))
    after = court.feed.state
    agent = host.start()
    await agent.sync_once()
    honest = court.photograph()
    court.sign_delta(after.version, replace(before, version=FAST_FORWARD), listed(1))
    await agent.sync_once()
    assert set(await host.stored()) == {token_of(1), token_of(2)}
    court.replay(honest)
    turn(court, *ONLINE_ROLES)
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_ROLLBACK"]

    state = overtake(court.book, court.feed, FAST_FORWARD, court.clock())
    assert state == replace(after, version=FAST_FORWARD + 1)
    newcomer = AgentHost(host.source, tmp_path / "newcomer", host.clock)
    for machine in (host, newcomer):
        following = machine.start()
        await following.sync_once()
        assert alarms_of(following) == []
        assert set(await machine.stored()) == {token_of(2)}
    court.publish(listed(3))
    await agent.sync_once()
    assert alarms_of(agent) == []
    with pytest.raises(SettingError):
        overtake(court.book, court.feed, FAST_FORWARD, court.clock())


async def test_a_list_driven_beyond_the_courts_versions_goes_on_in_the_next_epoch(
    court: ListPublisher, host: AgentHost, tmp_path: Path
) -> None:
    """Whoever stole all online keys had a version put in service that no rotation takes back."""
    court.publish(listed(1))
    base = court.feed.state
    await host.start().sync_once()
    honest = court.photograph()
    court.sign_delta(base.version, replace(base, version=FAST_FORWARD))
    await host.start().sync_once()
    court.replay(honest)
    turn(court, *ONLINE_ROLES)
    agent = host.start()
    await agent.sync_once()
    assert alarms_of(agent) == ["LIST_ROLLBACK"]
    assert agent.in_service is not None
    assert agent.in_service.state == replace(base, version=FAST_FORWARD)

    following = ListPublisher(tmp_path / "following", court.clock, replace(base.list_id, epoch=2))
    following.publish(listed(1), listed(2))
    with following.serving() as url:
        host.source = FeedSource(url, following.root)
        agent = host.start()
        await agent.sync_once()
        assert alarms_of(agent) == []
        assert agent.in_service is not None
        assert agent.in_service.state == following.feed.state
