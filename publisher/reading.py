"""Typed reading of one JSON object of an intake line.

Every refusal is an `InvalidFieldError` with the field's path and an UPPER_SNAKE problem, and never echoes a value: a
wrong value may be a number or a name in the wrong place.
Unknown keys are refused by name, unless the name itself could be such a value.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar

from restriction.calendar import day_from_date
from restriction.errors import InvalidFieldError

MAX_TEXT: Final = 200
MAX_ITEMS: Final = 1_000  # a bound on one list of a line; how many are lawful is for `restriction.lawful` to say
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", re.ASCII)
_COURT: Final = re.compile(r"[1-9][0-9]{1,8}", re.ASCII)  # its number fits the four bytes that a record gives it
_TELLABLE_KEY: Final = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)
_MONTH_DAY: Final = r"(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_RESIDENT_NUMBER: Final = re.compile(
    rf"(?<!\d)(\d{{6}}(18|19|20)\d{{2}}{_MONTH_DAY}\d{{3}}[\dXx]|\d{{8}}{_MONTH_DAY}\d{{3}})(?!\d)"
)
# A record keeps instants in 32 bits and days in 16; the first dates of the law and the end of this century lie within.
_EARLIEST: Final = day_from_date(dt.date(1990, 1, 1))
_LATEST: Final = day_from_date(dt.date(2100, 1, 1))
_EARLIEST_BIRTH: Final = day_from_date(dt.date(1850, 1, 1))
_CACHED: Final = 1 << 14  # the dates of some forty years

_E = TypeVar("_E", bound=enum.Enum)
_T = TypeVar("_T")


class Fields:
    """One object of a line, read key by key; `path` is where it stands."""

    __slots__ = ("path", "raw")

    def __init__(self, raw: object, path: str, keys: frozenset[str]) -> None:
        """Raises: InvalidFieldError when it is no object or has a key that is not among `keys`."""
        if not isinstance(raw, dict):
            refuse(path.rstrip(".") or "line", "NOT_AN_OBJECT", "send a JSON object")
        if not raw.keys() <= keys:
            unknown = min(raw.keys() - keys)
            told = unknown if _TELLABLE_KEY.fullmatch(unknown) else "(unreadable key)"
            refuse(path + told, "UNKNOWN_KEY", "leave it out or correct its name")
        self.raw: Mapping[str, object] = raw
        self.path = path

    def sent(self, key: str) -> bool:
        """Whether the key is there with a value."""
        return self.raw.get(key) is not None

    def text(self, key: str, most: int = MAX_TEXT) -> str:
        """Text that is not blank."""
        value = self.raw.get(key)
        if type(value) is not str:
            self.refuse(key, "MISSING" if value is None else "NOT_TEXT", "send text")
        if not value.strip():
            self.refuse(key, "MISSING", "send text that is not blank")
        if len(value) > most:
            self.refuse(key, "TOO_LONG", f"send at most {most} characters")
        return value

    def identifier(self, key: str) -> str:
        """An id: ASCII letters, digits and `._:/-`, and no document number in disguise."""
        value = self.text(key)
        if not _IDENTIFIER.fullmatch(value):
            self.refuse(key, "MALFORMED", "send 1 to 64 ASCII letters, digits or ._:/-")
        if _RESIDENT_NUMBER.search(value):
            self.refuse(key, "LOOKS_LIKE_A_NUMBER", "an id is told in reports; build it from something else")
        return value

    def court(self, key: str) -> str:
        """A court's code."""
        value = self.text(key)
        if not _COURT.fullmatch(value):
            self.refuse(key, "MALFORMED", "send a court's code, 2 to 9 digits")
        return value

    def day(self, key: str) -> int:
        """A date `YYYY-MM-DD` as day number."""
        day = self._date(key)
        if not _EARLIEST <= day <= _LATEST:
            self.refuse(key, "OUT_OF_RANGE", "send a date from 1990 to 2100")
        return day

    def birth_day(self, key: str) -> int:
        """A date of birth as day number."""
        day = self._date(key)
        if not _EARLIEST_BIRTH <= day <= _LATEST:
            self.refuse(key, "OUT_OF_RANGE", "send a date from 1850 on")
        return day

    def instant(self, key: str) -> float:
        """An RFC 3339 time as Unix seconds."""
        instant = _instant(self.text(key))
        if instant is None:
            self.refuse(key, "MALFORMED", "send an RFC 3339 time with its offset")
        return instant

    def whole(self, key: str, least: int, most: int) -> int:
        """A whole number in these bounds."""
        value = self.raw.get(key)
        if type(value) is not int:
            self.refuse(key, "MISSING" if value is None else "NOT_A_NUMBER", "send a whole number")
        if not least <= value <= most:
            self.refuse(key, "OUT_OF_RANGE", f"send {least} to {most}")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.raw.get(key)
        if type(value) is not bool:
            self.refuse(key, "MISSING" if value is None else "NOT_A_FLAG", "send true or false")
        return value

    def choice(self, key: str, kind: type[_E]) -> _E:
        """A member of the enum, by name."""
        try:
            return kind[self.text(key)]
        except KeyError:
            self.refuse(key, "UNKNOWN", "send one of " + ", ".join(kind.__members__))

    def items(self, key: str, read: Callable[[object, str], _T]) -> tuple[_T, ...]:
        """Each item of a list, read with its path; a list that is left out is empty."""
        value = self.raw.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.refuse(key, "NOT_A_LIST", "send a JSON list")
        if len(value) > MAX_ITEMS:
            self.refuse(key, "TOO_MANY", f"send at most {MAX_ITEMS}")
        return tuple(read(item, f"{self.path}{key}[{at}]") for at, item in enumerate(value))

    def maybe(self, key: str, read: Callable[[str], _T]) -> _T | None:
        """What `read` (a method of this object) makes of the key; None when it is left out."""
        return read(key) if self.sent(key) else None

    def refuse(self, key: str, problem: str, hint: str) -> NoReturn:
        """Refuse this key. Raises: InvalidFieldError."""
        refuse(self.path + key, problem, hint)

    def _date(self, key: str) -> int:
        day = _day(self.text(key))
        if day is None:
            self.refuse(key, "MALFORMED", "send a date as YYYY-MM-DD")
        return day


def refuse(field: str, problem: str, hint: str) -> NoReturn:
    """Raises: InvalidFieldError, without the cause, which could quote the value."""
    raise InvalidFieldError(field, problem, hint) from None


@functools.lru_cache(maxsize=_CACHED)
def _day(text: str) -> int | None:
    try:
        return day_from_date(dt.date.fromisoformat(text)) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


@functools.lru_cache(maxsize=_CACHED)
def _instant(text: str) -> float | None:
    try:
        time = dt.datetime.fromisoformat(text.upper()) if _TIME.fullmatch(text) else None
    except ValueError:
        return None
    return None if time is None else time.timestamp()
