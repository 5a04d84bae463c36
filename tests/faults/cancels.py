"""I10, answer i belongs to question i: a storm of cancelled checks on a slow link between gateway and store.

Most cancels happen in process, at the screener with the real store client and a real Valkey; a share goes through real
gRPC, by hanging up and by deadline. Answers to checks that were let be must be of the person they are about.
That the product's 0 is no accident of the method is shown beside it: the same storm with defences left out, down to
a client that reuses the connections of cancelled commands and a screener that compares no fingerprints.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from liststore import embedded
from liststore.wiring import open_writer
from tests.fakes.valkey import ended
from tests.faults.cancels_calls import Calls, storm_of_calls
from tests.faults.cancels_people import KEYS, Crowd, Worth
from tests.faults.cancels_storm import Counts, Defence, Storm, rage
from tests.faults.plan import Outcome, Plan

IN_PROCESS: Final = 940_000
THROUGH_GRPC: Final = 60_000
WITHOUT: Final = 20_000
PROCESSES: Final = 2  # each holds a core busy with its callers and its link
LISTED, OTHERS = 2_000, 500
_REUSED: Final = frozenset({Defence.CLOSE})
_TAKEN: Final = _REUSED | {Defence.SEAL, Defence.SEARCH}
# What is left out, on which list, and whether it must show in answers, or the 0 of the product would say nothing.
LACKING: Final = (
    (frozenset({Defence.COMPARE}), "everybody", False),
    (_REUSED, "everybody", False),
    (_REUSED | {Defence.SEAL}, "everybody", True),
    (_TAKEN, "one a bucket", False),
    (_TAKEN | {Defence.COMPARE}, "one a bucket", True),
)


def run(plan: Plan) -> Outcome:
    """The storm at every level, and then without one defence after the other."""
    at_s = now_s()
    everybody = Crowd(at_s, LISTED, OTHERS)
    by_list = {"everybody": everybody, "one a bucket": replace(everybody, is_sparse=True)}
    shares = [plan.count(IN_PROCESS) // PROCESSES] * PROCESSES
    product = _raged(plan, everybody, [(cancels, frozenset()) for cancels in shares], "product")
    whole = Counts()
    for each in product.counts:
        whole.add(each)
    calls = _timed(lambda: [storm_of_calls(Calls(_made(plan, "calls"), plan.seed, at_s, plan.count(THROUGH_GRPC)))])
    without = {
        name: _raged(plan, crowd, [(plan.count(WITHOUT), lack) for lack, on, _ in LACKING if on == name], name)
        for name, crowd in by_list.items()
    }
    rows = list(zip(LACKING, (each for name in by_list for each in without[name].counts), strict=True))
    return Outcome(
        {
            "cancelled": whole.cancelled + calls.counts[0].cancelled,
            "crossed answers": whole.wrong + calls.counts[0].wrong,
            "in process": _figures(whole) | {"seconds": product.seconds},
            "through gRPC": _figures(calls.counts[0]) | {"seconds": calls.seconds},
            "without": {_named(lacking): _figures(counts) for (lacking, _, _), counts in rows},
        },
        (*broken("in process", whole), *broken("through gRPC", calls.counts[0]), *unseen(rows)),
    )


def now_s() -> int:
    """Unix seconds: a gateway of its own process answers from a list of today alone."""
    return int(time.time())  # noqa: TID251 - an edge


@dataclass(frozen=True, slots=True)
class _Raged:
    """Storms that are over, and how long they took together."""

    counts: list[Counts]
    seconds: float


def _timed(rage_all: Callable[[], list[Counts]]) -> _Raged:
    began_s = time.monotonic()
    counts = rage_all()
    return _Raged(counts, round(time.monotonic() - began_s, 1))


def _raged(plan: Plan, crowd: Crowd, storms: Sequence[tuple[int, frozenset[Defence]]], name: str) -> _Raged:
    """These storms on one list, as many at once as there are processes."""
    sys.stderr.write(f"cancels: {name}\n")
    folder = _made(plan, name.replace(" ", "-"))
    with asyncio.Runner() as runner, ExitStack() as stack:
        server = embedded.open(folder)
        url = runner.run(server.__aenter__())
        stack.callback(lambda: runner.run(_ended(server, folder)))
        runner.run(_put(url, crowd))
        socket = Path(url.removeprefix("unix://"))
        seeds = range(plan.seed * 100, plan.seed * 100 + len(storms))
        all_storms = [
            Storm(socket, folder, crowd, seed, cancels, lacking=lacking)
            for seed, (cancels, lacking) in zip(seeds, storms, strict=True)
        ]
        pool = stack.enter_context(ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")))
        return _timed(lambda: list(pool.map(rage, all_storms)))


def _made(plan: Plan, name: str) -> Path:
    folder = plan.folder / name
    folder.mkdir()
    return folder


async def _put(url: str, crowd: Crowd) -> None:
    writer = open_writer(url, KEYS.bucket_key)
    await crowd.people().put(writer)
    await writer.close()


async def _ended(server: AbstractAsyncContextManager[str], folder: Path) -> None:
    await server.__aexit__(None, None, None)
    await ended(folder)


def _figures(counts: Counts) -> dict[str, Any]:
    return {
        "cancelled": counts.cancelled,
        "connections given up": counts.given_up,
        "answers": dict(counts.answers),
        "answers afterwards": dict(counts.afterwards),
        "wrong": counts.wrong,
    }


def _named(lacking: frozenset[Defence]) -> str:
    return " + ".join(defence.name for defence in Defence if defence in lacking)


def broken(level: str, counts: Counts) -> Iterator[str]:
    """What the product did wrong."""
    if counts.wrong:
        yield f"I10 {level}: {counts.wrong} answers were another's"
    if counts.afterwards.total() != counts.afterwards[Worth.RIGHT]:
        yield f"{level}: not everybody was answered rightly after the storm: {dict(counts.afterwards)}"
    if not counts.answers[Worth.RIGHT] or not counts.given_up:
        yield f"{level}: the storm shows nothing: no answer among the cancels, or no cancel during a reply"


def unseen(rows: Iterable[tuple[tuple[frozenset[Defence], str, bool], Counts]]) -> Iterator[str]:
    """What storms without defences did not show though it must, or showed though another defence stands."""
    for (lacking, _, shows), counts in rows:
        if bool(counts.wrong) is not shows:
            yield f"without {_named(lacking)}: {counts.wrong} wrong answers"
