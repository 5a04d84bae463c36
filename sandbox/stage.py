"""The whole of Lintel on one machine: a sandbox court, its feed, the agent and the gateway, as real processes.

The demo, the end-to-end tests, the fault runs and the load tests all stand on this stage, so what they show is what an
operator runs.
Whoever needs other parts (a store of their own, several gateways) says in a subclass how each is started, by
`command_of` and `environment_of`; the rest is the same.
Every process is started through the `lintel` command, in its own home, on loopback, and ended with the stage; a
process killed by a test is started again with `start`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import settings
from gateway.access import Unit, read_units, write_units
from restriction.errors import NotReadyError
from restriction.identity import Mode
from restriction.measures import Sector
from settings.caller_keys import hash_key, new_key

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 15.0
POLL_S: Final = 0.05
PARAMETERS: Final = Path(__file__).with_name("parameters.yaml")
LINTEL: Final = (sys.executable, "-m", "cli")


@dataclass
class Stage:
    """A running Lintel under `home`. `keys` holds one sandbox credential per sector."""

    home: Path
    feed_port: int
    gateway_port: int
    metrics_port: int
    environment: Mapping[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def court(self) -> Path:
        """The court side's directory."""
        return self.home / "court"

    @property
    def address(self) -> str:
        """Where the gateway listens."""
        return f"127.0.0.1:{self.gateway_port}"

    def lintel(self, *arguments: str) -> str:
        """Run one `lintel` command to its end and return what it printed. Raises: CalledProcessError."""
        done = subprocess.run(  # noqa: S603 - our own command with our own arguments
            [*LINTEL, *arguments], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stderr.decode(errors="replace"))
            done.check_returncode()
        return done.stdout.decode()

    def submit(self, lines: Iterable[str]) -> dict[str, Any]:
        """Submit intake lines and return the report."""
        path = self.home / "lines.ndjson"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        try:
            return dict(json.loads(self.lintel("publisher", "submit", "--dir", str(self.court), str(path), "--json")))
        finally:
            path.unlink()

    def put_parameters(self, path: Path = PARAMETERS) -> None:
        """Sign these parameters."""
        self.lintel("publisher", "parameters", "--dir", str(self.court), str(path))

    def command_of(self, part: str) -> list[str]:
        """The command line of one long-running part."""
        feed = f"127.0.0.1:{self.feed_port}"
        commands = {
            "court": ["publisher", "serve", "--dir", str(self.court), "--listen", feed],
            "agent": [
                *("agent", "run", "--feed", f"http://{feed}", "--root", str(self.court / "feed" / "root.json")),
                *("--state", str(self.home / "agent")),
            ],
            "gateway": [
                *("sandbox", "gateway", "--listen", self.address, "--metrics-port", str(self.metrics_port)),
            ],
        }
        return [*LINTEL, *commands[part]]

    def environment_of(self, part: str) -> Mapping[str, str]:  # noqa: ARG002 - here every part has the same
        """The environment of one long-running part."""
        return self.environment

    def start(self, *parts: str) -> None:
        """Start these parts; what they print goes to `home/logs/PART.log`."""
        logs = self.home / "logs"
        logs.mkdir(exist_ok=True)
        for part in parts:
            with (logs / f"{part}.log").open("ab") as log:
                self.running[part] = subprocess.Popen(  # noqa: S603 - our own command with our own arguments
                    self.command_of(part),
                    env=self.environment_of(part), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip

    def kill(self, part: str) -> None:
        """End a part as a power cut would."""
        os.killpg(self.running[part].pid, signal.SIGKILL)
        self.running.pop(part).wait()

    def store_pid(self) -> int:
        """The embedded store's server. Raises: ProcessLookupError when none runs."""
        folder = Path(self.environment["LINTEL_HOME"]).resolve() / "store"
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # it ended while we looked, or is another user's
                if (process / "exe").readlink().name == "valkey-server" and (process / "cwd").readlink() == folder:
                    return int(process.name)
        raise ProcessLookupError(f"no valkey-server in {folder}")

    def stop(self) -> None:
        """Ask every part to end, the last started first, and return when they and the embedded store have."""
        while self.running:
            _, child = self.running.popitem()
            self._end(child)
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        with contextlib.suppress(ProcessLookupError):
            while self.store_pid() and time.monotonic() < deadline_s:
                time.sleep(POLL_S)

    @staticmethod
    def _end(child: subprocess.Popen[bytes]) -> None:
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def await_serving(self, at_least_version: int, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once the gateway serves this list version. Raises: NotReadyError naming the part that ended."""
        deadline_s = time.monotonic() + timeout_s
        while not self._serves(at_least_version):
            for part, child in self.running.items():
                if child.poll() is not None:
                    raise NotReadyError(f"{part} ended with {child.returncode}: read {self.home}/logs/{part}.log")
            if time.monotonic() > deadline_s:
                raise NotReadyError(f"version {at_least_version} not served after {timeout_s} s: read {self.home}/logs")
            time.sleep(POLL_S)

    def _serves(self, version: int) -> bool:
        from lintel_client import Client, LintelClientError  # noqa: PLC0415 - a stage without questions needs no gRPC

        try:
            with Client(self.address, key=self.keys["hotel"], insecure=True) as client:
                status = client.list_status(timeout_s=1.0)
        except LintelClientError:
            return False
        return status.ready and status.version >= version


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(home: Path, sectors: Iterable[str]) -> Stage:
    """A stage with court, token secret and one sandbox unit per sector under `home`; nothing runs yet."""
    court = home / "court"
    stage = Stage(
        home, free_port(), free_port(), free_port(),
        settings.for_child({
            "LINTEL_HOME": str(home / "home"),
            "LINTEL_TOKEN_SECRET_FILE": str(court / "token.secret"),
            "LINTEL_UNITS_FILE": str(court / "units.yaml"),
        }),
    )  # fmt: skip
    stage.lintel("publisher", "init", "--dir", str(court), "--sandbox")
    stage.keys.update((sector, new_key(Mode.SANDBOX)) for sector in sectors)
    units = (
        Unit(f"sandbox-{sector}", Sector(sector), Mode.SANDBOX, hash_key(key)) for sector, key in stage.keys.items()
    )
    write_units(court / "units.yaml", (*read_units(court / "units.yaml"), *units))
    return stage


@contextlib.contextmanager
def raised(home: Path, sectors: Iterable[str]) -> Iterator[Stage]:
    """A prepared stage that is stopped, whatever happens, at the end."""
    stage = prepare(home, sectors)
    try:
        yield stage
    finally:
        stage.stop()
