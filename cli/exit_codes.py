"""The exit codes of `lintel`, which scripts may rely on."""

from typing import Final

MAY_PROCEED: Final = 0
USAGE: Final = 2  # or settings; click's own
CANNOT_REACH: Final = 3
REFUSED: Final = 4
HIT: Final = 10  # restricted or capped
UNDETERMINED: Final = 11
