"""What the README promises of the sandbox is what the sandbox has."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sandbox.identities import table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_lists_the_fixed_identities_as_they_are() -> None:
    assert table(dt.date(2026, 6, 1)) in README.read_text(encoding="utf-8")
