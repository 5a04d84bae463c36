"""Every combination of every product's values, for somebody who holds every grant, against the oracle."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from loadtests.asking import Finding, finding
from loadtests.house import now
from restriction.measures import Sector
from sandbox.identities import DATED, Question
from sandbox.questions import AMOUNTS, CHOICES, ESTABLISHMENTS, PAIRS, PROPERTY_ACTS, RATINGS
from sandbox.stage import PARAMETERS, raised
from tests.e2e import people
from tests.e2e.asking import Desk, desk_at, in_batches, said
from tests.oracle.judge import EMU_SEATS, OLD_SEATS, Judge
from tests.oracle.plain_list import PlainList

OTHER_PARAMETERS = Path(__file__).with_name("parameters_other.yaml")
# One of each family, the impossible seats included: every train is asked about every seat.
TRAINS = ("G6001", "D7401", "C7001", "S101", "Z201", "T8361", "K511", "L123", "Y501", "6063", "QX12")
SALES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    **{product: {name: tuple(values) for name, values in fields.items()} for product, fields in CHOICES.items()},
    "rail": {"train_number": TRAINS, "seat_class": tuple(dict.fromkeys(EMU_SEATS + OLD_SEATS))},
    "property": {"property_act": PROPERTY_ACTS, "buyers": ("SOLE", "WITH_SPOUSE", "WITH_OTHERS")},
}


def sales(product: str) -> Iterator[Mapping[str, Any]]:
    """Every combination of its fields' values."""
    if product == "lodging":
        for (stars, status), place, emergency in itertools.product(RATINGS, ESTABLISHMENTS, (False, True)):
            yield {
                "star_rating": stars, "rating_status": status, "establishment_id": place, "emergency": emergency,
            }  # fmt: skip
        return
    fields = SALES[product]
    for values in itertools.product(*fields.values()):
        yield dict(zip(fields, values, strict=True))


class Room(NamedTuple):
    """A desk, and the judge who knows the list and the parameters behind it."""

    desk: Desk
    judge: Judge


def judge_with(parameters: Path | None) -> Judge:
    plain = PlainList()
    plain.apply(people.lines(people.today()), now())
    return Judge(plain, yaml.safe_load(parameters.read_text(encoding="utf-8"))["values"] if parameters else {})


@pytest.fixture(scope="module", params=[PARAMETERS, OTHER_PARAMETERS, None], ids=["sample", "other", "unset"])
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    """A stage under each document of parameters, and one under none."""
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder, raised(Path(folder), Sector) as stage:
        if request.param:
            stage.put_parameters(request.param)
        report = stage.submit(people.lines(people.today()))
        stage.start("court", "agent", "gateway")
        stage.await_serving(report["version"])
        with desk_at(stage) as desk:
            yield Room(desk, judge_with(request.param))


@pytest.mark.parametrize(("sector", "product"), PAIRS)
def test_every_sale_is_answered_as_the_rules_say(room: Room, sector: str, product: str) -> None:
    who, date = people.EVERYTHING, people.today() if product in DATED else None
    questions = [
        Question(sector, product, fields, who.type, who.number, people.NAME, who.country, date)
        for fields in sales(product)
    ]
    wrong = [
        (question.fields, expected, said(answer))
        for batch in in_batches(questions)
        for question, answer in zip(batch, room.desk.batch(batch), strict=True)
        if finding(expected := room.judge.judge(question, now()), answer) is not Finding.RIGHT
    ]
    assert not wrong, wrong[:5]


def test_amounts_stand_on_both_sides_of_every_sum() -> None:
    judge = judge_with(PARAMETERS)
    sums = [judge.parameters["VENUE_MIN"], judge.parameters["DECOR_MIN"], judge.parameters["INS_MIN"]["annual"]]
    for fen in (yuan * 100 for yuan in sums):
        assert min(AMOUNTS) < fen <= max(AMOUNTS)
        assert {fen - 1, fen} <= set(AMOUNTS)
