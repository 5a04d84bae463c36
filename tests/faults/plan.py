"""What an experiment is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of an experiment to run.

    `scale` multiplies every count; 1.0 is the size of record. `seconds` is how long experiments without a count last.
    `folder` is empty, belongs to this run alone and is deleted afterwards.
    """

    seed: int
    folder: Path
    scale: float = 1.0
    seconds: float = 60.0

    def count(self, of_record: int) -> int:
        """How many of what the run of record does `of_record` times; at least one."""
        return max(1, round(of_record * self.scale))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an experiment found: figures by name, as JSON holds them, and every broken rule (none, if all is well)."""

    figures: Mapping[str, Any]
    violations: tuple[str, ...] = ()
