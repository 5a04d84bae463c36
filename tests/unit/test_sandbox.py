"""The sandbox: documents nobody holds, lists that repeat, identities that answer as their table says."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from restriction.calendar import day_from_date
from restriction.errors import InvalidFieldError, SandboxOnlyError
from restriction.identity import Document, DocumentType, Mode, normalise
from restriction.parameters import Parameters
from sandbox import documents, identities
from sandbox.commands import sandbox
from sandbox.documents import Paper
from sandbox.generator import Sample, day_lines, list_lines
from sandbox.identities import IDENTITIES, Fixed
from sandbox.questions import questions
from tests.oracle.judge import Judge, Verdict
from tests.oracle.plain_list import SHANGHAI, PlainList

TODAY = dt.date(2026, 5, 5)
NOON = dt.datetime(2026, 5, 5, 12, tzinfo=SHANGHAI)
PARAMETERS_FILE = Path(identities.__file__).with_name("parameters.yaml")
PARAMETERS = yaml.safe_load(PARAMETERS_FILE.read_text(encoding="utf-8"))["values"]
MAKERS = (
    documents.resident, documents.resident_15, documents.residence_permit, documents.permanent_resident,
    documents.home_return_permit, documents.taiwan_permit, documents.passport, documents.organisation,
    documents.credit_code,
)  # fmt: skip
FAULTS = ("stale-list", "store-down", "ledger-down")
SAMPLE = Sample(7, 3_000, TODAY)


def document(paper: Paper) -> Document:
    return Document(DocumentType[paper.type], paper.number, paper.country)


@pytest.mark.parametrize("index", [0, 1, 999, 12_345_678])
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_documents_are_valid_in_the_sandbox_and_refused_outside(make: Callable[[int], Paper], index: int) -> None:
    paper = make(index)
    assert normalise(document(paper), Mode.SANDBOX, day_from_date(TODAY)).number
    with pytest.raises(SandboxOnlyError):
        normalise(document(paper), Mode.LIVE, day_from_date(TODAY))


@pytest.mark.parametrize(("stride", "space"), documents.PERMUTATIONS)
def test_stride_shares_no_factor_with_its_space(stride: int, space: int) -> None:
    assert math.gcd(stride, space) == 1


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_different_indexes_are_different_identities(make: Callable[[int], Paper]) -> None:
    found = {normalise(document(make(index)), Mode.SANDBOX, day_from_date(TODAY)) for index in range(2_000)}
    assert len(found) == 2_000


def test_credit_code_meets_the_organisation_code_of_the_same_index() -> None:
    today = day_from_date(TODAY)
    by_credit = normalise(document(documents.credit_code(5)), Mode.SANDBOX, today)
    assert by_credit == normalise(document(documents.organisation(5)), Mode.SANDBOX, today)


def test_same_seed_gives_the_same_list_and_another_seed_another() -> None:
    assert list(list_lines(SAMPLE)) == list(list_lines(SAMPLE))
    assert list(list_lines(SAMPLE)) != list(list_lines(Sample(8, 3_000, TODAY)))


def test_list_is_taken_in_whole_and_has_every_kind_of_entry() -> None:
    plain = PlainList()
    assert set(plain.apply(list_lines(SAMPLE), NOON)) == {"accepted"}
    events = [json.loads(line) for line in list_lines(SAMPLE)]
    assert set(Counter(event["type"] for event in events)) == {"LIST", "EXEMPT", "SUSPEND", "LIFT", "RETAIN"}
    entries = [event["entry"] for event in events if event["type"] == "LIST"]
    assert {entry["subject"]["kind"] for entry in entries} == {"PERSON", "UNIT"}
    for part in ("links", "grants", "term_until"):
        assert any(entry[part] for entry in entries)
        assert not all(entry[part] for entry in entries)


def test_days_after_the_list_are_taken_in_whole() -> None:
    plain, sample = PlainList(), Sample(7, 3_000, TODAY)
    plain.apply(list_lines(sample), NOON - dt.timedelta(hours=6))
    for after in range(5):
        evening = NOON + dt.timedelta(days=after, hours=11)
        assert set(plain.apply(day_lines(sample, TODAY + dt.timedelta(after)), evening)) == {"accepted"}


def test_a_day_is_scaled_to_the_list_and_ordered_in_time() -> None:
    events = [json.loads(line) for line in day_lines(Sample(7, 1_000_000, TODAY), TODAY)]
    kinds = Counter(event["type"] for event in events)
    assert kinds["LIST"] == 640
    assert 600 < kinds["LIFT"] <= 730
    assert events == sorted(events, key=lambda event: str(event["effective_at"]))
    minutes = Counter(event["effective_at"] for event in events if event["type"] == "LIST")
    assert max(minutes.values()) > 100


@pytest.fixture(scope="module")
def fixed_judge() -> Judge:
    plain = PlainList()
    assert set(plain.apply(identities.lines(TODAY), NOON)) == {"accepted"}
    return Judge(plain, PARAMETERS)


@pytest.mark.parametrize(
    "fixed", [f for f in IDENTITIES.values() if f.slug not in FAULTS], ids=lambda fixed: fixed.slug
)
def test_fixed_identity_answers_as_its_table_says(fixed: Fixed, fixed_judge: Judge) -> None:
    verdict = fixed_judge.judge(fixed.question(TODAY), NOON)
    outcome, _, reason = fixed.answer.partition(",")[0].partition(" ")
    assert verdict.outcome == outcome
    assert verdict.reasons == ({reason} if outcome == "UNDETERMINED" else set())


@pytest.mark.parametrize("slug", FAULTS)
def test_identity_of_a_fault_is_on_the_list_like_anybody(slug: str, fixed_judge: Judge) -> None:
    assert fixed_judge.judge(IDENTITIES[slug].question(TODAY), NOON) == Verdict("RESTRICTED")


def test_every_measure_and_every_reason_has_a_fixed_identity() -> None:
    answers = {
        fixed.answer.partition(" ")[2] for fixed in IDENTITIES.values() if fixed.answer.startswith("UNDETERMINED")
    }
    assert answers == {
        "PARAMETER_UNSET", "NECESSITY_CLAIMED", "FUNDS_UNCLEAR", "TEXT_UNCLEAR", "WEAK_DOCUMENT", "IDENTITY_MISMATCH",
        "STALE_LIST", "STORE_UNAVAILABLE", "LEDGER_UNAVAILABLE",
    }  # fmt: skip
    assert {f.measure for f in IDENTITIES.values() if f.answer in {"RESTRICTED", "CAPPED"}} == set(identities.SALES)


def test_wrong_check_digit_is_refused_for_that() -> None:
    paper = IDENTITIES["wrong-check-digit"].asked_paper
    assert paper is not None
    with pytest.raises(InvalidFieldError) as refused:
        normalise(document(paper), Mode.SANDBOX, day_from_date(TODAY))
    assert refused.value.problem == "CHECK_DIGIT"


def test_questions_reach_every_outcome_and_are_all_possible() -> None:
    plain = PlainList()
    plain.apply(list_lines(SAMPLE), NOON)
    judge = Judge(plain, PARAMETERS)
    seen = Counter(judge.judge(asked, NOON).outcome for asked in itertools.islice(questions(SAMPLE, 3), 3_000))
    assert set(seen) == {"NOT_RESTRICTED", "RESTRICTED", "CAPPED", "UNDETERMINED"}
    reasons = Counter(
        reason for asked in itertools.islice(questions(SAMPLE, 3), 3_000) for reason in judge.judge(asked, NOON).reasons
    )
    assert {"IDENTITY_MISMATCH", "WEAK_DOCUMENT", "TEXT_UNCLEAR", "FUNDS_UNCLEAR"} <= set(reasons)


def test_same_seed_asks_the_same_questions() -> None:
    assert list(itertools.islice(questions(SAMPLE, 3), 50)) == list(itertools.islice(questions(SAMPLE, 3), 50))


def test_sample_parameters_are_read() -> None:
    parameters = Parameters.parse(PARAMETERS_FILE.read_text(encoding="utf-8"))
    assert {4408, 44} <= set(parameters.courts)


def test_repr_of_a_question_tells_no_number_and_no_name() -> None:
    asked = IDENTITIES["lodge"].question(TODAY)
    assert asked.number not in repr(asked)
    assert asked.name not in repr(asked)


def test_generate_writes_the_fixed_identities_and_the_list(tmp_path: Path) -> None:
    written = tmp_path / "list.ndjson"
    arguments = ["generate", "--subjects", "10", "--seed", "1", "--date", "2026-05-05", "-o", str(written)]
    assert CliRunner().invoke(sandbox, arguments).exit_code == 0
    lines = written.read_text(encoding="utf-8").splitlines()
    assert lines == [*identities.lines(TODAY), *list_lines(Sample(1, 10, TODAY))]


@pytest.mark.parametrize(
    "arguments", [["day", "--subjects", "10"], ["identities"], ["identities", "--lines"]], ids=" ".join
)
def test_other_commands_write(arguments: list[str]) -> None:
    result = CliRunner().invoke(sandbox, arguments)
    assert result.exit_code == 0
    assert result.output


def test_near_misses_do_not_meet_the_listed_number() -> None:
    """A neighbour's number is another identity, valid in itself."""
    today = day_from_date(TODAY)
    for index in range(50):
        listed = documents.resident(index).number
        body = f"{listed[:14]}{(int(listed[14:17]) + 1) % 1000:03}"
        near = normalise(Document(DocumentType.RESIDENT_ID, body + documents.resident_check(body)), Mode.SANDBOX, today)
        assert near.number != listed
