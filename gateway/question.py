"""What the core is asked and what it answers, free of any door's messages.

A question is whole and possible in form when it is built; identity and name are still raw here and become canonical in
the screener.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gateway.views import View
from restriction.decision import Decision
from restriction.identity import Document
from restriction.products import Product
from restriction.wording import Language


@dataclass(frozen=True, slots=True)
class Clocks:
    """The two clocks of a process: Unix seconds for the law, monotonic seconds for ages."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Question:
    """One sale of one product on one document. `name` and `booking_reference` stay out of every repr."""

    request_id: str
    document: Document
    name: str = field(repr=False)
    product: Product
    service_day: int | None
    booking_reference: str = field(repr=False)
    at_least_version: int = 0
    max_list_age_s: float | None = None
    language: Language = Language.ZH_CN


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision, the id that names it in complaints, and when (Unix seconds) and from which view it was made."""

    decision_id: str
    decision: Decision
    view: View
    at_s: float


def decision_ids(prefix: str) -> Iterator[str]:
    """Ids that never repeat: a random prefix of this process and a running number.

    A counter costs no system call; `os.urandom` per answer would hand the interpreter lock to the poller thread.
    """
    return (f"{prefix}-{number:08x}" for number in itertools.count(1))
