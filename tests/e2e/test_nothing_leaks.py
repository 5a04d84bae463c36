"""After every kind of answer, refusal and kill, no byte outside the court's book holds a number or a name."""

from __future__ import annotations

import base64
import json
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from os import kill
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import zstandard

from restriction.measures import Sector
from sandbox import documents
from sandbox.documents import Paper
from sandbox.identities import IDENTITIES, Question
from sandbox.stage import Stage, raised
from tests.e2e import people
from tests.e2e.asking import desk_at, said

# Nothing else in the world is called so, and each is written in one way only.
NAME, FORMER_NAME = "金丝雀甲", "金丝雀乙"
LISTED, STRANGER, LINKED = (documents.resident(3 * 10**9 + 20_000 + place) for place in range(3))
UNIT = documents.credit_code(3 * 10**9 + 20_000)
BOOKING = "canary-booking-7Q"
SECRETS = [NAME, FORMER_NAME, LISTED.number, STRANGER.number, LINKED.number, UNIT.number, UNIT.number[8:17], BOOKING]
HOTEL = IDENTITIES["lodge"].question(people.today())


def asked(paper: Paper, name: str = NAME) -> Question:
    return replace(HOTEL, document_type=paper.type, number=paper.number, name=name)


def lines() -> Iterator[str]:
    today = people.today()
    subject = {
        "kind": "PERSON", "name": NAME, "former_names": [FORMER_NAME],
        "documents": [{"type": LISTED.type, "number": LISTED.number}],
    }  # fmt: skip
    yield people.listing("canary", LISTED, today, subject=subject)
    yield people.listing("canary-unit", UNIT, today, links=[{**people.link(LINKED, "l", today), "name": NAME}])
    broken = json.loads(people.listing("broken", LISTED, today))
    broken["entry"]["subject"]["documents"][0]["number"] = LISTED.number[:-1] + "*"
    yield json.dumps(broken, ensure_ascii=False)
    yield people.listing("minor", STRANGER, today)[:-2] + f',"{NAME}":"{STRANGER.number}"}}'


def exercise(stage: Stage) -> list[str]:
    """Answers and refusals of every kind, a lift, and a kill of each part."""
    wrong_digit = LISTED.number[:-1] + ("0" if LISTED.number[-1] != "0" else "1")
    questions = [
        asked(LISTED), asked(LISTED, name="他人"), asked(LISTED, name=FORMER_NAME), asked(STRANGER), asked(LINKED),
        asked(Paper("RESIDENT_ID", wrong_digit)), asked(Paper("PASSPORT", LISTED.number)), asked(LISTED, name=""),
        replace(asked(UNIT), service_date=None), replace(asked(LISTED), sector="insurer"),
        replace(asked(LISTED), fields={**HOTEL.fields, "establishment_id": BOOKING}),
    ]  # fmt: skip
    with desk_at(stage) as desk:
        heard = [said(desk.check(question)) for question in questions]
        heard += [said(answer) for answer in desk.batch([q for q in questions if q.sector == "hotel"])]
        kill(stage.store_pid(), signal.SIGKILL)
        heard += [said(desk.check(question)) for question in questions]
    stage.submit([people.lift("canary", people.today())])
    stage.kill("gateway")
    stage.kill("agent")
    stage.start("agent", "gateway")
    stage.await_serving(2)
    return heard


def bytes_outside_the_book(stage: Stage) -> Iterator[tuple[Path, bytes]]:
    """Everything written under the stage's home but the court's own book, compressed files expanded too."""
    for path in sorted(stage.home.rglob("*")):
        if path.is_file() and not path.name.startswith("book"):
            content = path.read_bytes()
            yield path, content
            if content.startswith(zstandard.FRAME_HEADER):
                yield path, zstandard.ZstdDecompressor().decompressobj().decompress(content)


def forms_of(secret: str) -> set[bytes]:
    """How a secret may stand in a file: plain, wide, escaped, in hexadecimal, in base64 at any offset."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"\0" * offset + raw)[4 * (offset > 0) : -4] for offset in range(3)}
    return {
        raw, secret.encode("utf-16-le"), json.dumps(secret)[1:-1].encode(), quote(secret).encode(),
        raw.hex().encode(), raw.hex().upper().encode(), *shifted,
    }  # fmt: skip


@pytest.mark.timeout(180)
def test_no_number_and_no_name_is_written_anywhere() -> None:
    with tempfile.TemporaryDirectory(prefix="lintel-") as folder, raised(Path(folder), Sector) as stage:
        stage.put_parameters()
        report = stage.submit(lines())
        assert (len(report["accepted"]), len(report["rejected"])) == (2, 2)
        assert not [secret for secret in SECRETS if secret in json.dumps(report, ensure_ascii=False)]
        stage.start("court", "agent", "gateway")
        stage.await_serving(report["version"])
        heard = exercise(stage)
        assert {"RESTRICTED", "NOT_RESTRICTED", "INVALID_ARGUMENT", "PERMISSION_DENIED"} <= set(heard)
        with urlopen(f"http://127.0.0.1:{stage.metrics_port}/metrics") as response:
            metrics = response.read()
        stage.stop()
        written = [*bytes_outside_the_book(stage), (Path("metrics"), metrics)]
    assert len(written) > 20  # the feed, the store's file, journals, floors, logs
    found = [
        (path.name, secret)
        for secret in SECRETS for form in forms_of(secret)
        for path, content in written if form in content
    ]  # fmt: skip
    assert found == []
