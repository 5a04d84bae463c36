"""Asks gateways what became of a version, as the court: the one place of the court's side that speaks gRPC.

Rules:
- Any gateway can tell, since it tells what the store says: they are asked in turn, and one that is away or has no list
  is passed over.
- A gateway that serves another list is a wrong address, and a refused key stays refused: neither is waited out.
- Whatever is told here is told of a version that is signed already: not hearing of it undoes nothing.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, cast

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from lintel.v1 import court_pb2 as pb
from lintel.v1.court_pb2_grpc import CourtServiceStub
from publisher.report import ACKNOWLEDGED, VersionEffect
from publisher.wiring import Gateways
from restriction.change import ListId
from restriction.errors import RoleNotAllowedError, SettingError, UnauthenticatedError

_CALL_S: Final = 2.0  # an answer takes milliseconds; after this another gateway is asked
# A lift takes a fraction of a second; whoever waits for a replica that is away asks less and less often.
_SHORTEST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0
_PAUSE_SHARE: Final = 0.05
_REFUSED: Final = {
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: RoleNotAllowedError,
}
_WORDS: Final = {
    pb.EFFECT_STATE_NOT_APPLIED: "not applied",
    pb.EFFECT_STATE_LIFTS_IN_EFFECT: "lifts in effect",
    pb.EFFECT_STATE_APPLIED: "applied, unacknowledged",
    pb.EFFECT_STATE_ACKNOWLEDGED: ACKNOWLEDGED,
}


def wait_for(version: int, list_id: ListId, gateways: Gateways, timeout_s: float) -> VersionEffect:
    """What is known of the version once it is acknowledged, or after the timeout, or when the user has waited enough.

    Raises: SettingError, UnauthenticatedError, RoleNotAllowedError.
    """
    known = VersionEffect(version, "not known: no gateway answered")
    begun_s = time.monotonic()
    with _asking(gateways) as stubs:
        try:
            for stub in itertools.cycle(stubs):
                left_s = timeout_s - (time.monotonic() - begun_s)
                if left_s <= 0 or known.is_acknowledged:
                    break
                known = _asked(stub, version, list_id, min(left_s, _CALL_S)) or known
                if not known.is_acknowledged:
                    pause_s = _PAUSE_SHARE * (time.monotonic() - begun_s)
                    time.sleep(min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, pause_s)))
        except KeyboardInterrupt:  # the report of what was submitted is still owed
            pass
    return known


class _Stub:
    """One gateway."""

    def __init__(self, address: str, channel: grpc.Channel, key: str) -> None:
        self.address = address
        self._service = CourtServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {key}"),)

    def effect(self, version: int, timeout_s: float) -> pb.GetEffectResponse | None:
        """What it tells; None when it cannot. Raises: UnauthenticatedError, RoleNotAllowedError."""
        try:
            return self._service.GetEffect(
                pb.GetEffectRequest(list_version=version), timeout=timeout_s, metadata=self._metadata
            )
        except grpc.RpcError as error:
            refusal = _REFUSED.get(cast("grpc.Call", error).code())  # a blocking call's error is the call itself
            if refusal is not None:
                raise refusal(f"version {version} is signed; {self.address} refuses the court's key") from None
            return None


@contextmanager
def _asking(gateways: Gateways) -> Iterator[list[_Stub]]:
    with ExitStack() as stack:
        yield [
            _Stub(address, stack.enter_context(_channel(address, gateways)), gateways.key)
            for address in gateways.addresses
        ]


def _channel(address: str, gateways: Gateways) -> grpc.Channel:
    if gateways.insecure:
        return grpc.insecure_channel(address)
    try:
        authorities = gateways.ca_file.read_bytes() if gateways.ca_file else None
    except OSError as error:
        raise SettingError(f"--ca-file: {error.strerror}: name a readable PEM file") from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authorities))


def _asked(stub: _Stub, version: int, list_id: ListId, timeout_s: float) -> VersionEffect | None:
    told = stub.effect(version, timeout_s)
    if told is None or told.state not in _WORDS:
        return None
    if (told.list_name, told.environment, told.epoch) != (list_id.name, list_id.environment, list_id.epoch):
        raise SettingError(f"--gateway {stub.address}: serves another list; version {version} is signed all the same")
    return VersionEffect(
        version,
        _WORDS[told.state],
        _instant(told, "lifts_effective_time"),
        _instant(told, "applied_time"),
        _instant(told, "lifts_acknowledged_time"),
        _instant(told, "acknowledged_time"),
        told.replicas_confirmed,
        told.replicas_configured,
    )


def _instant(told: pb.GetEffectResponse, name: Any) -> str | None:  # noqa: ANN401 - the stubs want literals
    stamp: Timestamp = getattr(told, name)
    return stamp.ToDatetime(dt.UTC).isoformat(timespec="milliseconds") if told.HasField(name) else None
