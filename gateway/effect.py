"""What became of a version of the list: told from the store, so that any gateway tells the same.

Replicas take writes in order, so whatever came before a version that is acknowledged is acknowledged as well; that is
how far this goes for versions whose own times are no longer kept.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gateway.access import Court
from gateway.views import mode_of
from liststore.base import ListReader
from liststore.effects import Confirmation, Effect
from restriction.change import ListState
from restriction.errors import InvalidFieldError, NotReadyError, SandboxOnlyError


class EffectState(enum.IntEnum):
    """How far a version has come; each state includes those before it. Numbered as on the wire."""

    NOT_APPLIED = 1
    LIFTS_IN_EFFECT = 2
    APPLIED = 3
    ACKNOWLEDGED = 4


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a version while `current` is in service; without `effect` no instant is known."""

    state: EffectState
    effect: Effect | None
    current: ListState

    @property
    def replicas(self) -> Confirmation:
        """How many replicas had confirmed the version when they were last asked."""
        return self.effect.replicas if self.effect else Confirmation(0, 0)


async def effect_of(store: ListReader, court: Court, version: int) -> Report:
    """What became of this version.

    Raises: InvalidFieldError, SandboxOnlyError, NotReadyError, StoreUnavailableError.
    """
    if not version:
        raise InvalidFieldError("list_version", "MISSING", "send the version that submitting reported")
    announced = await store.announcement()
    if announced is None:
        raise NotReadyError("no list is announced: start the agent")
    current = announced.state
    if court.mode is not mode_of(current.list_id):
        raise SandboxOnlyError("the key is for a list of the other mode than the one in service here")
    known = await store.effects(current.list_id.epoch, sorted({version, current.version}))
    return Report(_state(version, current.version, known), known.get(version), current)


def _state(version: int, current: int, known: dict[int, Effect]) -> EffectState:
    own = known.get(version)
    if version > current:
        return EffectState.LIFTS_IN_EFFECT if own else EffectState.NOT_APPLIED
    witness = own or known.get(current)
    is_acknowledged = witness is not None and witness.acknowledged_at is not None
    return EffectState.ACKNOWLEDGED if is_acknowledged else EffectState.APPLIED
