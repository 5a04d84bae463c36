"""What the operator sees: counts of answers and errors, and the state of the list, for Prometheus.

Counting is one dictionary step on the hot path; names and labels are made when they are scraped.
No label says anything about a subject: unit, measure, outcome and reason are counted, never who was asked about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.question import Answer
from liststore.base import ServerState
from restriction.decision import Outcome, Reason
from restriction.measures import Measure

_ANSWER_LABELS: Final = ("unit", "measure", "outcome", "reason")


class Tally:
    """Counts of what was answered and refused since the process began."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, Measure, Outcome, Reason | None]] = Counter()
        self.errors: Counter[str] = Counter()

    def answered(self, unit_id: str, answer: Answer) -> None:
        """Count one answer to a unit (应查必查: that a unit asks is itself what the register counts)."""
        decision = answer.decision
        self.answers[unit_id, decision.measure, decision.outcome, decision.reason] += 1

    def refused(self, reason: str) -> None:
        """Count one question that had no answer."""
        self.errors[reason] += 1


class GatewayCollector(Collector):
    """The tally, the store's servers and the gauges as metric families.

    `gauges`: name to what it is and how it is read now.
    """

    def __init__(
        self,
        tally: Tally,
        servers: Callable[[], Sequence[ServerState]],
        gauges: dict[str, tuple[str, Callable[[], float]]],
    ) -> None:
        self._tally = tally
        self._servers = servers
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        answers = CounterMetricFamily("lintel_answers", "Answers given.", labels=_ANSWER_LABELS)
        for (unit, measure, outcome, reason), count in tuple(self._tally.answers.items()):
            answers.add_metric([unit, measure.name, outcome.name, reason.name if reason else ""], count)
        yield answers
        errors = CounterMetricFamily("lintel_errors", "Questions without an answer.", labels=("reason",))
        for reason_word, count in tuple(self._tally.errors.items()):
            errors.add_metric([reason_word], count)
        yield errors
        yield from _of_servers(self._servers())
        for name, (meaning, read) in self._gauges.items():
            yield GaugeMetricFamily(name, meaning, value=read())


def _of_servers(servers: Sequence[ServerState]) -> Iterator[Metric]:
    label = ("server",)
    breakers = GaugeMetricFamily(
        "lintel_store_breaker", "0 asked, 1 tried now and then, 2 not waited for.", labels=label
    )
    answers = CounterMetricFamily("lintel_store_answers", "Look-ups answered, by server of the store.", labels=label)
    failures = CounterMetricFamily("lintel_store_failures", "Questions that a server left unanswered.", labels=label)
    for server in servers:
        breakers.add_metric([server.name], server.breaker)
        answers.add_metric([server.name], server.answers)
        failures.add_metric([server.name], server.failures)
    yield from (breakers, answers, failures)
