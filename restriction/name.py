"""Names, in the one form in which list and question compare them.

NFKC; no spaces and no zero-width characters; one middle dot (U+00B7); upper case; rare characters by code point.
Rules that must hold: canonicalising twice equals once; a name that hides a character is refused, not matched.
Nothing is transliterated, reordered, abbreviated or compared by sound: a former name or a Latin spelling counts only
where the list supplies it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from restriction.characters import MIDDLE_DOTS, ZERO_WIDTH
from restriction.errors import InvalidFieldError

MAX_NAME_CHARS: Final = 200  # the longest registered company names have about 100
_DOT: Final = "\N{MIDDLE DOT}"
_CLEANING: Final = dict.fromkeys(map(ord, ZERO_WIDTH)) | dict.fromkeys(map(ord, MIDDLE_DOTS), _DOT)
# A mask, or what a lost encoding leaves in the place of a rare character.
_STAND_INS: Final = re.compile(r"[*?\N{MULTIPLICATION SIGN}\N{WHITE SQUARE}\N{REPLACEMENT CHARACTER}]")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def canonical_name(raw: str) -> str:
    """The form of a name that is hashed.

    Raises: InvalidFieldError of `name` with EMPTY, TOO_LONG, MASKED or MALFORMED.
    """
    if len(raw) > MAX_NAME_CHARS:
        raise InvalidFieldError("name", "TOO_LONG", f"give at most {MAX_NAME_CHARS} characters")
    text = "".join(unicodedata.normalize("NFKC", raw).translate(_CLEANING).split())
    # Dropping and raising may leave parts that compose: a second NFKC makes the result a fixed point.
    name = unicodedata.normalize("NFKC", text.upper())
    if not name.strip(_DOT):
        raise InvalidFieldError("name", "EMPTY", "give the name on the document")
    if _STAND_INS.search(name):
        raise InvalidFieldError("name", "MASKED", "give the whole name: a character is hidden or was lost")
    if _UNPRINTABLE.search(name):
        raise InvalidFieldError("name", "MALFORMED", "remove control characters")
    return name
