"""One table: what each error of ours becomes on the wire. docs/errors.md is generated from it.

Rules that hold here:
- Every error class that is raised has a row; whatever has none is our fault and says nothing but where to find it.
- A caller reads the message of an error in its question; an unfit list or store is told in the words of this table,
  since the message is for the operator.
- No row and no detail echoes what was sent.

Details are google.rpc messages: always ErrorInfo (domain "lintel") and a LocalizedMessage for the desk in each
language; BadRequest for a field, RetryInfo where asking again helps, QuotaFailure where a limit of ours was met.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from restriction import errors

DOMAIN: Final = "lintel"


@dataclass(frozen=True, slots=True)
class Row:
    """Code, the words for the developer (None: the error's own), for the desk, and when to ask again."""

    code: code_pb2.Code
    desk_en: str
    desk_zh: str
    text: str | None = None
    retry_s: float | None = None


_CHECK_INPUT: Final = "Check what was entered or scan the document again.", "请核对录入内容或重新扫描证件。"
_ASK_OPERATOR: Final = "Ask whoever runs this system.", "请联系系统管理员。"
_TRY_AGAIN: Final = "Please try again in a moment.", "请稍后重试。"
_FAULT: Final = "our fault: quote the incident to the operator"

ROWS: Final[Mapping[type[Exception], Row]] = MappingProxyType(
    {
        errors.InvalidFieldError: Row(code_pb2.INVALID_ARGUMENT, *_CHECK_INPUT),
        errors.UnauthenticatedError: Row(code_pb2.UNAUTHENTICATED, *_ASK_OPERATOR),
        errors.PurposeNotAllowedError: Row(
            code_pb2.PERMISSION_DENIED, "This sale is not one to ask about here.", "该业务不属于可查询范围。"
        ),
        errors.RoleNotAllowedError: Row(code_pb2.PERMISSION_DENIED, *_ASK_OPERATOR),
        errors.SandboxOnlyError: Row(code_pb2.PERMISSION_DENIED, *_ASK_OPERATOR),
        errors.FreshnessUnmetError: Row(code_pb2.FAILED_PRECONDITION, *_TRY_AGAIN),
        errors.OverloadedError: Row(code_pb2.RESOURCE_EXHAUSTED, *_TRY_AGAIN),
        errors.NotReadyError: Row(code_pb2.UNAVAILABLE, *_TRY_AGAIN, "no verified list is in service here", 1.0),
        errors.StoreUnavailableError: Row(code_pb2.UNAVAILABLE, *_TRY_AGAIN, "the exact store is not fit", 1.0),
        errors.StoreNotWholeError: Row(code_pb2.UNAVAILABLE, *_TRY_AGAIN, "the exact store is not fit", 1.0),
        errors.LedgerUnavailableError: Row(code_pb2.UNAVAILABLE, *_TRY_AGAIN, "the ledger cannot be written", 1.0),
        TimeoutError: Row(code_pb2.DEADLINE_EXCEEDED, *_TRY_AGAIN, "no answer within the deadline", 1.0),
        errors.FilterCorruptError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
        errors.FilterFullError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
        errors.FencedError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
        errors.GapError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
        errors.RefusedListError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
        errors.FeedUnreachableError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
        errors.SettingError: Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT),
    }
)
UNEXPECTED: Final = Row(code_pb2.INTERNAL, *_ASK_OPERATOR, _FAULT)
_REASON_OF_TIMEOUT: Final = "DEADLINE_EXCEEDED"


def row_of(error: Exception) -> Row:
    """The row of an error; `UNEXPECTED` for whatever has none."""
    return ROWS.get(type(error), UNEXPECTED)


def reason_of(error: Exception) -> str:
    """The ErrorInfo reason of an error."""
    if isinstance(error, errors.LintelError):
        return error.reason
    return _REASON_OF_TIMEOUT if isinstance(error, TimeoutError) else errors.LintelError.reason


def status_of(error: Exception, incident: str = "") -> status_pb2.Status:
    """The status that an error becomes; `incident` is the name under which an operator finds an unexpected one."""
    row = row_of(error)
    status = status_pb2.Status(code=row.code, message=row.text or str(error))
    for detail in _details(error, row, incident):
        status.details.add().Pack(detail)
    return status


def _details(error: Exception, row: Row, incident: str) -> Iterator[Message]:
    yield error_details_pb2.ErrorInfo(reason=reason_of(error), domain=DOMAIN, metadata=_metadata(error, incident))
    if isinstance(error, errors.InvalidFieldError):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, reason=error.problem, description=error.hint
        )
        yield error_details_pb2.BadRequest(field_violations=[violation])
    retry_s = error.retry_after_s if isinstance(error, errors.OverloadedError) else row.retry_s
    if retry_s is not None:
        delay = Duration()
        delay.FromMilliseconds(int(retry_s * 1_000))
        yield error_details_pb2.RetryInfo(retry_delay=delay)
    if isinstance(error, errors.OverloadedError):
        yield error_details_pb2.QuotaFailure(
            violations=[error_details_pb2.QuotaFailure.Violation(subject="gateway", description=str(error))]
        )
    yield error_details_pb2.LocalizedMessage(locale="zh-CN", message=row.desk_zh)
    yield error_details_pb2.LocalizedMessage(locale="en", message=row.desk_en)


def _metadata(error: Exception, incident: str) -> dict[str, str]:
    if isinstance(error, errors.FreshnessUnmetError):
        return {"list_version": str(error.list_version), "list_age_s": f"{error.list_age_s:.3f}"}
    return {"incident": incident} if row_of(error).code == code_pb2.INTERNAL else {}


def catalogue() -> str:
    """The error catalogue as a page, one row per class."""
    lines = [
        "# Errors",
        "",
        "Generated from `gateway/doors/grpc/errors_table.py` by `lintel gateway errors`; do not edit.",
        "A hit is an answer, never an error.",
        "Every error carries an `ErrorInfo` (domain `lintel`, the reason below) and `LocalizedMessage`s for the desk.",
        "",
        "| Reason | Code | Meaning | Ask again | Desk | 柜台 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_line(kind, row) for kind, row in ROWS.items()]
    return "\n".join(lines) + "\n"


def _line(kind: type[Exception], row: Row) -> str:
    reason = kind.reason if issubclass(kind, errors.LintelError) else _REASON_OF_TIMEOUT
    meaning = (kind.__doc__ or "").split("\n")[0] if issubclass(kind, errors.LintelError) else "No answer in time."
    again = "as `RetryInfo` says" if row.retry_s is not None or kind is errors.OverloadedError else "no"
    cells = (f"`{reason}`", f"`{code_pb2.Code.Name(row.code)}`", meaning, again, row.desk_en, row.desk_zh)
    return f"| {' | '.join(cells)} |"
