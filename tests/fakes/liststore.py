"""A list in a store, in one call, for tests that need one to ask."""

from __future__ import annotations

from collections.abc import Mapping

from liststore.base import PARTITIONS, Announcement, Generation, Head, ListWriter
from restriction.change import Digest, ListId, ListState

BUCKET_KEY = bytes(range(32))
DIGEST_KEY = bytes(range(32, 64))
LIST_ID = ListId("test", "sandbox", 1)


async def put_list(
    writer: ListWriter,
    records: Mapping[bytes, bytes],
    *,
    generation: Generation | None = None,
    version: int = 1,
    list_id: ListId = LIST_ID,
) -> Announcement:
    """Load the records as a whole generation, announce it, and return the announcement."""
    generation = generation or Generation(1, 0, "k1")
    for partition in range(PARTITIONS):
        held = {token: record for token, record in records.items() if token[0] == partition}
        await writer.load(generation, partition, held, head_of(generation, held, version=version, epoch=list_id.epoch))
    state = ListState(list_id, version, digest_of(records), len(records), generation.key_id)
    announcement = Announcement(generation, state, as_of=1_780_000_000 + version)
    await writer.announce(announcement, [])
    return announcement


def head_of(generation: Generation, records: Mapping[bytes, bytes], *, version: int = 1, epoch: int = 1) -> Head:
    """The head of a partition that holds these records."""
    return Head(
        generation.number, epoch, version, 1_780_000_000 + version, generation.key_id, digest_of(records)
    )  # fmt: skip


def digest_of(records: Mapping[bytes, bytes]) -> bytes:
    """The digest of these records."""
    digest = Digest(DIGEST_KEY)
    for token, record in records.items():
        digest.add(token, record)
    return digest.value
