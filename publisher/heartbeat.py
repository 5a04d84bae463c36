"""Serves the feed and vouches for it: static files over HTTP, and a newly signed timestamp every two seconds.

Any web server, object store or CDN can stand in for `FeedServer`; the heartbeat cannot be left out.
Nothing here is secret: every file is signed and holds tokens only. There is no TLS and no list of directories.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from restriction.errors import LintelError

_log = logging.getLogger(__name__)
_SERVED: Final = ("metadata", "targets")
_SLOWEST_S: Final = 30.0  # a reader that takes longer for one request or pauses longer between two is let go


class FeedServer(ThreadingHTTPServer):
    """Serves `metadata/` and `targets/` of one feed directory; `server_port` tells the port when 0 was asked for."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], directory: Path) -> None:
        self.directory = directory
        super().__init__(address, _FeedHandler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Let go of a reader that went away; anything else is logged."""
        del request, client_address
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            _log.exception("a reader of the feed was not answered")


class _FeedHandler(BaseHTTPRequestHandler):
    server: FeedServer
    protocol_version = "HTTP/1.1"
    timeout = _SLOWEST_S
    wbufsize = -1  # head and body in one packet: else the reader's delayed acknowledgement costs 40 ms

    def do_GET(self) -> None:
        """Answer with the file, or 304 when the reader has it."""
        content = self._content()
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body, tag = content
        same = self.headers.get("If-None-Match") == tag
        self.send_response(HTTPStatus.NOT_MODIFIED if same else HTTPStatus.OK)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Content-Length", "0" if same else str(len(body)))
        self.end_headers()
        if not same:
            self.wfile.write(body)

    def _content(self) -> tuple[bytes, str] | None:
        parts = Path(unquote(urlsplit(self.path).path).lstrip("/")).parts
        if not parts or parts[0] not in _SERVED or any(part.startswith(".") for part in parts):
            return None
        path = self.server.directory.joinpath(*parts)
        try:
            stat = path.stat()
            return path.read_bytes(), f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        except (OSError, ValueError):
            return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Leave access logs to the web server in front."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to do again and again, every `interval_s` seconds."""

    name: str
    interval_s: float
    act: Callable[[], object]


def keep(duty: Duty, stop: threading.Event) -> None:
    """Do the duty until told to stop; a failure is logged once and tried again, since the next beat may succeed."""
    failing = False
    while not stop.is_set():
        try:
            duty.act()
            failing = False
        except Exception as error:  # noqa: BLE001 a duty outlives whatever fails in it
            if not failing:
                # The text of a foreign error may quote a row of the book.
                cause = str(error) if isinstance(error, (LintelError, OSError)) else type(error).__name__
                _log.error("%s fails and is tried again: %s", duty.name, cause)
            failing = True
        stop.wait(duty.interval_s)


def serve(server: FeedServer, duties: tuple[Duty, ...], stop: threading.Event) -> None:
    """Serve the feed and keep the duties, each in a thread of its own, until `stop` is set."""
    threads = [threading.Thread(target=keep, args=(duty, stop), name=duty.name) for duty in duties]
    threads.append(threading.Thread(target=server.serve_forever, name="feed"))
    for thread in threads:
        thread.start()
    try:
        stop.wait()
    finally:
        stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
