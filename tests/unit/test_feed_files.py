"""The signed files on disk and over HTTP: heartbeats, graces, and several who sign."""

from __future__ import annotations

import http.client
import stat
import threading
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Targets, Timestamp

from publisher.feed import Feed
from publisher.heartbeat import Duty, keep
from publisher.publish import publish_queued
from publisher.sign import OnlineSigners
from restriction.errors import SettingError
from tests.fakes.clock import FakeClock
from tests.fakes.list_publisher import KEYS, LIST_ID, ListPublisher, listed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_790_000_000.7)


@pytest.fixture
def court(tmp_path: Path, clock: FakeClock) -> ListPublisher:
    return ListPublisher(tmp_path, clock)


def _timestamp(court: ListPublisher) -> Timestamp:
    return Metadata[Timestamp].from_file(str(court.metadata / "timestamp.json")).signed


def test_the_root_needs_two_of_three_keys_and_names_the_list(court: ListPublisher) -> None:
    root = Metadata[Root].from_bytes(court.root).signed
    assert (root.roles["root"].threshold, len(root.roles["root"].keyids)) == (2, 3)
    assert court.feed.list_id == LIST_ID
    online = {keyid for role in ("targets", "snapshot", "timestamp") for keyid in root.roles[role].keyids}
    assert len(online) == 3
    assert not online & set(root.roles["root"].keyids)


def test_keys_are_for_their_owner_alone(court: ListPublisher) -> None:
    keys = list((court.directory / "keys").rglob("*.pem"))
    assert len(keys) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_a_key_that_is_gone_is_named(court: ListPublisher) -> None:
    (court.directory / "keys" / "online" / "targets.pem").unlink()
    with pytest.raises(SettingError, match=r"targets\.pem"):
        OnlineSigners(court.directory / "keys").require_all()


def test_a_heartbeat_vouches_for_the_same_list_later(court: ListPublisher, clock: FakeClock) -> None:
    before = _timestamp(court)
    clock.advance(2)
    court.heartbeat()
    after = _timestamp(court)
    assert after.version == before.version + 1
    assert after.snapshot_meta == before.snapshot_meta
    assert court.feed.as_of == 1_790_000_002
    assert (after.expires.timestamp(), after.unrecognized_fields) == (1_790_000_602, {"as_of": 1_790_000_002})


def test_a_clock_set_back_does_not_take_the_vouched_instant_back(court: ListPublisher, clock: FakeClock) -> None:
    clock.advance(-60)
    court.heartbeat()
    assert court.feed.as_of == 1_790_000_000


def test_heartbeats_alone_keep_every_signature_alive(court: ListPublisher, clock: FakeClock) -> None:
    clock.advance(16 * 86_400)
    court.heartbeat()
    targets = max(court.metadata.glob("*.targets.json"), key=lambda path: int(path.name.partition(".")[0]))
    assert Metadata[Targets].from_file(str(targets)).signed.expires.timestamp() == int(clock()) + 30 * 86_400


def test_two_who_sign_one_feed_in_turn_build_on_each_other(court: ListPublisher) -> None:
    other = Feed(court.directory / "feed", OnlineSigners(court.directory / "keys"))
    court.publish(listed(1))
    court.book.queue([listed(2)])
    publish_queued(court.book, other, KEYS.digest_key, court.clock)
    court.publish(listed(3))
    assert other.state == court.feed.state
    assert [step.version for step in other.listing.deltas] == [1, 2, 3]


def test_whoever_signs_waits_for_the_lock(court: ListPublisher) -> None:
    other = Feed(court.directory / "feed", OnlineSigners(court.directory / "keys"))
    order: list[str] = []

    def beat() -> None:
        with other.lock():
            order.append("second")

    with court.feed.lock():
        thread = threading.Thread(target=beat)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_what_left_the_metadata_stays_for_its_grace(court: ListPublisher, clock: FakeClock) -> None:
    for number in range(60):
        court.publish(listed(number))
    court.publish_snapshot()
    files = set(court.directory.rglob("*.*"))
    clock.advance(110)
    assert court.feed.sweep(clock()) == 0
    clock.advance(500)
    court.feed.sweep(clock())
    gone = files - set(court.directory.rglob("*.*"))
    assert {path.suffix for path in gone} == {".json", ".delta"}
    assert sum(path.suffix == ".delta" for path in gone) == 10
    clock.advance(3_600)
    court.feed.sweep(clock())
    assert [path.name for path in (court.directory / "feed/targets/snapshots").iterdir()] == ["60"]
    assert len(list(court.metadata.iterdir())) == 4


def test_nothing_in_force_is_ever_swept(court: ListPublisher, clock: FakeClock) -> None:
    court.publish(*map(listed, range(20)))
    court.publish_snapshot()
    court.publish(listed(30))
    clock.advance(10 * 86_400)
    court.feed.sweep(clock())
    assert [court.feed.read_delta(step).after.version for step in court.feed.listing.deltas] == [1, 2]
    assert len(list((court.directory / "feed/targets/snapshots/1").iterdir())) == 21


def _get(url: str, path: str, tag: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request("GET", path, headers={"If-None-Match": tag} if tag else {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_a_reader_that_has_the_file_is_told_so(court: ListPublisher, clock: FakeClock) -> None:
    with court.serving() as url:
        first = _get(url, "/metadata/timestamp.json")
        tag = first.headers["ETag"]
        again = _get(url, "/metadata/timestamp.json", tag)
        clock.advance(2)
        court.heartbeat()
        later = _get(url, "/metadata/timestamp.json", tag)
    assert (first.status, again.status, later.status) == (200, 304, 200)


@pytest.mark.parametrize(
    "path",
    ["/", "/metadata/", "/metadata/../../keys/online/targets.pem", "/metadata/%2e%2e/%2e%2e/token.secret",
     "/.lock", "/targets/.writing-x", "//etc/passwd", "/metadata/%00", "/keys/online/targets.pem"],
)  # fmt: skip
def test_nothing_but_the_feed_is_served(court: ListPublisher, path: str) -> None:
    with court.serving() as url:
        assert _get(url, path).status == 404


def test_a_duty_that_fails_is_done_again_and_its_cause_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    done: list[int] = []

    def act() -> None:
        done.append(len(done))
        if len(done) == 3:
            stop.set()
        raise RuntimeError("a row of the book")

    keep(Duty("test", 0.0, act), stop)
    assert done == [0, 1, 2]
    assert [record.getMessage() for record in caplog.records] == ["test fails and is tried again: RuntimeError"]
