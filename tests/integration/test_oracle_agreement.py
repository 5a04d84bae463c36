"""From intake lines to decisions, through the book and the records as they are stored, against the oracle.

The lists are disordered on purpose: every kind of event, early, late, twice and out of turn.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from publisher.book import Book
from restriction.calendar import day_from_date, day_of
from restriction.decision import Circumstances, Decision, Match, Sale, decide
from restriction.events import Status
from restriction.identity import Document, DocumentType, Mode, normalise
from restriction.measures import Sector
from restriction.name import canonical_name
from restriction.parameters import Parameters
from restriction.record import Record
from sandbox import identities
from sandbox.generator import Plan, Sample
from sandbox.identities import Question
from sandbox.questions import questions
from tests.fakes.books import EMPTY, listed, publish, sqlite_url, submit
from tests.fakes.court import KEYS
from tests.fakes.disorder import disordered_events, disordered_list
from tests.fakes.product_reader import read_product
from tests.oracle.judge import Judge, Verdict
from tests.oracle.plain_list import SHANGHAI, PlainList

TODAY = dt.date(2026, 5, 5)
NOON = dt.datetime(2026, 5, 5, 12, tzinfo=SHANGHAI)
PARAMETERS_TEXT = Path(identities.__file__).with_name("parameters.yaml").read_text(encoding="utf-8")
PARAMETERS = Parameters.parse(PARAMETERS_TEXT)
QUESTIONS = 1_500


def decided(asked: Question, records: Mapping[bytes, Record], now: dt.datetime) -> Decision:
    """What the product's own parts make of a question, without a gateway around them."""
    document = Document(DocumentType[asked.document_type], asked.number, asked.issuing_country)
    identity = normalise(document, Mode.SANDBOX, day_of(now.timestamp()))
    day = day_from_date(asked.service_date) if asked.service_date else None
    record = records.get(KEYS.token(identity))
    match = Match(record, KEYS.name(canonical_name(asked.name)), identity.weak) if record else None
    circumstances = Circumstances(now.timestamp(), Sector(asked.sector), PARAMETERS, 0)
    fields = {name.removesuffix("_fen"): value for name, value in asked.fields.items()}
    return decide(match, Sale(read_product(asked.product, fields), day), circumstances)


def agrees(decision: Decision, verdict: Verdict) -> bool:
    reason = decision.reason.name if decision.reason else None
    said = (decision.outcome.name, decision.cap_fen)
    return said == (verdict.outcome, verdict.cap_fen) and (reason in verdict.reasons if verdict.reasons else not reason)


def asked_about(of: Sample, seed: int) -> Iterator[Question]:
    """Random questions, and some about listed people under the names that corrections gave them."""
    names = itertools.cycle(["样本改", "乙", ""])
    for index, (question, name) in enumerate(
        zip(itertools.islice(questions(of, seed), QUESTIONS), names, strict=False)
    ):
        yield question
        who = Plan(of.seed, index % of.subjects).who
        if who.kind == "PERSON":
            paper, called = who.papers[0], name if name == "样本改" else who.name + name
            yield replace(
                question, document_type=paper.type, number=paper.number, issuing_country=paper.country, name=called
            )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_line_and_every_answer_is_the_oracles(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable disorder, not secrets
    sample = Sample(seed, 400, TODAY)
    book, plain = Book.create(sqlite_url(tmp_path), EMPTY), PlainList()
    batches = [disordered_list(sample, dice), *(disordered_events(sample, dice, 250, f"b{n}") for n in range(3))]
    kinds: Counter[tuple[str, str]] = Counter()
    for number, lines in enumerate(batches):
        now = NOON + dt.timedelta(minutes=number)
        rows = submit(book, [line.encode() for line in lines], f"batch-{number}", now.timestamp())
        verdicts = plain.apply(lines, now)
        differing = [
            (line, row.status.value, row.reason, verdict)
            for line, row, verdict in zip(lines, rows, verdicts, strict=True)
            if row.status.value != verdict
        ]
        assert not differing
        kinds.update((json.loads(line)["type"], verdict) for line, verdict in zip(lines, verdicts, strict=True))
    publish(book)
    records, judge = listed(book), Judge(plain, yaml.safe_load(PARAMETERS_TEXT)["values"])
    book.close()
    seen: Counter[str] = Counter()
    for days in (0, 1, 8, 25):
        now = NOON + dt.timedelta(days=days, hours=1)
        for asked in asked_about(sample, seed):
            if asked.service_date and asked.service_date < now.date():
                continue
            verdict = judge.judge(asked, now)
            decision = decided(asked, records, now)
            assert agrees(decision, verdict), (asked, asked.name, decision, verdict, days)
            seen[verdict.outcome] += 1
    assert min(seen[outcome] for outcome in ("RESTRICTED", "CAPPED", "UNDETERMINED", "NOT_RESTRICTED")) > 10
    assert {verdict for _, verdict in kinds} == {status.value for status in Status}
