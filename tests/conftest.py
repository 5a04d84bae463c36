"""Rules that hold for every test: in CI a skipped test is a failed one, and Hypothesis has no clock of its own."""

from __future__ import annotations

import signal
from collections.abc import Generator
from typing import TypeVar

import hypothesis
import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

pytest_plugins = ["tests.fakes.valkey", "tests.fakes.stores", "tests.fakes.doors", "tests.fakes.replicas"]

# Machines are shared, so a slow example is no finding.
# In CI the same commit gives the same examples, and a failing one is shown as found: shrinking it may take minutes.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, phases=set(hypothesis.Phase) - {hypothesis.Phase.shrink}
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`, which `./run test` gives when CI is true."""
    parser.addoption("--no-skips", action="store_true", help="fail every test that is skipped, naming what it lacks")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile, and hear Ctrl-C.

    A background job is started with SIGINT ignored, and whatever it starts inherits that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.load_profile("ci" if config.getoption("--no-skips") else "shared")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of one test into a failure."""
    report = yield
    return _refuse_skip(report, item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into a failure."""
    report = yield
    return _refuse_skip(report, collector.config)


def _refuse_skip(report: Report, config: pytest.Config) -> Report:
    if report.skipped and config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report
