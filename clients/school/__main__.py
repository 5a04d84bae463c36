"""Ask about the payer of one invoice. The pupil has no field here: the place is not in question."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from clients import counter
from lintel_client import Advice, Client, Funds, LintelClientError, PayerRelation, Question, Tuition

WORDS: Final = {
    Advice.PROCEED: "Take the payment.",
    Advice.DECLINE: "Do not take this payment from this payer. The pupil's place is not concerned.",
    Advice.HOLD: "Do not take the payment yet. The pupil's place is not concerned.",
    Advice.MANUAL: "Hand over to the bursar. The pupil's place is not concerned.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and say what becomes of the payment."""
    given = _arguments().parse_args(arguments)
    payer = counter.read_party(given.document_type, given.issuing_country)
    product = Tuition(given.school, PayerRelation[given.relation], Funds[given.funds])
    try:
        with Client.from_env() as lintel:
            decision = lintel.check(Question(payer.document, payer.name, product, given.invoice))
    except LintelClientError as error:
        counter.show(counter.desk_text_of(error, "en"))
        return counter.exit_code_of_error(error)
    counter.show(WORDS[decision.advice])
    if decision.notice:
        counter.put_out(decision.notice.text)
    return counter.exit_code_of(decision)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clients.school", description=__doc__)
    parser.add_argument("--school", required=True, help="code in the published list")
    parser.add_argument("--relation", choices=[relation.name for relation in PayerRelation], required=True)
    parser.add_argument("--funds", choices=[funds.name for funds in Funds], required=True, help="whose money pays")
    parser.add_argument("--invoice", required=True, help="your number of this payment")
    parser.add_argument("--document-type", choices=counter.DOCUMENT_TYPES, default="RESIDENT_ID")
    parser.add_argument("--issuing-country", default="", help="of a passport, ISO 3166-1 alpha-3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
