"""A hundred thousand changed feeds, none of which may be taken for what the court signed.

Two layers. *Wire*: the files as served, changed at every byte and in every field, for whoever holds the network; they
go through python-tuf's verification. *Signed*: the message in a document, or the signed part of a role, changed and
then signed for real with every hash above it made right, so that what lies behind the signatures has to refuse it:
decoding, canary, the rules of the trusted list, and the digest.

An input is ACCEPTED when anything is put in service (a record, the state, the parameters, the vouched instant) that
differs from what the honest court signed. Inputs that come out exactly as the court signed are counted as SAME: their
bytes differ and their meaning does not, for instance by a space between two JSON values, or by the order of writing.
Two things have nothing behind the signatures that could contradict them, so whoever signs them for real is the court,
and they are not mutated there: a vouched instant, and which parameters there are (without any, the last ones stay).
"""

from __future__ import annotations

import bisect
import concurrent.futures
import itertools
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from restriction.listing import PARAMETERS_PATH
from tests.faults.attacks import silence
from tests.faults.attacks_keys import Overlay
from tests.faults.mutations_feeds import DELTA, SNAPSHOT, Feeds, Resigner, feeds, packed, plain
from tests.faults.mutations_kinds import BYTEWISE, cross, json_texts, messages, trees
from tests.faults.mutations_machine import Machine, Verdict
from tests.faults.plan import Outcome, Plan

OF_RECORD: Final = 104_000
# Of all inputs, since what is signed for real costs the agent ten times what is not: it goes as far as the store.
SIGNED_SHARE: Final = 0.1
_WORKERS: Final = 2
_SINGLE_BELOW: Final = 2_000  # cases for which a second process would only be started
_IN_MEMORY: Final = "/dev/shm"  # noqa: S108 - a directory of random name is made there


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """Mutants of one kind of one document: `layer` is wire or signed, `way` how the feed leads on."""

    layer: str
    way: str
    name: str
    kind: str


Case = tuple[Family, int]


# --- what can be mutated ------------------------------------------------------------------------------------------

# By way, the files that are mutated there, by the ends of their names.
_WIRE: Final[Mapping[str, Sequence[str]]] = {
    "delta": ("timestamp.json", ".snapshot.json", ".targets.json", "2-3.delta", ".parameters.json"),
    "snapshot": (".manifest", ".chunk"),
    "root": ("2.root.json",),
}
_SIGNED: Final[Mapping[str, Sequence[str]]] = {"delta": ("2-3.delta",), "snapshot": (".manifest", ".chunk")}
_ROLES: Final = ("targets", "snapshot", "timestamp")


class Mutants:
    """Makes the mutants of one set of feeds."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._resigners = {way: Resigner(feeds, way) for way in ("delta", "snapshot")}
        self._lists: dict[Family, list[Any]] = {}

    def families(self) -> Iterator[tuple[Family, int]]:
        """Every family, and how many mutants it has."""
        for way, names in _WIRE.items():
            for name in names:
                yield from self._bytewise("wire", way, name, self._feeds.document(way, name)[1])
                yield from self._listed("wire", way, name, "cross", "replay")
                yield from self._listed("wire", way, name, "json" if name.endswith("json") else "protobuf")
        for way, names in _SIGNED.items():
            for name in names:
                yield from self._bytewise("signed", way, name, plain(self._feeds.document(way, name)[1]))
                yield from self._listed("signed", way, name, "protobuf")
        for role in _ROLES:
            yield from self._listed("signed", "delta", role, "json")

    def differs(self, family: Family, number: int) -> bool:
        """Whether this mutant is another row of bytes; two equal neighbours swapped are not."""
        if family.name in _ROLES:
            return True
        raw = self._feeds.document(family.way, family.name)[1]
        if family.layer == "signed":
            raw = plain(raw)
        return self._mutant(family, raw, number) != raw

    def overlay(self, family: Family, number: int) -> Overlay:
        """The files that this mutant changes."""
        if family.name in _ROLES:
            return self._resigners[family.way].metadata(family.name, self._list(family)[number])
        path, raw = self._feeds.document(family.way, family.name)
        if family.layer == "wire":
            return {path: self._mutant(family, raw, number)}
        message, resigner = self._mutant(family, plain(raw), number), self._resigners[family.way]
        if family.name == ".chunk":
            return resigner.chunk(path, packed(message), len(message))
        return resigner.document(DELTA if family.name == "2-3.delta" else SNAPSHOT, packed(message))

    def _mutant(self, family: Family, raw: bytes, number: int) -> bytes:
        if family.kind in BYTEWISE:
            return BYTEWISE[family.kind][0](raw, number)
        mutant: bytes = self._list(family)[number]
        return mutant

    def _bytewise(self, layer: str, way: str, name: str, raw: bytes) -> Iterator[tuple[Family, int]]:
        for kind, (_, each) in BYTEWISE.items():
            yield Family(layer, way, name, kind), each * len(raw)

    def _listed(self, layer: str, way: str, name: str, *kinds: str) -> Iterator[tuple[Family, int]]:
        for kind in kinds:
            family = Family(layer, way, name, kind)
            yield family, len(self._list(family))

    def _list(self, family: Family) -> list[Any]:
        if family not in self._lists:
            self._lists[family] = list(self._made(family))
        return self._lists[family]

    def _made(self, family: Family) -> Iterator[Any]:
        if family.name in _ROLES:
            yield from self._trees(family)
            return
        raw = self._feeds.document(family.way, family.name)[1]
        if family.kind == "cross":
            yield from (cross(raw, other, number) for other in self._others(raw) for number in range(16))
        elif family.kind == "replay":
            yield from self._others(raw)
        elif family.kind == "json":
            yield from json_texts(raw)
        else:
            mutants = messages(plain(raw))
            yield from mutants if family.layer == "signed" else map(packed, mutants)

    def _trees(self, family: Family) -> Iterator[Any]:
        """Trees of a role, but for what nothing under the signatures could contradict: see the top."""
        tree = self._resigners[family.way].tree(family.name)
        for changed in trees(tree):
            as_of = changed.get("as_of")
            drops_parameters = isinstance(changed.get("targets"), dict) and PARAMETERS_PATH not in changed["targets"]
            if (type(as_of) is not int or as_of == tree["as_of"]) and not (drops_parameters and changed["targets"]):
                yield changed

    def _others(self, raw: bytes) -> list[bytes]:
        """Every other file there is, older ones too."""
        every = {**self._feeds.before, **self._feeds.ways["delta"], **self._feeds.ways["snapshot"]}
        older = [content for path, content in self._feeds.before.items() if content != every[path]]
        return [content for content in [*every.values(), *older] if content != raw]


# --- trying them --------------------------------------------------------------------------------------------------


def run(plan: Plan) -> Outcome:
    """Try mutants, as many of each layer as the plan asks for and there are."""
    clock = time.time  # noqa: TID251 - python-tuf looks at the real clock
    made = feeds(plan.folder / "court", clock)
    cases = sample(Mutants(made), plan)
    workers = 1 if len(cases) < _SINGLE_BELOW else _WORKERS
    began_s = time.monotonic()
    shares = [cases[number::workers] for number in range(workers)]
    if workers == 1:
        results = attempt(made, shares[0])
    else:
        with concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            results = list(itertools.chain.from_iterable(pool.map(attempt, [made] * workers, shares)))
    return outcome(results, time.monotonic() - began_s)


def sample(mutants: Mutants, plan: Plan) -> list[Case]:
    """As many cases as are asked for, drawn evenly from each layer and in random order; all, where there are fewer."""
    random_ = random.Random(plan.seed)  # noqa: S311 - a draw that can be made again
    wanted, families = plan.count(OF_RECORD), list(mutants.families())
    drawn = _drawn(
        mutants, [one for one in families if one[0].layer == "signed"], round(wanted * SIGNED_SHARE), random_
    )
    drawn += _drawn(mutants, [one for one in families if one[0].layer == "wire"], wanted - len(drawn), random_)
    random_.shuffle(drawn)
    return drawn


def _drawn(mutants: Mutants, families: Sequence[tuple[Family, int]], wanted: int, random_: random.Random) -> list[Case]:
    ends = list(itertools.accumulate(count for _, count in families))
    drawn: list[Case] = []
    for number in random_.sample(range(ends[-1]), ends[-1]):
        family, count = families[at := bisect.bisect_right(ends, number)]
        within = number - ends[at] + count
        if len(drawn) == wanted:
            break
        if mutants.differs(family, within):
            drawn.append((family, within))
    return drawn


Result = tuple[Case, Verdict]


def attempt(made: Feeds, cases: Sequence[Case]) -> list[Result]:
    """Try these cases with one machine, whose disk is in memory where there is such a place."""
    mutants, results = Mutants(made), list[Result]()
    disk = _IN_MEMORY if Path(_IN_MEMORY).is_dir() else None
    with silence(), tempfile.TemporaryDirectory(prefix="lintel-", dir=disk) as folder:
        machine = Machine(made, Path(folder))
        try:
            for done, (family, number) in enumerate(cases):
                results.append(((family, number), machine.play(family.way, mutants.overlay(family, number))))
                if done % 1_000 == 0:
                    print(f"\r{done} of {len(cases)}", end="", file=sys.stderr, flush=True)  # noqa: T201 - progress
        finally:
            machine.close()
    return results


def outcome(results: Sequence[Result], seconds: float) -> Outcome:
    """The figures, and every input that was accepted, ended a pass, or went by without a word."""
    bad = {"ACCEPTED", "CRASHED"}
    broken = [
        f"{_told(case)}: {verdict.came_to} {verdict.alarm}" for case, verdict in results if verdict.came_to in bad
    ]
    broken += [
        f"{_told(case)}: no alarm"
        for case, verdict in results
        if verdict.came_to == "NOTHING" and case[0].kind != "replay"
    ]
    came_to = Counter(verdict.came_to for _, verdict in results)
    figures = {
        "inputs": len(results),
        "inputs_per_second": round(len(results) / seconds, 1),
        "accepted": came_to["ACCEPTED"],
        "crashes": came_to["CRASHED"],
        "refused": came_to["REFUSED"],
        "same_meaning": came_to["SAME"],
        "nothing_newer": came_to["NOTHING"],
        "refused_by_alarm": dict(Counter(verdict.alarm for _, verdict in results if verdict.came_to == "REFUSED")),
        "by_layer": dict(Counter(case[0].layer for case, _ in results)),
        "by_family": _by_family(results),
    }
    return Outcome(figures, tuple(sorted(broken)))


def _by_family(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    rows: dict[str, Counter[str]] = {}
    for (family, _), verdict in results:
        name = f"{family.layer} {family.way} {family.name.strip('.')} {family.kind}"
        rows.setdefault(name, Counter())[verdict.alarm if verdict.came_to == "REFUSED" else verdict.came_to] += 1
    return {name: dict(rows[name]) for name in sorted(rows)}


def _told(case: Case) -> str:
    family, number = case
    return f"{family.layer} {family.way} {family.name} {family.kind} {number}"
