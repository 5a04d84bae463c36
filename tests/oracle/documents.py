"""Documents and names in the one form in which list and question must meet.

Only what decides whether two documents are the same, and the check digits; everything is written out plainly.
"""

from __future__ import annotations

import datetime as dt
import functools
import unicodedata
from typing import NamedTuple

DROPPED = " \u3000\u200b\u200c\u200d\u2060\ufeff-\u2010\u2011\u2012\u2013\u2014\u2212."
MIDDLE_DOTS = "·•‧∙⋅・･᛫●"
CREDIT_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
COMPANY_TYPES = ("UNIFIED_SOCIAL_CREDIT_CODE", "ORGANISATION_CODE")
LENGTHS = {
    "RESIDENT_ID": (18,),
    "RESIDENT_ID_15": (15,),
    "HMT_RESIDENCE_PERMIT": (18,),
    "FOREIGN_PERMANENT_RESIDENT_ID": (15, 18),
    "HM_TRAVEL_PERMIT": (9, 11),
    "TW_TRAVEL_PERMIT": (8, 10),
    "PASSPORT": (5, 6, 7, 8, 9),
    "UNIFIED_SOCIAL_CREDIT_CODE": (18,),
    "ORGANISATION_CODE": (9,),
}


class Key(NamedTuple):
    """A document's one form; two documents are the same exactly when family and number are equal."""

    family: str
    number: str


def clean_number(number: str) -> str:
    """The number as the rules clean it before anything is compared."""
    text = "".join(c for c in unicodedata.normalize("NFKC", number) if c not in DROPPED).upper()
    if text and text[-1] in "×Х":
        text = text[:-1] + "X"
    return text


@functools.lru_cache(maxsize=1 << 12)
def key_of(kind: str, number: str, country: str = "") -> Key | None:
    """The document's key; None when its length or check digit is wrong."""
    text = clean_number(number)
    if kind not in LENGTHS or len(text) not in LENGTHS[kind] or not text.isascii() or not text.isalnum():
        return None
    if kind == "RESIDENT_ID":
        return Key("RESIDENT", text) if text[17] == resident_check(text[:17]) else None
    if kind == "RESIDENT_ID_15":
        body = text[:6] + "19" + text[6:]
        return Key("RESIDENT", body + resident_check(body))
    if kind == "UNIFIED_SOCIAL_CREDIT_CODE":
        if text[17] != credit_check(text[:17]):
            return None
        inside = text[8:17]
        return Key("COMPANY", inside if inside[8] == organisation_check(inside[:8]) else text)
    if kind == "ORGANISATION_CODE":
        return Key("COMPANY", text) if text[8] == organisation_check(text[:8]) else None
    if kind == "HM_TRAVEL_PERMIT":
        return Key(kind, text[:9])
    if kind == "PASSPORT":
        return Key(f"PASSPORT {country.upper()}", text)
    if len(text) == 18 and text[17] != resident_check(text[:17]):
        return None
    return Key(kind, text)


def resident_check(body: str) -> str:
    """ISO 7064 MOD 11-2 over 17 digits."""
    if not body.isdigit():
        return "?"
    total = 0
    for place, digit in enumerate(body):
        total += int(digit) * 2 ** (17 - place)
    return "10X98765432"[total % 11]


def credit_check(body: str) -> str:
    """GB 32100, mod 31, weights 3**i."""
    if any(c not in CREDIT_LETTERS for c in body):
        return "?"
    total = sum(CREDIT_LETTERS.index(c) * pow(3, place, 31) for place, c in enumerate(body))
    return CREDIT_LETTERS[(31 - total % 31) % 31]


def organisation_check(body: str) -> str:
    """GB 11714, mod 11, weights 3 7 9 10 5 8 4 2; the sandbox writes the check value as a letter."""
    total = sum(int(c, 36) * weight for c, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return "ABCDEFGHJKL"[(11 - total % 11) % 11]


def plain_name(name: str) -> str:
    """A name without spaces, with one middle dot, in upper case."""
    text = unicodedata.normalize("NFKC", name)
    text = "".join("·" if c in MIDDLE_DOTS else c for c in text if not c.isspace())
    return text.upper()


def birth_date(kind: str, number: str) -> dt.date | None:
    """The birth date a document carries; None when its type carries none."""
    key = key_of(kind, number)
    if key is None or (key.family != "RESIDENT" and kind != "HMT_RESIDENCE_PERMIT"):
        return None
    return dt.date.fromisoformat(key.number[6:14])
