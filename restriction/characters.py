"""Characters that are not seen or not meant: what a scanner, a keyboard or a copied cell adds to a text.

Tables only; which of them a text loses is decided by the room that cleans it.
"""

from __future__ import annotations

from typing import Final

# Joiners, direction marks, the soft hyphen and the byte order mark: copied along from web pages and spreadsheets.
ZERO_WIDTH: Final = "".join(
    map(chr, [0x00AD, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF])
)
SPACES: Final = " \N{IDEOGRAPHIC SPACE}"
HYPHENS: Final = (
    "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}\N{MINUS SIGN}"
)
# Bullets are missing on purpose: in a number they are masks, and a mask must be refused, not dropped.
DOTS: Final = ".\N{MIDDLE DOT}"
# What is typed between the parts of a name where U+00B7 is meant, the full stop of a plain keyboard included.
MIDDLE_DOTS: Final = (
    ".\N{MIDDLE DOT}\N{BULLET}\N{HYPHENATION POINT}\N{BULLET OPERATOR}\N{DOT OPERATOR}\N{KATAKANA MIDDLE DOT}"
    "\N{WORD SEPARATOR MIDDLE DOT}"
)
# Read as the check character X when they stand in the last place; the Roman ten is already X after NFKC.
LOOKS_LIKE_X: Final = frozenset("X\N{MULTIPLICATION SIGN}\N{CYRILLIC SMALL LETTER HA}\N{CYRILLIC CAPITAL LETTER HA}")
# What a scanner confuses: a reason to scan again, never a reason to guess.
LOOK_ALIKES: Final = str.maketrans("OIZSB", "01258")
