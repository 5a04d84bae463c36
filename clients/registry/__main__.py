"""Ask about each buyer of one filing, alone.

Buyers come as CSV on standard input: `document_type,number,name,issuing_country`. One buyer buys alone; of several,
`--spouses` says that they are married to each other.
The screen shows a buyer's place in the filing and what to do; each buyer's notice goes to a file of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from clients import counter
from lintel_client import (
    Advice,
    Buyers,
    Client,
    Decision,
    LintelClientError,
    Notice,
    Property,
    PropertyAct,
    Question,
)

WORDS: Final = {
    Advice.PROCEED: "may be registered",
    Advice.DECLINE: "cannot be registered for this buyer",
    Advice.HOLD: "wait and ask again",
    Advice.MANUAL: "hand over to the responsible person",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask about everybody; 0 only when the filing may go on for each of them."""
    parser = _arguments()
    given = parser.parse_args(arguments)
    rows = counter.read_table(parser)
    product = Property(PropertyAct[given.act], _buyers(len(rows), spouses=given.spouses))
    given.slips.mkdir(mode=0o700, parents=True, exist_ok=True)
    codes = {counter.PROCEED}
    try:
        with Client.from_env() as lintel:
            for place, row in enumerate(rows, 1):
                decision = lintel.check(_question(row, product, f"{given.filing}-{place}"))
                counter.put_out(f"buyer {place}: {WORDS[decision.advice]}{_why(decision)}")
                _print_slip(given.slips / f"buyer-{place}.txt", decision.notice)
                codes.add(counter.exit_code_of(decision))
    except LintelClientError as error:
        counter.show(counter.desk_text_of(error, "en"))
        return counter.exit_code_of_error(error)
    return max(codes)


def _buyers(count: int, *, spouses: bool) -> Buyers:
    if count == 1:
        return Buyers.SOLE
    return Buyers.WITH_SPOUSE if spouses else Buyers.WITH_OTHERS


def _question(row: Mapping[str, str], product: Property, reference: str) -> Question:
    buyer = counter.party_of(row)
    return Question(buyer.document, buyer.name, product, reference)


def _why(decision: Decision) -> str:
    return f" ({decision.reason.name})" if decision.reason else ""


def _print_slip(path: Path, notice: Notice | None) -> None:
    if notice is None:
        return
    path.touch(mode=0o600)
    path.chmod(0o600)  # also where one of that name lay there before
    path.write_text(notice.text, encoding="utf-8")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clients.registry", description=__doc__)
    parser.add_argument("--act", choices=[act.name for act in PropertyAct], required=True)
    parser.add_argument("--filing", required=True, help="your number of this filing")
    parser.add_argument("--spouses", action="store_true", help="the buyers are married to each other")
    parser.add_argument("--slips", type=Path, required=True, help="folder for the buyers' notices, one file each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
