"""What of a chunk's changes may be signed now, and what waits for a second signer.

Rules that hold:
- What eases goes at once, for entries that wait too, unless the lifts are above their ceiling.
- What burdens waits until the end of its batch shows how much the batch changes; a batch of one chunk never waits for
  that. An entry that waits for another batch waits on with it.
- What is in force of a change that both eases and burdens is what both shares restrict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from publisher.budget import Size
from publisher.holding import BatchState, Held, Holding, Kind, Standing
from restriction.easing import eased
from restriction.record import Record
from restriction.states import EventType

# What a line of these types brings is a burden, or may be one; a line of any other type never waits as one.
BURDENING: Final = frozenset(
    {
        EventType.LIST, EventType.CORRECT, EventType.LINK_ADD, EventType.END_EXEMPT, EventType.RESUME, EventType.RETAIN,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """A token's share of an entry: as it is in force, and as the court wants it. None is no share."""

    token: bytes
    entry_id: str
    was: Record | None
    wanted: Record | None


@dataclass(frozen=True, slots=True)
class Passed:
    """What a chunk puts in force, what it holds, and the entries whose lifts are held."""

    in_force: tuple[tuple[Move, Record | None], ...]
    held: Mapping[tuple[bytes, str], Held | None]
    lifts_held: frozenset[str]


class Gate:
    """One chunk of a guarded batch, on its way into force; `last` is the batch's last."""

    def __init__(self, holding: Holding, standing: Standing, *, last: bool) -> None:
        self.holding = holding
        self.standing = standing
        self._last = last
        self._waits_for: dict[str, str] = {}
        self._held: dict[tuple[bytes, str], Held] = {}
        self._burdens_go = False
        self._eased = 0

    @property
    def batch_id(self) -> str:
        """The batch of this chunk."""
        return self.standing.batch_id

    def look_up(self, entry_ids: Iterable[str]) -> None:
        """Learn which of these entries wait."""
        self._waits_for = self.holding.entries(list(entry_ids))
        self._held = self.holding.shares(list(self._waits_for)) if self._waits_for else {}

    def waits(self, entry_id: str) -> bool:
        """Whether the entry waited when the chunk began."""
        return entry_id in self._waits_for

    def batch_of(self, entry_id: str) -> str:
        """The batch that this entry waits for, if it waits."""
        return self._waits_for.get(entry_id, self.batch_id)

    def moves(
        self,
        entry_ids: Collection[str],
        known: Collection[tuple[bytes, str]],
        wanted: Mapping[tuple[bytes, str], Record],
    ) -> list[Move]:
        """The moves of entries that wait, whose shares in force are not those of their bodies.

        `known` are the tokens of these entries as their bodies were, `wanted` as they are.
        """
        keys = {*known, *wanted, *(key for key in self._held if key[1] in entry_ids)}
        was = self.holding.in_force(keys) if keys else {}
        return [Move(*key, was.get(key), wanted.get(key)) for key in keys]

    def pass_on(self, moves: Sequence[Move]) -> Passed:
        """What of these moves takes effect; the standing of the batch moves on."""
        easing = [(move, eased(move.was, move.wanted)) for move in moves]
        page = self._size(easing)
        size = self.standing.size + page
        budget = self.standing.budget
        lifts_go = budget.lets_ease(size, page)
        burdens_go = self._last and self.standing.state is BatchState.OPEN and budget.lets_burden(size)
        self.standing = replace(self.standing, size=size)
        passed: list[tuple[Move, Record | None]] = []
        held: dict[tuple[bytes, str], Held | None] = {}
        for move, common in easing:
            eases = common != move.was
            target = common if lifts_go else move.was
            if burdens_go and (lifts_go or not eases) and self.batch_of(move.entry_id) == self.batch_id:
                target = move.wanted
            if target != move.was:
                passed.append((move, target))
            self._hold(held, move, target, Kind.LIFTS if common == move.wanted else Kind.CHANGES)
        self._burdens_go, self._eased = burdens_go, page.eases if lifts_go else 0
        stuck = frozenset() if lifts_go else frozenset(move.entry_id for move, common in easing if common != move.was)
        return Passed(tuple(passed), held, stuck)

    def close(self, now_s: float) -> bool:
        """Write where the batch stands; on its last chunk, whether all that it waited with until now has gone."""
        holding, standing = self.holding, self.standing
        gone = Size(0, self._eased)
        if self._burdens_go:
            holding.release(self.batch_id, now_s, lifts=False)
            gone += Size(standing.size.burdens)
        holding.count(gone, 0, now_s)
        if self._last and not holding.holds(self.batch_id):
            holding.close(self.batch_id)
        else:
            holding.move_on(replace(standing, state=BatchState.WAITING) if self._last else standing)
        return self._burdens_go

    def _size(self, easing: Iterable[tuple[Move, Record | None]]) -> Size:
        """How many records these moves burden and ease; what waits already was counted, or is another batch's."""
        burdened = {
            move.token
            for move, common in easing
            if common != move.wanted
            and (move.token, move.entry_id) not in self._held
            and self.batch_of(move.entry_id) == self.batch_id
        }
        return Size(len(burdened), len({move.token for move, common in easing if common != move.was}))

    def _hold(self, held: dict[tuple[bytes, str], Held | None], move: Move, target: Record | None, kind: Kind) -> None:
        key = (move.token, move.entry_id)
        if target != move.wanted:
            kind = Kind.LISTS if move.was is None else kind
            held[key] = Held(self.batch_of(move.entry_id), kind, move.wanted)
        elif key in self._held:
            held[key] = None
