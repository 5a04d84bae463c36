"""The court's side killed with SIGKILL between any two steps of a submission, on many seeds.

After each kill an agent must find the feed whole, at what was signed before or at what is new; the court's side is
started again, signs what was left waiting, and is handed the same file once more, as a court does that saw no report.
Then nothing may be lost and nothing doubled: book and list are those of a submission that nobody disturbed, and the
digest is the same at the publisher, in the agent's store, and computed anew.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from publisher.heartbeat import FeedServer
from publisher.wiring import Founding, found, opened
from restriction.change import Digest, ListState
from restriction.identity import Mode
from restriction.token import Secrets
from sandbox.generator import Sample
from sync_agent.fetcher import FeedSource
from tests.fakes.agents import AgentHost, alarms_of
from tests.fakes.clock import FakeClock
from tests.fakes.disorder import disordered_events, disordered_list
from tests.faults.crash.bench import percentiles
from tests.faults.crash.process import Nursery, nursery
from tests.faults.crash.submitting import Submission, sign_what_waits
from tests.faults.crashes import SEEDS, thinned
from tests.faults.plan import Outcome, Plan

_SUBJECTS: Final = 40
_EVENTS: Final = 40


@dataclass(frozen=True, slots=True)
class Kept:
    """What a book holds: what is published, how many entries, what waits for a human, whom it hit wrongly."""

    published: dict[bytes, bytes]
    entries: int
    quarantined: tuple[str, ...]
    wrong_hits: tuple[tuple[str, bytes], ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class Court:
    """A court's side that is about to be handed `job.lines`; `before` is its directory as it is then."""

    before: Path
    job: Submission
    source: FeedSource
    state: ListState

    def reset(self) -> None:
        """Put everything back."""
        shutil.rmtree(self.job.directory, ignore_errors=True)
        shutil.copytree(self.before, self.job.directory)


def run(plan: Plan) -> Outcome:
    """Every gap of a submission on as many seeds as the plan says."""
    began_s = time.monotonic()
    kills, recovered, broken = Counter[str](), list[float](), list[str]()
    seeds: defaultdict[str, set[int]] = defaultdict(set)
    with nursery(Submission.__module__) as children:
        for seed in range(plan.seed, plan.seed + plan.count(SEEDS)):
            with tempfile.TemporaryDirectory(dir=plan.folder) as folder, _standing(Path(folder), seed) as court:
                steps, expected = _undisturbed(court, children)
                for gap, name in list(enumerate([*steps, "end"]))[:: thinned(plan)]:
                    where = f"seed {seed}, gap {gap} of {len(steps)}, before {name}"
                    court.reset()
                    if children.run(replace(court.job, gap=gap)).signal != signal.SIGKILL:
                        broken.append(f"{where}: not reached")
                        continue
                    kills[name] += 1
                    seeds[name].add(seed)
                    broken += [f"{where}: {text}" for text in _wrong(court, expected, recovered)]
            sys.stderr.write(f"seed {seed}: {kills.total()} kills in {time.monotonic() - began_s:.0f} s\n")
    figures = {
        "kills": kills.total(), "named steps": len(kills),
        "fewest seeds of a named step": min(map(len, seeds.values()), default=0),
        "seconds until all is signed again": percentiles(sorted(recovered)),
        "seconds": round(time.monotonic() - began_s, 1),
    }  # fmt: skip
    return Outcome(figures, tuple(broken))


def _undisturbed(court: Court, children: Nursery) -> tuple[tuple[str, ...], Kept]:
    """The steps of a submission that nobody disturbs, and what the book keeps of it."""
    court.reset()
    steps, _ = children.run(court.job).given
    return steps, _kept(court.job.directory)


def _wrong(court: Court, expected: Kept, recovered: list[float]) -> Iterator[str]:
    """What is wrong after a kill, and after the court's side was started again."""
    directory, job = court.job.directory, court.job
    with tempfile.TemporaryDirectory() as folder:
        host = AgentHost(court.source, Path(folder), lambda: job.now_s, _secrets(directory))
        agent = host.start()
        asyncio.run(agent.sync_once())
        if alarms_of(agent) or agent.in_service is None or agent.in_service.state.version < court.state.version:
            yield f"the feed is not whole, {alarms_of(agent)}"
        began_s = time.monotonic()
        sign_what_waits(directory, job.now_s)
        job.made_here()
        recovered.append(time.monotonic() - began_s)
        kept = _kept(directory)
        if kept != expected:
            yield "the book is not that of a submission that nobody disturbed"
        asyncio.run(agent.sync_once())
        with opened(directory) as court_again:
            book, signed = court_again.book.state, court_again.feed.state
            digest = Digest(court_again.keys.digest_key)
        for token, record in kept.published.items():
            digest.add(token, record)
        if alarms_of(agent) or agent.in_service is None or not book == signed == agent.in_service.state:
            yield f"book, feed and agent are not at one state, {alarms_of(agent)}"
        if digest.value != signed.digest:
            yield "the records published do not have the signed digest"


def _kept(directory: Path) -> Kept:
    with opened(directory) as court:
        book = court.book
        published = {token: record for at in range(256) for token, record in book.published_records(at)}
        quarantined = tuple(sorted(row.event_id for row in book.quarantined()))
        hits = tuple(sorted((entry, token) for entry, token, _ in book.wrong_hits()))
        return Kept(published, book.entries, quarantined, hits, book.waiting)


@contextmanager
def _standing(folder: Path, seed: int) -> Iterator[Court]:
    """A court's side with a list in service, whose feed is served."""
    dice, clock, directory = random.Random(seed), FakeClock(), folder / "court"  # noqa: S311 - chance that comes again
    found(directory, Founding("test", Mode.SANDBOX), clock())
    yesterday = dt.datetime.fromtimestamp(clock(), dt.UTC).date() - dt.timedelta(1)
    sample = Sample(seed, _SUBJECTS, yesterday)
    Submission(directory, _joined(disordered_list(sample, dice)), clock()).made_here()
    lines = _joined(disordered_events(sample, dice, _EVENTS, "e"))
    with opened(directory) as court:
        state = court.feed.state
    directory.rename(folder / "before")
    server = FeedServer(("127.0.0.1", 0), directory / "feed")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        source = FeedSource(f"http://127.0.0.1:{server.server_port}", (folder / "before/feed/root.json").read_bytes())
        yield Court(folder / "before", Submission(directory, lines, clock()), source, state)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _joined(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


def _secrets(directory: Path) -> Secrets:
    with opened(directory) as court:
        return Secrets(court.keys)
