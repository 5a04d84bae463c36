"""The table of attacks on the feed: what the attacker holds, what they do, and the alarm that must say so.

Classes are those of The Update Framework, section 1.5.2 of its specification, and what `reliability.md` adds for the
feed. Every row is a deed on a `Stage`; the same checks follow each (`attacks.py`).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tuf.api.metadata import MetaFile, Root, Snapshot, Timestamp

from restriction.change import DIGEST_BYTES, ListId
from restriction.listing import snapshot_directory
from tests.faults import attacks_lies as lies
from tests.faults import attacks_server as server
from tests.faults.attacks_keys import ONLINE, Edits, Thief
from tests.faults.attacks_server import Deed
from tests.faults.attacks_stage import LATER, SECOND, Stage, lifted, listed

Lie = tuple[str, str, Callable[[Stage], None], tuple[str, ...]]
_ENDLESS: Final = "endless data"
_NETWORK: Final = "the network or the web server"
_ALL: Final = "all three online keys, without the token secret"
_FAR: Final = 1_000_000_000
_LONG_S: Final = 365 * 86_400
_TARGETS: Final = "metadata/*.targets.json"
_SNAPSHOT: Final = "metadata/*.snapshot.json"
_TIMESTAMP: Final = "metadata/timestamp.json"
_ROOT: Final = "metadata/*.root.json"
_DELTA: Final = "targets/deltas/*"
_MANIFEST: Final = "targets/snapshots/*.manifest"
_CHUNK: Final = "targets/snapshots/*.chunk"
_PARAMETERS: Final = "targets/*.parameters.json"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row. `alarms`: any of these must be the first one raised; none means that the attack must have no effect.

    `slow`: the alarm takes seconds by design. `rotates`: the online keys that an operator has to replace afterwards.
    `vouches`: the thief signs heartbeats, so `as_of` may be theirs.
    """

    name: str
    kind: str
    holds: str
    deed: Callable[[Stage], None] = field(repr=False)
    alarms: tuple[str, ...]
    slow: bool = False
    rotates: tuple[str, ...] = ()
    vouches: bool = False


def _on(document: str, deed: Deed) -> Callable[[Stage], None]:
    """The deed is done to whoever fetches what the court signs next."""

    def act(stage: Stage) -> None:
        deeds = {document: deed}
        if document in (_MANIFEST, _CHUNK):
            stage.next_snapshot(deeds)
        elif document == _PARAMETERS:
            _next_parameters(stage, deeds)
        else:
            stage.next_delta(deeds)

    return act


def _next_parameters(stage: Stage, deeds: dict[str, Deed]) -> None:
    stage.server.freeze()
    stage.settle_parameters()
    stage.strike(deeds)


def _damages() -> list[Attack]:
    """Bytes changed on the way, document by document."""
    documents = {
        "timestamp": _TIMESTAMP, "snapshot": _SNAPSHOT, "targets": _TARGETS, "delta": _DELTA, "manifest": _MANIFEST,
        "chunk": _CHUNK, "parameters": _PARAMETERS,
    }  # fmt: skip
    deeds = {"flipped": server.flipped, "truncated": server.truncated, "emptied": server.empty}
    rows = [
        Attack(f"{name} {how}", "arbitrary software", _NETWORK, _on(path, deed), ("LIST_FORGED",))
        for name, path in documents.items()
        for how, deed in deeds.items()
    ]
    sized = {name: path for name, path in documents.items() if name != "timestamp"}
    return rows + [
        Attack(f"{name} one byte longer", "endless data", _NETWORK, _on(path, server.longer), ("LIST_OVERSIZED",))
        for name, path in sized.items()
    ]


def _endless() -> list[Attack]:
    every = {
        "timestamp": _TIMESTAMP, "snapshot": _SNAPSHOT, "targets": _TARGETS, "root": _ROOT, "delta": _DELTA,
        "manifest": _MANIFEST, "chunk": _CHUNK, "parameters": _PARAMETERS,
    }  # fmt: skip
    rows = [
        Attack(f"endless {name}", "endless data", _NETWORK, _on(path, server.endless()), ("LIST_OVERSIZED",))
        for name, path in every.items()
    ]
    away = ("FEED_UNREACHABLE",)
    return [
        *rows,
        Attack(
            "endless HTTP chunks", "endless data", _NETWORK, _on(_DELTA, server.endless_chunks), ("LIST_OVERSIZED",)
        ),
        Attack("endless HTTP headers", "endless data", _NETWORK, _on(_TIMESTAMP, server.endless_headers), away),
        Attack("endless 100 Continue", "endless data", _NETWORK, _on(_TIMESTAMP, server.endless_continue), away),
        Attack("endless body of a 500", "endless data", _NETWORK, _on(_TIMESTAMP, server.endless(500)), away),
        Attack(
            "endless body of a 404 for the next root", "endless data", _NETWORK, _on(_ROOT, server.endless(404)), ()
        ),
    ]


def _transport() -> list[Attack]:
    """HTTP that is not what it should be."""
    away, slow = ("FEED_UNREACHABLE",), "slow retrieval"
    elsewhere = {"Location": "http://127.0.0.1:9/metadata/timestamp.json"}
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 15000\r\n\r\n{"
    return [
        Attack("redirect", "HTTP", _NETWORK, _on(_TIMESTAMP, server.status(302, elsewhere)), away),
        Attack("status 500", "HTTP", _NETWORK, _on(_TIMESTAMP, server.status(500)), away),
        Attack("status 503 for a delta", "HTTP", _NETWORK, _on(_DELTA, server.status(503)), away),
        Attack("status 304 without a question", "HTTP", _NETWORK, _on(_TIMESTAMP, server.status(304)), away),
        Attack("status 404 for a delta", "HTTP", _NETWORK, _on(_DELTA, server.status(404)), away),
        Attack("reset in the middle of a delta", "HTTP", _NETWORK, _on(_DELTA, server.reset), away),
        Attack("reset in the middle of a chunk", "HTTP", _NETWORK, _on(_CHUNK, server.reset), away),
        Attack("not HTTP", "HTTP", _NETWORK, _on(_TIMESTAMP, server.garbage), away),
        Attack("content said to be compressed", "HTTP", _NETWORK, _on(_TARGETS, server.encoded), ()),
        Attack("half-open before the head", slow, _NETWORK, _on(_TIMESTAMP, server.half_open(b"")), away, slow=True),
        Attack("half-open in the body", slow, _NETWORK, _on(_TIMESTAMP, server.half_open(head)), away, slow=True),
        Attack("half-open in a chunk", slow, _NETWORK, _on(_CHUNK, server.half_open(head)), away, slow=True),
        Attack("dripped timestamp", slow, _NETWORK, _on(_TIMESTAMP, server.DRIP_BODY), away, slow=True),
        Attack("dripped delta", slow, _NETWORK, _on(_DELTA, server.DRIP_BODY), away, slow=True),
        Attack("dripped chunk", slow, _NETWORK, _on(_CHUNK, server.DRIP_BODY), away, slow=True),
        Attack("dripped headers", slow, _NETWORK, _on(_TIMESTAMP, server.DRIP_HEADERS), away, slow=True),
        Attack("dripped size of an HTTP chunk", slow, _NETWORK, _on(_DELTA, server.DRIP_CHUNK_SIZE), away, slow=True),
        Attack(
            "every answer as slow as is borne",
            slow,
            _NETWORK,
            _on("[mt]*", server.late(9.0)),
            ("LIST_FROZEN",),
            slow=True,
        ),
        Attack("dripped 100 Continue", slow, _NETWORK, _on(_TIMESTAMP, server.DRIP_CONTINUE), away, slow=True),
    ]


def _replays() -> list[Attack]:
    """What was signed for real, at another time or in another place."""
    forged = ("LIST_FORGED",)
    return [
        Attack("the whole feed as it was", "rollback", _NETWORK, _older_feed, ("LIST_ROLLBACK",)),
        Attack("the timestamp as it was", "rollback", _NETWORK, _older("timestamp.json"), ("LIST_ROLLBACK",)),
        Attack("the snapshot as it was", "rollback", _NETWORK, _older_under_next("snapshot"), forged),
        Attack("the targets as they were", "rollback", _NETWORK, _older_under_next("targets"), forged),
        Attack("an older delta for the next one", "mix and match", _NETWORK, _older_delta, (*forged, "LIST_OVERSIZED")),
        Attack("old parameters for the next ones", "mix and match", _NETWORK, _older_parameters, forged),
        Attack("two chunks swapped", "mix and match", _NETWORK, _swapped_chunks, (*forged, "LIST_OVERSIZED")),
        Attack("a feed that stands still", "freeze", _NETWORK, _freeze, ("LIST_FROZEN",), slow=True),
        Attack("the first root again as the next one", "rollback", _NETWORK, _root_again, ("LIST_ROLLBACK",)),
        Attack("a court's side whose clock is an hour behind", "freeze", "nothing", _expired, ("LIST_EXPIRED",)),
        Attack("another court's feed", "wrong list", "keys of their own", _impostor, forged),
    ]


def _older_feed(stage: Stage) -> None:
    files = (path for path in stage.older.rglob("*") if path.is_file())
    stage.strike(overlay={path.relative_to(stage.older).as_posix(): path.read_bytes() for path in files})


def _older(name: str) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        stage.strike(overlay={f"metadata/{name}": (stage.older / "metadata" / name).read_bytes()})

    return act


def _older_under_next(role: str) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        files = sorted((stage.older / "metadata").glob(f"*.{role}.json"))
        stage.next_delta({f"metadata/*.{role}.json": _instead(files[-1].read_bytes())})

    return act


def _instead(content: bytes) -> Deed:
    def deed(reply: server.Reply, honest: bytes) -> None:
        del honest
        reply.head(200, len(content))
        reply.raw(content)

    return deed


def _older_delta(stage: Stage) -> None:
    older = stage.court.newest_delta().read_bytes()
    stage.next_delta({_DELTA: _instead(older)})


def _older_parameters(stage: Stage) -> None:
    _next_parameters(stage, {_PARAMETERS: _instead(stage.settled[-1])})


def _swapped_chunks(stage: Stage) -> None:
    stage.outdate(listed(LATER))
    feed = stage.court.directory / "feed"
    chunks = sorted((feed / "targets" / snapshot_directory(stage.court.feed.state.version)).glob("*.chunk"))
    contents = [path.read_bytes() for path in chunks]
    names = [path.relative_to(feed).as_posix() for path in chunks]
    stage.strike(overlay=dict(zip(names, [*contents[1:], contents[0]], strict=True)))


def _freeze(stage: Stage) -> None:
    stage.server.freeze()
    frozen = stage.server.overlay
    stage.court.publish(lifted(SECOND))
    stage.strike(overlay=frozen)


def _root_again(stage: Stage) -> None:
    stage.next_delta({_ROOT: _instead(stage.court.root)})


def _expired(stage: Stage) -> None:
    def in_the_past(timestamp: Timestamp) -> None:
        timestamp.expires -= dt.timedelta(hours=1)

    stage.strike(overlay=Thief(stage.court.directory, *ONLINE).sign_timestamp(in_the_past))


def _impostor(stage: Stage) -> None:
    """Every role signed by the thief's own keys."""
    stage.strike(overlay=Thief(stage.court.directory).sign(Edits(), lies.arbitrary(stage)))


# --- stolen keys --------------------------------------------------------------------------------------------------


def _signed(*held: str, edits: Edits | None = None) -> Callable[[Stage], None]:
    """The thief signs a feed with the evil delta."""

    def act(stage: Stage) -> None:
        stage.strike(overlay=Thief(stage.court.directory, *held).sign(edits or Edits(), lies.arbitrary(stage)))

    return act


def _only(role: str) -> Callable[[Stage], None]:
    """One role signed by the thief under the name that the next honest one has, the rest being honest."""

    def act(stage: Stage) -> None:
        overlay = Thief(stage.court.directory, role).sign(Edits(), lies.arbitrary(stage))
        stolen = next(raw for path, raw in overlay.items() if path.endswith(f"{role}.json"))
        stage.next_delta({f"metadata/*{role}.json": _instead(stolen)})

    return act


def _snapshot_edit(edit: Callable[[Snapshot], object]) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        stage.strike(overlay=Thief(stage.court.directory, "snapshot", "timestamp").sign_snapshot(Edits(snapshot=edit)))

    return act


def _timestamp_edit(edit: Callable[[Timestamp], object]) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        stage.strike(overlay=Thief(stage.court.directory, "timestamp").sign_timestamp(edit))

    return act


def _fast(signed: Snapshot | Timestamp) -> None:
    signed.version = _FAR


def _as_of(value: int) -> Callable[[Timestamp], None]:
    def edit(timestamp: Timestamp) -> None:
        timestamp.unrecognized_fields["as_of"] = value

    return edit


def _as_of_now(timestamp: Timestamp) -> None:
    _as_of(int(time.time()))(timestamp)  # noqa: TID251 - what thieves read


def _next_year(timestamp: Timestamp) -> None:
    timestamp.unrecognized_fields["as_of"] += _LONG_S


def _targets_far(snapshot: Snapshot) -> None:
    snapshot.meta["targets.json"] = MetaFile(_FAR)


def _targets_back(snapshot: Snapshot) -> None:
    snapshot.meta["targets.json"] = MetaFile(1)


def _no_targets(snapshot: Snapshot) -> None:
    snapshot.meta.clear()


def _unsigned_snapshot(timestamp: Timestamp) -> None:
    timestamp.snapshot_meta = MetaFile(timestamp.snapshot_meta.version + 1)


def _root_by(*held: str, twice: bool = False) -> Callable[[Stage], None]:
    """The next root names the thief's keys, and everything below it is signed by them."""

    def act(stage: Stage) -> None:
        thief = Thief(stage.court.directory, *held)
        overlay = thief.sign_root(thief.take_over) | thief.sign(Edits(), lies.arbitrary(stage))
        if twice:
            overlay = {path: _doubled(raw) if "root" in path else raw for path, raw in overlay.items()}
        stage.strike(overlay=overlay)

    return act


def _doubled(root: bytes) -> bytes:
    """The one signature a second time, as if of a second key."""
    start = root.index(b'"signatures"')
    begin, end = root.index(b"{", start), root.index(b"}", start) + 1
    return root[:end] + b"," + root[begin:end] + root[end:]


def _threshold_of_one(root: Root) -> None:
    root.roles["root"].threshold = 1


def _root_lowered(stage: Stage) -> None:
    root = Thief(stage.court.directory, "root-1").sign_root(_threshold_of_one)
    stage.next_delta({_ROOT: _instead(next(iter(root.values())))})


def _compromises() -> list[Attack]:
    forged, back, away = ("LIST_FORGED",), ("LIST_ROLLBACK",), ("FEED_UNREACHABLE",)
    kind, fast = "key compromise below threshold", "fast-forward"
    two = "the snapshot and the timestamp key"
    return [
        Attack("targets key: a delta of their own", kind, "the targets key", _only("targets"),
               (*forged, "LIST_OVERSIZED")),
        Attack("targets key: all three roles", kind, "the targets key", _signed("targets"), forged),
        Attack("snapshot key: a snapshot of their own", kind, "the snapshot key", _only("snapshot"),
               (*forged, "LIST_OVERSIZED")),
        Attack("timestamp key: all three roles", kind, "the timestamp key", _signed("timestamp"), forged),
        Attack("timestamp key: names an unsigned snapshot", kind, "the timestamp key",
               _timestamp_edit(_unsigned_snapshot), away, rotates=("timestamp",)),
        Attack("timestamp key: heartbeats of their own", "freeze", "the timestamp key", _timestamp_edit(_as_of_now), (),
               vouches=True, rotates=("timestamp",)),
        Attack("timestamp key: vouches for next year", fast, "the timestamp key", _timestamp_edit(_next_year),
               ("CLOCK_SKEW",), vouches=True, rotates=("timestamp",)),
        Attack("timestamp key: vouches for an impossible time", fast, "the timestamp key",
               _timestamp_edit(_as_of(1 << 70)), ("CLOCK_SKEW",), vouches=True, rotates=("timestamp",)),
        Attack("timestamp key: vouches for a time before all", "rollback", "the timestamp key",
               _timestamp_edit(_as_of(-1)), ("LIST_FORGED", "LIST_ROLLBACK"), rotates=("timestamp",)),
        Attack("timestamp key: version far ahead", fast, "the timestamp key", _timestamp_edit(_fast), (),
               vouches=True, rotates=("timestamp",)),
        Attack("snapshot and timestamp: version far ahead", fast, two, _snapshot_edit(_fast), (),
               vouches=True, rotates=("snapshot", "timestamp")),
        Attack("snapshot and timestamp: targets far ahead", fast, two, _snapshot_edit(_targets_far), away,
               rotates=("snapshot", "timestamp")),
        Attack("snapshot and timestamp: targets as they were", "rollback", two, _snapshot_edit(_targets_back), back,
               rotates=("snapshot", "timestamp")),
        Attack("snapshot and timestamp: no targets", "mix and match", two, _snapshot_edit(_no_targets), forged,
               rotates=("snapshot", "timestamp")),
        Attack("snapshot and timestamp: a delta of their own", kind, two, _signed("snapshot", "timestamp"), forged,
               rotates=("snapshot", "timestamp")),
        Attack("targets and timestamp: a delta of their own", kind, "the targets and the timestamp key",
               _signed("targets", "timestamp"), forged),
        Attack("targets and snapshot: a delta of their own", kind, "the targets and the snapshot key",
               _signed("targets", "snapshot"), forged),
        Attack("one root key: a root of their own", kind, "one root key", _root_by("root-1"), forged),
        Attack("one root key: the same signature twice", kind, "one root key", _root_by("root-1", twice=True), forged),
        Attack("one root key: a threshold of one", kind, "one root key", _root_lowered, forged),
        Attack("no root key: a root of their own", "arbitrary software", "keys of their own", _root_by(), forged),
    ]  # fmt: skip


def _lies() -> list[Attack]:
    forged, mismatch, oversized = ("LIST_FORGED",), ("DIGEST_MISMATCH",), ("LIST_OVERSIZED",)
    software, mixed, far = "arbitrary software", "mix and match", "fast-forward"
    delta_rows: list[Lie] = [
        ("somebody is listed", software, lies.signed(lies.arbitrary), mismatch),
        ("another list's name", "wrong list", lies.lie(list_id=ListId("other", "sandbox", 1)), ("LIST_WRONG",)),
        ("another environment", "wrong list", lies.lie(list_id=ListId("test", "live", 1)), ("LIST_WRONG",)),
        ("another epoch", "wrong list", lies.lie(list_id=ListId("test", "sandbox", 2)), ("LIST_WRONG",)),
        ("a digest that is not true", software, lies.lie(digest=bytes(DIGEST_BYTES)), mismatch),
        ("a count one too high", software, lies.wrong_count(1), mismatch),
        ("a count one too low", software, lies.wrong_count(-1), mismatch),
        ("a count that no memory holds", _ENDLESS, lies.lie(count=1 << 50), oversized),
        ("the largest count there is", _ENDLESS, lies.lie(count=(1 << 64) - 1), oversized),
        ("a wipe without changes", software, lies.signed(lies.wipe), forged),
        ("a gap", "rollback", lies.signed(lies.gap), ("LIST_GAP",)),
        ("a delta replayed under the next name", "rollback", lies.signed(lies.replayed), forged),
        ("two deltas in the wrong order", mixed, lies.signed(lies.reordered), forged),
        ("a delta that leads further than its name", far, lies.signed(lies.misnamed), forged),
        ("a token key nobody has, in a delta", software, lies.lie(key_id="k9"), ("LIST_GAP",)),
        ("more changes than a delta may have", _ENDLESS, lies.signed(lies.too_many), oversized),
        ("a bomb that says so", _ENDLESS, lies.signed(lies.bomb), oversized),
        ("a bomb that hides", _ENDLESS, lies.signed(lies.hidden_bomb), forged),
        ("documents of ten gigabytes", _ENDLESS, lies.signed(lies.arbitrary, lies.oversized_target), oversized),
        ("parameters that are none", software, lies.signed(lies.no_parameters), forged),
        ("target files that no list has", "extraneous dependencies", lies.signed(lies.nothing, lies.extraneous), ()),
        ("targets handed on to another key", "extraneous dependencies", lies.signed(lies.nothing, lies.delegated), ()),
    ]  # fmt: skip
    state, chunk, snapshot = lies.with_state, lies.with_chunk, lies.snapshot_lie
    snapshot_rows: list[Lie] = [
        ("a snapshot whose digest is not true", software, snapshot(state(digest=bytes(DIGEST_BYTES))), mismatch),
        ("a snapshot of another list", "wrong list", snapshot(state(list_id=ListId("other", "sandbox", 1))),
         ("LIST_WRONG",)),
        ("a snapshot whose count is wrong", software, snapshot(state(count=7)), mismatch),
        ("a snapshot whose count no memory holds", _ENDLESS, snapshot(state(count=1 << 40)), oversized),
        ("a snapshot later than its name", far, snapshot(lies.later_than_named), forged),
        ("a token key nobody has, in a snapshot", software, snapshot(state(key_id="k9")), ("KEY_UNKNOWN",)),
        ("a chunk of another partition", mixed, snapshot(chunk(partition=77)), forged),
        ("a chunk larger than any", _ENDLESS, snapshot(chunk(length=1 << 40)), oversized),
        ("a chunk that says it expands beyond any", _ENDLESS, snapshot(chunk(expanded=1 << 40)), oversized),
        ("a chunk that is a bomb", _ENDLESS, snapshot(lies.honest, lies.inflated), oversized),
        ("a chunk with a token twice", software, snapshot(chunk(expanded=1_000), lies.doubled_token), forged),
        ("a chunk outside the copy", software, snapshot(lies.outside), forged),
        ("a partition twice", software, snapshot(lies.doubled), forged),
    ]  # fmt: skip
    return [
        Attack(f"all keys: {name}", kind, _ALL, deed, alarms, rotates=ONLINE)
        for name, kind, deed, alarms in delta_rows + snapshot_rows
    ]


ATTACKS: Final = tuple(_damages() + _endless() + _transport() + _replays() + _compromises() + _lies())
