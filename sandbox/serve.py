"""`lintel sandbox gateway`: a gateway that also answers the fixed identities of faults as a broken one would."""

from __future__ import annotations

from pathlib import Path

import click
import uvloop

import settings
from gateway import log, wiring
from restriction.errors import SettingError
from sandbox.faults import FaultScreener

LOOPBACK = ("127.", "localhost:", "[::1]:")


@click.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where to ask, in clear: on loopback.")
@click.option("--metrics-port", type=int, help="Where on loopback Prometheus scrapes; nowhere when left out.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="LINTEL_HOME/gateway when left out.")
def gateway(*, listen: str, metrics_port: int | None, state: Path | None) -> None:
    """Serve a sandbox list on loopback, the fixed identities of faults included."""
    if not listen.startswith(LOOPBACK):
        raise SettingError("--listen: not on this machine: a sandbox gateway speaks in clear; listen on 127.0.0.1")
    log.configure()
    current = settings.current()
    metrics = None if metrics_port is None else ("127.0.0.1", metrics_port)
    serving = wiring.Serving(listen=listen, state=state or current.home / "gateway", metrics_listen=metrics)
    uvloop.run(wiring.serve(current, serving, FaultScreener))
