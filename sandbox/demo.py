"""`./run demo`: all of Lintel on this machine, on an embedded store, with a sandbox court and a sample list.

`--once` asks, lifts and checks by itself, and ends with 0 or with what failed; without it everything stays up for
trying by hand until Ctrl-C. Either way nothing is left running and nothing is left on disk.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

import click

from lintel_client import Client, Decision, Document, DocumentType
from lintel_client import Question as Asked
from lintel_client.plain import product_of
from restriction.calendar import date_from_day, day_of
from restriction.errors import NotReadyError
from restriction.measures import Sector
from sandbox.generator import Sample, list_lines
from sandbox.identities import IDENTITIES, Fixed, lines
from sandbox.stage import Stage, raised

SUBJECTS: Final = 1_000
LIFT_TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.2
SHOWN: Final = ("clear", "lodge", "resort-cap", "exempt-today", "name-mismatch")
TRY: Final = "lodging star_rating=4 rating_status=IN_FORCE establishment_id=hotel-4 emergency=false"


class Demo:
    """The demo on a running stage."""

    def __init__(self, stage: Stage, sample: Sample) -> None:
        self._stage = stage
        self._sample = sample

    def load(self) -> None:
        """Give the court a list, and wait until the gateway serves it."""
        self._stage.put_parameters()
        report = self._stage.submit(chain(lines(self._sample.today), list_lines(self._sample)))
        self._stage.start("court", "agent", "gateway")
        self._stage.await_serving(report["version"])
        counts = {kind: len(rows) for kind, rows in report.items() if isinstance(rows, list)}
        click.echo(f"court: submitted {', '.join(f'{count} {kind}' for kind, count in counts.items() if count)}")

    def show(self) -> None:
        """One answer of each kind, with the list's version and age; then a lift. Raises: NotReadyError."""
        with self._client("hotel") as client:
            status = client.list_status()
        click.echo(f"list: version {status.version}, {status.record_count} records, {status.age_s:.1f} s old")
        for slug in SHOWN:
            self._show(IDENTITIES[slug])
        self._lift(IDENTITIES["venue"])

    def _show(self, fixed: Fixed) -> None:
        decision = self._ask(fixed)
        click.echo(f"{fixed.slug}: {_said(decision)}, {decision.advice.name}, list version {decision.list_version}")
        if decision.notice:
            click.echo("\n".join(f"    {line}" for line in decision.notice.text.splitlines()))
        if _said(decision) != fixed.answer:
            raise NotReadyError(f"{fixed.slug}: {fixed.answer} was expected: this demo is broken")

    def _lift(self, fixed: Fixed) -> None:
        """A restricted person, the court's lift, and the moment from which nobody is told RESTRICTED."""
        self._show(fixed)
        _, lift = replace(fixed, state="LIFTED").lines(self._sample.today)
        self._stage.submit([lift])
        submitted_s = time.monotonic()
        while _said(self._ask(fixed)) != "NOT_RESTRICTED":
            if time.monotonic() - submitted_s > LIFT_TIMEOUT_S:
                raise NotReadyError(f"{fixed.slug}: still RESTRICTED {LIFT_TIMEOUT_S} s after its lift")
        took_ms = (time.monotonic() - submitted_s) * 1e3
        click.echo(f"{fixed.slug}: lifted; NOT_RESTRICTED {took_ms:.0f} ms after `lintel publisher submit` returned")

    def _ask(self, fixed: Fixed) -> Decision:
        plain = fixed.question(self._sample.today)
        document = Document(DocumentType[plain.document_type], plain.number, plain.issuing_country)
        product = product_of(plain.product, plain.fields)
        with self._client(plain.sector) as client:
            return client.check(Asked(document, plain.name, product, "demo", plain.service_date, language="en"))

    def _client(self, sector: str) -> Client:
        return Client(self._stage.address, key=self._stage.keys[sector], insecure=True)

    def invite(self) -> None:
        """Where everything is, and three commands to try."""
        stage, fixed = self._stage, IDENTITIES["lodge"].question(self._sample.today)
        asking = f"LINTEL_ADDRESS={stage.address} LINTEL_INSECURE=1 LINTEL_KEY={stage.keys['hotel']}"
        there = " ".join(f"{key}={stage.environment[key]}" for key in sorted(stage.environment) if "LINTEL_" in key)
        click.echo(
            f"\ngateway {stage.address}   feed http://127.0.0.1:{stage.feed_port}   metrics {stage.metrics_port}"
        )
        click.echo("\nTry, in another shell; the identities are those of `./run lintel sandbox identities`:\n")
        identity = f"printf '%s\\n' {fixed.number} {fixed.name}"
        click.echo(f"  {identity} | {asking} ./run lintel check --date {self._sample.today} {TRY}")
        click.echo(f"  {there} ./run lintel status")
        click.echo(f"  {there} ./run lintel publisher status --dir {stage.court}")
        click.echo("\nCtrl-C ends it.")


def _said(decision: Decision) -> str:
    return decision.outcome.name if decision.reason is None else f"{decision.outcome.name} {decision.reason.name}"


@click.command()
@click.option("--once", is_flag=True, help="Ask, lift, check and end, instead of staying up.")
def demo(*, once: bool) -> None:
    """Run all of Lintel on this machine, with a sandbox court and a sample list."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a script's background jobs are started with it ignored
        signal.signal(number, signal.default_int_handler)
    today = date_from_day(day_of(time.time()))  # noqa: TID251 - a command is an edge
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="lintel-") as folder,
        raised(Path(folder), Sector) as stage,
    ):
        running = Demo(stage, Sample(1, SUBJECTS, today))
        running.load()
        running.show()
        if not once:
            running.invite()
            while True:  # a signal that another thread took is seen by this one only when it wakes
                time.sleep(POLL_S)
    click.echo("demo: everything has ended")
