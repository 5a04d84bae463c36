"""What every counter needs: the document in front of it, without the number ever being an argument, and exit codes."""

from __future__ import annotations

import argparse
import csv
import getpass
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lintel_client import (
    Advice,
    Decision,
    Document,
    DocumentType,
    InvalidQuestionError,
    LintelClientError,
    NotAuthenticatedError,
    NotPermittedError,
    Outcome,
    SettingError,
)

PROCEED, RESTRICTED, UNDETERMINED, NO_ANSWER, REFUSED = 0, 10, 11, 3, 4
DOCUMENT_TYPES: Final = [kind.name for kind in DocumentType]
# What asking again cannot mend; every other error is an outage.
_OURS_TO_MEND: Final = (InvalidQuestionError, NotAuthenticatedError, NotPermittedError, SettingError)


@dataclass(frozen=True, slots=True)
class Party:
    """Whoever stands at the counter. The repr tells neither number nor name."""

    document: Document
    name: str = field(repr=False)


def read_party(document_type: str, issuing_country: str = "") -> Party:
    """Number and name, one a line, from standard input; asked for, and the number not shown, on a terminal."""
    if sys.stdin.isatty():
        number, name = getpass.getpass("Number of the document: "), input("Name on the document: ")
    else:
        number, name = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    return Party(Document(DocumentType[document_type], number, issuing_country), name)


def read_table(parser: argparse.ArgumentParser, *columns: str) -> list[dict[str, str]]:
    """The CSV lines of standard input. Ends the program as misused when there are none, or one lacks a column."""
    rows: list[dict[str, str]] = list(csv.DictReader(sys.stdin))
    if not rows:
        parser.error("standard input: no line after the header")
    for line, row in enumerate(rows, 2):
        for column in ("document_type", "number", "name", *columns):
            if not row.get(column):
                parser.error(f"line {line}: {column}: missing")
        if row["document_type"] not in DOCUMENT_TYPES:
            parser.error(f"line {line}: document_type: write one of {', '.join(DOCUMENT_TYPES)}")
    return rows


def party_of(row: Mapping[str, str]) -> Party:
    """Whom a line of such a table is about."""
    country = row.get("issuing_country") or ""
    return Party(Document(DocumentType[row["document_type"]], row["number"], country), row["name"])


def show(text: str) -> None:
    """One line for the desk: standard error."""
    sys.stderr.write(text + "\n")


def put_out(text: str) -> None:
    """What the program is run for: standard output."""
    sys.stdout.write(text + "\n")


def exit_code_of(decision: Decision) -> int:
    """0 may proceed, 10 restricted or capped, 11 undetermined and not to be sold yet."""
    if decision.outcome in (Outcome.RESTRICTED, Outcome.CAPPED):
        return RESTRICTED
    return PROCEED if decision.advice is Advice.PROCEED else UNDETERMINED


def exit_code_of_error(error: LintelClientError) -> int:
    """4 when the question or the set-up is wrong, 3 when there was no answer."""
    return REFUSED if isinstance(error, _OURS_TO_MEND) else NO_ANSWER


def desk_text_of(error: LintelClientError, language: str) -> str:
    """The gateway's sentence for the desk, or else the error's own."""
    return error.failure.desk_texts.get(language, str(error))
