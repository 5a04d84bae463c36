"""A whole Lintel to be broken: a store of its own, one court, and as many agents, gateways and replicas as are wanted.

Every part is a real process and can be killed, stopped and started by its name: `store`, `replica`, `court`, `agent`,
`agent-2`, `gateway`, `gateway-2`, … . Who reaches whom goes over `site.through`, so that a fault proxy can stand in any
link. Parts that are killed stay away until they are started again: there is no keeper here, as with a server that an
operator runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from liststore.embedded import server_binary
from liststore.wiring import open_reader
from loadtests.house import lines_of, now
from restriction.errors import NotReadyError
from restriction.measures import Sector
from sandbox.generator import Sample
from sandbox.stage import Stage, free_port, prepare
from settings import token_secret
from tests.faults.house_list import Batch, Course
from tests.faults.proxy import Link
from tests.faults.proxy import standing as link_standing

START_S: Final = 30.0
POLL_S: Final = 0.05
SUBMITS: Final = 20
Way = tuple[str, str]


@dataclass
class Site(Stage):
    """A stage with parts by name. `ports`: where each listens. `through`: links by (from, to), where one stands."""

    ports: dict[str, int] = field(default_factory=dict)
    through: dict[Way, Link] = field(default_factory=dict)
    is_over: bool = False

    @classmethod
    def at(cls, home: Path) -> Site:
        """A site that is prepared under `home`; nothing runs."""
        base = prepare(home, Sector)
        site = cls(base.home, base.feed_port, base.gateway_port, base.metrics_port, base.environment, base.keys)
        site.ports = {"court": base.feed_port, "gateway": base.gateway_port}
        return site

    def port_of(self, part: str) -> int:
        """Where this part listens, from its first mention on."""
        if part not in self.ports:
            self.ports[part] = free_port()
        return self.ports[part]

    def way(self, part: str, to: str) -> str:
        """HOST:PORT at which `part` finds `to`: the link between them, or the part itself."""
        link = self.through.get((part, to))
        return link.url if link else f"127.0.0.1:{self.port_of(to)}"

    def command_of(self, part: str) -> list[str]:
        """The command line of one part."""
        kind = part.partition("-")[0]
        if kind in {"store", "replica"}:
            return self._server(part)
        command = super().command_of(kind)
        if kind == "agent":
            command[command.index("--feed") + 1] = f"http://{self.way(part, 'court')}"
            command[command.index("--state") + 1] = str(self.home / part)
        if kind == "gateway":
            command[command.index("--listen") + 1] = f"127.0.0.1:{self.port_of(part)}"
            del command[command.index("--metrics-port") :]
            command += ["--state", str(self.home / part)]
        return command

    def environment_of(self, part: str) -> Mapping[str, str]:
        """The environment of one part: the store, and the replica where one runs, are where its own ways lead."""
        if part.partition("-")[0] not in {"agent", "gateway"}:
            return self.environment
        replica = f"?replica={self.way(part, 'replica')}" if "replica" in self.running else ""
        return {**self.environment, "LINTEL_REDIS_URL": f"redis://{self.way(part, 'store')}{replica}"}

    def _server(self, part: str) -> list[str]:
        folder = self.home / part
        folder.mkdir(exist_ok=True)
        options = {
            "port": str(self.port_of(part)), "bind": "127.0.0.1", "dir": str(folder), "appendonly": "yes",
            "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction", "repl-diskless-sync-delay": "0",
        }  # fmt: skip
        command = [str(server_binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]
        return command if part == "store" else [*command, "--replicaof", f"127.0.0.1 {self.port_of('store')}"]

    def start(self, *parts: str) -> None:
        """As for any stage. Raises: NotReadyError once the site was stopped, whichever thread still works on it."""
        self._require_standing()
        super().start(*parts)

    def _serves(self, version: int) -> bool:
        self._require_standing()
        return super()._serves(version)

    def _require_standing(self) -> None:
        if self.is_over:
            raise NotReadyError("this site was stopped: nothing of it is started or waited for")

    def pause(self, part: str) -> None:
        """Stop a part where it stands, as an overloaded machine would."""
        os.killpg(self.running[part].pid, signal.SIGSTOP)

    def resume(self, part: str) -> None:
        """Let a stopped part go on."""
        os.killpg(self.running[part].pid, signal.SIGCONT)

    def stop(self) -> None:
        """End every part, and start none after; stopped ones go on first, or they would not hear of it."""
        self.is_over = True
        for part in self.running:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                self.resume(part)
        super().stop()

    def await_listening(self, part: str) -> None:
        """Return once somebody accepts there. Raises: NotReadyError after `START_S`."""
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port_of(part)), 1.0):
                return
            time.sleep(POLL_S)
        raise NotReadyError(f"{part} does not listen: read {self.home}/logs/{part}.log")


@dataclass(frozen=True, slots=True)
class House:
    """A site that serves `sample`, and the oracle that is kept in step with it."""

    site: Site
    sample: Sample
    course: Course

    async def submit(self, lines: Sequence[str]) -> Batch:
        """Submit one batch, known to the oracle before the court, and keep the version that carries it.

        A submit that fails is made again, as an operator does. Raises: ValueError when court and oracle disagree.
        """
        batch = self.course.begin(lines, now(), time.monotonic())
        report, is_again = await self._submitted(lines)
        counted = len(report["accepted"]) + (len(report["duplicate"]) if is_again else 0)
        if counted != batch.accepted:
            raise ValueError(f"the court accepted {counted} lines, the oracle {batch.accepted}")
        batch.version = report["version"]
        return batch

    async def _submitted(self, lines: Sequence[str]) -> tuple[dict[str, Any], bool]:
        """The court's report, and whether it took more than one try."""
        failures = 0
        while True:
            try:
                return await asyncio.to_thread(self.site.submit, lines), failures > 0
            except subprocess.CalledProcessError:
                failures += 1
                if failures > SUBMITS:
                    raise

    async def acknowledge(self) -> None:
        """Until cancelled, mark each batch at the moment its version is seen announced in the store, which has it."""
        secrets = token_secret.read(self.site.court / "token.secret")
        reader = open_reader(f"redis://127.0.0.1:{self.site.port_of('store')}", secrets.current.bucket_key)
        try:
            while True:
                with contextlib.suppress(Exception):  # a store that is away, or damaged, acknowledges nothing
                    announced = await reader.announcement()
                    self.course.acknowledge(announced.state.version if announced else 0, time.monotonic())
                await asyncio.sleep(POLL_S)
        finally:
            await reader.close()


@asynccontextmanager
async def standing(
    folder: Path, sample: Sample, parts: Sequence[str], ways: Sequence[Way] = ()
) -> AsyncIterator[House]:
    """A house of these parts that serves the list; `ways` are the links that go over a fault proxy."""
    site = await asyncio.to_thread(Site.at, folder)
    async with contextlib.AsyncExitStack() as stack:
        for place, (part, to) in enumerate(ways):
            upstream = ("127.0.0.1", site.port_of(to))
            site.through[part, to] = await stack.enter_async_context(link_standing(upstream, seed=place))
        try:
            lines = list(lines_of(sample))
            course = Course.of(lines, now())
            version = await asyncio.to_thread(_begin, site, lines, parts)
            course.serving(version)
            yield House(site, sample, course)
        finally:
            await asyncio.to_thread(site.stop)


def _begin(site: Site, lines: Sequence[str], parts: Sequence[str]) -> int:
    """Start everything, in the order given, and return the version that every gateway serves."""
    site.put_parameters()
    version = int(site.submit(lines)["version"])
    for part in parts:
        site.start(part)
        if part in {"store", "replica"}:
            site.await_listening(part)
    for part in parts:
        if part.startswith("gateway"):
            site.gateway_port = site.port_of(part)  # whom `await_serving` asks
            site.await_serving(version, 120)
    site.gateway_port = site.port_of("gateway")
    return version
