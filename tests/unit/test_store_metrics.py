"""What an operator sees of each server of the store."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from gateway.metrics import GatewayCollector, Tally
from liststore.base import ServerState
from liststore.breaker import BreakerState


def test_every_server_is_shown_by_breaker_answers_and_failures() -> None:
    servers = (ServerState("primary", BreakerState.OPEN, 5, 7), ServerState("replica-1", BreakerState.CLOSED, 11, 0))
    registry = CollectorRegistry()
    registry.register(GatewayCollector(Tally(), lambda: servers, {}))
    shown = set(generate_latest(registry).decode().splitlines())
    assert shown >= {
        'lintel_store_breaker{server="primary"} 2.0',
        'lintel_store_breaker{server="replica-1"} 0.0',
        'lintel_store_answers_total{server="primary"} 5.0',
        'lintel_store_answers_total{server="replica-1"} 11.0',
        'lintel_store_failures_total{server="primary"} 7.0',
    }
