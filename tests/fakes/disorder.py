"""A court's day in which everything that may happen to an entry happens to some, in no good order."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import Any

from sandbox import documents
from sandbox.generator import Plan, Sample, list_lines

KINDS = (
    "SUSPEND", "RESUME", "LIFT", "LIFT AND RETAIN", "RETAIN", "REVOKE", "EXEMPT", "END_EXEMPT", "LINK_ADD",
    "LINK_END", "NAME", "FORMER", "DOCUMENTS", "TERM", "UNPUBLISH", "OBJECT",
)  # fmt: skip
REASONS = ("ILLNESS", "NECESSARY", "PRIVATE_FUNDS")
Event = dict[str, Any]


def disordered_list(of: Sample, dice: random.Random) -> list[str]:
    """The list's lines, shuffled: some lifts, suspensions and exemptions come before what they are about."""
    lines = list(list_lines(of))
    dice.shuffle(lines)
    return lines


def disordered_events(of: Sample, dice: random.Random, count: int, mark: str) -> list[str]:
    """So many events about random entries of the list, some twice; `mark` keeps the ids of batches apart."""
    events: list[Event] = []
    for number in range(count):
        plan = Plan(of.seed, dice.randrange(of.subjects))
        events += _events(plan, dice, f"{mark}-{number}", of.today)
    lines = [json.dumps(event, ensure_ascii=False) for event in events]
    return [*lines, *dice.sample(lines, count // 10)]


def _events(plan: Plan, dice: random.Random, event_id: str, today: dt.date) -> Iterator[Event]:
    kind = dice.choice(KINDS)
    at = f"{today.isoformat()}T08:00:00+08:00"

    def event(of_kind: str, suffix: str = "", **more: Any) -> Event:
        head = {"event_id": event_id + suffix, "type": of_kind, "issued_at": at, "effective_at": at}
        return {**head, "issuer": plan.court, "legal_basis": "x", "entry_id": plan.entry_id, **more}

    def day(days: int) -> str:
        return (today + dt.timedelta(days)).isoformat()

    def correct(changes: Event) -> Event:
        return event("CORRECT", version=dice.randrange(1, 5), changes=changes)

    link = f"l{dice.randrange(1, 5)}"
    holder = dice.choice(["subject", f"link:{link}"])
    lift = event("LIFT", ground="SETTLED", ground_at=day(-1))
    kept = dice.sample(["LODGE", "VENUE", "AIR", "INS"], 2)
    retain = event("RETAIN", "-r", measures=kept, until=day(dice.randrange(2, 20)))
    paper = documents.resident(4 * 10**9 + dice.randrange(10**6))
    by_kind: dict[str, list[Event]] = {
        "LIFT": [lift | {"issuer": dice.choice([plan.court, "4408", "440802"])}],
        "LIFT AND RETAIN": dice.sample([lift, retain], 2),
        "RETAIN": [retain],
        "EXEMPT": [event("EXEMPT", exemption={
            "id": dice.choice(["x-a", "x-b"]), "holder": holder, "reason_code": dice.choice(REASONS),
            "approved_by": "x", "measures": dice.sample(["AIR", "RAIL", "LODGE"], 2), "from": day(-2),
            "until": day(dice.randrange(1, 50)),
        })],
        "END_EXEMPT": [event("END_EXEMPT", exemption_id=dice.choice(["x-a", f"x-{plan.entry_id}"]))],
        "LINK_ADD": [event("LINK_ADD", link={
            "link_id": link, "role": "PRINCIPAL", "name": "样本新", "from": day(-1), "until": None, "basis_no": "x",
            "documents": [{"type": paper.type, "number": paper.number}],
        })],
        "LINK_END": [event("LINK_END", link_id=link, until=day(dice.randrange(-2, 5)))],
        "NAME": [correct({"subject": {"name": "样本改"}})],
        "FORMER": [correct({"subject": {"former_names": [plan.who.name + "乙"]}})],
        "DOCUMENTS": [correct({"subject": {"documents": [{"type": paper.type, "number": paper.number}]}})],
        "TERM": [correct({"term_until": day(dice.randrange(1, 30))})],
        "UNPUBLISH": [correct({"publishable": False})],
        "OBJECT": [event("OBJECT", kind="OBJECTION", filed_at=day(-1))],
    }  # fmt: skip
    if kind == "DOCUMENTS" and (plan.who.kind == "UNIT" or plan.who.birth_date):
        return  # these would need another kind of document, or a birth date that agrees
    yield from by_kind.get(kind) or [event(kind)]
