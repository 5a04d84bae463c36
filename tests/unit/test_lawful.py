"""What may be listed: the limits of law on an entry, its links and its grants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from restriction.calendar import Span
from restriction.entry import SUBJECT, Grant, Kind, Subject
from restriction.events import Status
from restriction.identity import DocumentType, Identity
from restriction.measures import Measure
from restriction.states import EventType
from tests.fakes.court import TODAY, company, day, entry, link, resident, unit_entry
from tests.unit.verdicts import entry_after, listing, refused, said

PASSPORT = Identity(DocumentType.PASSPORT, "UTOX1234567")
UNIT = Subject(Kind.UNIT, ("样本公司",), (company(),))
BORN_2008 = resident(5, "20080420")  # eighteen on the day of the decision
MINOR = resident(5, "20080421")  # eighteen a day after
LEAP = resident(6, "20080229")


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"risk_notice_on": day("2026-04-21")}, "entry.risk_notice_at", "AFTER_DECISION"),
        ({"ground": 2, "term": Span(day("2026-05-01"))}, "entry.term_until", "MISSING"),
        (
            {"ground": 6, "term": Span(day("2026-05-01"), day("2031-05-02"))},
            "entry.term_until",
            "LONGER_THAN_FIVE_YEARS",
        ),
        ({"term": Span(TODAY, TODAY)}, "entry.term_until", "NOT_AFTER_START"),
        ({"subject": Subject(Kind.PERSON, ("样本",), (MINOR,))}, "entry.subject", "UNDER_18"),
        ({"subject": Subject(Kind.PERSON, ("样本",), (PASSPORT,))}, "entry.subject.birth_date", "MISSING"),
        (
            {"subject": Subject(Kind.PERSON, ("样本",), (PASSPORT,), day("2010-01-01"))},
            "entry.subject",
            "UNDER_18",
        ),
        (
            {"subject": Subject(Kind.PERSON, ("样本",), (resident(1),), day("1980-01-02"))},
            "entry.subject.birth_date",
            "CONTRADICTS_DOCUMENT",
        ),
        ({"subject": replace(UNIT, birth_day=0)}, "entry.subject.birth_date", "NOT_APPLICABLE"),
        ({"subject": Subject(Kind.PERSON, ("样本",), ())}, "entry.subject.documents", "MISSING"),
        ({"subject": Subject(Kind.PERSON, ("样本",), (company(),))}, "entry.subject.documents[0].type", "WRONG_HOLDER"),
        ({"subject": replace(UNIT, documents=(resident(1),))}, "entry.subject.documents[0].type", "WRONG_HOLDER"),
        ({"subject": Subject(Kind.PERSON, ("样",) * 52, (resident(1),))}, "entry.subject.former_names", "TOO_MANY"),
        ({"subject": Subject(Kind.PERSON, ("样",), (resident(1),) * 51)}, "entry.subject.documents", "TOO_MANY"),
        ({"links": (link(),)}, "entry.links", "UNITS_ONLY"),
        ({"subject": UNIT, "links": (link(), link())}, "entry.links", "EXISTS"),
        ({"subject": UNIT, "links": (link(documents=(company(2),)),)}, "entry.links.documents[0].type", "WRONG_HOLDER"),
    ],
)
def test_an_unlawful_listing_is_refused(changes: dict[str, Any], field: str, reason: str) -> None:
    assert refused(listing(entry(**changes))) == (field, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"ground": 1, "term": Span(day("2026-05-01"))},
        {"ground": 6, "term": Span(day("2026-05-01"), day("2031-05-01"))},
        {"ground": 1, "term": Span(day("2026-05-01"), day("2040-05-01"))},
        {"risk_notice_on": day("2026-04-20")},
        {"subject": Subject(Kind.PERSON, ("样本",), (BORN_2008,))},
        {"subject": Subject(Kind.PERSON, ("样本",), (PASSPORT,), day("1990-01-01"))},
        {"subject": Subject(Kind.PERSON, ("样本",), (resident(1, "19700101"),))},
    ],
    ids=["open", "five years", "ground 1 is longer", "notice on the day", "eighteen", "stated birth date", "day zero"],
)
def test_the_lawful_limit_itself_is_accepted(changes: dict[str, Any]) -> None:
    assert listing(entry(**changes)).status is Status.ACCEPTED


@pytest.mark.parametrize(("decided", "minor"), [("2026-02-28", True), ("2026-03-01", False)])
def test_a_birthday_on_the_leap_day_counts_from_the_first_of_march(decided: str, minor: bool) -> None:
    born_on_leap_day = Subject(Kind.PERSON, ("样本",), (LEAP,))
    verdict = listing(entry(subject=born_on_leap_day, decided_on=day(decided), risk_notice_on=day("2026-02-01")))

    assert (verdict.reason == "UNDER_18") is minor


def test_a_minor_link_falls_away_alone() -> None:
    minor = link("l2", documents=(MINOR,))
    grant = Grant("g1", Measure.AIR, minor.holder, Span(day("2026-05-01")))
    verdict = listing(unit_entry(links=(link(), minor), grants=(grant,)))

    assert (verdict.status, verdict.field, verdict.reason) == (Status.ACCEPTED, "entry.links", "UNDER_18_LEFT_OUT")
    assert [kept.link_id for kept in entry_after(verdict).links] == ["l1"]
    assert entry_after(verdict).grants == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"link_id": "l1"}, "EXISTS"),
        ({"documents": (MINOR,)}, "UNDER_18"),
        ({"documents": (company(3),)}, "WRONG_HOLDER"),
        ({"documents": ()}, "MISSING"),
    ],
)
def test_an_unlawful_link_is_not_added(changes: dict[str, Any], reason: str) -> None:
    assert refused(said(EventType.LINK_ADD, link(**{"link_id": "l2"} | changes)))[1] == reason


@pytest.mark.parametrize(
    ("measure", "holder", "kind"),
    [
        (Measure.PROP_DEV, "link:l1", Kind.UNIT),
        (Measure.STATE_EQ, "link:l1", Kind.UNIT),
        (Measure.RESORT_CAP, "link:l1", Kind.UNIT),
        *((measure, SUBJECT, Kind.UNIT) for measure in (Measure.RAIL, Measure.AIR, Measure.LODGE, Measure.TOUR_OUT)),
        (Measure.RESORT_CAP, SUBJECT, Kind.UNIT),
        (Measure.EDU, SUBJECT, Kind.UNIT),
    ],
)
def test_a_grant_outside_the_register_is_refused(measure: Measure, holder: str, kind: Kind) -> None:
    of = unit_entry() if kind is Kind.UNIT else entry()
    verdict = listing(replace(of, grants=(Grant("g1", measure, holder, Span(day("2026-05-01"))),)))

    assert refused(verdict) == ("entry.grants[0].measure", "OUTSIDE_REGISTER")


@pytest.mark.parametrize(
    ("grants", "field", "reason"),
    [
        (("g1", "g1"), "entry.grants", "EXISTS"),
        (tuple(f"g{i}" for i in range(51)), "entry.grants", "TOO_MANY"),
    ],
)
def test_grants_have_ids_of_their_own_and_an_end_in_number(grants: tuple[str, ...], field: str, reason: str) -> None:
    written = tuple(Grant(grant_id, Measure.AIR, SUBJECT, Span(day("2026-05-01"))) for grant_id in grants)

    assert refused(listing(entry(grants=written))) == (field, reason)


def test_a_grant_names_a_holder_of_its_entry() -> None:
    grant = Grant("g1", Measure.AIR, "link:l9", Span(day("2026-05-01")))

    assert refused(listing(unit_entry(grants=(grant,)))) == ("entry.grants[0].holder", "UNKNOWN_HOLDER")
