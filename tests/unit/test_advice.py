"""The advice table, written down by hand from the rules' document."""

from __future__ import annotations

import pytest

from restriction.advice import Advice, advise
from restriction.measures import Sector
from restriction.tables import Outcome, Reason

DESKS = ["hotel", "venue", "resort", "private_school"]
TRAVEL = ["rail", "airline", "travel_agency"]
CONTRACTS = ["insurer", "car_dealer", "housing"]
REGISTRIES = ["property_registry", "resource_exchange", "equity_exchange"]
P, H, M = "PROCEED", "HOLD", "MANUAL"
TABLE = {
    "STALE_LIST": (P, P, H, M),
    "STORE_UNAVAILABLE": (P, P, H, H),
    "LEDGER_UNAVAILABLE": (P, P, H, H),
    "PARAMETER_UNSET": (P, P, P, P),
    "IDENTITY_MISMATCH": (P, H, M, M),
    "WEAK_DOCUMENT": (P, H, M, M),
    "TEXT_UNCLEAR": (P, P, M, M),
    "FUNDS_UNCLEAR": (P, P, M, M),
    "NECESSITY_CLAIMED": (P, P, M, M),
}
CASES = [
    (reason, sector, advice)
    for reason, row in TABLE.items()
    for group, advice in zip((DESKS, TRAVEL, CONTRACTS, REGISTRIES), row, strict=True)
    for sector in group
]


def test_the_table_covers_every_reason_and_sector() -> None:
    assert {(reason, sector) for reason, sector, _ in CASES} == {(r.name, s.value) for r in Reason for s in Sector}


@pytest.mark.parametrize(("reason", "sector", "advice"), CASES)
def test_advice_when_undetermined(reason: str, sector: str, advice: str) -> None:
    assert advise(Outcome.UNDETERMINED, Reason[reason], Sector(sector)) is Advice[advice]


@pytest.mark.parametrize("sector", Sector)
def test_advice_when_determined(sector: Sector) -> None:
    assert advise(Outcome.NOT_RESTRICTED, None, sector) is Advice.PROCEED
    assert advise(Outcome.RESTRICTED, None, sector) is Advice.DECLINE
    assert advise(Outcome.CAPPED, None, sector) is Advice.DECLINE
