"""The one seam to the network: how bytes are asked for, and how foreign exceptions are renamed.

Rules:
- Every download is bounded in bytes by its caller and in time here, head and framing included: a server that drips
  bytes, or fills the time with anything but the document, is let go.
- No redirect is followed and nothing is retried; the next pass, a fifth of a second later, is the retry.
- Whatever python-tuf or urllib3 raises leaves as `RefusedListError` with a named alarm, or as `FeedUnreachableError`.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Final

import urllib3
from tuf.api import exceptions as tuf_errors
from tuf.api.serialization import DeserializationError
from tuf.ngclient.fetcher import FetcherInterface

from restriction.errors import FeedUnreachableError, RefusedListError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CONNECT_S: Final = 2.0
_PAUSE_S: Final = 5.0  # longest silence between two pieces
_PATIENCE_S: Final = 10.0  # what any download may take, plus a second for each 64 KiB that came
_SLOWEST_BYTES_PER_S: Final = 64 << 10
_PIECE_BYTES: Final = 256 << 10
_HEAD_BYTES: Final = 64 << 10  # status line and header fields
_FRAMING: Final = 2  # a document in chunks of HTTP/1.1 is longer on the wire

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


@dataclass
class _Bounds:
    """What one answer may be; a transport has one download under way at a time."""

    monotonic: Callable[[], float]
    max_bytes: int = _HEAD_BYTES


class _Received(io.RawIOBase):
    """The bytes of one answer as they come, for as long as they come fast enough and are not too many."""

    def __init__(self, connection: socket.socket, stream: io.RawIOBase, bounds: _Bounds) -> None:
        self._connection = connection
        self._stream = stream
        self._bounds = bounds
        self._started_s = bounds.monotonic()
        self._count = 0

    def readable(self) -> bool:
        """It is what is read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what is there. Raises: TimeoutError."""
        patience_s = _PATIENCE_S + self._count / _SLOWEST_BYTES_PER_S
        left_s = self._started_s + patience_s - self._bounds.monotonic()
        if left_s <= 0 or self._count > self._bounds.max_bytes:
            raise TimeoutError("the server is slow, or sends much that is no document")
        self._connection.settimeout(min(_PAUSE_S, left_s))
        count = self._stream.readinto(buffer) or 0
        self._count += count
        return count

    def close(self) -> None:
        """Let the connection go."""
        self._stream.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer within bounds from its first byte on, so that no part of it can be dripped."""

    def __init__(
        self, bounds: _Bounds, connection: socket.socket, debuglevel: int = 0, method: str | None = None
    ) -> None:
        super().__init__(connection, debuglevel, method)
        self.fp = io.BufferedReader(_Received(connection, self.fp.detach(), bounds))


def _bounded(pool: type[urllib3.HTTPConnectionPool], bounds: _Bounds) -> type[urllib3.HTTPConnectionPool]:
    """The same kind of pool, with answers within bounds."""
    answer = {"response_class": staticmethod(functools.partial(_Answer, bounds))}
    connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), answer)
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class Transport(FetcherInterface):
    """HTTP with bounds, over connections that are kept open."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._bounds = _Bounds(monotonic)
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_PAUSE_S), retries=False, maxsize=4
        )
        self._pool.pool_classes_by_scheme = {
            scheme: _bounded(pool, self._bounds) for scheme, pool in self._pool.pool_classes_by_scheme.items()
        }

    def close(self) -> None:
        """Let go of connections."""
        self._pool.clear()

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """See `FetcherInterface`."""
        self._bounds.max_bytes = _HEAD_BYTES + _PIECE_BYTES + _FRAMING * max_length
        with super().download_file(url, max_length) as file:
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        response = self._pool.request("GET", url, preload_content=False, redirect=False)
        if response.status != HTTPStatus.OK:
            response.drain_conn()
            response.release_conn()
            raise tuf_errors.DownloadHTTPError(f"status {response.status}", response.status)
        return _pieces(response)


def _pieces(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    whole = False
    try:
        yield from response.stream(_PIECE_BYTES, decode_content=False)
        whole = True
    finally:
        if whole:
            response.release_conn()
        else:
            response.close()
