"""Ask about a tour group: CSV of travellers in, CSV of bookings out.

In: `booking_reference,document_type,number,name,issuing_country`, one line a traveller.
Out: `booking_reference,advice,outcome,reason,decision_id`; no number, no name, and no notice, since whoever reads it is
not the traveller.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from clients import counter
from lintel_client import (
    Client,
    Decision,
    LintelClientError,
    OutboundTour,
    Question,
    TourService,
)

BATCH: Final = 1_000
REFERENCE: Final = "booking_reference"
COLUMNS: Final = (REFERENCE, "advice", "outcome", "reason", "decision_id")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask about everybody, in batches. The exit code is that of the traveller who needs most attention."""
    parser = _arguments()
    given = parser.parse_args(arguments)
    product = OutboundTour(TourService[given.service], given.country)
    questions = [_question(row, product, given.departure) for row in counter.read_table(parser, REFERENCE)]
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    codes = {counter.PROCEED}
    try:
        with Client.from_env() as lintel:
            for question, result in _ask(lintel, questions):
                writer.writerow([question.booking_reference, *_row(result)])
                codes.add(_code(result))
    except LintelClientError as error:
        counter.show(counter.desk_text_of(error, "en"))
        return counter.exit_code_of_error(error)
    return max(codes)


def _ask(lintel: Client, questions: Iterable[Question]) -> Iterator[tuple[Question, Decision | LintelClientError]]:
    remaining = iter(questions)
    while batch := list(itertools.islice(remaining, BATCH)):
        yield from zip(batch, lintel.batch_check(batch), strict=True)


def _question(row: Mapping[str, str], product: OutboundTour, departure: dt.date) -> Question:
    traveller = counter.party_of(row)
    return Question(traveller.document, traveller.name, product, row[REFERENCE], departure)


def _row(result: Decision | LintelClientError) -> tuple[str, str, str, str]:
    if isinstance(result, LintelClientError):
        return "HOLD", "", f"{result.reason} {result.field}".strip(), ""
    return result.advice.name, result.outcome.name, result.reason.name if result.reason else "", result.decision_id


def _code(result: Decision | LintelClientError) -> int:
    return counter.UNDETERMINED if isinstance(result, LintelClientError) else counter.exit_code_of(result)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clients.travel_agency", description=__doc__)
    parser.add_argument("--service", choices=[service.name for service in TourService], default="GROUP_TOUR")
    parser.add_argument("--country", required=True, help="destination, ISO 3166-1 alpha-3")
    parser.add_argument("--departure", type=dt.date.fromisoformat, required=True, help="first day, YYYY-MM-DD")
    return parser


if __name__ == "__main__":
    sys.exit(main())
