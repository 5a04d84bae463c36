"""Ask about one guest. The desk's screen is standard error; standard output is the printer, for the guest alone."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from typing import Final

from clients import counter
from lintel_client import Client, Decision, LintelClientError, Lodging, Question, RatingStatus, Reason

SCAN_AGAIN: Final = (Reason.IDENTITY_MISMATCH, Reason.WEAK_DOCUMENT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, tell the desk, print what is the guest's."""
    given = _arguments().parse_args(arguments)
    guest = counter.read_party(given.document_type, given.issuing_country)
    question = Question(
        guest.document, guest.name,
        Lodging(given.stars, RatingStatus[given.rating], given.establishment, given.emergency),
        given.booking, given.night, language=given.language,
    )  # fmt: skip
    try:
        with Client.from_env() as lintel:
            decision = lintel.check(question, timeout_s=1.0)
    except LintelClientError as error:
        return _without_answer(error, given.language)
    return _tell(decision)


def _tell(decision: Decision) -> int:
    if decision.desk_text:
        counter.show(decision.desk_text)
    elif decision.reason in SCAN_AGAIN:
        counter.show("Scan the document once more, then sell.")
    elif decision.may_proceed:
        counter.show("May be sold.")
    else:
        counter.show(f"Not yet ({decision.advice.name}): quote {decision.decision_id}.")
    for alternative in decision.alternatives:
        counter.show(f"- {alternative}")
    if decision.notice:
        counter.put_out(decision.notice.text)
    return counter.exit_code_of(decision)


def _without_answer(error: LintelClientError, language: str) -> int:
    """An outage of the check never sends a guest into the street: hotels sell, and note that nobody answered."""
    code = counter.exit_code_of_error(error)
    counter.show(counter.desk_text_of(error, language))
    if code == counter.NO_ANSWER:
        counter.show("No answer: sell as usual, and note the time.")
    return code


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clients.hotel", description=__doc__)
    parser.add_argument("--establishment", required=True, help="code in the published registers")
    parser.add_argument("--stars", type=int, required=True)
    parser.add_argument("--rating", choices=[status.name for status in RatingStatus], default="IN_FORCE")
    parser.add_argument("--booking", required=True, help="your number of this stay, never a document's")
    parser.add_argument("--night", type=dt.date.fromisoformat, required=True, help="check-in night, YYYY-MM-DD")
    parser.add_argument("--emergency", action="store_true", help="the guest claims one")
    parser.add_argument("--document-type", choices=counter.DOCUMENT_TYPES, default="RESIDENT_ID")
    parser.add_argument("--issuing-country", default="", help="of a passport, ISO 3166-1 alpha-3")
    parser.add_argument("--language", choices=["zh-CN", "en"], default="zh-CN")
    return parser


if __name__ == "__main__":
    sys.exit(main())
