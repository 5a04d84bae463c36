"""What a unit should do with an answer: the advice table, by reason and group of sectors, as data.

An answer is about the law, the advice about the desk: where nobody knows, small sales go ahead and grave ones wait.
A decline never cancels another item of a booking.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from restriction.measures import Sector
from restriction.tables import Outcome, Reason


class Advice(enum.IntEnum):
    """MANUAL goes to the unit's named responsible person, within one working day."""

    PROCEED = 1
    DECLINE = 2
    HOLD = 3
    MANUAL = 4


DESKS: Final = frozenset({Sector.HOTEL, Sector.VENUE, Sector.RESORT, Sector.PRIVATE_SCHOOL})
TRAVEL: Final = frozenset({Sector.RAIL, Sector.AIRLINE, Sector.TRAVEL_AGENCY})
CONTRACTS: Final = frozenset({Sector.INSURER, Sector.CAR_DEALER, Sector.HOUSING})
REGISTRIES: Final = frozenset({Sector.PROPERTY_REGISTRY, Sector.RESOURCE_EXCHANGE, Sector.EQUITY_EXCHANGE})

_GROUPS: Final = (DESKS, TRAVEL, CONTRACTS, REGISTRIES)
_PROCEED, _HOLD, _MANUAL = Advice.PROCEED, Advice.HOLD, Advice.MANUAL
# At a desk, IDENTITY_MISMATCH and WEAK_DOCUMENT mean: proceed after one new scan. In travel: hold and correct the name.
_UNDETERMINED: Final[Mapping[Reason, tuple[Advice, Advice, Advice, Advice]]] = MappingProxyType(
    {
        #                          DESKS     TRAVEL    CONTRACTS REGISTRIES
        Reason.STALE_LIST:         (_PROCEED, _PROCEED, _HOLD,    _MANUAL),
        Reason.STORE_UNAVAILABLE:  (_PROCEED, _PROCEED, _HOLD,    _HOLD),
        Reason.LEDGER_UNAVAILABLE: (_PROCEED, _PROCEED, _HOLD,    _HOLD),
        Reason.PARAMETER_UNSET:    (_PROCEED, _PROCEED, _PROCEED, _PROCEED),
        Reason.IDENTITY_MISMATCH:  (_PROCEED, _HOLD,    _MANUAL,  _MANUAL),
        Reason.WEAK_DOCUMENT:      (_PROCEED, _HOLD,    _MANUAL,  _MANUAL),
        Reason.TEXT_UNCLEAR:       (_PROCEED, _PROCEED, _MANUAL,  _MANUAL),
        Reason.FUNDS_UNCLEAR:      (_PROCEED, _PROCEED, _MANUAL,  _MANUAL),
        Reason.NECESSITY_CLAIMED:  (_PROCEED, _PROCEED, _MANUAL,  _MANUAL),
    }
)  # fmt: skip
_BY_SECTOR: Final = MappingProxyType(
    {
        (reason, sector): row[column]
        for reason, row in _UNDETERMINED.items()
        for column, group in enumerate(_GROUPS)
        for sector in group
    }
)


def advise(outcome: Outcome, reason: Reason | None, sector: Sector) -> Advice:
    """What a unit of this sector should do; `reason` stands with UNDETERMINED. CAPPED is declined above the cap."""
    if reason is not None:
        return _BY_SECTOR[reason, sector]
    return Advice.PROCEED if outcome is Outcome.NOT_RESTRICTED else Advice.DECLINE
