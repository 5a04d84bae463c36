"""What every answer and every state of a simulation is held against: the truth that the court signed.

An answer at version v, given at an instant when version n was the newest signed, may come from any version v..n, and
from no other. UNDETERMINED is never wrong, and is counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from gateway.question import Answer
from gateway.views import View
from restriction.decision import ABOUT_US, Outcome
from tests.faults.simulation.court import Court, token_of

_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Known:
    """The newest serial whose lift was acknowledged, and the newest version that a gateway has answered from."""

    lifted: int
    version: int


@dataclass
class Judge:
    """The verdicts of one run. `acknowledged[subject]`: the newest serial that was lifted for good by then."""

    court: Court
    asked: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    acknowledged: dict[int, int] = field(default_factory=dict)
    _heard: set[int] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)

    def accuse(self, rule: str, what: str) -> None:
        """Write down a broken rule."""
        if len(self.violations) < _KEPT:
            self.violations.append(f"{rule}: {what}")

    def acknowledge(self, version: int) -> None:
        """The court was told that the lifts of this version have taken effect for good."""
        if version in self._heard:
            return
        self._heard.add(version)
        for subject, history in self.court.truth.items():
            for (_, before), (lifted_at, now) in pairwise(history):
                if lifted_at == version and before.serial and not now.serial:
                    self.acknowledged[subject] = max(before.serial, self.acknowledged.get(subject, 0))

    def asking(self, gateway: str, subject: int) -> Known:
        """What holds for an answer to a question that is asked now."""
        return Known(self.acknowledged.get(subject, 0), self.versions.get(gateway, 0))

    def answer(self, gateway: str, subject: int, answer: Answer, known: Known) -> None:
        """Judge one answer by what was known when it was asked for."""
        decision, version = answer.decision, answer.view.version
        self.asked[decision.outcome.name] += 1
        possible = list(self.court.between(subject, version, self.court.version))
        said = f"{gateway} said {decision.outcome.name} of {subject} at version {version} of {self.court.version}"
        serials = {int.from_bytes(reference, "big") for reference in decision.entry_refs}
        if decision.outcome is Outcome.RESTRICTED:
            if not serials or not serials <= {signed.serial for signed in possible if signed.restricts}:
                self.accuse("I1", f"{said} for listings {serials}, signed were {possible}")
            if serials and min(serials) <= known.lifted:
                self.accuse("I3", f"{said} for listing {serials}, lifted for good up to {known.lifted}")
        elif decision.outcome is Outcome.NOT_RESTRICTED:
            if all(signed.restricts for signed in possible):
                self.accuse("I2", f"{said}, signed were {possible}")
        elif decision.reason not in ABOUT_US:
            self.accuse("I11", f"{said} because of {decision.reason}")
        if version < known.version:
            self.accuse("I5", f"{said}, and {known.version} before")
        self.versions[gateway] = max(version, self.versions.get(gateway, 0))

    def record(self, subject: int, record: bytes | None, version: int) -> None:
        """Judge what a reader was given for a token: one signed record, whole (I7)."""
        possible = {signed.record for signed in self.court.between(subject, version, self.court.version)}
        if (record or b"") not in possible:
            self.accuse("I7", f"the record of {subject} at version {version} was never signed as it is")

    def view(self, gateway: str, view: View) -> None:
        """Judge a view that a gateway shows: it is a signed state (I6), and its filter holds every token of it (I9)."""
        state = view.announcement.state
        if self.court.digests.get(state.version, state.digest) != state.digest:
            self.accuse("I6", f"{gateway} shows a digest at version {state.version} that was never signed")
        if view.filter is None:
            return
        for subject in self.court.truth:
            (now,) = set(self.court.between(subject, state.version, state.version))
            if now.serial and not view.filter.might_contain(token_of(subject)):
                self.accuse("I9", f"{gateway} lacks {subject} in its filter at version {state.version}")
