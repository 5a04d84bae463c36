"""How long to go on asking. Arithmetic alone: the time and the dice enter as arguments.

A question changes nothing at the gateway, so it may be asked again; only where the gateway was not reached, or said
when to come back, and only before the caller's own deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lintel_client.errors import LintelClientError, OverloadedError, UnreachableError

MAX_ATTEMPTS: Final = 4
FIRST_WAIT_S: Final = 0.05
_LEAST_TRY_S: Final = 0.005  # less is not worth a call


@dataclass(frozen=True, slots=True)
class Patience:
    """A deadline (monotonic seconds)."""

    deadline_s: float

    def left_s(self, now_s: float) -> float:
        """Seconds until the deadline, never less than a call needs to fail by itself."""
        return max(self.deadline_s - now_s, 0.001)

    def wait_s(self, error: LintelClientError, attempt: int, now_s: float, dice: float) -> float | None:
        """Seconds to wait before asking again after `attempt` tries; None to give up. `dice` is from 0 to below 1."""
        if attempt >= MAX_ATTEMPTS:
            return None
        wait_s = error.failure.retry_after_s
        if isinstance(error, UnreachableError):
            wait_s = FIRST_WAIT_S * 4 ** (attempt - 1) * (0.5 + dice / 2) if wait_s is None else wait_s
        elif not isinstance(error, OverloadedError) or wait_s is None:
            return None
        return wait_s if now_s + wait_s + _LEAST_TRY_S <= self.deadline_s else None
