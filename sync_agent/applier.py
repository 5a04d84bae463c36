"""Brings the store to the state of the verified copy, and proves the digest before anything of it takes effect.

Rules:
- A change is written only when the digests of all partitions, as they would be after it, add up to the signed one, and
  their records to the signed count.
- What eases is written before what burdens, and every partition reaches the version before it is announced.
- A few damaged partitions are written anew from the copy, where the digest comes out with them.
- Where a gap parts what is in service from what is held, only what differs is written, in place and in the same order.
- Where that does not lead on (nothing announced, another list or key, too much that differs, a digest that does not
  come out, a store that lost much), the whole list is loaded into a generation of its own beside the one in service.
- An announcement that is lost counts as this agent's last one, until its generation proves otherwise.
- The store is never moved backward: what another agent has brought further stays.
- A state that did not come out is fetched anew once and then left alone; the last good list stays in service.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from liststore.base import PARTITIONS, Announcement, Generation, Head, ListWriter
from restriction.change import Change, ListState
from restriction.errors import FencedError, RefusedListError, StoreNotWholeError
from restriction.token import Secrets, TokenKeys
from sync_agent.copy import VerifiedCopy, VerifiedList
from sync_agent.digests import Found, digest_of, plan, total
from sync_agent.last import LastAnnounced, stored_announcement
from sync_agent.loader import Loaded, Loader, Meanwhile, Source, bucket_bits_for
from sync_agent.mover import Mover
from sync_agent.scrubber import Scrubber

_log = logging.getLogger(__name__)
# What is written anew in place is held in memory at once; with more damage a load is as fast and goes piece by piece.
_FEW: Final = 16
_ATTEMPTS: Final = 2
# Buckets may grow to four times their target before the list is spread over more of them.
_CROWDED_BITS: Final = 2
# Told what is in effect, before anything that burdens is written: see `Acknowledger.eased`.
Eased = Callable[[ListState, ListState], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """What the store has in one generation, ready to be announced; `additions` are the tokens that were upserted."""

    generation: Generation
    state: ListState
    as_of: int
    additions: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """From what is announced to what is held, by these changes."""

    announced: Announcement
    held: VerifiedList
    changes: tuple[Change, ...]
    is_in_service: bool = True


class Applier:
    """Writes one list into one store."""

    def __init__(self, store: ListWriter, secrets: Secrets, loader: Loader, last: LastAnnounced, eased: Eased) -> None:
        self._store = store
        self._keys = {keys.key_id: keys for keys in (secrets.current, secrets.successor) if keys}
        self._loader = loader
        self._mover = Mover(store)
        self._last = last
        self._eased = eased
        self._scrubber = Scrubber(store)
        self._failures = Counter[ListState]()
        self._loading = False

    async def listen(self) -> None:
        """Let gateways tell of damage, until cancelled."""
        await self._scrubber.listen()

    async def apply(self, copy: VerifiedCopy, meanwhile: Meanwhile) -> Applied | None:
        """Bring the store to the copy's state; None when there is nothing of ours to announce.

        A load calls `meanwhile` in its pauses, which may come back here.
        Raises: RefusedListError, StoreUnavailableError, FencedError (another agent was here; the next pass goes on).
        """
        try:
            return await self._apply(copy, meanwhile)
        except RefusedListError:
            copy.doubt()
            raise

    async def _apply(self, copy: VerifiedCopy, meanwhile: Meanwhile) -> Applied | None:
        held = copy.held
        announced = await self._announced(held)
        if held is None or (announced is not None and _is_behind(held.state, announced.state)):
            return None
        way = held.way_from(announced.state) if announced is not None else None
        source = Source(copy, held)
        if announced is not None and way is None and _may_move(announced.state, held.state):
            applied = await self._move(source, announced)
            return applied or await self._load(source, announced, meanwhile)
        if announced is None or way is None or (not self._loading and _is_crowded(announced.generation, held)):
            return await self._load(source, announced, meanwhile)
        step = _Step(announced, held, copy.changes(way))
        try:
            applied = await self._advance(step, {})
        except StoreNotWholeError as error:
            _log.warning("the store is not whole and is repaired: %s", error)
            applied = await self._repair(copy, step)
        return applied or await self._load(source, announced, meanwhile)

    async def _announced(self, held: VerifiedList | None) -> Announcement | None:
        """What is in service, or was when last announced here. Raises: StoreNotWholeError when the copy is behind."""
        found, last = await stored_announcement(self._store), self._last.announcement
        if found is not None or last is None:
            return found
        self._scrubber.be_wary()
        if held is not None and _is_behind(held.state, last.state):
            raise StoreNotWholeError("the announcement is lost and the copy is behind it: the feed has to catch up")
        return last

    async def _advance(self, step: _Step, rebuilt: Mapping[int, Mapping[bytes, bytes]]) -> Applied | None:
        """Follow the deltas and write `rebuilt` partitions anew; None when the content and the signed digest differ."""
        generation, held, state = step.announced.generation, step.held, step.held.state
        key = self._keys_of(state).digest_key
        applied = Applied(generation, state, held.as_of, tuple(c.token for c in step.changes if c.record))
        if state == step.announced.state and not rebuilt:
            return applied if await self._scrubber.holds(step.announced, key) else None
        found = await self._scrubber.heads(generation)
        heads = found | {
            partition: _head(generation, held, digest_of(key, rebuilt[partition])) for partition in rebuilt
        }
        if any(head.version > state.version for head in heads.values()):
            raise FencedError("another agent is further on; its announcement is awaited")
        if len(heads) < PARTITIONS:
            raise StoreNotWholeError("a head is lost or altered")
        changes = [change for change in step.changes if change.token[0] not in rebuilt]
        stored = await self._store.read(generation, [change.token for change in changes])
        steps = plan(key, Found(heads, stored), changes, state.version, held.as_of)
        if steps.digest != state.digest or not (rebuilt or _counts(step, Found(found, stored))):
            # What was read in the middle of another agent's write does not add up either.
            if await self._scrubber.heads(generation) != found:
                raise FencedError("another agent wrote meanwhile; the heads are read anew")
            return None
        await self._store.write(generation, steps.ease)
        for partition, records in rebuilt.items():
            await self._store.restore(generation, partition, records, heads[partition])
        if step.is_in_service:
            self._eased(step.announced.state, state)
        await self._store.write(generation, steps.rest)
        return applied

    async def _repair(self, copy: VerifiedCopy, step: _Step) -> Applied | None:
        """Write what is damaged anew; None when that is too much for here, or the copy cannot help."""
        self._scrubber.be_wary()
        generation, held = step.announced.generation, step.held
        heads = await self._scrubber.heads(generation)
        if PARTITIONS - len(heads) > _FEW:
            return None
        suspects = {*self._scrubber.looked_at, *(change.token[0] for change in step.changes)}
        key = self._keys_of(held.state).digest_key
        damaged = await self._scrubber.damaged(generation, heads, suspects, key)
        if not damaged:
            raise FencedError("what was not whole is whole again; another agent may have repaired it")
        if len(damaged) > _FEW:
            return None
        try:
            rebuilt = await asyncio.to_thread(_rebuilt, copy, held, damaged)
        except RefusedListError:
            return None
        return await self._advance(step, rebuilt)

    async def _move(self, source: Source, announced: Announcement) -> Applied | None:
        """Write in place what differs; None when a load is better, or is under way."""
        if self._loading:  # it soon finds that its snapshot is gone, and the next pass moves
            return None
        generation, held = announced.generation, source.held
        key = self._keys_of(held.state).digest_key
        heads = await self._scrubber.heads(generation)
        if len(heads) < PARTITIONS:
            return None
        _log.info("no deltas lead to version %d: what differs is looked for", held.state.version)
        try:
            with self._judging(source):
                changes = await self._mover.changes(source, announced, heads, key)
            return None if changes is None else await self._advance(_Step(announced, held, changes), {})
        except StoreNotWholeError as error:
            _log.warning("the store is not whole and is loaded anew: %s", error)
            return None

    async def _load(self, source: Source, announced: Announcement | None, meanwhile: Meanwhile) -> Applied | None:
        """The list in a generation of its own; None in a pass that a load makes in its pauses."""
        if self._loading:
            return None
        keys = self._keys_of(source.held.state)
        above = announced.generation.number if announced else 0
        self._loading = True
        try:
            with self._judging(source):
                loaded = await self._loader.load(source, keys, above, meanwhile)
        finally:
            self._loading = False
        return await self._catch_up(source.copy, loaded)

    @contextmanager
    def _judging(self, source: Source) -> Iterator[None]:
        """Prove a list: one that does not come out is fetched anew once, then left alone. Raises: RefusedListError."""
        held, copy, state = source.held, source.copy, source.held.state
        if self._failures[state] >= _ATTEMPTS:
            raise RefusedListError("DIGEST_MISMATCH", f"version {state.version} is left alone; a later one is awaited")
        try:
            yield
        except RefusedListError:
            if copy.held is None or copy.held.snapshot == held.snapshot:  # else its files went with the older snapshot
                self._failures = Counter({state: self._failures[state] + 1})
                copy.discard()
            raise

    async def _catch_up(self, copy: VerifiedCopy, loaded: Loaded) -> Applied:
        """What was loaded, brought to what the copy holds by now. Raises: FencedError when no deltas lead there."""
        held = copy.held
        way = held.way_from(loaded.state) if held else None
        applied = None
        if held is not None and way is not None:
            at_load = Announcement(loaded.generation, loaded.state, held.as_of)
            applied = await self._advance(_Step(at_load, held, copy.changes(way), is_in_service=False), {})
        if applied is None:
            raise FencedError("the list moved on during its load, and is loaded anew")
        await self._loader.put_image(loaded, applied.state.version, applied.additions)
        return applied

    def _keys_of(self, state: ListState) -> TokenKeys:
        try:
            return self._keys[state.key_id]
        except KeyError as error:
            raise RefusedListError(
                "KEY_UNKNOWN", f"no token secret has the key id {state.key_id}; install it"
            ) from error


def _counts(step: _Step, found: Found) -> bool:
    """Whether the changes lead to the count that was signed.

    A store that a crash left between two versions has no count to start from: there the digest alone has to do.
    """
    if total(head.digest for head in found.heads.values()) != step.announced.state.digest:
        return True
    gained = sum(bool(change.record) - (change.token in found.records) for change in step.changes)
    return step.announced.state.count + gained == step.held.state.count


def _is_behind(state: ListState, other: ListState) -> bool:
    return (state.list_id.epoch, state.version) < (other.list_id.epoch, other.version)


def _may_move(announced: ListState, held: ListState) -> bool:
    """Whether one list under one key is to go forward: only then does a follower learn what was added."""
    return (announced.list_id, announced.key_id) == (held.list_id, held.key_id) and announced.version < held.version


def _is_crowded(generation: Generation, held: VerifiedList) -> bool:
    return bucket_bits_for(held.state.count) > generation.bucket_bits + _CROWDED_BITS


def _head(generation: Generation, held: VerifiedList, digest: bytes) -> Head:
    state = held.state
    return Head(generation.number, state.list_id.epoch, state.version, held.as_of, generation.key_id, digest)


def _rebuilt(copy: VerifiedCopy, held: VerifiedList, partitions: Iterable[int]) -> dict[int, dict[bytes, bytes]]:
    changed = copy.changed_records(held)
    return {partition: copy.records(held, partition, changed) for partition in partitions}
