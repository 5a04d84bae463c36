"""What one field of a product must look like, as types that carry their own check.

A check takes the field's dotted wire path and whatever was sent, and raises `InvalidFieldError` unless it can be
believed: MISSING (unsent or empty), MALFORMED (wrong type or form), UNKNOWN (no such value), IMPOSSIBLE (no sale has
it).
A hint never echoes what was sent.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Final, NoReturn

from restriction.characters import HYPHENS
from restriction.countries import ALPHA_3
from restriction.errors import InvalidFieldError

MAX_KEY_LENGTH: Final = 64
MAX_STARS: Final = 5
MAX_FEN: Final = 10**15  # ten trillion yuan: above any sale, and well inside 64 bits
_FEN_PER_YUAN: Final = 100
_NANOS_PER_FEN: Final = 10_000_000
_OTHER_HYPHENS: Final = frozenset(HYPHENS) - {"-"}
_TRAIN_NUMBER: Final = re.compile(r"[A-Z]{0,3}[0-9]{1,5}", re.ASCII)

Check = Callable[[str, object], None]


def member_of(kind: type[enum.IntEnum]) -> Check:
    """The check that something is a member of this enum; zero is the wire's word for unsent."""
    hint = "send one of " + ", ".join(member.name for member in kind)

    def check(field: str, sent: object) -> None:
        if type(sent) is not kind:
            _refuse(field, None if sent == 0 else sent, "UNKNOWN", hint)

    return check


def is_list_key(text: object) -> bool:
    """Whether this can be the key of an establishment or school, in a question and in the parameters alike.

    Whatever two writers could spell differently (spaces, hyphens other than the plain one, compatibility characters) is
    no key, so that a spelling never reads as "not on the list".
    """
    return (
        isinstance(text, str)
        and 0 < len(text) <= MAX_KEY_LENGTH
        and text.isprintable()
        and " " not in text
        and _OTHER_HYPHENS.isdisjoint(text)
        and unicodedata.is_normalized("NFKC", text)
    )


def same_place(key: str) -> str:
    """The form in which keys are compared: who writes H-1 and who writes h-1 mean one place."""
    return key.lower()


def plain_train_number(train_number: str) -> str:
    """A train number in ASCII capitals and digits."""
    return unicodedata.normalize("NFKC", train_number).upper()


def fen_from_money(field: str, currency: str, units: int, nanos: int) -> int:
    """Fen of an amount as the wire states it (ISO 4217 code, whole units, 10^-9 units).

    Raises: InvalidFieldError for another currency than CNY, a part of a fen, or signs that differ.
    """
    if not currency:
        _refuse(field, None, "MISSING", "")
    if currency != "CNY":
        _refuse(field, currency, "IMPOSSIBLE", "send the amount in CNY")
    if nanos % _NANOS_PER_FEN or abs(nanos) >= _FEN_PER_YUAN * _NANOS_PER_FEN or units * nanos < 0:
        _refuse(field, nanos, "MALFORMED", "send whole fen: nanos a multiple of 10,000,000 with the sign of units")
    return units * _FEN_PER_YUAN + nanos // _NANOS_PER_FEN


def _refuse(field: str, sent: object, problem: str, hint: str) -> NoReturn:
    if sent is None or sent == "":
        raise InvalidFieldError(field, "MISSING", "send this field")
    raise InvalidFieldError(field, problem, hint)


def _whole_number(most: int, hint: str) -> Check:
    def check(field: str, sent: object) -> None:
        if type(sent) is not int:
            _refuse(field, sent, "MALFORMED", hint)
        if not 0 <= sent <= most:
            _refuse(field, sent, "IMPOSSIBLE", hint)

    return check


def _flag(field: str, sent: object) -> None:
    if type(sent) is not bool:
        _refuse(field, sent, "MALFORMED", "send true or false")


def _list_key(field: str, sent: object) -> None:
    if not is_list_key(sent):
        _refuse(field, sent, "MALFORMED", f"send 1 to {MAX_KEY_LENGTH} printable characters, NFKC, without spaces")


def _country(field: str, sent: object) -> None:
    if not isinstance(sent, str) or sent not in ALPHA_3:
        _refuse(field, sent, "UNKNOWN", "send an ISO 3166-1 alpha-3 code in capitals, such as THA")


def _train_number(field: str, sent: object) -> None:
    if not (isinstance(sent, str) and _TRAIN_NUMBER.fullmatch(plain_train_number(sent))):
        _refuse(field, sent, "MALFORMED", "send the letters and digits printed on the ticket, such as G6001")


Fen = Annotated[int, _whole_number(MAX_FEN, "send an amount in CNY of zero or more, in whole fen")]
Stars = Annotated[int, _whole_number(MAX_STARS, "send 0 to 5 stars, 0 where there is no rating")]
Flag = Annotated[bool, _flag]
ListKey = Annotated[str, _list_key]
Country = Annotated[str, _country]
TrainNumber = Annotated[str, _train_number]
