"""Every error that Lintel raises on purpose, in one tree of two families.

`QuestionError`: the question is wrong, and asking it again unchanged is pointless.
`FitnessError`: our list, store or ledger is not fit to answer or to accept a change.

Each class carries a `reason`, an UPPER_SNAKE word that callers may match on (google.rpc.ErrorInfo.reason, domain
"lintel").
Messages name the field, the reason and the next step, and never echo a document number or a name.
"""

from __future__ import annotations

from typing import ClassVar


class LintelError(Exception):
    """Root of the tree; never raised itself."""

    reason: ClassVar[str] = "INTERNAL"


class QuestionError(LintelError):
    """The question is wrong: the caller must change it."""


class InvalidFieldError(QuestionError):
    """A field is missing, malformed or impossible. `field` is its dotted path, `problem` an UPPER_SNAKE word."""

    reason = "INVALID_FIELD"

    def __init__(self, field: str, problem: str, hint: str) -> None:
        super().__init__(f"{field}: {problem}: {hint}")
        self.field = field
        self.problem = problem
        self.hint = hint


class UnauthenticatedError(QuestionError):
    """No credential, or one that no live unit holds."""

    reason = "CREDENTIAL_INVALID"


class PurposeNotAllowedError(QuestionError):
    """The unit's sector may not ask about this measure, or this kind of sale is never asked about."""

    reason = "PURPOSE_NOT_ALLOWED"


class RoleNotAllowedError(QuestionError):
    """A unit's credential at the court's service, or the court's at the units'."""

    reason = "ROLE_NOT_ALLOWED"


class SandboxOnlyError(QuestionError):
    """A sandbox credential on a real identity, or a live credential on a sandbox identity."""

    reason = "SANDBOX_ONLY"


class FreshnessUnmetError(QuestionError):
    """`at_least_version` or `max_list_age` cannot be met now; the message gives the version and age there are."""

    reason = "FRESHNESS_UNMET"

    def __init__(self, message: str, *, list_version: int, list_age_s: float) -> None:
        super().__init__(message)
        self.list_version = list_version
        self.list_age_s = list_age_s


class OverloadedError(QuestionError):
    """Over the server's own limits; ask again after `retry_after_s` seconds."""

    reason = "OVERLOADED"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class FitnessError(LintelError):
    """Our list, store or ledger is not fit."""


class NotReadyError(FitnessError):
    """No verified list is loaded yet, or the server is draining."""

    reason = "NOT_READY"


class StoreUnavailableError(FitnessError):
    """The exact store is away, slow, or behind the floor."""

    reason = "STORE_UNAVAILABLE"


class StoreNotWholeError(StoreUnavailableError):
    """The exact store answers, but what it holds is missing, altered or foreign; the agent repairs it."""

    reason = "STORE_NOT_WHOLE"


class FilterCorruptError(FitnessError):
    """A filter image is altered, cut, or made by another library; the store answers until the filter is built anew."""

    reason = "FILTER_CORRUPT"


class FilterFullError(FitnessError):
    """The filter holds as many tokens as its error rate allows; build one of a larger capacity from the store."""

    reason = "FILTER_FULL"


class LedgerUnavailableError(FitnessError):
    """The ledger record that must precede the answer could not be written."""

    reason = "LEDGER_UNAVAILABLE"


class FencedError(FitnessError):
    """A write was refused because the partition's head is not the change's base: another writer was here."""

    reason = "FENCED"


class GapError(FitnessError):
    """Changes between two versions are not to be had; the whole list must be read anew."""

    reason = "GAP"


class RefusedListError(FitnessError):
    """A feed document was refused; the last good list stays. `alarm` names the kind for the operator."""

    reason = "LIST_REFUSED"

    def __init__(self, alarm: str, message: str) -> None:
        super().__init__(f"{alarm}: {message}")
        self.alarm = alarm


class FeedUnreachableError(FitnessError):
    """The court side's feed cannot be reached; the last good list stays in service at its true age."""

    reason = "FEED_UNREACHABLE"


class SettingError(FitnessError):
    """A setting, file or key is missing or malformed; the message names it and the next step."""

    reason = "SETTING_INVALID"
