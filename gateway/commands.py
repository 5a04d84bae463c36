"""`lintel gateway`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import uvloop

import settings
from gateway import log, wiring
from gateway.doors.grpc.errors_table import catalogue

_MAX_PORT: Final = 65_535  # TCP's
_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def gateway() -> None:
    """Answer questions from the list in service."""


@gateway.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where units ask.")
@click.option("--insecure", is_flag=True, help="Listen without TLS: for loopback and for a proxy on the same host.")
@click.option("--tls-cert", type=_FILE, help="Certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM.")
@click.option("--metrics-listen", metavar="HOST:PORT", help="Where Prometheus scrapes; nowhere when left out.")
@click.option(
    "--state", type=click.Path(path_type=Path, file_okay=False), help="Floor and journal; LINTEL_HOME/gateway."
)
@click.option("--reflection", is_flag=True, help="Server reflection on a live list too; a sandbox list always has it.")
def serve(  # noqa: PLR0913 - one parameter per option is click's way
    *,
    listen: str,
    insecure: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    metrics_listen: str | None,
    state: Path | None,
    reflection: bool,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then let the calls under way end."""
    if {tls_cert is None, tls_key is None} != {insecure}:
        raise click.UsageError("give --tls-cert and --tls-key, or --insecure where nobody can listen in; not both")
    log.configure()
    current = settings.current()
    serving = wiring.Serving(
        listen=listen,
        state=state or current.home / "gateway",
        tls=(tls_cert, tls_key) if tls_cert and tls_key else None,
        metrics_listen=_host_and_port(metrics_listen) if metrics_listen else None,
        reflection=reflection,
    )
    uvloop.run(wiring.serve(current, serving))


@gateway.command()
def errors() -> None:
    """Print the error catalogue, as docs/errors.md keeps it."""
    click.echo(catalogue(), nl=False)


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise click.BadParameter("give HOST:PORT", param_hint="--metrics-listen")
    return host.strip("[]"), int(port)
