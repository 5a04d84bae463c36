"""When versions took effect, and how far they were confirmed: what the court is told of its lifts.

A version is in effect, as far as it eases, once the primary has committed that; it is applied once it is announced, and
acknowledged once the primary and every configured replica have it.
Nothing here decides an answer: an effect that is lost is only no longer told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT: Final = 1_024  # versions; each has a small cell of its own, which the version that many later takes over


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How many of the configured replicas have everything that was written before they were asked."""

    confirmed: int
    configured: int

    @property
    def is_whole(self) -> bool:
        """Whether every configured replica has it."""
        return self.confirmed >= self.configured


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of one version of one epoch, in Unix seconds; None: not yet. `eased_at` is about its lifts."""

    epoch: int
    version: int
    eased_at: float
    applied_at: float | None = None
    lifts_acknowledged_at: float | None = None
    acknowledged_at: float | None = None
    replicas: Confirmation = Confirmation(0, 0)
