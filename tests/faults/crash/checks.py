"""What must hold of a store right after a kill, and of store and disk once a fresh agent has been there.

Everything is judged from stored bytes, by the list that the court signed before and after; heads and buckets are opened
by the product's own reader, and the digests are computed anew here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from liststore.base import PARTITIONS, Announcement, Generation, Head
from liststore.bucket import open_bucket
from liststore.keys import Keys, places
from liststore.memory_store import MemoryStore
from liststore.seal import Kind, unseal
from liststore.sealed import decode_announcement, decode_head
from liststore.wiring import open_reader
from restriction.change import DIGEST_BYTES, Digest
from restriction.errors import GapError, StoreNotWholeError, StoreUnavailableError
from restriction.filter import ListFilter
from sync_agent.copy import VerifiedCopy
from tests.fakes.list_publisher import KEYS
from tests.faults.crash.server import Photograph
from tests.faults.crash.worlds import List, World

MISMATCH, HALF, BEYOND, ORDER, UNREADABLE, NOT_HEALED, LITTER, MISNAMED = RULES = (
    "digest mismatch", "half-visible", "announced beyond the partitions", "addition before a lift",
    "not readable", "not healed", "left behind", "misnamed",
)  # fmt: skip
_KEYS: Final = Keys()
_MODULUS: Final = 1 << (8 * DIGEST_BYTES)
_GENERATION: Final = re.compile(r"\}:(?:additions:|filter:)?(\d+)")
Finding = tuple[str, str]
_Partition = tuple[Head, Mapping[bytes, bytes], bytes]


@lru_cache(maxsize=20_000)
def _opened(
    generation: Generation, partition: int, cells: tuple[bytes | None, ...]
) -> tuple[Head, Mapping[bytes, bytes], bytes]:
    """Head, records and digest of a partition. Raises: StoreNotWholeError."""
    head = decode_head(KEYS.bucket_key, partition, cells[0])
    records: dict[bytes, bytes] = {}
    for place, raw in zip(places(generation, partition), cells[1:], strict=True):
        records |= open_bucket(KEYS.bucket_key, place, raw).records()
    digest = Digest(KEYS.digest_key)
    for token, record in records.items():
        digest.add(token, record)
    return head, records, digest.value


def _cells(store: Photograph, generation: Generation, partition: int) -> tuple[bytes | None, ...]:
    names = [_KEYS.head(generation.number, partition), *map(_KEYS.bucket, places(generation, partition))]
    return tuple(store.cells.get(name) for name in names)


def announced_in(store: Photograph) -> Announcement | None:
    """The announcement. Raises: StoreNotWholeError."""
    raw = store.cells.get(_KEYS.announcement)
    return None if raw is None else decode_announcement(KEYS.bucket_key, raw)


def after_kill(world: World, store: Photograph) -> Iterator[Finding]:
    """What is wrong in a store whose agent was killed: whoever reads now must see a list that was signed."""
    announced = announced_in(store)
    if announced is None:
        if _KEYS.announcement in world.before.store.cells:
            yield UNREADABLE, "the announcement is gone"
        return
    if announced.state not in {world.old.state, world.new.state}:
        yield BEYOND, f"version {announced.state.version} is announced, and nobody signed that state"
    held: dict[bytes, bytes] = {}
    for partition in range(PARTITIONS):
        cells = _cells(store, announced.generation, partition)
        try:
            head, records, digest = _opened(announced.generation, partition, cells)
        except StoreNotWholeError:
            if cells != _cells(world.before.store, announced.generation, partition):
                yield UNREADABLE, f"partition {partition} cannot be read"
            continue
        held |= records
        yield from _of_partition(world, announced, partition, (head, records, digest))
    added, removed = (
        world.new.records.keys() - world.old.records.keys(),
        world.old.records.keys() - world.new.records.keys(),
    )
    if world.old.state is not None and added & held.keys() and removed & held.keys():
        yield ORDER, "an addition is visible, and a lift is not"
    yield from asyncio.run(_as_read(world, store, announced))


def _of_partition(world: World, announced: Announcement, partition: int, found: _Partition) -> Iterator[Finding]:
    head, records, digest = found
    old, new = _part(world.old, partition), _part(world.new, partition)
    if digest != head.digest:
        yield MISMATCH, f"partition {partition} does not hold what its head says"
    if head.version < announced.state.version:
        yield BEYOND, f"partition {partition} is at {head.version}, and {announced.state.version} is announced"
    if any(records.get(token, b"") not in _either(world, token) for token in {*old, *new, *records}):
        yield HALF, f"partition {partition} has a record that is neither the old nor the new one"
    if world.new.state is not None and head.version >= world.new.state.version and records != new:
        yield HALF, f"partition {partition} says the newer version and does not hold it"


async def _as_read(world: World, store: Photograph, announced: Announcement) -> list[Finding]:
    """What a gateway reads of every token that changes."""
    memory = MemoryStore(KEYS.bucket_key)
    memory.keyspace.cells = dict(store.cells)
    tokens = [
        token for token in world.old.records.keys() | world.new.records.keys() if len(set(_either(world, token))) > 1
    ]
    found = await memory.reader().find_many(tokens, announced)
    return [
        (HALF, f"a gateway reads a record of partition {token[0]} that is neither the old nor the new one")
        for token, read in zip(tokens, found, strict=True)
        if not isinstance(read, StoreUnavailableError) and (read or b"") not in _either(world, token)
    ]


def _either(world: World, token: bytes) -> tuple[bytes, bytes]:
    return world.old.records.get(token, b""), world.new.records.get(token, b"")


def _part(of: List, partition: int) -> dict[bytes, bytes]:
    return {token: record for token, record in of.records.items() if token[0] == partition}


def after_recovery(world: World, store: Photograph) -> Iterator[Finding]:
    """What is not as signed in store and copy, once a fresh agent says that the list is in service."""
    announced = announced_in(store)
    if announced is None or announced.state != world.new.state:
        yield NOT_HEALED, "what was signed is not announced"
        return
    held: dict[bytes, bytes] = {}
    total = 0
    for partition in range(PARTITIONS):
        try:
            head, records, digest = _opened(
                announced.generation, partition, _cells(store, announced.generation, partition)
            )
        except StoreNotWholeError:
            yield NOT_HEALED, f"partition {partition} cannot be read"
            continue
        if (digest, announced.state.version) != (head.digest, head.version):
            yield MISMATCH, f"partition {partition} does not hold what its head says"
        held |= records
        total += int.from_bytes(digest, "little")
    if (total % _MODULUS).to_bytes(DIGEST_BYTES, "little") != announced.state.digest or held != world.new.records:
        yield MISMATCH, "what is stored is not what was signed"
    yield from asyncio.run(_filter(world.place.store, announced, held))
    yield from _beside(world, store, announced)
    yield from _copy(world)


async def _filter(url: str, announced: Announcement, held: Mapping[bytes, bytes]) -> list[Finding]:
    """Whether a gateway that starts from the image, and adds what came since, might contain every stored token."""
    reader = open_reader(url, KEYS.bucket_key)
    number, version = announced.generation.number, announced.state.version
    try:
        image = await reader.filter_image(number)
        if image is None:
            return [(NOT_HEALED, "there is no filter image")]
        came = set(await reader.additions(number, image.version, version)) if image.version < version else set()
    except GapError:  # then a gateway reads the whole list
        return []
    finally:
        await reader.close()
    image_holds = _filter_of(image.image).might_contain
    missing = [token for token in held if token not in came and not image_holds(token)]
    return [(MISMATCH, f"{len(missing)} stored tokens are absent for the filter")] if missing else []


@lru_cache(maxsize=64)
def _filter_of(image: bytes) -> ListFilter:
    return ListFilter.from_image(image)


def _beside(world: World, store: Photograph, announced: Announcement) -> Iterator[Finding]:
    """What lies beside the list: its parameters, and no generation but those that the agent remembers to drop."""
    document = store.cells.get(_KEYS.parameters)
    if document is None or unseal(KEYS.bucket_key, Kind.PARAMETERS, document) != world.new.parameters:
        yield NOT_HEALED, "the parameters in the store are not those that were signed"
    numbers = {int(match[1]) for match in map(_GENERATION.search, [*store.cells, *store.streams]) if match}
    file = world.place.directory / "generations.json"
    remembered = {number for number, *_ in json.loads(file.read_bytes())} if file.exists() else set()
    if litter := numbers - remembered - {announced.generation.number}:
        yield LITTER, f"{len(litter)} generations are left in the store that nobody will drop"


def _copy(world: World) -> Iterator[Finding]:
    """The verified copy as a fresh process finds it, with the digest of its records computed anew."""
    directory, state = world.place.directory, world.new.state
    assert state is not None
    copy = VerifiedCopy(directory, state.list_id, lambda: 0.0)  # it accepts nothing here
    if copy.held is None or copy.held.state != state:
        yield NOT_HEALED, "the verified copy does not reach what was signed"
        return
    changed = copy.changed_records(copy.held)
    held: dict[bytes, bytes] = {}
    for partition in {*changed, *(chunk.partition for chunk in copy.held.snapshot.chunks)}:
        held |= copy.records(copy.held, partition, changed)
    if held != world.new.records:
        yield MISMATCH, "the verified copy does not hold what was signed"


def left_over(directory: Path) -> int:
    """Temporary files that a killed process left."""
    return sum(
        1 for path in directory.rglob("*") if path.name.startswith((".writing", "tmp")) or path.suffix == ".writing"
    )
