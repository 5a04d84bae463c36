"""Everything that can keep a question from being answered, as one tree.

A hit is an answer and never raised. Messages never hold a document number or a name: they are the gateway's own words,
which echo nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY: Final = "grpc-status-details-bin"


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """What a gateway said about a failure.

    `reason` is the word to match on; `field` and `problem` name what is wrong with a question; `desk_texts` holds a
    sentence for the desk by language; `facts` what else the reason carries.
    """

    message: str
    reason: str = ""
    field: str = ""
    problem: str = ""
    retry_after_s: float | None = None
    desk_texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


class LintelClientError(Exception):
    """Root of the tree: there is no answer. It never means that somebody is clear or restricted."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.reason}: {failure.message}" if failure.reason else failure.message)
        self.failure = failure

    @property
    def reason(self) -> str:
        """An UPPER_SNAKE word to match on; empty when the failure has none."""
        return self.failure.reason

    @property
    def field(self) -> str:
        """Dotted path of the field that is wrong; empty when it is not about one."""
        return self.failure.field


class InvalidQuestionError(LintelClientError):
    """A field is missing, malformed or impossible: correct it."""


class NotAuthenticatedError(LintelClientError):
    """No key, or one that no live unit holds."""


class NotPermittedError(LintelClientError):
    """The unit may not ask this: another sector's measure, a walk-in sale, or a sandbox key on a real identity."""


class FreshnessUnmetError(LintelClientError):
    """The list is not as new as the question wants; `failure.facts` has its version and age."""


class OverloadedError(LintelClientError):
    """Over quota, or the gateway over its limits, and not to be waited for within the timeout."""


class UnreachableError(LintelClientError):
    """No gateway could be reached, or it has no list."""


class NoAnswerInTimeError(LintelClientError):
    """The timeout passed first."""


class GatewayFaultError(LintelClientError):
    """The gateway failed; `failure.facts` may name the incident to quote."""


class UnusableAnswerError(LintelClientError):
    """An answer came that is none: unspecified, unknown to this SDK, or another question's."""


class SettingError(LintelClientError):
    """The client is not set up; the message names the setting."""


_CLASSES: Final[Mapping[grpc.StatusCode, type[LintelClientError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidQuestionError,
    grpc.StatusCode.UNAUTHENTICATED: NotAuthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: NotPermittedError,
    grpc.StatusCode.FAILED_PRECONDITION: FreshnessUnmetError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.UNAVAILABLE: UnreachableError,
    grpc.StatusCode.CANCELLED: UnreachableError,  # a call that met a gateway in the instant of its end; not our own
    grpc.StatusCode.DEADLINE_EXCEEDED: NoAnswerInTimeError,
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def from_call(error: grpc.RpcError) -> LintelClientError:
    """The error of a failed call, blocking or asynchronous."""
    if not isinstance(error, (grpc.Call, grpc.aio.AioRpcError)):
        return GatewayFaultError(Failure("the call failed without a status"))
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            with contextlib.suppress(DecodeError):
                return from_status(status_pb2.Status.FromString(value))
    return _CLASSES.get(error.code(), GatewayFaultError)(Failure(error.details() or error.code().name))


def from_status(status: status_pb2.Status) -> LintelClientError:
    """The error of a status with google.rpc details."""
    kind = _CLASSES.get(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), GatewayFaultError)
    said = error_details_pb2.ErrorInfo()
    violation = error_details_pb2.BadRequest.FieldViolation()
    retry_after_s = None
    desk_texts = {}
    for detail in status.details:
        bad_request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        localized = error_details_pb2.LocalizedMessage()
        detail.Unpack(said)
        if detail.Unpack(bad_request) and bad_request.field_violations:
            violation = bad_request.field_violations[0]
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
        elif detail.Unpack(localized):
            desk_texts[localized.locale] = localized.message
    facts = dict(said.metadata)
    return kind(
        Failure(status.message, said.reason, violation.field, violation.reason, retry_after_s, desk_texts, facts)
    )
