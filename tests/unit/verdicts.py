"""What becomes of one event, said shortly, for the tests of the rules."""

from __future__ import annotations

from typing import Any

from restriction.entry import Entry
from restriction.events import EntryState, Status, Verdict, apply
from restriction.statements import Body
from restriction.states import EventType
from tests.fakes.court import BATCH, event, held


def listing(of: Entry, **changes: Any) -> Verdict:
    return apply(None, event(EventType.LIST, of, **changes), BATCH)


def said(kind: EventType, body: Body = None, on: EntryState | None = None, **changes: Any) -> Verdict:
    return apply(on or held(), event(kind, body, **changes), BATCH)


def entry_after(verdict: Verdict) -> Entry:
    assert verdict.state is not None
    assert verdict.state.entry is not None
    return verdict.state.entry


def refused(verdict: Verdict) -> tuple[str, str]:
    assert (verdict.status, verdict.state) == (Status.REJECTED, None)
    return verdict.field, verdict.reason
