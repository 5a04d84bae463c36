"""The rules under the state table, one test each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from restriction.calendar import Span, start_of
from restriction.entry import SUBJECT, ExemptionReason, Grant, Kind, Objection, ObjectionKind, Subject
from restriction.events import Batch, EntryState, Status, Verdict, apply, state_at
from restriction.lawful import measures_in, months_after
from restriction.measures import Measure
from restriction.statements import Correction, EndExemption, LinkEnd, Narrowing, Retention
from restriction.states import EventType, Phase, State
from tests.fakes.court import (
    BATCH,
    LOWER_COURT,
    NOW,
    OTHER_COURT,
    TODAY,
    TRAVEL,
    UPPER_COURT,
    company,
    day,
    entry,
    event,
    exemption,
    held,
    instant,
    link,
    resident,
)
from tests.unit.verdicts import entry_after, listing, refused, said

LODGE = measures_in([Measure.LODGE])


# --- when an entry starts and ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effective_at", "term_from", "served_on", "starts_at"),
    [
        ("2026-05-15T09:30:00", "2026-05-01", "2026-04-22", "2026-05-15T09:30:00"),
        ("2026-05-15T09:30:00", "2026-05-16", "2026-04-22", "2026-05-16T00:00:00"),
        ("2026-05-15T09:30:00", "2026-05-01", "2026-05-18", "2026-05-18T00:00:00"),
    ],
    ids=["effective", "term", "served"],
)
def test_an_entry_starts_at_the_latest_of_three(
    effective_at: str, term_from: str, served_on: str, starts_at: str
) -> None:
    known = entry(term=Span(day(term_from), day("2027-05-01")), served_on=day(served_on))
    state = listing(known, effective_at=instant(effective_at)).state

    assert state_at(state, instant(starts_at) - 1) is State.PENDING
    assert state_at(state, instant(starts_at)) is State.ACTIVE


def test_a_term_that_ends_today_ends_in_the_persons_favour() -> None:
    ending = held(of=entry(term=Span(day("2026-05-01"), TODAY)))

    assert state_at(ending, start_of(TODAY) - 1) is State.ACTIVE
    assert state_at(ending, start_of(TODAY)) is State.EXPIRED


def test_an_entry_whose_term_is_over_is_not_listed() -> None:
    assert refused(listing(entry(term=Span(day("2026-05-01"), TODAY)))) == ("entry.term_until", "TERM_ENDED")


_FROM_A_CLOCK_AHEAD = ("EXEMPT", "LINK_END", "SUSPEND", "LIFT", "REVOKE")


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind is not EventType.LIST])
def test_a_future_event_is_quarantined(kind: EventType) -> None:
    ahead_s = 60 if kind in _FROM_A_CLOCK_AHEAD else 0

    verdict = said(kind, effective_at=int(NOW) + ahead_s + 1)

    assert verdict == Verdict(Status.QUARANTINED, None, "effective_at", "FUTURE")


@pytest.mark.parametrize("kind", _FROM_A_CLOCK_AHEAD)
def test_what_eases_takes_effect_at_once_though_the_court_s_clock_is_a_minute_ahead(kind: str) -> None:
    at_once, ahead = said(EventType(kind)), said(EventType(kind), effective_at=int(NOW) + 60)

    assert (ahead.status, ahead.state) == (at_once.status, at_once.state)
    assert ahead.reason != "FUTURE"


def test_an_event_takes_effect_at_its_own_second() -> None:
    assert said(EventType.LIFT, effective_at=int(NOW)).status is Status.ACCEPTED


# --- which court may speak -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [EventType.LIFT, EventType.REVOKE, EventType.EXEMPT, EventType.SUSPEND])
@pytest.mark.parametrize("issuer", [OTHER_COURT, LOWER_COURT, "440"], ids=["other", "below", "no court"])
def test_no_other_court_may_speak_about_an_entry(kind: EventType, issuer: str) -> None:
    batch = replace(BATCH, courts={"44", "4408", "4401", "440802"})

    verdict = apply(held(), event(kind, issuer=issuer), batch)

    assert refused(verdict) == ("issuer", "UNKNOWN_COURT" if issuer == "440" else "NO_AUTHORITY")


@pytest.mark.parametrize("kind", [EventType.LIFT, EventType.REVOKE])
def test_the_court_above_may_lift_and_revoke(kind: EventType) -> None:
    assert said(kind, issuer=UPPER_COURT).status is Status.ACCEPTED


def test_an_entry_names_a_court_of_the_directory() -> None:
    verdict = apply(None, event(EventType.LIST, entry(court=LOWER_COURT)), replace(BATCH, courts={"4408"}))

    assert refused(verdict) == ("entry.court", "UNKNOWN_COURT")


@pytest.mark.parametrize("kind", [EventType.LIFT, EventType.REVOKE])
def test_a_lift_before_the_listing_overtakes_it(kind: EventType) -> None:
    buried = apply(None, event(kind), BATCH)

    assert buried.status is Status.ACCEPTED
    assert apply(buried.state, event(EventType.LIST), BATCH) == Verdict(
        Status.OVERTAKEN, None, "entry_id", "ALREADY_TOMBSTONE"
    )


def test_a_strange_courts_lift_before_the_listing_clears_nobody_silently() -> None:
    buried = apply(None, event(EventType.LIFT, issuer=OTHER_COURT), BATCH).state
    purged = apply(buried, event(EventType.PURGE, issuer=OTHER_COURT), BATCH).state

    for state in (buried, purged):
        verdict = apply(state, event(EventType.LIST), BATCH)
        assert (verdict.status, verdict.reason) == (Status.QUARANTINED, "BURIED_BY_OTHER_COURT")


# --- corrections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (Correction(version=1), "version", "NOT_NEWER"),
        (Correction(version=2, term_until=day("2027-05-02")), "changes.term_until", "WIDER"),
        (Correction(version=2, term_from=day("2026-04-30")), "changes.term_from", "WIDER"),
        (Correction(version=2, served_on=day("2026-04-21")), "changes.served_at", "WIDER"),
        (Correction(version=2, links=(Narrowing("l1", start=day("2026-04-30")),)), "changes.links.from", "WIDER"),
        (Correction(version=2, links=(Narrowing("l9"),)), "changes.links", "UNKNOWN_ID"),
        (Correction(version=2, grants=(Narrowing("g9"),)), "changes.grants", "UNKNOWN_ID"),
        (Correction(version=2, risk_notice_on=day("2026-04-21")), "entry.risk_notice_at", "AFTER_DECISION"),
        (Correction(version=2, documents=(resident(9),)), "entry.subject.documents[0].type", "WRONG_HOLDER"),
    ],
)
def test_a_correction_that_widens_or_breaks_a_rule_is_refused(change: Correction, field: str, reason: str) -> None:
    assert refused(said(EventType.CORRECT, change)) == (field, reason)


def test_what_was_not_publishable_is_not_made_so_by_correction() -> None:
    secret = held(of=entry(publishable=False))

    assert refused(said(EventType.CORRECT, Correction(version=2, publishable=True), secret)) == (
        "changes.publishable",
        "WIDER",
    )


def test_a_correction_changes_names_documents_references_and_shortens_dates() -> None:
    change = Correction(
        version=3,
        name="样本新名",
        former_names=("样本公司",),
        documents=(company(2),),
        case_no="c",
        basis_doc_no="b",
        decision_no="d",
        served_on=day("2026-04-23"),
        risk_notice_on=day("2026-04-02"),
        term_from=day("2026-05-02"),
        term_until=day("2026-08-01"),
        links=(Narrowing("l1", name="样本更名", documents=(resident(8),), until=day("2026-07-01")),),
    )
    after = entry_after(said(EventType.CORRECT, change))

    assert after.subject == Subject(Kind.UNIT, ("样本新名", "样本公司"), (company(2),))
    assert (after.case_no, after.basis_doc_no, after.decision_no, after.version) == ("c", "b", "d", 3)
    assert (after.served_on, after.risk_notice_on) == (day("2026-04-23"), day("2026-04-02"))
    assert after.term == Span(day("2026-05-02"), day("2026-08-01"))
    assert after.links == (
        link(name="样本更名", documents=(resident(8),), span=Span(day("2026-05-01"), day("2026-07-01"))),
    )


def test_an_open_term_may_be_given_an_end_and_a_grant_a_shorter_one() -> None:
    grant = Grant("g1", Measure.AIR, SUBJECT, Span(day("2026-05-01")))
    known = held(of=entry(term=Span(day("2026-05-01")), grants=(grant,)))
    change = Correction(version=2, term_until=TODAY, grants=(Narrowing("g1", until=TODAY),))

    verdict = said(EventType.CORRECT, change, known)

    assert state_at(verdict.state, NOW) is State.EXPIRED
    assert entry_after(verdict).grants[0].span.until == TODAY


@pytest.mark.parametrize("before", [held(), held(Phase.SUSPENDED), held(starts_at=int(NOW) + 9)])
def test_an_entry_made_unpublishable_is_lifted(before: EntryState) -> None:
    verdict = said(EventType.CORRECT, Correction(version=2, publishable=False), before)

    assert state_at(verdict.state, NOW) is State.LIFTED


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_ends_on_its_day_and_never_later_than_it_did() -> None:
    ended = said(EventType.LINK_END, LinkEnd("l1", TODAY))

    assert entry_after(ended).links[0].span.until == TODAY
    assert refused(said(EventType.LINK_END, LinkEnd("l1", TODAY + 1), ended.state)) == ("until", "WIDER")
    assert refused(said(EventType.LINK_END, LinkEnd("l9", TODAY))) == ("link_id", "UNKNOWN_ID")


# --- exemptions ------------------------------------------------------------------------------------------------------

URGENT = [reason for reason in ExemptionReason if reason not in {"NECESSARY", "PRIVATE_FUNDS"}]
FROM = day("2026-05-20")


@pytest.mark.parametrize("reason", URGENT)
def test_urgent_travel_is_cut_to_travel_and_to_one_month(reason: ExemptionReason) -> None:
    wide = exemption(measures=TRAVEL | LODGE, span=Span(FROM, day("2026-06-21")), reason=reason)
    verdict = said(EventType.EXEMPT, wide)

    assert (verdict.status, verdict.field, verdict.reason) == (
        Status.QUARANTINED,
        "exemption.measures",
        "BEYOND_URGENT_TRAVEL",
    )
    assert entry_after(verdict).exemptions[-1] == replace(wide, measures=TRAVEL, span=Span(FROM, day("2026-06-20")))


def test_a_month_of_urgent_travel_is_lawful_and_a_day_more_is_not() -> None:
    month = exemption(span=Span(FROM, day("2026-06-20")))
    longer = exemption(span=Span(FROM, day("2026-06-21")))

    assert said(EventType.EXEMPT, month).status is Status.ACCEPTED
    assert said(EventType.EXEMPT, longer).field == "exemption.until"


def test_urgent_travel_without_any_travel_exempts_nothing() -> None:
    assert said(EventType.EXEMPT, exemption(measures=LODGE)) == Verdict(
        Status.QUARANTINED, None, "exemption.measures", "BEYOND_URGENT_TRAVEL"
    )


def test_a_necessary_exemption_has_no_such_limits() -> None:
    wide = exemption(measures=LODGE, span=Span(FROM, day("2027-01-01")), reason=ExemptionReason.NECESSARY)

    assert said(EventType.EXEMPT, wide).status is Status.ACCEPTED


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"holder": "link:l9"}, "exemption.holder", "UNKNOWN_HOLDER"),
        ({"exemption_id": "x-0"}, "exemption.id", "EXISTS"),
    ],
)
def test_an_unlawful_exemption_is_refused(changes: dict[str, Any], field: str, reason: str) -> None:
    assert refused(said(EventType.EXEMPT, exemption(**changes))) == (field, reason)


def test_private_funds_exempt_a_linked_person_and_never_the_debtor() -> None:
    debtors = said(EventType.EXEMPT, exemption(reason=ExemptionReason.PRIVATE_FUNDS))
    own = exemption(holder="link:l1", reason=ExemptionReason.PRIVATE_FUNDS, measures=LODGE)

    assert said(EventType.EXEMPT, own).status is Status.ACCEPTED
    assert debtors == Verdict(Status.QUARANTINED, None, "exemption.reason_code", "LINKS_ONLY")


def test_an_exemption_ends_today() -> None:
    known = held(of=entry(exemptions=(exemption(span=Span(day("2026-05-03"), day("2026-05-20"))),)))

    ended = said(EventType.END_EXEMPT, EndExemption("x-1"), known)

    assert entry_after(ended).exemptions[0].span == Span(day("2026-05-03"), TODAY)
    assert refused(said(EventType.END_EXEMPT, EndExemption("x-9"), known)) == ("exemption_id", "UNKNOWN_ID")


# --- objections ------------------------------------------------------------------------------------------------------


def test_an_objection_suspends_nothing_and_is_answered_by_the_same_filing() -> None:
    open_one = Objection(ObjectionKind.OBJECTION, day("2026-05-10"))
    answered = replace(open_one, outcome="DISMISSED")

    filed = said(EventType.OBJECT, open_one)
    closed = said(EventType.OBJECT, answered, filed.state)

    assert state_at(filed.state, NOW) is State.ACTIVE
    assert entry_after(closed).objections == (answered,)


# --- lifts and what stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ground_on", "note"), [(TODAY - 3, ""), (TODAY - 4, "LATE")], ids=["in time", "late"])
def test_a_lift_later_than_three_days_after_its_ground_is_told(ground_on: int, note: str) -> None:
    lift = said(EventType.LIFT, replace(event(EventType.LIFT).body, ground_on=ground_on))  # type: ignore[type-var]

    assert (lift.status, lift.reason) == (Status.ACCEPTED, note)


def test_what_is_retained_needs_its_lift_in_the_same_batch() -> None:
    lifted = said(EventType.LIFT, on=held(of=entry())).state
    kept = Retention(LODGE, day("2026-12-31"))

    together = apply(lifted, event(EventType.RETAIN, kept), BATCH)
    apart = apply(lifted, event(EventType.RETAIN, kept), Batch("batch-2", NOW))

    assert state_at(together.state, NOW) is State.RETAINED
    assert refused(apart) == ("type", "WITHOUT_ITS_LIFT")


def test_only_grants_that_the_subject_holds_are_retained() -> None:
    build = measures_in([Measure.BUILD])
    kept = apply(
        said(EventType.LIFT).state, event(EventType.RETAIN, Retention(build | LODGE, day("2026-12-31"))), BATCH
    )

    assert (kept.status, kept.reason) == (Status.ACCEPTED, "NOT_GRANTED_LEFT_OUT")
    assert kept.state is not None
    assert kept.state.retention == Retention(build, day("2026-12-31"))


def test_a_retention_ends_on_a_day_to_come() -> None:
    lifted = said(EventType.LIFT).state
    today = event(EventType.RETAIN, Retention(measures_in([Measure.BUILD]), TODAY))

    assert refused(apply(lifted, today, BATCH)) == ("until", "ENDED")


def test_a_retention_only_becomes_shorter_and_ends_by_the_clock() -> None:
    build, venue = measures_in([Measure.BUILD]), measures_in([Measure.VENUE])
    lifted = said(EventType.LIFT).state
    retained = apply(lifted, event(EventType.RETAIN, Retention(build, day("2026-12-31"))), BATCH).state
    later = replace(BATCH, batch_id="batch-2")

    def again(measures: int, until: str) -> Verdict:
        return apply(retained, event(EventType.RETAIN, Retention(measures, day(until))), later)

    assert refused(again(build, "2027-01-01")) == ("until", "WIDER")
    assert refused(again(build | venue, "2026-12-31")) == ("measures", "WIDER")
    assert again(build | LODGE, "2026-12-31").reason == "NOT_GRANTED_LEFT_OUT"
    assert again(build, "2026-12-30").status is Status.ACCEPTED
    assert state_at(retained, instant("2026-12-31T00:00:00") - 1) is State.RETAINED
    assert state_at(retained, instant("2026-12-31T00:00:00")) is State.LIFTED


def test_a_second_lift_brings_back_nothing_that_the_first_retention_left_out() -> None:
    build, venue = measures_in([Measure.BUILD]), measures_in([Measure.VENUE])
    retained = held(Phase.RETAINED, retention=Retention(build, day("2026-12-31")))
    lifted = said(EventType.LIFT, on=retained).state

    def again(measures: int, until: str) -> Verdict:
        return apply(lifted, event(EventType.RETAIN, Retention(measures, day(until))), BATCH)

    assert state_at(lifted, NOW) is State.LIFTED
    assert refused(again(build | venue, "2026-12-31")) == ("measures", "WIDER")
    assert refused(again(build, "2027-01-01")) == ("until", "WIDER")
    assert state_at(again(build, "2026-12-31").state, NOW) is State.RETAINED


def test_purging_leaves_nothing_of_the_entry() -> None:
    purged = said(EventType.PURGE, on=held(Phase.REVOKED)).state

    assert purged == EntryState(Phase.PURGED, None, "4408")


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [("2026-01-31", 1, "2026-02-28"), ("2028-02-29", 12, "2029-02-28"), ("2026-12-15", 1, "2027-01-15")],
)
def test_months_keep_the_day_or_end_with_the_month(start: str, months: int, end: str) -> None:
    assert months_after(day(start), months) == day(end)


def test_a_body_of_another_type_is_refused() -> None:
    assert refused(said(EventType.EXEMPT, LinkEnd("l1", TODAY))) == ("type", "WRONG_BODY")


def test_no_repr_tells_a_name_or_a_number() -> None:
    shown = repr((event(EventType.LIST), held(), link(), Correction(2, name="样本"), Narrowing("l1", name="样本")))

    assert "样本" not in shown
    assert resident(700).number not in shown
