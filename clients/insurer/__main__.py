"""Underwrite one act on one policy by whoever pays the premium; the result is one JSON object."""

from __future__ import annotations

import argparse
import decimal
import enum
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from clients import counter
from lintel_client import (
    Advice,
    CashValue,
    Client,
    Decision,
    Insurance,
    LintelClientError,
    PolicyAct,
    PremiumMode,
    Question,
)


class Underwriting(enum.StrEnum):
    """What becomes of the proposal."""

    APPROVE = "APPROVE"
    REFER = "REFER"
    DECLINE = "DECLINE"


RULE: Final[Mapping[Advice, Underwriting]] = {
    Advice.PROCEED: Underwriting.APPROVE,
    Advice.DECLINE: Underwriting.DECLINE,
    Advice.HOLD: Underwriting.REFER,
    Advice.MANUAL: Underwriting.REFER,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask and underwrite. Without an answer the proposal is referred: nobody is declined for an outage."""
    given = _arguments().parse_args(arguments)
    payer = counter.read_party(given.document_type, given.issuing_country)
    product = Insurance(CashValue[given.cash_value], _fen(given.premium), PremiumMode[given.mode], PolicyAct[given.act])
    try:
        with Client.from_env() as lintel:
            decision = lintel.check(Question(payer.document, payer.name, product, given.proposal))
    except LintelClientError as error:
        _print(given.proposal, {"underwriting": Underwriting.REFER, "why": error.reason or type(error).__name__})
        return counter.exit_code_of_error(error)
    _print(given.proposal, underwrite(decision))
    return counter.exit_code_of(decision)


def underwrite(decision: Decision) -> Mapping[str, object]:
    """The result with what a file note needs: the answer's id and the list's version, nothing about anybody."""
    return {
        "underwriting": RULE[decision.advice],
        "why": decision.reason.name if decision.reason else decision.outcome.name,
        "decision_id": decision.decision_id,
        "list_version": decision.list_version,
    }


def _print(proposal: str, result: Mapping[str, object]) -> None:
    counter.put_out(json.dumps({"proposal": proposal, **result}))


def _fen(yuan: decimal.Decimal) -> int:
    return int(yuan * 100)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clients.insurer", description=__doc__)
    parser.add_argument("--cash-value", choices=[value.name for value in CashValue], required=True)
    parser.add_argument("--premium", type=decimal.Decimal, required=True, help="yuan a year, or once")
    parser.add_argument("--mode", choices=[mode.name for mode in PremiumMode], required=True)
    parser.add_argument("--act", choices=[act.name for act in PolicyAct], required=True)
    parser.add_argument("--proposal", required=True, help="your number of this proposal")
    parser.add_argument("--document-type", choices=counter.DOCUMENT_TYPES, default="RESIDENT_ID")
    parser.add_argument("--issuing-country", default="", help="of a passport, ISO 3166-1 alpha-3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
