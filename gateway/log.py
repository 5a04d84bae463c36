"""Structured logs: one JSON line per change of state, none per check.

I14: no identity, name, booking reference or message of an unexpected exception is ever logged; callers pass reasons,
versions, counts and class names only.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure() -> None:
    """Send every line to standard error as JSON with an ISO time."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
