"""Puts the agent together from its rooms."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tuf.ngclient.fetcher import FetcherInterface

from liststore.base import ListWriter
from restriction.token import Secrets
from sync_agent.acknowledger import Acknowledger
from sync_agent.agent import Agent, Rooms
from sync_agent.alarms import Alarms
from sync_agent.announcer import Announcer
from sync_agent.applier import Applier
from sync_agent.copy import VerifiedCopy
from sync_agent.fetcher import FeedFetcher, FeedSource, Progress, Tryer
from sync_agent.filters import FilterImages
from sync_agent.last import LastAnnounced
from sync_agent.loader import Loader
from sync_agent.report import STATUS_FILE, Report
from sync_agent.spares import Spares
from sync_agent.transport import Transport


@dataclass(frozen=True, slots=True)
class AgentPlace:
    """Where an agent gets its list and how, where it keeps its own files, and where it has documents tried.

    `monotonic` is the clock for how long something lasts.
    """

    source: FeedSource
    state_directory: Path
    canary: Tryer
    transport: FetcherInterface | None = None  # HTTP unless given
    monotonic: Callable[[], float] = time.monotonic


def build_agent(
    place: AgentPlace, store: ListWriter, secrets: Secrets, progress: Progress, clock: Callable[[], float]
) -> Agent:
    """An agent over this store. Raises: SettingError when the pinned root is not one."""
    directory = place.state_directory
    directory.mkdir(parents=True, exist_ok=True)
    pinned = place.source.list_id
    copy = VerifiedCopy(directory, pinned, clock)
    last = LastAnnounced(directory / "announced.json", pinned)
    spares = Spares(directory / "generations.json", place.monotonic)
    acknowledger = Acknowledger(store, clock)
    rooms = Rooms(
        FeedFetcher(place.source, directory, place.transport or Transport(time.monotonic), progress, place.canary),
        copy,
        Applier(store, secrets, Loader(store, spares, progress), last, acknowledger.eased),
        Announcer(store, spares, last),
        FilterImages(store),
        acknowledger,
    )
    alarms = Alarms(clock, place.monotonic)
    return Agent(rooms, alarms, Report(directory / STATUS_FILE, alarms))
