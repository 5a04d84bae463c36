"""The whole gateway, put together in one place."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server

from gateway.access import Access
from gateway.admission import Admission
from gateway.doors.grpc.court import CourtDoor
from gateway.doors.grpc.guard import Guard
from gateway.doors.grpc.handlers import Core, RestrictionDoor
from gateway.doors.grpc.server import GrpcServer, Health, Reflection, server_credentials
from gateway.floor import Floor
from gateway.follower import Follower
from gateway.metrics import GatewayCollector, Tally
from gateway.question import Clocks, decision_ids
from gateway.screener import Screener
from gateway.views import View
from ledger.journal import Journal
from liststore import embedded
from liststore.wiring import open_reader
from restriction.errors import NotReadyError, SettingError
from restriction.identity import Mode
from settings import Settings, token_secret

# It goes on while the machine sleeps, where there is such a clock, so that no list wakes up younger than it is.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
MAX_IN_FLIGHT: Final = 256  # at 100 µs a store trip: more than one event loop can have under way to any use
DRAIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Serving:
    """What one gateway serves, where. `tls`: certificate chain and key file; None listens in clear."""

    listen: str
    state: Path
    tls: tuple[Path, Path] | None = None
    metrics_listen: tuple[str, int] | None = None
    reflection: bool = False


async def serve(settings: Settings, serving: Serving, screening: type[Screener] = Screener) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises: SettingError, StoreUnavailableError."""
    clocks = Clocks(time.time, functools.partial(time.clock_gettime, _STEADY))  # noqa: TID251 - where time enters
    keys = token_secret.read(settings.token_secret_file)
    journals = serving.state / "journal"
    journals.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        url = settings.redis_url
        if url is None:
            url = await stack.enter_async_context(embedded.open(settings.home))
        store = open_reader(url, keys.current.bucket_key)
        stack.push_async_callback(store.close)
        journal = Journal(journals, f"{time.time_ns()}-{os.getpid()}")  # noqa: TID251 - an edge: a name that never repeats
        stack.callback(journal.close)

        access, tally, admission, health = Access(settings.units_file), Tally(), Admission(MAX_IN_FLIGHT), Health()
        follower = Follower(store, keys, Floor(serving.state / "floor.json"), clocks, health.serve_list)
        screener = screening(follower, store, journal, clocks, decision_ids(secrets.token_hex(6)))
        core = Core(access, screener, follower, clocks, tally, metadata.version("lintel"))
        guard = Guard(admission, tally, decision_ids(f"i{secrets.token_hex(3)}"))
        door, court = RestrictionDoor(core, guard), CourtDoor(access, store, guard)
        reflection = Reflection(lambda: serving.reflection or _is_sandbox(follower))

        server = GrpcServer((door.handlers(), court.handlers(), reflection), health, admission)
        stack.callback(
            _expose(serving.metrics_listen, GatewayCollector(tally, store.servers, _gauges(core, admission)))
        )
        await server.start(serving.listen, server_credentials(*serving.tls) if serving.tls else None)
        duties = [asyncio.create_task(duty) for duty in (follower.run(), journal.keep_synced(), access.keep_current())]
        stack.push_async_callback(_end, duties)  # after the drain: what it answers is followed and synced like the rest
        await _told_to_end(duties)
        await server.drain(DRAIN_S)


async def _told_to_end(duties: Sequence[asyncio.Task[None]]) -> None:
    """Return at SIGTERM or SIGINT, or when a duty ended, since a gateway without one of them is not fit."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait([*duties, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _end(duties: Sequence[asyncio.Task[None]]) -> None:
    """End the duties. Raises: what one of them had raised."""
    for duty in duties:
        duty.cancel()
    for ended in await asyncio.gather(*duties, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _expose(listen: tuple[str, int] | None, collector: GatewayCollector) -> Callable[[], None]:
    """Serve metrics from a thread of their own; returns how to stop. Raises: SettingError when the port is taken."""
    if listen is None:
        return lambda: None
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(listen[1], listen[0], registry)
    except OSError as error:
        raise SettingError(f"--metrics-listen: {error.strerror}: choose another address") from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _gauges(core: Core, admission: Admission) -> dict[str, tuple[str, Callable[[], float]]]:
    def of_view(read: Callable[[View], float]) -> Callable[[], float]:
        """Read from the view in service; not a number while there is none."""

        def gauge() -> float:
            try:
                return read(core.follower.current())
            except NotReadyError:
                return math.nan

        return gauge

    return {
        "lintel_list_version": ("Version that is answered from.", of_view(lambda view: view.version)),
        "lintel_list_records": ("Records on the list.", of_view(lambda view: view.announcement.state.count)),
        "lintel_list_age_seconds": (
            "Age of the court side's signed time.",
            of_view(lambda view: view.age_s(core.clocks.monotonic())),
        ),
        "lintel_clock_skew_seconds": (
            "How far the court side's signed time was ahead of this host's clock when it was seen.",
            lambda: core.follower.clock_skew_s,
        ),
        "lintel_filter_in_use": (
            "0 while the store is asked about everybody.",
            of_view(lambda view: view.filter is not None),
        ),
        "lintel_calls_in_flight": ("Calls being worked on.", lambda: admission.in_flight),
    }


def _is_sandbox(follower: Follower) -> bool:
    try:
        return follower.current().mode is Mode.SANDBOX
    except NotReadyError:
        return False
