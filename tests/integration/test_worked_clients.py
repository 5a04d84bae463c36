"""The worked clients as they are run: a process, its standard streams and a real gRPC server."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from google.type.money_pb2 import Money

from lintel.v1 import answer_pb2 as pb
from lintel.v1 import product_pb2, restriction_pb2
from tests.fakes.scripted_gateway import Script, ScriptedGateway, answer, serving

Request = restriction_pb2.CheckRequest
ROOT = Path(__file__).parents[2]
NUMBER, NAME = "010101194001010019", "样本甲"
PARTY = f"{NUMBER}\n{NAME}\n"
NOTICE = pb.Notice(reference="7K3M-9Q", text="NOTICE for the guest")
HOTEL = ["hotel", "--establishment", "hotel-4", "--stars", "4", "--booking", "B-1", "--night", "2026-05-05"]
SCHOOL = ["school", "--school", "school-1", "--relation", "PARENT", "--funds", "OWN", "--invoice", "I-1"]
INSURER = [
    "insurer",
    "--cash-value",
    "SOME",
    "--premium",
    "20000.50",
    "--mode",
    "ANNUAL",
    "--act",
    "NEW",
    "--proposal",
    "P-1",
]
AGENCY = ["travel_agency", "--country", "THA", "--departure", "2026-06-01"]
REGISTRY = ["registry", "--act", "PURCHASE_NEW", "--filing", "F-1"]


def declined(request: Request) -> pb.CheckResponse:
    return answer(request, "RESTRICTED", "DECLINE", desk_text="Not on this document.", notice=NOTICE)


def unclear(request: Request) -> pb.CheckResponse:
    return answer(request, "UNDETERMINED", "MANUAL", reason=pb.REASON_FUNDS_UNCLEAR)


def unready(_request: Request) -> status_pb2.Status:
    return status_pb2.Status(code=code_pb2.INTERNAL, message="no")


def misread(_request: Request) -> status_pb2.Status:
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="document.number: CHECK_DIGIT: scan again")
    violation = error_details_pb2.BadRequest.FieldViolation(field="document.number", reason="CHECK_DIGIT")
    for detail in (
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain="lintel"),
        error_details_pb2.BadRequest(field_violations=[violation]),
        error_details_pb2.LocalizedMessage(locale="zh-CN", message="请重新扫描证件。"),
    ):
        status.details.add().Pack(detail)
    return status


def run(command: list[str], typed: str, address: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.defpath, "LINTEL_ADDRESS": address, "LINTEL_KEY": "test_k", "LINTEL_INSECURE": "1"}
    program = [sys.executable, "-m", f"clients.{command[0]}", *command[1:]]
    done = subprocess.run(  # noqa: S603 - our own programs with our own arguments
        program, input=typed, env=environ, cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert NUMBER not in done.stdout + done.stderr
    assert NAME not in done.stdout + done.stderr
    return done


def ran(command: list[str], typed: str, script: Script) -> tuple[subprocess.CompletedProcess[str], list[Request]]:
    gateway = ScriptedGateway(script)
    with serving(gateway) as address:
        return run(command, typed, address), gateway.asked


def travellers(count: int) -> str:
    lines = [f"B-{place},RESIDENT_ID,{NUMBER},{NAME},\n" for place in range(count)]
    return "booking_reference,document_type,number,name,issuing_country\n" + "".join(lines)


def buyers(count: int) -> str:
    return "document_type,number,name,issuing_country\n" + f"RESIDENT_ID,{NUMBER},{NAME},\n" * count


def test_hotel_sells_when_nobody_restricts() -> None:
    done, (request,) = ran(HOTEL, PARTY, answer)
    assert (done.returncode, done.stdout) == (0, "")
    assert (request.document.number, request.name, request.booking_reference) == (NUMBER, NAME, "B-1")
    assert request.lodging.star_rating == 4
    assert request.lodging.HasField("emergency")


def test_hotel_prints_the_notice_and_shows_the_desk_only_its_sentence() -> None:
    done, _ = ran(HOTEL, PARTY, declined)
    assert (done.returncode, done.stdout) == (10, "NOTICE for the guest\n")
    assert done.stderr == "Not on this document.\n"


def test_hotel_scans_once_more_when_the_name_is_another() -> None:
    def script(request: Request) -> pb.CheckResponse:
        return answer(request, "UNDETERMINED", "PROCEED", reason=pb.REASON_IDENTITY_MISMATCH)

    done, _ = ran(HOTEL, PARTY, script)
    assert (done.returncode, done.stderr) == (0, "Scan the document once more, then sell.\n")


def test_hotel_sells_when_nobody_answers() -> None:
    done, _ = ran(HOTEL, PARTY, unready)
    assert done.returncode == 3
    assert "sell as usual" in done.stderr


def test_hotel_tells_the_desk_to_scan_again() -> None:
    done, _ = ran(HOTEL, PARTY, misread)
    assert (done.returncode, done.stderr) == (4, "请重新扫描证件。\n")


def test_school_asks_about_the_payer_and_spares_the_pupil() -> None:
    done, (request,) = ran(SCHOOL, PARTY, declined)
    assert done.returncode == 10
    assert "place is not concerned" in done.stderr
    assert (request.tuition.payer_relation, request.tuition.funds) == (1, 1)
    assert not request.HasField("service_date")


@pytest.mark.parametrize(
    ("script", "underwriting", "why", "code"),
    [
        (answer, "APPROVE", "NOT_RESTRICTED", 0),
        (declined, "DECLINE", "RESTRICTED", 10),
        (unclear, "REFER", "FUNDS_UNCLEAR", 11),
        (unready, "REFER", "GatewayFaultError", 3),
    ],
    ids=["approve", "decline", "refer", "no answer"],
)
def test_insurer_underwrites_by_its_rule(script: Script, underwriting: str, why: str, code: int) -> None:
    done, (request,) = ran(INSURER, PARTY, script)
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["underwriting"], result["why"], result["proposal"], done.returncode) == (
        underwriting,
        why,
        "P-1",
        code,
    )
    assert request.insurance.premium == Money(currency_code="CNY", units=20_000, nanos=500_000_000)


def test_agency_learns_what_to_do_with_each_booking_and_nothing_else() -> None:
    def script(request: Request) -> pb.CheckResponse | status_pb2.Status:
        by_reference: dict[str, Script] = {"B-1": declined, "B-2": misread}
        return by_reference.get(request.booking_reference, answer)(request)

    done, _ = ran(AGENCY, travellers(3), script)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["booking_reference"], row["advice"], row["reason"]) for row in rows] == [
        ("B-0", "PROCEED", ""), ("B-1", "DECLINE", ""), ("B-2", "HOLD", "INVALID_FIELD document.number"),
    ]  # fmt: skip
    assert done.returncode == 11
    assert "NOTICE" not in done.stdout


def test_agency_asks_about_a_large_group_in_batches_and_keeps_the_order() -> None:
    done, requests = ran(AGENCY, travellers(1_001), answer)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["booking_reference"] for row in rows] == [f"B-{place}" for place in range(1_001)]
    assert len(requests) == 1_001


@pytest.mark.parametrize(
    ("count", "flags", "expected"),
    [
        (1, [], product_pb2.BUYERS_SOLE),
        (2, [], product_pb2.BUYERS_WITH_OTHERS),
        (2, ["--spouses"], product_pb2.BUYERS_WITH_SPOUSE),
    ],
    ids=["alone", "with others", "spouses"],
)
def test_registry_asks_about_each_buyer_alone(count: int, flags: list[str], expected: int, tmp_path: Path) -> None:
    done, requests = ran([*REGISTRY, "--slips", str(tmp_path), *flags], buyers(count), answer)
    assert done.returncode == 0
    assert [request.property.buyers for request in requests] == [expected] * count
    assert len({request.booking_reference for request in requests}) == count


def test_registry_keeps_each_notice_for_its_buyer(tmp_path: Path) -> None:
    def script(request: Request) -> pb.CheckResponse:
        return declined(request) if request.booking_reference == "F-1-2" else answer(request)

    done, _ = ran([*REGISTRY, "--slips", str(tmp_path)], buyers(2), script)
    assert done.returncode == 10
    assert done.stdout == "buyer 1: may be registered\nbuyer 2: cannot be registered for this buyer\n"
    (slip,) = tmp_path.iterdir()
    assert (slip.name, slip.stat().st_mode & 0o777) == ("buyer-2.txt", 0o600)


@pytest.mark.parametrize("command", [AGENCY, [*REGISTRY, "--slips", "."]], ids=["agency", "registry"])
@pytest.mark.parametrize(
    "typed",
    ["", travellers(0), travellers(1).replace("RESIDENT_ID", "CARD")],
    ids=["empty", "header alone", "unknown type"],
)
def test_table_that_asks_about_nobody_is_misuse_and_never_clear(command: list[str], typed: str) -> None:
    done, requests = ran(command, typed, answer)
    assert (done.returncode, requests) == (2, [])


@pytest.mark.parametrize("name", ["hotel", "school", "insurer", "travel_agency", "registry"])
def test_number_and_name_are_no_arguments(name: str) -> None:
    done, _ = ran([name, "--help"], "", answer)
    assert done.returncode == 0
    assert "--number" not in done.stdout
    assert "--name" not in done.stdout
