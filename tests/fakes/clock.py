"""A clock that stands still until it is told to move."""

from __future__ import annotations

import time


class FakeClock:
    """Unix seconds on call. It starts at the present, since signatures run out by the real clock."""

    def __init__(self, now_s: float | None = None) -> None:
        self.now_s = time.time() if now_s is None else now_s  # noqa: TID251 the fake has to start somewhere

    def __call__(self) -> float:
        return self.now_s

    def advance(self, by_s: float) -> None:
        """Move on by so many seconds."""
        self.now_s += by_s
