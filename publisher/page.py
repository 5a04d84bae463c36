"""One chunk of intake in memory: what is known when it begins, what each line makes of it, what is then written.

Within a page every line sees what the lines before it did. Nothing is written before `writes` is saved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from publisher.gate import BURDENING, Gate, Move, Passed
from publisher.holding import HeldLine
from publisher.lines import LineReader, parse
from publisher.writing import Quarantined, Waiting, Writes, Writing
from restriction.events import Batch, EntryState, Status, Verdict, apply
from restriction.parts import ends_at, lane_between, parts_of
from restriction.record import Record
from restriction.statements import Event
from restriction.states import EventType
from restriction.token import TokenKeys

_DIGEST_BYTES: Final = 16
_REMEMBERED: Final = frozenset({Status.ACCEPTED, Status.HELD, Status.OVERTAKEN})


@dataclass(frozen=True, slots=True)
class Line:
    """An event as read: its line number, its bytes, and a digest of its content. `raw` holds names and numbers."""

    number: int
    raw: bytes = field(repr=False)
    event: Event
    digest: bytes


def digest_of(canonical: bytes) -> bytes:
    """What tells a repeated event from another one under its id."""
    return hashlib.blake2b(canonical, digest_size=_DIGEST_BYTES).digest()


class Page:
    """The chunk's view of the book, and what it will write. Without a gate all of it takes effect."""

    def __init__(
        self, writing: Writing, lines: Collection[Line], keys: TokenKeys, batch: Batch, gate: Gate | None = None
    ) -> None:
        entry_ids = {line.event.entry_id for line in lines}
        self._known = writing.events([line.event.event_id for line in lines])
        self._before = writing.entries(entry_ids)
        self._waiting = writing.waiting({line.event.entry_id for line in lines if line.event.type is EventType.LIST})
        self._keys = keys
        self._batch = batch
        self._writes = Writes()
        self._gate = gate
        self._told: list[tuple[Event, bytes]] = []
        self._again: set[str] = set()
        self._lifts_held: frozenset[str] = frozenset()
        self._waiting_entries: set[str] = set()
        if gate:
            gate.look_up(entry_ids)

    def take(self, line: Line, reader: LineReader) -> Verdict:
        """What becomes of a line."""
        known = self._known.get(line.event.event_id)
        if known is not None:
            if known == line.digest:
                return Verdict(Status.DUPLICATE)
            return Verdict(Status.REJECTED, None, "event_id", "EVENT_ID_REUSED")
        held = self._held(line.event.entry_id)
        verdict = apply(held, line.event, self._batch)
        self._keep(line, held, verdict)
        if self._gate and (verdict.state or verdict.status is Status.ACCEPTED):
            self._told.append((line.event, line.raw))
            self._again.add(line.event.entry_id)
        if line.event.type is EventType.LIST and verdict.status is Status.ACCEPTED:
            self._release(line.event.entry_id, reader)
        return verdict

    def writes(self) -> Writes:
        """What the page changes: entries, the shares that differ from those before, and what of them waits."""
        moves = [move for entry_id in self._writes.entries for move in self._moves(entry_id)]
        if self._gate:
            moves += self._moves_of_waiting(self._gate)
            self._hold(self._gate, self._gate.pass_on(moves))
        else:
            for move in moves:
                self._put(move, move.wanted)
        return self._writes

    def waits_for(self, event: Event) -> str | None:
        """The batch that this event of the page waits for, once `writes` was asked; None when it is in effect."""
        if self._gate is None or event.entry_id not in self._waiting_entries:
            return None
        late = event.type in BURDENING or event.entry_id in self._lifts_held
        return self._gate.batch_of(event.entry_id) if late else None

    def revisit(self, entry_ids: Collection[str], writing: Writing, gate: Gate) -> None:
        """Let the shares of these entries, and of no others that wait, become those of their bodies."""
        self._before = writing.entries(entry_ids)
        self._again.update(entry_ids)
        gate.look_up(entry_ids)

    def _held(self, entry_id: str) -> EntryState | None:
        return self._writes.entries.get(entry_id) or self._before.get(entry_id)

    def _keep(self, line: Line, held: EntryState | None, verdict: Verdict) -> None:
        event, writes = line.event, self._writes
        if verdict.status in _REMEMBERED or verdict.state is not None:
            self._known[event.event_id] = writes.events[event.event_id] = line.digest
        if verdict.status is Status.HELD:
            self._waiting.setdefault(event.entry_id, []).append(line.raw)
            writes.waiting.append(Waiting(event.entry_id, line.raw))
        if verdict.status is Status.QUARANTINED:
            self._quarantine(event, verdict, line.raw)
        self._store(event, held, verdict)

    def _store(self, event: Event, held: EntryState | None, verdict: Verdict) -> None:
        if verdict.state is None:
            return
        self._writes.entries[event.entry_id] = verdict.state
        if event.type is EventType.CORRECT and held is not None and verdict.state.phase is held.phase:
            withdrawn = parts_of(held, self._keys).keys() - parts_of(verdict.state, self._keys).keys()
            self._writes.wrong_hits |= {(event.entry_id, token) for token in withdrawn}

    def _release(self, entry_id: str, reader: LineReader) -> None:
        """Apply what waited for this LIST; what is not accepted now goes to a human."""
        self._writes.released.add(entry_id)
        self._writes.waiting = [one for one in self._writes.waiting if one.entry_id != entry_id]
        for raw in self._waiting.pop(entry_id, []):
            event = reader.event(parse(raw))
            held = self._held(entry_id)
            verdict = apply(held, event, self._batch)
            self._store(event, held, verdict)
            if self._gate and verdict.state:
                self._told.append((event, raw))
            if verdict.status is not Status.ACCEPTED:
                self._quarantine(event, verdict, raw)

    def _quarantine(self, event: Event, verdict: Verdict, raw: bytes) -> None:
        waiting = Quarantined(event.event_id, event.entry_id, verdict.field, verdict.reason, raw)
        self._writes.quarantine[event.event_id] = waiting

    def _moves(self, entry_id: str) -> list[Move]:
        """What changes of an entry that does not wait."""
        if self._gate and self._gate.waits(entry_id):
            return []
        before = self._before.get(entry_id)
        old = parts_of(before, self._keys) if before else {}
        new = self._shares_of(entry_id)
        moves = [Move(token, entry_id, old.get(token), new.get(token)) for token in old.keys() | new.keys()]
        return [move for move in moves if move.was != move.wanted]

    def _shares_of(self, entry_id: str) -> dict[bytes, Record]:
        state = self._held(entry_id)
        shares = parts_of(state, self._keys) if state else {}
        return {token: share for token, share in shares.items() if not self._has_ended(share)}

    def _put(self, move: Move, share: Record | None) -> None:
        self._writes.shares[move.token, move.entry_id] = share
        lane = lane_between(move.was, share)
        self._writes.marks[move.token] = min(lane, self._writes.marks.get(move.token, lane))

    def _hold(self, gate: Gate, passed: Passed) -> None:
        for move, share in passed.in_force:
            self._put(move, share)
        holds = self._writes.holds
        holds.shares.update(passed.held)
        self._lifts_held = passed.lifts_held
        waiting = {entry_id for (_, entry_id), held in passed.held.items() if held is not None}
        seen = {entry_id for entry_id in self._again if gate.waits(entry_id)}
        self._waiting_entries = waiting
        holds.freed = seen - waiting
        for entry_id in waiting:
            if not gate.waits(entry_id):
                holds.entries[entry_id] = (gate.batch_id, self._before.get(entry_id))
        holds.lines = [
            HeldLine(event.entry_id, event.event_id, gate.batch_id, self.waits_for(event) is not None, raw)
            for event, raw in self._told
            if event.entry_id in waiting
        ]

    def _moves_of_waiting(self, gate: Gate) -> list[Move]:
        """What changes of the page's entries that wait."""
        waiting = {entry_id for entry_id in self._again if gate.waits(entry_id)}
        wanted = {
            (token, entry_id): share for entry_id in waiting for token, share in self._shares_of(entry_id).items()
        }
        return gate.moves(waiting, self._tokens_before(waiting), wanted)

    def _tokens_before(self, entry_ids: Collection[str]) -> set[tuple[bytes, str]]:
        before = [(entry_id, state) for entry_id in entry_ids if (state := self._before.get(entry_id))]
        return {(token, entry_id) for entry_id, state in before for token in parts_of(state, self._keys)}

    def _has_ended(self, share: Record) -> bool:
        end = ends_at(share)
        return end is not None and end <= self._batch.now_s
