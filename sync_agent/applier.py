"""Brings the store to the state of the verified copy, and proves the digest before anything of it takes effect.

Rules:
- A change is written only when the digests of all partitions, as they would be after it, add up to the signed one.
- What eases is written before what burdens, and every partition reaches the version before it is announced.
- Where deltas do not lead on (nothing announced, another list or key, a gap, a digest that does not come out, a store
  that is not whole), the whole list is loaded into a generation of its own beside the one in service.
- The store is never moved backward: what another agent has brought further stays.
- A state that did not come out is fetched anew once and then left alone; the last good list stays in service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from liststore.base import PARTITIONS, Announcement, Generation, Head, ListWriter
from restriction.change import ListState
from restriction.errors import FencedError, RefusedListError, StoreUnavailableError
from restriction.listing import Step
from restriction.token import Secrets, TokenKeys
from sync_agent.copy import VerifiedCopy, VerifiedList
from sync_agent.digests import Found, digest_of, plan, total
from sync_agent.loader import Loader, bucket_bits_for

# One read that is not whole may be a cut connection; so many in a row, while the store answers, are a damaged store.
_DAMAGED_AFTER: Final = 5
# One partition is read through in so many idle passes: all of them in about 20 minutes.
_SCRUB_EVERY: Final = 25
_ATTEMPTS: Final = 2
# Buckets may grow to four times their target before the list is spread over more of them.
_CROWDED_BITS: Final = 2


@dataclass(frozen=True, slots=True)
class Applied:
    """What the store has in one generation, ready to be announced; `additions` are the tokens that were upserted."""

    generation: Generation
    state: ListState
    as_of: int
    additions: tuple[bytes, ...] = ()


class Applier:
    """Writes one list into one store."""

    def __init__(self, store: ListWriter, secrets: Secrets, loader: Loader) -> None:
        self._store = store
        self._keys = {keys.key_id: keys for keys in (secrets.current, secrets.successor) if keys}
        self._loader = loader
        self._failures = Counter[ListState]()
        self._unwhole = 0
        self._idle = 0

    async def apply(self, copy: VerifiedCopy) -> Applied | None:
        """Bring the store to the copy's state; None when there is nothing of ours to announce.

        Raises: RefusedListError, StoreUnavailableError, FencedError (another agent was here; the next pass goes on).
        """
        announced = await self._store.announcement()
        held = copy.held
        if held is None or (announced is not None and _is_behind(held.state, announced.state)):
            return None
        way = held.way_from(announced.state) if announced is not None else None
        if announced is None or way is None or self._is_unfit(announced.generation, held):
            return await self._load(copy, held, announced)
        try:
            applied = await self._advance(announced, copy, held, way)
        except StoreUnavailableError:
            self._unwhole += 1
            raise
        self._unwhole = 0
        return applied or await self._load(copy, held, announced)

    def _is_unfit(self, generation: Generation, held: VerifiedList) -> bool:
        crowded = bucket_bits_for(held.state.count) > generation.bucket_bits + _CROWDED_BITS
        return crowded or self._unwhole >= _DAMAGED_AFTER

    async def _advance(
        self, announced: Announcement, copy: VerifiedCopy, held: VerifiedList, way: tuple[Step, ...]
    ) -> Applied | None:
        """Follow the deltas; None when the store's content and the signed digest do not meet."""
        generation, state = announced.generation, held.state
        if not way:
            await self._scrub(announced)
            return Applied(generation, state, held.as_of)
        changes = copy.changes(way)
        heads = await self._store.heads(generation.number)
        if any(head.version > state.version for head in heads.values()):
            raise FencedError("another agent is further on; its announcement is awaited")
        stored = await self._store.read(generation, [change.token for change in changes])
        steps = plan(self._keys_of(state).digest_key, Found(heads, stored), changes, state.version, held.as_of)
        if steps.digest != state.digest or not _is_whole(heads, generation):
            # What was read in the middle of another agent's write does not add up either.
            if await self._store.heads(generation.number) != heads:
                raise FencedError("another agent wrote meanwhile; the heads are read anew")
            return None
        await self._store.write(generation, steps.ease)
        await self._store.write(generation, steps.rest)
        return Applied(generation, state, held.as_of, tuple(change.token for change in changes if change.record))

    async def _load(self, copy: VerifiedCopy, held: VerifiedList, announced: Announcement | None) -> Applied:
        state = held.state
        if self._failures[state] >= _ATTEMPTS:
            raise RefusedListError("DIGEST_MISMATCH", f"version {state.version} is left alone; a later one is awaited")
        keys = self._keys_of(state)
        above = announced.generation.number if announced else 0
        try:
            generation = await self._loader.load(copy, held, keys, above)
        except RefusedListError:
            self._failures = Counter({state: self._failures[state] + 1})
            copy.discard()
            raise
        self._unwhole = 0
        return Applied(generation, state, held.as_of)

    async def _scrub(self, announced: Announcement) -> None:
        """Now and then, see that the store still holds what was announced. Raises: StoreUnavailableError when not."""
        self._idle += 1
        if self._idle % _SCRUB_EVERY and not self._unwhole:
            return
        state, generation = announced.state, announced.generation
        heads = await self._store.heads(generation.number)
        partition = self._idle // _SCRUB_EVERY % PARTITIONS
        records = await self._store.records(generation, partition)
        whole = len(heads) == PARTITIONS and total(head.digest for head in heads.values()) == state.digest
        if not whole or heads[partition].digest != digest_of(self._keys_of(state).digest_key, records):
            raise StoreUnavailableError(
                "the store does not hold what was announced; it is loaded anew if that stays so"
            )

    def _keys_of(self, state: ListState) -> TokenKeys:
        try:
            return self._keys[state.key_id]
        except KeyError as error:
            raise RefusedListError(
                "KEY_UNKNOWN", f"no token secret has the key id {state.key_id}; install it"
            ) from error


def _is_behind(state: ListState, other: ListState) -> bool:
    return (state.list_id.epoch, state.version) < (other.list_id.epoch, other.version)


def _is_whole(heads: Mapping[int, Head], generation: Generation) -> bool:
    mine = (generation.number, generation.key_id)
    return len(heads) == PARTITIONS and all((head.generation, head.key_id) == mine for head in heads.values())
