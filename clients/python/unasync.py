"""Write `sync_client.py` from `async_client.py`: the two differ in words alone.

Run it after each change of the asynchronous client; `--check` only says whether the committed file is current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent / "lintel_client"
# In this order: later rules see what earlier ones wrote.
WORDS: Final = (
    (r'^""".*?"""', '"""The blocking client, generated from `async_client.py` by `unasync.py`: do not edit."""'),
    (r"made at once; make it inside a running loop, and close it", "made at once; close it"),
    (r"import asyncio\n", ""),
    (r"asyncio\.sleep", "time.sleep"),
    (r"async def", "def"),
    (r"await ", ""),
    (r"grpc\.aio\.", "grpc."),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"AsyncClient", "Client"),
)


def blocking(source: str) -> str:
    """The blocking twin of an asynchronous source."""
    for pattern, word in WORDS:
        source = re.sub(pattern, word, source, flags=re.DOTALL)
    return source


def main() -> int:
    """Write the file, or with `--check` compare it."""
    written = blocking((PACKAGE / "async_client.py").read_text(encoding="utf-8"))
    target = PACKAGE / "sync_client.py"
    if "--check" in sys.argv[1:]:
        return int(target.read_text(encoding="utf-8") != written)
    target.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
