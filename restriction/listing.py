"""What a feed lists: the names of its documents, and the way through them from one version to the newest.

Names are `parameters.json`, `snapshots/<version>/manifest`, `deltas/<base>-<version>.delta` and
`approvals/<version>.json`; others are ignored, so that a later feed may list more.
Nothing here says that a document is to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from restriction.change import Delta

# Extra signed fields: the list in the root, the state that the documents lead to in the targets, the vouched instant in
# the timestamp.
LIST_FIELD: Final = "lintel_list"
STATE_FIELD: Final = "lintel_state"
AS_OF_FIELD: Final = "as_of"
PARAMETERS_PATH: Final = "parameters.json"
_DELTA: Final = re.compile(r"deltas/(0|[1-9][0-9]{0,17})-([1-9][0-9]{0,17})\.delta")
_APPROVAL: Final = re.compile(r"approvals/([1-9][0-9]{0,17})\.json")
_SNAPSHOT: Final = re.compile(r"snapshots/(0|[1-9][0-9]{0,17})/manifest")


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A listed delta: from `base` (exclusive) to `version`."""

    base: int
    version: int

    @property
    def path(self) -> str:
        """Its name in the feed."""
        return f"deltas/{self.base}-{self.version}.delta"


def step_of(delta: Delta) -> Step:
    """How a feed lists this delta."""
    return Step(delta.base_version, delta.after.version)


def snapshot_directory(version: int) -> str:
    """Where the files of a snapshot lie."""
    return f"snapshots/{version}"


def snapshot_path(version: int) -> str:
    """Name of a snapshot's manifest."""
    return f"{snapshot_directory(version)}/manifest"


def approval_path(version: int) -> str:
    """Name of the approval that the list may be empty at this version."""
    return f"approvals/{version}.json"


@dataclass(frozen=True, slots=True)
class Listing:
    """The documents of a feed: deltas in order of their base, the newest snapshot's version, and approved versions."""

    deltas: tuple[Step, ...]
    snapshot: int | None
    approvals: tuple[int, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[str]) -> Listing:
        """The listing of these names."""
        names = tuple(paths)
        deltas = [Step(int(m[1]), int(m[2])) for m in map(_DELTA.fullmatch, names) if m]
        snapshots = [int(m[1]) for m in map(_SNAPSHOT.fullmatch, names) if m]
        approvals = tuple(sorted(int(m[1]) for m in map(_APPROVAL.fullmatch, names) if m))
        steps = tuple(sorted(step for step in deltas if step.base < step.version))
        return cls(steps, max(snapshots, default=None), approvals)

    @property
    def newest(self) -> int:
        """The newest version that any document leads to; zero when there is none."""
        return max([self.snapshot or 0, *(step.version for step in self.deltas)])

    def way(self, held: int) -> tuple[Step, ...] | None:
        """The fewest deltas that lead from `held` to the newest version; None when there is a gap on the way."""
        way: list[Step] = []
        reached = held
        while reached < self.newest:
            ahead = [step for step in self.deltas if step.base <= reached < step.version]
            if not ahead:
                return None
            way.append(max(ahead, key=lambda step: step.version))
            reached = way[-1].version
        return tuple(way)
