"""`lintel check` and `lintel batch`: ask a gateway from a shell.

The document number is read from standard input or a file, never from the command line, where every user of the machine
could read it. Settings are the SDK's: LINTEL_ADDRESS, LINTEL_KEY, LINTEL_CA_FILE, LINTEL_INSECURE.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TextIO

import click
from rich.console import Console
from rich.progress import track

from cli.exit_codes import CANNOT_REACH, HIT, MAY_PROCEED, REFUSED, UNDETERMINED, USAGE
from lintel_client import (
    Client,
    Decision,
    Document,
    DocumentType,
    LintelClientError,
    NoAnswerInTimeError,
    Outcome,
    Question,
    SettingError,
    UnreachableError,
)
from lintel_client.plain import PRODUCTS, product_of

EXIT_CODES: Final[Mapping[Outcome, int]] = {
    Outcome.NOT_RESTRICTED: MAY_PROCEED,
    Outcome.RESTRICTED: HIT,
    Outcome.CAPPED: HIT,
    Outcome.UNDETERMINED: UNDETERMINED,
}
GRAVEST_FIRST: Final = (HIT, UNDETERMINED, REFUSED, MAY_PROCEED)
BATCH: Final = 500
ASKING: Final = ("document_type", "number", "issuing_country", "name", "product", "service_date", "booking_reference")
ANSWERED: Final = ("outcome", "reason", "advice", "cap_fen", "decision_id", "list_version", "error")
NUMBER_AND_NAME: Final = 2
_LOCAL_REFERENCE: Final = "by-hand"


@click.command()
@click.argument("product", type=click.Choice(list(PRODUCTS)))
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--document-type", default="RESIDENT_ID", type=click.Choice([kind.name for kind in DocumentType]))
@click.option("--issuing-country", default="", help="For a passport, ISO 3166-1 alpha-3.")
@click.option("--date", "service_date", type=click.DateTime(["%Y-%m-%d"]), help="Departure or check-in night.")
@click.option("--booking-reference", default=_LOCAL_REFERENCE, show_default=True, help="Which sale this is for.")
@click.option("--language", default="en", type=click.Choice(["en", "zh-CN"]))
@click.option("--json", "as_json", is_flag=True, help="JSON, as when piped.")
@click.option("--input", "lines", type=click.File(encoding="utf-8"), default="-", help="Number, then name; one a line.")
def check(  # noqa: PLR0913 - one parameter per option is click's way
    *,
    product: str,
    fields: Sequence[str],
    document_type: str,
    issuing_country: str,
    service_date: dt.datetime | None,
    booking_reference: str,
    language: str,
    as_json: bool,
    lines: TextIO,
) -> None:
    """Ask about one sale of PRODUCT. The number and the name are read from standard input, one a line.

    Exit code: 0 may proceed, 10 restricted or capped, 11 undetermined, 2 usage or settings, 3 cannot reach, 4 refused.
    """
    try:
        sold = product_of(product, dict(_pair(field) for field in fields))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    number, name = _identity(lines)
    document = Document(DocumentType[document_type], number, issuing_country)
    date = service_date.date() if service_date else None
    question = Question(document, name, sold, booking_reference, date, language=language)
    try:
        with Client.from_env() as client:
            decision = client.check(question)
    except LintelClientError as error:
        _end_with(error)
    _show(decision, as_json=as_json or not sys.stdout.isatty())
    sys.exit(EXIT_CODES[decision.outcome])


@click.command()
@click.argument("source", type=click.File(encoding="utf-8"))
@click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="CSV; standard output.")
def batch(*, source: TextIO, output: TextIO) -> None:
    """Ask about every row of a CSV file (or `-`), and write the rows' answers in the same order, without the numbers.

    Columns: document_type, number, issuing_country, name, product, service_date, booking_reference, and the product's
    fields. Exit code: that of the gravest answer; a row that is refused counts as 4 and stops no other.
    """
    rows = list(csv.DictReader(source))
    writer = csv.DictWriter(output, ["row", "booking_reference", *ANSWERED])
    writer.writeheader()
    codes = {MAY_PROCEED}
    try:
        with Client.from_env() as client:
            for place, (row, answer) in enumerate(zip(rows, _answers(client, rows), strict=True), 1):
                # In a row that was refused a number may stand in the reference's place.
                reference = row["booking_reference"] if answer["outcome"] else ""
                writer.writerow({"row": place, "booking_reference": reference} | answer)
                codes.add(EXIT_CODES[Outcome[answer["outcome"]]] if answer["outcome"] else REFUSED)
    except LintelClientError as error:
        _end_with(error)
    sys.exit(next(code for code in GRAVEST_FIRST if code in codes))


def _answers(client: Client, rows: Sequence[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """One row of answer for each row of question, in order."""
    starts = range(0, len(rows), BATCH)
    for start in track(starts, "asking", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        asked = [_question(row) for row in rows[start : start + BATCH]]
        questions = [each for each in asked if isinstance(each, Question)]
        answers = iter(client.batch_check(questions) if questions else ())
        yield from (_columns(next(answers) if isinstance(each, Question) else each) for each in asked)


def _question(row: Mapping[str, str]) -> Question | ValueError:
    """The question of a row, or what is wrong with the row; none of its cells is in it."""
    if None in row or None in row.values():
        return ValueError("row: give a cell for every column of the header")
    words = {column: word for column, word in row.items() if column not in ASKING and word}
    try:
        return Question(
            Document(
                _document_type(row.get("document_type", "")), row.get("number", ""), row.get("issuing_country", "")
            ),
            row.get("name", ""),
            product_of(row.get("product", ""), words),
            row.get("booking_reference", ""),
            _date(row.get("service_date", "")),
        )
    except ValueError as error:
        return error


def _document_type(word: str) -> DocumentType:
    if word not in DocumentType.__members__:
        raise ValueError(f"document_type: one of {', '.join(DocumentType.__members__)}")
    return DocumentType[word]


def _date(word: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(word) if word else None
    except ValueError:
        raise ValueError("service_date: YYYY-MM-DD") from None


def _columns(answer: Decision | Exception) -> dict[str, Any]:
    if isinstance(answer, Exception):
        return dict.fromkeys(ANSWERED, "") | {"error": str(answer)}
    shown = _plain(answer)
    return {column: shown.get(column) for column in ANSWERED}


def _plain(decision: Decision) -> dict[str, Any]:
    """A decision in plain words, without the notice: it is for the guest alone."""
    return {
        "outcome": decision.outcome.name,
        "reason": decision.reason.name if decision.reason else None,
        "advice": decision.advice.name,
        "measure": decision.measure.name,
        "cap_fen": decision.cap_fen,
        "desk_text": decision.desk_text,
        "legal_basis": list(decision.legal_basis),
        "alternatives": list(decision.alternatives),
        "reference": decision.notice.reference if decision.notice else None,
        "decision_id": decision.decision_id,
        "list_version": decision.list_version,
        "list_as_of": decision.list_as_of.isoformat(),
    }


def _show(decision: Decision, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_plain(decision), ensure_ascii=False))
        return
    for name, value in _plain(decision).items():
        if value:
            click.echo(f"{name.replace('_', ' '):<13} {', '.join(value) if isinstance(value, list) else value}")
    if decision.notice:
        click.echo(f"\nFor the guest alone:\n\n{decision.notice.text}")


def _identity(lines: TextIO) -> tuple[str, str]:
    if lines.isatty():
        return click.prompt("document number", hide_input=True), click.prompt("name")
    given = [line.strip() for line in lines if line.strip()]
    if len(given) != NUMBER_AND_NAME:
        raise click.UsageError("standard input: two lines, the document number and the name")
    return given[0], given[1]


def _pair(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not equals:
        raise ValueError("fields: write each as FIELD=VALUE")
    return name, value


def _end_with(error: LintelClientError) -> NoReturn:
    click.echo(f"lintel: {error}", err=True)
    if isinstance(error, SettingError):
        sys.exit(USAGE)
    sys.exit(CANNOT_REACH if isinstance(error, UnreachableError | NoAnswerInTimeError) else REFUSED)
