"""The methods of CourtService: three moves each, for the court's credential alone."""

from __future__ import annotations

from typing import Final, cast

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.access import Access, Court
from gateway.doors.grpc.convert import parse
from gateway.doors.grpc.guard import Guard
from gateway.effect import Report, effect_of
from lintel.v1 import court_pb2 as pb
from liststore.base import ListReader

COURT_SERVICE: Final = pb.DESCRIPTOR.services_by_name["CourtService"].full_name
_MICROS_PER_SECOND: Final = 1_000_000


class CourtDoor:
    """CourtService over the store."""

    def __init__(self, access: Access, store: ListReader, guard: Guard) -> None:
        self._access = access
        self._store = store
        self._guard = guard

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods as gRPC takes them."""
        return self._guard.service(COURT_SERVICE, self._access.authenticate_court, {"GetEffect": self._get_effect})

    async def _get_effect(self, court: Court, raw: bytes) -> bytes:
        request = parse(pb.GetEffectRequest, raw)
        report = await effect_of(self._store, court, request.list_version)
        return write_effect(report).SerializeToString()


def write_effect(report: Report) -> pb.GetEffectResponse:
    """The message of a report."""
    list_id, effect = report.current.list_id, report.effect
    response = pb.GetEffectResponse(
        state=cast("pb.EffectState.ValueType", report.state),
        replicas_confirmed=report.replicas.confirmed,
        replicas_configured=report.replicas.configured,
        current_version=report.current.version,
        list_name=list_id.name,
        environment=list_id.environment,
        epoch=list_id.epoch,
    )
    if effect is not None:
        _write(response.lifts_effective_time, effect.eased_at)
        _write(response.applied_time, effect.applied_at)
        _write(response.lifts_acknowledged_time, effect.lifts_acknowledged_at)
        _write(response.acknowledged_time, effect.acknowledged_at)
    return response


def _write(field: Timestamp, at_s: float | None) -> None:
    if at_s is not None:
        field.FromMicroseconds(round(at_s * _MICROS_PER_SECOND))
