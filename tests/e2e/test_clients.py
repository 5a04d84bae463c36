"""The worked clients and the `lintel` command, as their users run them, against the whole of Lintel."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.documents import Paper
from sandbox.stage import Stage
from settings import for_child
from tests.e2e import people

TODAY = people.today()


def run(stage: Stage, sector: str, program: list[str], typed: str) -> subprocess.CompletedProcess[str]:
    """One program as a user of this sector runs it; what it prints never holds the number that was typed."""
    calling = {"LINTEL_ADDRESS": stage.address, "LINTEL_KEY": stage.keys[sector], "LINTEL_INSECURE": "1"}
    own = {key: value for key, value in stage.environment.items() if key.startswith("LINTEL_")}
    done = subprocess.run(  # noqa: S603 - our own programs with our own arguments
        [sys.executable, "-m", *program],
        env=for_child(own | calling), input=typed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for paper in (people.P, people.L, people.COMPANION, people.EDU):
        assert paper.number not in done.stdout + done.stderr
    return done


def identity(paper: Paper) -> str:
    return f"{paper.number}\n{people.NAME}\n"


HOTEL = [
    "clients.hotel",
    "--establishment",
    "hotel-4",
    "--stars",
    "4",
    "--booking",
    "B-1",
    "--night",
    TODAY.isoformat(),
]
SCHOOL = ["clients.school", "--school", "school-1", "--relation", "PARENT", "--funds", "OWN", "--invoice", "I-1"]
INSURER = [
    "clients.insurer", "--cash-value", "SOME", "--premium", "200000", "--mode", "ANNUAL", "--act", "NEW",
    "--proposal", "P-1",
]  # fmt: skip


def test_hotel_prints_the_slip_for_the_listed_guest_alone(stage: Stage) -> None:
    listed, other = (run(stage, "hotel", HOTEL, identity(paper)) for paper in (people.P, people.COMPANION))
    assert (listed.returncode, other.returncode) == (10, 0), listed.stderr
    assert "湛江市中级人民法院" in listed.stdout
    assert "湛江市中级人民法院" not in listed.stderr
    assert other.stdout == ""


def test_school_asks_about_the_payer(stage: Stage) -> None:
    declined, free = (run(stage, "private_school", SCHOOL, identity(paper)) for paper in (people.EDU, people.CHILD))
    assert (declined.returncode, free.returncode) == (10, 0), declined.stderr
    assert "学生入学就读" in declined.stdout


def test_insurer_maps_the_answer_to_its_own_rule(stage: Stage) -> None:
    results = [run(stage, "insurer", INSURER, identity(paper)) for paper in (people.P, people.COMPANION)]
    assert [json.loads(result.stdout)["underwriting"] for result in results] == ["DECLINE", "APPROVE"]


def test_travel_agency_asks_about_a_whole_group_at_once(stage: Stage) -> None:
    travellers = "booking_reference,document_type,number,name,issuing_country\n" + "".join(
        f"T-{place},{paper.type},{paper.number},{people.NAME},\n"
        for place, paper in enumerate((people.P, people.COMPANION, people.L))
    )
    program = ["clients.travel_agency", "--country", "THA", "--departure", TODAY.isoformat()]
    done = run(stage, "travel_agency", program, travellers)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["outcome"] for row in rows] == ["RESTRICTED", "NOT_RESTRICTED", "RESTRICTED"], done.stderr


def test_registry_asks_about_each_buyer_alone(stage: Stage, tmp_path: Path) -> None:
    buyers = "document_type,number,name,issuing_country\n" + "".join(
        f"{paper.type},{paper.number},{people.NAME},\n" for paper in (people.COMPANION, people.P)
    )
    program = ["clients.registry", "--act", "PURCHASE_NEW", "--filing", "F-1", "--slips", str(tmp_path)]
    done = run(stage, "property_registry", program, buyers)
    assert done.returncode == 10, done.stderr
    assert len(list(tmp_path.iterdir())) == 1


LODGING = ["lodging", "star_rating=4", "rating_status=IN_FORCE", "establishment_id=hotel-4", "emergency=false"]
CHECK = ["cli", "check", *LODGING, "--date", TODAY.isoformat()]


@pytest.mark.parametrize(
    ("sector", "paper", "code", "outcome"),
    [
        ("hotel", people.P, 10, "RESTRICTED"),
        ("hotel", people.COMPANION, 0, "NOT_RESTRICTED"),
        ("rail", people.P, 4, ""),
    ],
    ids=["restricted", "clear", "refused"],
)
def test_lintel_check_ends_with_the_code_of_its_answer(
    stage: Stage, sector: str, paper: Paper, code: int, outcome: str
) -> None:
    done = run(stage, sector, CHECK, identity(paper))
    assert done.returncode == code, done.stderr
    assert outcome == "" or json.loads(done.stdout)["outcome"] == outcome


def test_lintel_batch_answers_every_row_and_stops_at_none(stage: Stage, tmp_path: Path) -> None:
    columns = (
        "booking_reference,document_type,number,name,product,service_date,"
        "star_rating,rating_status,establishment_id,emergency\n"
    )
    rows = "".join(
        f"stay,RESIDENT_ID,{number},{people.NAME},lodging,{TODAY},4,IN_FORCE,hotel-4,false\n"
        for number in (people.P.number, "1", people.COMPANION.number)
    )
    source = tmp_path / "sales.csv"
    source.write_text(columns + rows, encoding="utf-8")
    done = run(stage, "hotel", ["cli", "batch", str(source)], "")
    answered = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["outcome"] for row in answered] == ["RESTRICTED", "", "NOT_RESTRICTED"], done.stderr
    assert "document.number" in answered[1]["error"]
    assert done.returncode == 10


def test_lintel_says_what_is_in_service_and_that_all_is_well(stage: Stage) -> None:
    status = json.loads(stage.lintel("status", "--json"))
    assert (status["ready"], status["environment"]) == (True, "sandbox")
    assert status["age_s"] < 10
    doctor = stage.lintel("doctor").splitlines()
    assert [line.split(":")[0] for line in doctor] == [
        "ok    settings",
        "ok    token secret",
        "ok    units",
        "ok    list",
    ]
    assert json.loads(stage.lintel("measures", "--parameters"))["authority"] == "sandbox"
    assert len(json.loads(stage.lintel("measures", "--json"))) == 13
