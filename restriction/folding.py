"""Fewer deltas for the same way: neighbours are folded as long as the limits of one delta allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from restriction.change import MAX_CHANGES_PER_DELTA, Delta, fold
from restriction.envelope import MAX_DELTA_BYTES

# Records stay at half of what a reader accepts, so that tokens and framing never take a delta over the limit.
MAX_RECORD_BYTES_PER_DELTA: Final = MAX_DELTA_BYTES // 2


def folded_runs(deltas: Iterable[Delta]) -> list[tuple[Delta, Sequence[Delta]]]:
    """The folded delta of each run of two or more neighbours that fit together, with the run that it replaces."""
    runs = [run for run in _runs(deltas) if len(run) > 1]
    return [(Delta(run[0].base_version, run[-1].after, fold(run)), run) for run in runs]


def _runs(deltas: Iterable[Delta]) -> Iterator[list[Delta]]:
    run: list[Delta] = []
    sizes: dict[bytes, int] = {}
    for delta in deltas:
        added = {change.token: len(change.record) for change in delta.changes}
        joined = sizes | added
        if len(joined) > MAX_CHANGES_PER_DELTA or sum(joined.values()) > MAX_RECORD_BYTES_PER_DELTA:
            yield run
            run, joined = [], added
        run, sizes = [*run, delta], joined
    yield run
