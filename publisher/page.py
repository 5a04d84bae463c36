"""One chunk of intake in memory: what is known when it begins, what each line makes of it, what is then written.

Within a page every line sees what the lines before it did. Nothing is written before `writes` is saved.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from publisher.lines import LineReader, parse
from publisher.writing import Quarantined, Waiting, Writes, Writing
from restriction.events import Batch, EntryState, Status, Verdict, apply
from restriction.parts import ends_at, lane_between, parts_of
from restriction.record import Record
from restriction.statements import Event
from restriction.states import EventType
from restriction.token import TokenKeys

_REMEMBERED: Final = frozenset({Status.ACCEPTED, Status.HELD, Status.OVERTAKEN})


@dataclass(frozen=True, slots=True)
class Line:
    """An event as read: its line number, its bytes, and a digest of its content. `raw` holds names and numbers."""

    number: int
    raw: bytes = field(repr=False)
    event: Event
    digest: bytes


class Page:
    """The chunk's view of the book, and what it will write."""

    def __init__(self, writing: Writing, lines: Collection[Line], keys: TokenKeys, batch: Batch) -> None:
        entry_ids = {line.event.entry_id for line in lines}
        self._known = writing.events([line.event.event_id for line in lines])
        self._before = writing.entries(entry_ids)
        self._waiting = writing.waiting({line.event.entry_id for line in lines if line.event.type is EventType.LIST})
        self._keys = keys
        self._batch = batch
        self._writes = Writes()

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
        if line.event.type is EventType.LIST and verdict.status is Status.ACCEPTED:
            self._release(line.event.entry_id, reader)
        return verdict

    def writes(self) -> Writes:
        """What the page changes: entries, and the shares that differ from those before."""
        for entry_id, state in self._writes.entries.items():
            self._change_shares(entry_id, state)
        return self._writes

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
            if verdict.status is not Status.ACCEPTED:
                self._quarantine(event, verdict, raw)

    def _quarantine(self, event: Event, verdict: Verdict, raw: bytes) -> None:
        waiting = Quarantined(event.event_id, event.entry_id, verdict.field, verdict.reason, raw)
        self._writes.quarantine[event.event_id] = waiting

    def _change_shares(self, entry_id: str, state: EntryState) -> None:
        before = self._before.get(entry_id)
        old = parts_of(before, self._keys) if before else {}
        new = {token: share for token, share in parts_of(state, self._keys).items() if not self._has_ended(share)}
        for token in old.keys() | new.keys():
            was, is_now = old.get(token), new.get(token)
            if was != is_now:
                self._writes.shares[token, entry_id] = is_now
                lane = lane_between(was, is_now)
                self._writes.marks[token] = min(lane, self._writes.marks.get(token, lane))

    def _has_ended(self, share: Record) -> bool:
        end = ends_at(share)
        return end is not None and end <= self._batch.now_s
