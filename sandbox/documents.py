"""Documents that nobody holds: one for every index, of every type, right in form and check digit.

Within its type's space, different indexes give different numbers, and neighbours give numbers that are far apart.
The forms are those that `restriction.documents` keeps for the sandbox, and no live form matches them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

FIRST_BIRTH: Final = dt.date(1940, 1, 1)
BIRTH_DAYS: Final = 21_900  # ends in 1999: everybody is of age, and every number has a form of 15 digits
_AREAS: Final = tuple(
    f"0{province}{city:02}{part:02}" for province in range(1, 6) for city in range(1, 23) for part in range(1, 13)
)
_SEQUENCES: Final = 999
RESIDENTS: Final = len(_AREAS) * BIRTH_DAYS * _SEQUENCES
# Each stride shares no factor with its space, so that multiplying by it permutes the indexes.
_RESIDENT_STRIDE: Final = 11_939_473_027
_EIGHT_DIGITS: Final = 10**8
_EIGHT_STRIDE: Final = 61_803_399
_SEVEN_DIGITS: Final = 10**7
_SEVEN_STRIDE: Final = 6_180_341
PERMUTATIONS: Final = (
    (_RESIDENT_STRIDE, RESIDENTS), (_EIGHT_STRIDE, _EIGHT_DIGITS), (_SEVEN_STRIDE, _SEVEN_DIGITS)
)  # fmt: skip

_CREDIT_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_VALUES: Final = {character: value for value, character in enumerate(_CREDIT_ALPHABET)}
_CREDIT_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_SANDBOX_CHECKS: Final = "ABCDEFGHJKL"
_RESIDENT_CHECKS: Final = "10X98765432"
_UNIT_PREFIX: Final = "91040800"  # a company, registered in a region that does not exist


@dataclass(frozen=True, slots=True)
class Paper:
    """One document as intake and callers state it. The repr tells the type only."""

    type: str
    number: str = field(repr=False)
    country: str = ""


def _weigh(digits: str, first_place: int) -> int:
    return sum(int(digit) * pow(2, 17 - first_place - place, 11) for place, digit in enumerate(digits))


# The check digit is a sum, so its three parts are weighed once and added for each number.
_BIRTHS: Final = tuple(
    (text, _weigh(text, 6))
    for text in ((FIRST_BIRTH + dt.timedelta(days=day)).strftime("%Y%m%d") for day in range(BIRTH_DAYS))
)
_AREA_WEIGHTS: Final = tuple(_weigh(area, 0) for area in _AREAS)
_TAILS: Final = tuple((f"{number:03}", _weigh(f"{number:03}", 14)) for number in range(1, _SEQUENCES + 1))


def resident(index: int) -> Paper:
    """A resident number; its area begins with 0."""
    rest, tail = divmod(index * _RESIDENT_STRIDE % RESIDENTS, _SEQUENCES)
    area, birth = divmod(rest, BIRTH_DAYS)
    born, born_weight = _BIRTHS[birth]
    sequence, sequence_weight = _TAILS[tail]
    check = _RESIDENT_CHECKS[(_AREA_WEIGHTS[area] + born_weight + sequence_weight) % 11]
    return Paper("RESIDENT_ID", f"{_AREAS[area]}{born}{sequence}{check}")


def resident_15(index: int) -> Paper:
    """The same holder's number as the first cards had it."""
    number = resident(index).number
    return Paper("RESIDENT_ID_15", number[:6] + number[8:17])


def residence_permit(index: int) -> Paper:
    """A residence permit of a Hong Kong, Macao or Taiwan resident."""
    rest, tail = divmod(index, _SEQUENCES)
    region, birth = divmod(rest, BIRTH_DAYS)
    body = f"0{region % 3 + 1}0000{_BIRTHS[birth][0]}{_TAILS[tail][0]}"
    return Paper("HMT_RESIDENCE_PERMIT", body + resident_check(body))


def permanent_resident(index: int) -> Paper:
    """A foreign permanent resident's older card."""
    return Paper("FOREIGN_PERMANENT_RESIDENT_ID", f"UTO{index:012}")


def home_return_permit(index: int) -> Paper:
    """A travel permit of a Hong Kong or Macao resident, with renewal digits."""
    return Paper("HM_TRAVEL_PERMIT", f"S{index * _EIGHT_STRIDE % _EIGHT_DIGITS:08}{index % 7:02}")


def taiwan_permit(index: int) -> Paper:
    """A travel permit of a Taiwan resident."""
    return Paper("TW_TRAVEL_PERMIT", f"S{index * _SEVEN_STRIDE % _SEVEN_DIGITS:07}")


def passport(index: int) -> Paper:
    """A passport of Utopia."""
    return Paper("PASSPORT", f"P{index * _EIGHT_STRIDE % _EIGHT_DIGITS:08}", "UTO")


def organisation(index: int) -> Paper:
    """An organisation code."""
    digits = f"{index * _EIGHT_STRIDE % _EIGHT_DIGITS:08}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ORGANISATION_WEIGHTS, strict=True))
    return Paper("ORGANISATION_CODE", digits + _SANDBOX_CHECKS[-total % 11])


def credit_code(index: int) -> Paper:
    """The unified social credit code of the unit that holds this index's organisation code."""
    body = _UNIT_PREFIX + organisation(index).number
    total = sum(_CREDIT_VALUES[character] * weight for character, weight in zip(body, _CREDIT_WEIGHTS, strict=True))
    return Paper("UNIFIED_SOCIAL_CREDIT_CODE", body + _CREDIT_ALPHABET[-total % 31])


def resident_check(body: str) -> str:
    """The check character of 17 digits."""
    return _RESIDENT_CHECKS[_weigh(body, 0) % 11]
