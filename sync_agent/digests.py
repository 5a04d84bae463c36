"""Digests of partitions, and their sum: the arithmetic by which a change is proven before it is written.

A head carries the digest of its partition's content, and the digests of all partitions add up to the list's.
Nothing is read or written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from liststore.base import Head, Move
from restriction.change import DIGEST_BYTES, Change, Digest, Lane, ListState
from restriction.errors import RefusedListError

_MODULUS: Final = 1 << (8 * DIGEST_BYTES)


def total(digests: Iterable[bytes]) -> bytes:
    """The digest of several sets of records together."""
    added = sum(int.from_bytes(digest, "little") for digest in digests)
    return (added % _MODULUS).to_bytes(DIGEST_BYTES, "little")


def digest_of(key: bytes, records: Mapping[bytes, bytes]) -> bytes:
    """The digest of these records."""
    digest = Digest(key)
    for token, record in records.items():
        digest.add(token, record)
    return digest.value


def require_signed(state: ListState, digests: Iterable[bytes], count: int) -> None:
    """Prove a whole list by its partitions' digests and its count. Raises: RefusedListError, DIGEST_MISMATCH."""
    if (total(digests), count) != (state.digest, state.count):
        raise RefusedListError("DIGEST_MISMATCH", f"version {state.version} is not what was signed; it is fetched anew")


def changed(key: bytes, before: bytes, changes: Iterable[Change], stored: Mapping[bytes, bytes]) -> bytes:
    """The digest `before` once these changes have replaced what is stored of their tokens."""
    digest = Digest(key, before)
    for change in changes:
        digest.remove(change.token, stored.get(change.token, b""))
        digest.add(change.token, change.record)
    return digest.value


def by_partition(changes: Iterable[Change]) -> dict[int, tuple[Change, ...]]:
    """The changes of each partition that has any."""
    grouped: defaultdict[int, list[Change]] = defaultdict(list)
    for change in changes:
        grouped[change.token[0]].append(change)
    return {partition: tuple(some) for partition, some in grouped.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """How the partitions of a generation come to a later version, in two rounds; `digest` is the list's afterwards.

    Round one makes only what eases, under the version that the heads have; round two makes the rest and moves every
    head to the later version. So a lift is in effect before any addition is written.
    Redoing a plan that was cut short is harmless: records are final, and a plan starts from the heads found.
    """

    ease: tuple[Move, ...]
    rest: tuple[Move, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What the store has before a change: every partition's head, and the records of the tokens that change."""

    heads: Mapping[int, Head]
    records: Mapping[bytes, bytes]


def plan(key: bytes, found: Found, changes: Iterable[Change], version: int, as_of: int) -> Plan:
    """The plan for these changes, one for each token."""
    ease, rest, digests = list[Move](), list[Move](), list[bytes]()
    grouped = by_partition(changes)
    for partition, head in found.heads.items():
        some = grouped.get(partition, ())
        eases = tuple(change for change in some if change.lane is Lane.EASE)
        burdens = tuple(change for change in some if change.lane is not Lane.EASE)
        eased = replace(head, digest=changed(key, head.digest, eases, found.records)) if eases else head
        after = replace(eased, version=version, as_of=as_of, digest=changed(key, eased.digest, burdens, found.records))
        digests.append(after.digest)
        if eased != head:
            ease.append(Move(partition, head, eased, eases))
        if (after.version, after.digest) != (eased.version, eased.digest):
            rest.append(Move(partition, eased, after, burdens))
    return Plan(tuple(ease), tuple(rest), total(digests))
