"""The list in plain form: every entry with its names and numbers, and what each intake event made of it.

One `apply` is one submitted batch. Every line counts as one step, and any earlier step can still be looked at, so a
question can be judged against the list as it was after k lines.
The state of an entry changes here by events only; what the clock does to it is asked of `Entry.live`.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.oracle.documents import Key, birth_date, key_of, plain_name

EVERYTHING = (
    "RAIL", "AIR", "LODGE", "VENUE", "TOUR_OUT", "RESORT_CAP", "EDU", "INS", "BUILD", "VEHICLE", "PROP_ACQ",
    "PROP_DEV", "STATE_EQ",
)  # fmt: skip
PERSONS_ONLY = ("RAIL", "AIR", "LODGE", "TOUR_OUT", "RESORT_CAP", "EDU")
DEBTOR_ONLY = ("RESORT_CAP", "PROP_DEV", "STATE_EQ")
URGENT = ("ILLNESS", "FUNERAL", "OFFICIAL_DUTY", "EXAM", "FOREIGN_AFFAIRS")
WAITS_FOR_LIST = ("EXEMPT", "END_EXEMPT", "LINK_END", "SUSPEND")
OVER = ("LIFTED", "REVOKED", "TOMBSTONE", "PURGED", "EXPIRED")
FULL_AGE_YEARS = 18
LONGEST_TERM_YEARS = 5
SHANGHAI = dt.timezone(dt.timedelta(hours=8))
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grant:
    """One measure for one holder between two dates."""

    measure: str
    holder: str
    start: dt.date
    until: dt.date | None
    explicit: bool


@dataclass(frozen=True, slots=True)
class Release:
    """An exemption: measures released for one holder between two dates."""

    name: str
    holder: str
    measures: tuple[str, ...]
    start: dt.date
    until: dt.date


@dataclass(frozen=True, slots=True)
class Holder:
    """The debtor (`subject`) or one linked person (`link:<id>`). `weak`: keys known from 15 digits only."""

    label: str
    kind: str  # PERSON or UNIT
    names: tuple[str, ...]  # the present one first
    keys: frozenset[Key]
    weak: frozenset[Key]
    start: dt.date
    until: dt.date | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One court decision as it stands after some step."""

    entry_id: str
    court: str
    state: str  # LISTED, SUSPENDED, LIFTED, RETAINED, REVOKED, TOMBSTONE or PURGED
    starts: dt.datetime | None = None
    start: dt.date = dt.date.min
    until: dt.date | None = None
    decided: dt.date = dt.date.min
    version: int = 0
    holders: tuple[Holder, ...] = ()
    grants: tuple[Grant, ...] = ()
    releases: tuple[Release, ...] = ()
    retained: frozenset[str] = frozenset()  # measures that stay, and have stayed since the first lift
    retained_until: dt.date | None = None

    @property
    def reach(self) -> dt.date | None:
        """The first day that it no longer reaches: of its retention, or else of its term."""
        return self.retained_until if self.state == "RETAINED" else self.until

    def live(self, now: dt.datetime) -> bool:
        """Whether the entry restricts anybody at this instant."""
        if self.state == "RETAINED":
            return self.retained_until is not None and now.date() < self.retained_until
        if self.state != "LISTED" or self.starts is None or now < self.starts:
            return False
        return self.until is None or now.date() < self.until

    def expired(self, now: dt.datetime) -> bool:
        """Whether its term is over at this instant."""
        return self.state in ("LISTED", "SUSPENDED") and self.until is not None and now.date() >= self.until


@dataclass(slots=True)
class PlainList:
    """Every entry ever seen, step by step. `verdicts` says of each line what became of it."""

    verdicts: list[str] = field(default_factory=list)
    _history: dict[str, list[tuple[int, Entry]]] = field(default_factory=dict)
    _by_key: dict[Key, list[str]] = field(default_factory=dict)
    _events: dict[str, Line] = field(default_factory=dict)
    _waiting: dict[str, list[Line]] = field(default_factory=dict)
    _changes: int = 0

    @property
    def step(self) -> int:
        """How many lines have been taken in."""
        return len(self.verdicts)

    def apply(self, lines: Iterable[str | bytes], now: dt.datetime) -> list[str]:
        """Take in one batch at this instant.

        Says of each line: accepted, duplicate, overtaken, held, rejected or quarantined. A RETAIN that comes before the
        LIFT of its batch takes effect after it.
        """
        now = now.astimezone(SHANGHAI)
        events: list[Line] = [json.loads(text) for text in lines]
        last_lift = {event["entry_id"]: place for place, event in enumerate(events) if event["type"] == "LIFT"}
        said: dict[int, str] = {}
        early: dict[str, list[int]] = {}
        lifted: set[str] = set()
        for place, event in enumerate(events):
            if (
                event["type"] == "RETAIN"
                and self._too_early(event, lifted)
                and last_lift.get(event["entry_id"], -1) > place
            ):
                early.setdefault(event["entry_id"], []).append(place)
                continue
            said[place] = self._take(event, now, lifted)
            if event["type"] == "LIFT":
                for waiting in early.pop(event["entry_id"], []):
                    said[waiting] = self._take(events[waiting], now, lifted)
        return [said[place] for place in sorted(said)]

    def _too_early(self, event: Line, lifted: set[str]) -> bool:
        entry = self.entry(event["entry_id"])
        return entry is None or (entry.state != "RETAINED" and entry.entry_id not in lifted)

    def entry(self, entry_id: str, step: int | None = None) -> Entry | None:
        """The entry as it stood after `step` lines (None: all of them)."""
        found = None
        for at, entry in self._history.get(entry_id, ()):
            if step is None or at < step:
                found = entry
        return found

    def holdings(self, key: Key, step: int | None = None) -> Iterator[tuple[Entry, Holder]]:
        """Every entry and holder with this document after `step` lines."""
        for entry_id in self._by_key.get(key, ()):
            entry = self.entry(entry_id, step)
            for holder in entry.holders if entry else ():
                if entry and key in holder.keys:
                    yield entry, holder

    def _take(self, line: Line, now: dt.datetime, lifted: set[str]) -> str:
        known = self._events.get(line["event_id"])
        changes = self._changes
        verdict = self._judged(line, now, lifted) if known is None else "duplicate" if known == line else "rejected"
        # What had no effect at all may be sent again: it is then judged by what has changed meanwhile.
        if known is None and (verdict in ("accepted", "held", "overtaken") or self._changes > changes):
            self._events[line["event_id"]] = line
        self.verdicts.append(verdict)
        return verdict

    def _judged(self, line: Line, now: dt.datetime, lifted: set[str]) -> str:
        releases = line["type"] in ("EXEMPT", "LINK_END", "SUSPEND", "LIFT", "REVOKE")
        latest = now + dt.timedelta(minutes=1) if releases else now
        if line["type"] != "LIST" and _instant(line["effective_at"]) > latest:
            return "quarantined"
        if line["type"] == "LIST":
            return self._list(line, now)
        return self._change(line, now, lifted)

    def _list(self, line: Line, now: dt.datetime) -> str:
        raw = line["entry"]
        known = self.entry(raw["entry_id"])
        if known is not None:
            return "overtaken" if known.state in ("TOMBSTONE", "PURGED") else "rejected"
        if _refusal(raw, line, now):
            return "rejected"
        if raw["publishable"]:
            self._keep(_entry_of(raw, line))
            for waiting in self._waiting.pop(raw["entry_id"], []):
                self._change(waiting, now, set())
        return "accepted"

    def _change(self, line: Line, now: dt.datetime, lifted: set[str]) -> str:
        kind, entry_id = line["type"], line["entry_id"]
        entry = self.entry(entry_id)
        if entry is None:
            if kind in ("LIFT", "REVOKE"):
                self._keep(Entry(entry_id, line["issuer"], "TOMBSTONE"))
                return "accepted"
            if kind in WAITS_FOR_LIST:
                self._waiting.setdefault(entry_id, []).append(line)
                return "held"
            return "rejected"
        if kind in ("LIFT", "REVOKE", "PURGE"):
            return self._end(entry, line, now, lifted)
        if kind == "RETAIN":
            return self._retain(entry, line, lifted)
        if entry.state in OVER or entry.expired(now):
            return "rejected"
        if entry.state == "RETAINED" and kind not in ("CORRECT", "EXEMPT", "END_EXEMPT", "LINK_END"):
            return "rejected"
        if kind == "SUSPEND":
            self._keep(replace(entry, state="SUSPENDED"))
            return "accepted"
        if kind == "RESUME":
            if entry.state != "SUSPENDED":
                return "rejected"
            self._keep(replace(entry, state="LISTED"))
            return "accepted"
        if kind == "OBJECT":
            return "accepted"
        if kind == "CORRECT":
            return self._correct(entry, line)
        if kind in ("EXEMPT", "END_EXEMPT"):
            return self._exempt(entry, line, now)
        return self._relink(entry, line)

    def _end(self, entry: Entry, line: Line, now: dt.datetime, lifted: set[str]) -> str:
        if entry.state in ("TOMBSTONE", "PURGED") and line["type"] != "PURGE":
            return "accepted"
        if not entry.court.startswith(line["issuer"]):
            return "rejected"
        over = entry.state in OVER or entry.expired(now)
        if line["type"] == "PURGE":
            if not over:
                return "rejected"
            self._keep(replace(entry, state="PURGED", holders=()))
        elif line["type"] == "REVOKE":
            self._keep(replace(entry, state="REVOKED"))
        elif not over:
            self._keep(replace(entry, state="LIFTED"))
            lifted.add(entry.entry_id)
        return "accepted"

    def _retain(self, entry: Entry, line: Line, lifted: set[str]) -> str:
        if entry.state != "RETAINED" and (entry.state != "LIFTED" or entry.entry_id not in lifted):
            return "rejected"
        until = _date(line["until"])
        granted = {grant.measure for grant in entry.grants if grant.holder == "subject"}
        kept = granted & set(line["measures"])
        if entry.retained_until is not None and (until > entry.retained_until or kept - entry.retained):
            return "rejected"
        self._keep(replace(entry, state="RETAINED", retained=frozenset(kept), retained_until=until))
        return "accepted"

    def _correct(self, entry: Entry, line: Line) -> str:
        changes = line["changes"]
        if changes.get("publishable") is False:
            self._keep(replace(entry, state="LIFTED"))
            return "accepted"
        if line["version"] <= entry.version:
            return "rejected"
        subject, others = entry.holders[0], entry.holders[1:]
        if "subject" in changes:
            given = changes["subject"]
            present = plain_name(given["name"]) if "name" in given else subject.names[0]
            former = subject.names[1:]
            if "former_names" in given:
                former = tuple(plain_name(name) for name in given["former_names"])
            subject = replace(subject, names=(present, *former))
            if "documents" in given:
                keys, weak = _keys(given["documents"])
                if not keys:
                    return "rejected"
                subject = replace(subject, keys=keys, weak=weak)
        until = entry.until
        if changes.get("term_until"):
            until = _date(changes["term_until"])
            if until <= entry.start or (entry.until is not None and until > entry.until):
                return "rejected"
        self._keep(replace(entry, version=line["version"], holders=(subject, *others), until=until))
        return "accepted"

    def _exempt(self, entry: Entry, line: Line, now: dt.datetime) -> str:
        if line["type"] == "END_EXEMPT":
            if not any(release.name == line["exemption_id"] for release in entry.releases):
                return "rejected"
            cut = tuple(
                replace(r, until=min(r.until, now.date())) if r.name == line["exemption_id"] else r
                for r in entry.releases
            )
            self._keep(replace(entry, releases=cut))
            return "accepted"
        given = line["exemption"]
        if not any(holder.label == given["holder"] for holder in entry.holders):
            return "rejected"
        measures, start, until = tuple(given["measures"]), _date(given["from"]), _date(given["until"])
        if given["reason_code"] == "PRIVATE_FUNDS" and given["holder"] == "subject":
            return "quarantined"
        verdict = "accepted"
        if any(release.name == given["id"] for release in entry.releases):
            return "rejected"  # END_EXEMPT could not say which of the two it means
        if given["reason_code"] in URGENT:
            lawful = tuple(m for m in measures if m in ("AIR", "RAIL"))
            if lawful != measures or until > _month_later(start):
                verdict = "quarantined"
            measures, until = lawful, min(until, _month_later(start))
        if measures:
            release = Release(given["id"], given["holder"], measures, start, until)
            self._keep(replace(entry, releases=(*entry.releases, release)))
        return verdict

    def _relink(self, entry: Entry, line: Line) -> str:
        if line["type"] == "LINK_ADD":
            if entry.holders[0].kind != "UNIT":
                return "rejected"
            link = _link_of(line["link"], entry.decided)
            if link is None or any(holder.label == link.label for holder in entry.holders):
                return "rejected"
            grants = (*entry.grants, *_default(link.label, link.kind, entry.start))
            self._keep(replace(entry, holders=(*entry.holders, link), grants=grants))
            return "accepted"
        label = f"link:{line['link_id']}"
        if not any(holder.label == label for holder in entry.holders):
            return "rejected"
        until = _date(line["until"])
        holders = tuple(replace(h, until=_earlier(h.until, until)) if h.label == label else h for h in entry.holders)
        self._keep(replace(entry, holders=holders))
        return "accepted"

    def _keep(self, entry: Entry) -> None:
        self._changes += 1
        self._history.setdefault(entry.entry_id, []).append((self.step, entry))
        for holder in entry.holders:
            for key in holder.keys:
                seen = self._by_key.setdefault(key, [])
                if entry.entry_id not in seen:
                    seen.append(entry.entry_id)


def _refusal(raw: Line, line: Line, now: dt.datetime) -> bool:
    subject, decided = raw["subject"], _date(raw["decided_at"])
    births = [birth_date(document["type"], document["number"]) for document in subject["documents"]]
    if subject["kind"] == "PERSON" and not subject.get("birth_date") and not any(births):
        return True
    if raw["term_until"] and _date(raw["term_until"]) <= max(now.date(), _date(raw["term_from"])):
        return True
    keys, _ = _keys(subject["documents"])
    if not keys or "*" in subject["name"]:
        return True
    if _under_age(subject["documents"], subject.get("birth_date"), decided):
        return True
    if _date(raw["risk_notice_at"]) > decided or not raw["court"].startswith(line["issuer"]):
        return True
    if subject["kind"] == "PERSON" and raw["links"]:
        return True
    start, until = _date(raw["term_from"]), raw["term_until"]
    if raw["ground"] != 1 and (until is None or _date(until) > _years_later(start, LONGEST_TERM_YEARS)):
        return True
    return any(not _grantable(grant, subject["kind"]) for grant in raw.get("grants") or ())


def _grantable(grant: Line, kind: str) -> bool:
    if grant["holder"] == "subject":
        return not (kind == "UNIT" and grant["measure"] in PERSONS_ONLY)
    return grant["measure"] not in DEBTOR_ONLY


def _entry_of(raw: Line, line: Line) -> Entry:
    decided, start = _date(raw["decided_at"]), _date(raw["term_from"])
    until = _date(raw["term_until"]) if raw["term_until"] else None
    keys, weak = _keys(raw["subject"]["documents"])
    names = tuple(plain_name(n) for n in [raw["subject"]["name"], *raw["subject"].get("former_names", [])])
    subject = Holder("subject", raw["subject"]["kind"], names, keys, weak, start, None)
    links = [_link_of(link, decided) for link in raw["links"]]
    holders = (subject, *(link for link in links if link))
    starts = max(_instant(line["effective_at"]), _midnight(start), _midnight(_date(raw["served_at"])))
    entry = Entry(raw["entry_id"], raw["court"], "LISTED", starts, start, until, decided, raw["version"], holders)
    grants: list[Grant] = []
    for holder in holders:
        written = [_grant_of(grant) for grant in raw.get("grants") or () if grant["holder"] == holder.label]
        grants += written or _default(holder.label, holder.kind, entry.start)
    return replace(entry, grants=tuple(grants))


def _grant_of(raw: Line) -> Grant:
    until = _date(raw["until"]) if raw["until"] else None
    return Grant(raw["measure"], raw["holder"], _date(raw["from"]), until, bool(raw.get("explicit")))


@functools.lru_cache(maxsize=1 << 14)
def _default(label: str, kind: str, start: dt.date) -> tuple[Grant, ...]:
    measures = list(EVERYTHING)
    if label != "subject":
        measures = [m for m in measures if m not in DEBTOR_ONLY and m != "VEHICLE"]
    elif kind == "UNIT":
        measures = [m for m in measures if m not in PERSONS_ONLY]
    return tuple(Grant(m, label, start, None, explicit=False) for m in measures)


def _link_of(link: Line, decided: dt.date) -> Holder | None:
    keys, weak = _keys(link["documents"])
    if not keys or _under_age(link["documents"], None, decided):
        return None
    until = _date(link["until"]) if link["until"] else None
    label = f"link:{link['link_id']}"
    return Holder(label, "PERSON", (plain_name(link["name"]),), keys, weak, _date(link["from"]), until)


def _keys(documents: list[Line]) -> tuple[frozenset[Key], frozenset[Key]]:
    strong: set[Key] = set()
    weak: set[Key] = set()
    for document in documents:
        key = key_of(document["type"], document["number"], document.get("issuing_country") or "")
        if key is None:
            return frozenset(), frozenset()
        (weak if document["type"] == "RESIDENT_ID_15" else strong).add(key)
    return frozenset(strong | weak), frozenset(weak - strong)


def _under_age(documents: list[Line], stated: str | None, decided: dt.date) -> bool:
    births = [birth_date(document["type"], document["number"]) for document in documents]
    births.append(_date(stated) if stated else None)
    return any(birth and _years_later(birth, FULL_AGE_YEARS) > decided for birth in births)


@functools.lru_cache(maxsize=1 << 14)
def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@functools.lru_cache(maxsize=1 << 14)
def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(SHANGHAI)


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), SHANGHAI)


def _earlier(one: dt.date | None, other: dt.date) -> dt.date:
    return other if one is None else min(one, other)


def _years_later(date: dt.date, years: int) -> dt.date:
    try:
        return date.replace(year=date.year + years)
    except ValueError:  # 29 February
        return date.replace(year=date.year + years, month=3, day=1)


def _month_later(date: dt.date) -> dt.date:
    year, month = (date.year + 1, 1) if date.month == 12 else (date.year, date.month + 1)
    for day in range(date.day, 0, -1):
        try:
            return dt.date(year, month, day)
        except ValueError:
            continue
    raise AssertionError(date)
