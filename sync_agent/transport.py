"""The one seam to the network: how bytes are asked for, and how foreign exceptions are renamed.

Rules:
- Every download is bounded in bytes by its caller and in time here: a server that drips bytes is let go.
- No redirect is followed and nothing is retried; the next pass, a fifth of a second later, is the retry.
- Whatever python-tuf or urllib3 raises leaves as `RefusedListError` with a named alarm, or as `FeedUnreachableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import urllib3
from tuf.api import exceptions as tuf_errors
from tuf.api.serialization import DeserializationError
from tuf.ngclient.fetcher import FetcherInterface

from restriction.errors import FeedUnreachableError, RefusedListError

_CONNECT_S: Final = 2.0
_PAUSE_S: Final = 5.0  # longest silence between two pieces
_PATIENCE_S: Final = 10.0  # what any download may take, plus a second for each 64 KiB that came
_SLOWEST_BYTES_PER_S: Final = 64 << 10
_PIECE_BYTES: Final = 256 << 10

# First match wins, so subclasses stand before their bases.
ALARMS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (tuf_errors.ExpiredMetadataError, "LIST_EXPIRED"),
    (tuf_errors.BadVersionNumberError, "LIST_ROLLBACK"),
    (tuf_errors.DownloadLengthMismatchError, "LIST_OVERSIZED"),
    (tuf_errors.RepositoryError, "LIST_FORGED"),
    (DeserializationError, "LIST_FORGED"),
)


@contextmanager
def renamed() -> Iterator[None]:
    """Rename what python-tuf and urllib3 raise. Raises: RefusedListError, FeedUnreachableError."""
    try:
        yield
    except tuple(kind for kind, _ in ALARMS) as error:
        alarm = next(alarm for kind, alarm in ALARMS if isinstance(error, kind))
        raise RefusedListError(alarm, f"{error}; the last good list stays") from error
    except (tuf_errors.DownloadError, urllib3.exceptions.HTTPError) as error:
        raise FeedUnreachableError(f"the feed cannot be read ({error}); check its address and the network") from error


class Transport(FetcherInterface):
    """HTTP with bounds, over connections that are kept open."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_PAUSE_S), retries=False, maxsize=4
        )

    def close(self) -> None:
        """Let go of connections."""
        self._pool.clear()

    def _fetch(self, url: str) -> Iterator[bytes]:
        response = self._pool.request("GET", url, preload_content=False, redirect=False)
        if response.status != HTTPStatus.OK:
            response.drain_conn()
            response.release_conn()
            raise tuf_errors.DownloadHTTPError(f"status {response.status}", response.status)
        return self._pieces(response, self._monotonic())

    def _pieces(self, response: urllib3.BaseHTTPResponse, started_s: float) -> Iterator[bytes]:
        received = 0
        whole = False
        try:
            for piece in response.stream(_PIECE_BYTES, decode_content=False):
                received += len(piece)
                if self._monotonic() - started_s > _PATIENCE_S + received / _SLOWEST_BYTES_PER_S:
                    raise tuf_errors.SlowRetrievalError
                yield piece
            whole = True
        finally:
            if whole:
                response.release_conn()
            else:
                response.close()
