"""Lists that were signed for real and are not true: every online key is the attacker's, the token secret is not.

What is left to refuse them is the form of the documents, the rules of `restriction.trusted_list`, and the digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import zstandard
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, TargetFile, Targets

from lintel.feed.v1 import feed_pb2
from restriction.change import DIGEST_BYTES, MAX_CHANGES_PER_DELTA, Change, Delta, Digest, Lane
from restriction.change import Snapshot as ListSnapshot
from restriction.envelope import describe_chunk, encode_chunk, encode_delta, encode_snapshot
from restriction.listing import PARAMETERS_PATH, Step, snapshot_directory, snapshot_path
from tests.fakes.list_publisher import KEYS, token_of
from tests.faults.attacks_keys import Edits, all_online, unchanged
from tests.faults.attacks_stage import LISTED, NEVER, SECOND, Stage, lifted, listed

Documents = Mapping[str, bytes]
_BOMB_BYTES: Final = 1 << 30


def lift_of(stage: Stage, **changes: Any) -> Delta:
    """What the court would sign next, true in everything but these changes of its state."""
    state = stage.court.feed.state
    records = dict(stage.court.book.records)
    gone = lifted(SECOND)
    digest = Digest(KEYS.digest_key, state.digest)
    digest.remove(gone.token, records[gone.token])
    after = replace(state, version=state.version + 1, digest=digest.value, count=state.count - 1)
    return Delta(state.version, replace(after, **changes), (gone,))


def evil(stage: Stage, **changes: Any) -> Delta:
    """A delta that lists a person whom no court listed; its digest is a guess, since the token secret is not stolen."""
    state = stage.court.feed.state
    after = replace(state, version=state.version + 1, count=state.count + 1, digest=bytes(DIGEST_BYTES))
    return Delta(state.version, replace(after, **changes), (listed(NEVER),))


def named(delta: Delta, step: Step | None = None) -> dict[str, bytes]:
    """The document of a delta under its own name, or under another."""
    return {(step or Step(delta.base_version, delta.after.version)).path: encode_delta(delta)}


def signed(
    documents: Callable[[Stage], Documents], targets: Callable[[Targets], object] = unchanged
) -> Callable[[Stage], None]:
    """These documents are signed into the feed with every online key."""

    def act(stage: Stage) -> None:
        stage.strike(overlay=all_online(stage.court).sign(Edits(targets=targets), documents(stage)))

    return act


def lie(**changes: Any) -> Callable[[Stage], None]:
    """The next delta, true but for these fields of the state it leads to."""
    return signed(lambda stage: named(lift_of(stage, **changes)))


def wrong_count(by: int) -> Callable[[Stage], None]:
    """The next delta, true but for the count."""
    return signed(lambda stage: named(lift_of(stage, count=lift_of(stage).after.count + by)))


def arbitrary(stage: Stage) -> Documents:
    """Somebody is listed whom no court listed."""
    return named(evil(stage))


def wipe(stage: Stage) -> Documents:
    """A delta without changes that leads to an empty list."""
    return named(replace(evil(stage, count=0), changes=()))


def gap(stage: Stage) -> Documents:
    """A delta that starts later than what is held."""
    delta = lift_of(stage, version=stage.court.feed.state.version + 8)
    return named(replace(delta, base_version=delta.after.version - 1))


def replayed(stage: Stage) -> Documents:
    """The newest delta once more, under the next name."""
    version = stage.court.feed.state.version
    return {Step(version, version + 1).path: stage.court.newest_delta().read_bytes()}


def reordered(stage: Stage) -> Documents:
    """The next two deltas, each under the other's name."""
    first = lift_of(stage)
    second = Delta(first.after.version, replace(first.after, version=first.after.version + 1), (lifted(NEVER),))
    a, b = Step(first.base_version, first.after.version), Step(second.base_version, second.after.version)
    return named(first, b) | named(second, a)


def misnamed(stage: Stage) -> Documents:
    """The next delta says that it leads to a later version than its name does."""
    delta = lift_of(stage, version=stage.court.feed.state.version + 5)
    return named(delta, Step(delta.base_version, delta.base_version + 1))


def too_many(stage: Stage) -> Documents:
    """One change more than a delta may have."""
    burden = listed(NEVER).record
    many = tuple(Change(token_of(at), burden, Lane.BURDEN) for at in range(MAX_CHANGES_PER_DELTA + 1))
    return named(replace(evil(stage), changes=many))


def bomb(stage: Stage) -> Documents:
    """A delta of some kilobytes that expands to a gigabyte, as its frame says."""
    version = stage.court.feed.state.version
    return {Step(version, version + 1).path: _inflating(_BOMB_BYTES)}


def hidden_bomb(stage: Stage) -> Documents:
    """The same, its frame saying a kilobyte."""
    version, content = stage.court.feed.state.version, bytearray(_inflating(_BOMB_BYTES))
    size = zstandard.frame_content_size(bytes(content))
    at = content.index(size.to_bytes(4, "little"))
    content[at : at + 4] = (1 << 10).to_bytes(4, "little")
    return {Step(version, version + 1).path: bytes(content)}


def _inflating(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=3).compressobj(size=size)
    piece = bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(size >> 20)), packer.flush()])


def snapshot_lie(
    lie_in: Callable[[ListSnapshot], ListSnapshot], swap: Callable[[bytes], bytes] = bytes
) -> Callable[[Stage], None]:
    """The list without its second person as a snapshot, true but for these changes of its manifest and its chunk."""

    def act(stage: Stage) -> None:
        state, one = lift_of(stage).after, listed(LISTED)
        honest_chunk, expanded = encode_chunk(one.token[0], {one.token: one.record})
        raw = swap(honest_chunk)
        chunk = describe_chunk(one.token[0], snapshot_directory(state.version), raw, expanded)
        manifest = encode_snapshot(lie_in(ListSnapshot(state, (chunk,))))
        overlay = all_online(stage.court).sign(Edits(), {snapshot_path(state.version): manifest})
        stage.strike(overlay=overlay | {f"targets/{chunk.path}": raw})

    return act


def honest(manifest: ListSnapshot) -> ListSnapshot:
    """The manifest as it is."""
    return manifest


def later_than_named(manifest: ListSnapshot) -> ListSnapshot:
    """A manifest of a later version than its name says."""
    return replace(manifest, state=replace(manifest.state, version=manifest.state.version + 9))


def with_state(**changes: Any) -> Callable[[ListSnapshot], ListSnapshot]:
    """A manifest whose state says something else."""
    return lambda manifest: replace(manifest, state=replace(manifest.state, **changes))


def with_chunk(**changes: Any) -> Callable[[ListSnapshot], ListSnapshot]:
    """A manifest whose chunk says something else."""
    return lambda manifest: replace(manifest, chunks=tuple(replace(one, **changes) for one in manifest.chunks))


def outside(manifest: ListSnapshot) -> ListSnapshot:
    """A manifest whose chunk would be written outside the copy."""
    chunk = manifest.chunks[0]
    return replace(manifest, chunks=(replace(chunk, path=f"../../../{chunk.sha256.hex()}.chunk"),))


def doubled(manifest: ListSnapshot) -> ListSnapshot:
    """A manifest with one partition twice."""
    return replace(manifest, chunks=manifest.chunks * 2)


def inflated(raw: bytes) -> bytes:
    """A chunk that expands to a gigabyte."""
    del raw
    return _inflating(_BOMB_BYTES)


def doubled_token(raw: bytes) -> bytes:
    """A chunk that holds its one record twice."""
    body = feed_pb2.ChunkBody.FromString(zstandard.ZstdDecompressor().decompress(raw))
    twice = feed_pb2.ChunkBody(partition=body.partition, tokens=body.tokens * 2, records=list(body.records) * 2)
    return zstandard.ZstdCompressor().compress(twice.SerializeToString(deterministic=True))


def oversized_target(targets: Targets) -> None:
    """Every document is said to have ten gigabytes."""
    for target in targets.targets.values():
        target.length = 10 << 30


def extraneous(targets: Targets) -> None:
    """More files than the list has: other kinds, other folders, paths that leave the feed."""
    odd = ("setup.exe", "../../etc/passwd", "/etc/passwd", "deltas/x.delta", "deltas/1-2.delta.exe", "snapshots/2/m")
    for path in odd:
        targets.targets[path] = TargetFile.from_data(path, b"#!/bin/sh", ["sha256"])


def delegated(targets: Targets) -> None:
    """The targets hand everything on to a key of the attacker."""
    key = CryptoSigner.generate_ed25519().public_key
    role = DelegatedRole("evil", [key.keyid], 1, terminating=True, paths=["*"])
    targets.delegations = Delegations({key.keyid: key}, {"evil": role})


def nothing(stage: Stage) -> Documents:
    """No document."""
    del stage
    return {}


def no_parameters(stage: Stage) -> Documents:
    """A parameters document that is none."""
    del stage
    return {PARAMETERS_PATH: b'{"version": 1'}
