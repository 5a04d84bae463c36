"""Sample lists and sample days as intake lines, streamed, from a seed.

The same seed, size and day give the same lines on every machine.
A list holds what a court's list holds: persons and units, links, several documents and names, terms that are open, that
run, that are still to begin and that end within days, exemptions, suspensions, lifts and retained measures.
`list_lines` writes the list as it stands in the morning of `today`; `day_lines` the events of that day or a later one.
"""

from __future__ import annotations

import bisect
import datetime as dt
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.documents import Paper
from sandbox.sample import Dice, Linked, subject

COURTS: Final = (
    "4408", "440802", "440803", "440804", "440811", "440823", "440825", "440881", "440882", "440883", "440891",
)  # fmt: skip
MEASURES: Final = (
    "RAIL", "AIR", "LODGE", "VENUE", "TOUR_OUT", "RESORT_CAP", "EDU", "INS", "BUILD", "VEHICLE", "PROP_ACQ",
    "PROP_DEV", "STATE_EQ",
)  # fmt: skip
UNIT_MEASURES: Final = ("VENUE", "INS", "BUILD", "VEHICLE", "PROP_ACQ", "PROP_DEV", "STATE_EQ")
LINK_MEASURES: Final = ("RAIL", "AIR", "LODGE", "VENUE", "TOUR_OUT", "EDU", "INS", "BUILD", "VEHICLE", "PROP_ACQ")
FEW_MEASURES: Final = ("RAIL", "AIR", "LODGE")
# Of 10 million subjects, on a mean day; the first two are measured, the others are a guess of their order.
DAILY_PER_10_MILLION: Final = {
    "LIST": 6_400, "LIFT": 7_300, "EXEMPT": 900, "CORRECT": 400, "LINK_END": 300, "SUSPEND": 200,
}  # fmt: skip
_SCALE: Final = 10**7
_LISTING_BASIS: Final = "法释〔2017〕7号 art. 1"
_LIFT_BASIS: Final = "法释〔2017〕7号 art. 10"
_EXEMPT_BASIS: Final = "法发〔2019〕35号 17"
_STAY_BASIS: Final = "法释〔2015〕17号"
_TERM_DAYS: Final = 730  # two years, the usual term of grounds 2 to 6
_SECOND_ENTRY_EVERY: Final = 50
_PER_MILLE: Final = 1000
_FATES: Final = ("PENDING", "SUSPENDED", "EXEMPT", "LIFTED", "RETAINED", "ENDING", "ACTIVE")
_FATE_BOUNDS: Final = (20, 40, 70, 90, 100, 105)  # upper bounds of all but the last, of 1,000 subjects
_PER_CENT: Final = 100
_OPEN_SHARE: Final = 70  # of 100: terms without an end
_WRITTEN_SHARE, _FEW_SHARE = 4, 6  # of 100: every grant written out and explicit; for persons, travel and lodging alone


@dataclass(frozen=True, slots=True)
class Sample:
    """A list of `subjects` debtors, as it stands in the morning of `today`."""

    seed: int
    subjects: int
    today: dt.date


class Plan:
    """What a list says of one subject: its entry's id and court, and its `fate`, one of `_FATES`."""

    __slots__ = ("court", "dice", "entry_id", "fate", "grants_share", "number", "who")

    def __init__(self, seed: int, index: int) -> None:
        self.number = index + 1
        self.who = subject(seed, index)
        self.entry_id = f"n-{seed}-{index}"
        self.dice = Dice(seed, "entry", index)
        self.court = self.dice.pick(COURTS)
        self.fate = _FATES[bisect.bisect(_FATE_BOUNDS, self.dice.below(_PER_MILLE))]
        self.grants_share = self.dice.below(_PER_CENT)


@dataclass(frozen=True, slots=True)
class _Dates:
    decided: int
    term_from: int
    term_until: int | None
    ground: int


def list_lines(sample: Sample) -> Iterator[str]:
    """The intake lines of the whole list, subject by subject; a RETAIN directly follows its LIFT."""
    for index in range(sample.subjects):
        yield from subject_lines(sample, index)


def subject_lines(sample: Sample, index: int) -> Iterator[str]:
    """The lines that make one subject what it is on the list."""
    plan, today = Plan(sample.seed, index), sample.today.toordinal()
    at = _at(today - 1, 10 * 60)
    yield _listing(plan, today)
    if plan.fate == "EXEMPT":
        yield _exempt_line(plan, at, today)
    elif plan.fate == "SUSPENDED":
        yield _event_line("SUSPEND", plan, at, _STAY_BASIS)
    elif plan.fate in ("LIFTED", "RETAINED"):
        yield _lift_line(plan, at, today)
    if plan.fate == "RETAINED":
        yield _event_line("RETAIN", plan, at, _STAY_BASIS, f',"measures":["AIR","LODGE"],"until":"{_iso(today + 200)}"')
    if index % _SECOND_ENTRY_EVERY == 0:
        plan.entry_id, plan.fate = plan.entry_id + "-b", "ACTIVE"
        yield _listing(plan, today)


def day_lines(sample: Sample, day: dt.date) -> Iterator[str]:
    """The events of one day in the order of their time: additions and lifts as many as a list of this size sees.

    A fifth of the additions comes from one court within one minute.
    No subject of the list is touched on two days, as long as the days together touch fewer than there are.
    """
    counts = {kind: -(-count * sample.subjects // _SCALE) for kind, count in DAILY_PER_10_MILLION.items()}
    nth = (day - sample.today).days
    lines: list[tuple[int, str]] = []
    for place in range(counts["LIST"]):
        minute = 14 * 60 if place % 5 == 0 else 9 * 60 + place * 480 // counts["LIST"]
        index = sample.subjects + nth * counts["LIST"] + place
        lines.append((minute, addition_line(sample.seed, index, day, minute)))
    touched = [kind for kind, count in counts.items() if kind != "LIST" for _ in range(count)]
    for place, kind in enumerate(touched):
        index = _scattered(nth * len(touched) + place, sample.subjects)
        minute = 9 * 60 + place * 480 // len(touched)
        line = _change(Plan(sample.seed, index), kind, day.toordinal(), minute)
        if line is not None:
            lines.append((minute, line))
    lines.sort(key=lambda timed: timed[0])
    return (line for _, line in lines)


def addition_line(seed: int, index: int, day: dt.date, minute: int) -> str:
    """The LIST line of one more subject, in force from this minute of the day."""
    ordinal = day.toordinal()
    return _list_line(Plan(seed, index), _Dates(ordinal - 5, ordinal, None, 1), _at(ordinal, minute))


def _change(plan: Plan, kind: str, ordinal: int, minute: int) -> str | None:
    who, at = plan.who, _at(ordinal, minute)
    if plan.fate != "ACTIVE" or (kind == "LINK_END" and not who.links) or (kind == "EXEMPT" and who.kind == "UNIT"):
        return None
    if kind == "LIFT":
        return _lift_line(plan, at, ordinal)
    if kind == "EXEMPT":
        return _exempt_line(plan, at, ordinal)
    if kind == "SUSPEND":
        return _event_line("SUSPEND", plan, at, _STAY_BASIS)
    if kind == "LINK_END":
        rest = f',"link_id":"{who.links[0].link_id}","until":"{_iso(ordinal)}"'
        return _event_line("LINK_END", plan, at, _LIFT_BASIS, rest)
    changes = {"subject": {"former_names": [*who.former_names, who.name + "甲"]}}
    rest = f',"version":2,"changes":{json.dumps(changes, ensure_ascii=False)}'
    return _event_line("CORRECT", plan, at, _LISTING_BASIS, rest)


def _event_line(kind: str, plan: Plan, at: str, basis: str, rest: str = "") -> str:
    """An event that needs no more than its entry; `rest` is more JSON, beginning with a comma."""
    return (
        f'{{"event_id":"{kind.lower()}-{plan.entry_id}","type":"{kind}","issued_at":"{at}","effective_at":"{at}",'
        f'"issuer":"{plan.court}","legal_basis":"{basis}","entry_id":"{plan.entry_id}"{rest}}}'
    )


def _lift_line(plan: Plan, at: str, ordinal: int) -> str:
    return _event_line("LIFT", plan, at, _LIFT_BASIS, f',"ground":"PERFORMED","ground_at":"{_iso(ordinal - 2)}"')


def _exempt_line(plan: Plan, at: str, ordinal: int) -> str:
    rest = (
        f',"exemption":{{"id":"x-{plan.entry_id}","holder":"subject","measures":["AIR","RAIL"],'
        f'"from":"{_iso(ordinal - 1)}","until":"{_iso(ordinal + 9)}","reason_code":"FUNERAL",'
        f'"approved_by":"{plan.court}"}}'
    )
    return _event_line("EXEMPT", plan, at, _EXEMPT_BASIS, rest)


def _listing(plan: Plan, today: int) -> str:
    dates = _dates(plan.dice, today, plan.fate)
    return _list_line(plan, dates, _at(min(dates.term_from, today - 1), 9 * 60))


def _dates(dice: Dice, today: int, fate: str) -> _Dates:
    if fate == "PENDING":
        return _Dates(today - 4, today + 1 + dice.below(20), None, 1)
    if fate == "ENDING":
        until = today + 1 + dice.below(20)
        return _Dates(until - _TERM_DAYS - 5, until - _TERM_DAYS, until, 2)
    if dice.below(_PER_CENT) < _OPEN_SHARE:
        decided = today - 6 - dice.below(1200)
        return _Dates(decided, decided + 5, None, 1)
    decided = today - 6 - dice.below(700)
    return _Dates(decided, decided + 5, decided + 5 + _TERM_DAYS, 2 + dice.below(5))


def _list_line(plan: Plan, dates: _Dates, at: str) -> str:
    who, court, entry_id, decided = plan.who, plan.court, plan.entry_id, _iso(dates.decided)
    case = f"({decided[:4]})粤{court[2:]}执{plan.number}号"
    former = ",".join(f'"{name}"' for name in who.former_names)
    born = f',"birth_date":"{who.birth_date}"' if who.birth_date else ""
    until = f'"{_iso(dates.term_until)}"' if dates.term_until else "null"
    links = ",".join([_link(link, dates.term_from) for link in who.links])
    return (
        f'{{"event_id":"list-{entry_id}","type":"LIST","issued_at":"{at}","effective_at":"{at}","issuer":"{court}",'
        f'"legal_basis":"{_LISTING_BASIS}","entry":{{"entry_id":"{entry_id}","version":1,"subject":{{'
        f'"kind":"{who.kind}","name":"{who.name}","former_names":[{former}],"documents":[{_papers(who.papers)}]{born}}},'
        f'"court":"{court}","case_no":"{case}","basis_doc_no":"({decided[:4]})粤{court[2:]}民终{plan.number}号",'
        f'"ground":{dates.ground},"decision_no":"{case}之一","decided_at":"{decided}",'
        f'"served_at":"{_iso(dates.decided + 2)}","risk_notice_at":"{_iso(dates.decided - 30)}",'
        f'"term_from":"{_iso(dates.term_from)}","term_until":{until},"publishable":true,'
        f'"links":[{links}],"grants":[{_grants(plan, dates.term_from)}]}}}}'
    )


def _papers(papers: tuple[Paper, ...]) -> str:
    return ",".join([_paper(paper) for paper in papers])


def _paper(paper: Paper) -> str:
    country = f',"issuing_country":"{paper.country}"' if paper.country else ""
    return f'{{"type":"{paper.type}","number":"{paper.number}"{country}}}'


def _link(link: Linked, start: int) -> str:
    return (
        f'{{"link_id":"{link.link_id}","role":"{link.role}","name":"{link.name}","documents":[{_paper(link.paper)}],'
        f'"from":"{_iso(start)}","until":null,"basis_no":"粤执联{link.link_id}"}}'
    )


def _grants(plan: Plan, start: int) -> str:
    """Mostly none are written, so that the register's apply; where any is, every holder's are."""
    if plan.grants_share >= _FEW_SHARE:
        return ""
    if plan.grants_share >= _WRITTEN_SHARE and plan.who.kind == "PERSON":
        return _written("subject", FEW_MEASURES, start)
    written = [_written("subject", UNIT_MEASURES if plan.who.kind == "UNIT" else MEASURES, start)]
    written += [_written(f"link:{link.link_id}", LINK_MEASURES, start) for link in plan.who.links]
    return ",".join(written)


@functools.lru_cache(maxsize=1 << 14)
def _written(holder: str, measures: tuple[str, ...], start: int) -> str:
    return ",".join(
        f'{{"grant_id":"{holder}-{measure}","measure":"{measure}","holder":"{holder}","from":"{_iso(start)}",'
        f'"until":null,"explicit":true}}'
        for measure in measures
    )


@functools.cache
def _iso(ordinal: int) -> str:
    return dt.date.fromordinal(ordinal).isoformat()


@functools.lru_cache(maxsize=1 << 14)
def _at(ordinal: int, minute: int) -> str:
    return f"{_iso(ordinal)}T{minute // 60:02}:{minute % 60:02}:00+08:00"


def _scattered(place: int, subjects: int) -> int:
    """A subject for every place, each once before any comes twice (a prime stride above any list's size)."""
    return place * 999_999_937 % subjects
