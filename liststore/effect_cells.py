"""Effects as they are kept: a small sealed cell for each version, in a ring of `KEPT` of them."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from liststore.cells import whole_row
from liststore.effects import Confirmation, Effect
from liststore.keys import Keys
from liststore.keyspace import Keyspace
from liststore.seal import Kind, seal, unseal
from restriction.errors import StoreNotWholeError

_EFFECT: Final = struct.Struct("<QQ4dHH")


def encode_effect(key: bytes, effect: Effect) -> bytes:
    """The sealed effect."""
    times = (effect.eased_at, effect.applied_at, effect.lifts_acknowledged_at, effect.acknowledged_at)
    written = (math.nan if time is None else time for time in times)
    replicas = effect.replicas
    payload = _EFFECT.pack(effect.epoch, effect.version, *written, replicas.confirmed, replicas.configured)
    return seal(key, Kind.EFFECT, payload)


def decode_effect(key: bytes, raw: bytes | None) -> Effect:
    """The effect. Raises: StoreNotWholeError when it is missing, altered or foreign."""
    epoch, version, eased, *times, confirmed, configured = _EFFECT.unpack(unseal(key, Kind.EFFECT, raw))
    applied, lifts_acknowledged, acknowledged = (None if math.isnan(time) else time for time in times)
    replicas = Confirmation(confirmed, configured)
    return Effect(epoch, version, eased, applied, lifts_acknowledged, acknowledged, replicas)


async def read_effects(
    keyspace: Keyspace, keys: Keys, key: bytes, epoch: int, versions: Sequence[int]
) -> dict[int, Effect]:
    """The effects of these versions of this epoch, as far as they are kept and whole. Raises: StoreUnavailableError."""
    if not versions:
        return {}
    (row,) = await keyspace.read([[keys.effect(version) for version in versions]])
    asked = {(epoch, version) for version in versions}
    return {effect.version: effect for effect in _whole(key, whole_row(row)) if (effect.epoch, effect.version) in asked}


def _whole(key: bytes, row: Iterable[bytes | None]) -> list[Effect]:
    found = []
    for raw in row:
        with suppress(StoreNotWholeError):
            found.append(decode_effect(key, raw))
    return found
