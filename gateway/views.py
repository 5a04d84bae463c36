"""One frozen picture of the list, from which one answer is made from its first step to its last.

A view without a filter asks the exact store about everybody: that is how a gateway serves while its filter is corrupt,
missing or too far behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from liststore.base import Announcement
from restriction.change import ListId
from restriction.filter import ListFilter
from restriction.identity import Mode
from restriction.parameters import Parameters
from restriction.token import TokenKeys


@dataclass(frozen=True, slots=True)
class View:
    """The list in service at one announcement.

    I9: `filter`, when there is one, contains every token of the generation up to the announced version.
    `born_s` is the monotonic instant at which the court's side signed the list's time.
    """

    announcement: Announcement
    keys: TokenKeys
    parameters: Parameters
    filter: ListFilter | None
    born_s: float

    @property
    def version(self) -> int:
        """The list version that answers from this view tell, and the floor of every store read."""
        return self.announcement.state.version

    @property
    def mode(self) -> Mode:
        """Whether this is a list of real or of sandbox identities."""
        return mode_of(self.announcement.state.list_id)

    def age_s(self, monotonic_s: float) -> float:
        """Seconds since the court's side signed the list's time."""
        return monotonic_s - self.born_s

    def lacks(self, token: bytes) -> bool:
        """Whether the token is definitely absent; without a filter nothing is."""
        return self.filter is not None and not self.filter.might_contain(token)


def mode_of(list_id: ListId) -> Mode:
    """Whether this is a list of real or of sandbox identities."""
    return Mode.SANDBOX if list_id.environment == "sandbox" else Mode.LIVE


class Views(Protocol):
    """Whoever holds the view in service."""

    def current(self) -> View:
        """The view in service. Raises: NotReadyError while there is none."""
