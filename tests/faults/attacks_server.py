"""A web server that serves a feed for real and misbehaves on request, path by path.

`overlay` puts other bytes in the place of files; `deeds` puts a way to answer in the place of the answer. With both
empty it is an honest server. Every deed ends when the server is closed, however long it would drip.
"""

from __future__ import annotations

import fnmatch
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

Deed = Callable[["Reply", bytes], None]
_PIECE: Final = bytes(64 << 10)
# An attacker who never ends is not run for ever: so many bytes are more than any reader may take.
ENDLESS_BYTES: Final = 512 << 20


class RogueServer(ThreadingHTTPServer):
    """Serves one feed directory; `asked` are the paths asked for, `sent` counts the bytes of endless deeds."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.overlay: dict[str, bytes] = {}
        self.deeds: dict[str, Deed] = {}
        self.asked: list[str] = []
        self.sent = 0
        self.connections = 0
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Reply)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def behave(self) -> None:
        """Be an honest server from here on."""
        self.overlay = {}
        self.deeds = {}

    def freeze(self) -> None:
        """Go on serving what there is now, whatever the court signs."""
        files = (path for path in self.directory.rglob("*") if path.is_file())
        self.overlay = {path.relative_to(self.directory).as_posix(): path.read_bytes() for path in files}

    def content(self, path: str) -> bytes | None:
        """What is answered to this path; None when there is no such file."""
        if path in self.overlay:
            return self.overlay[path]
        file = self.directory / path
        return file.read_bytes() if file.is_file() else None

    def deed(self, path: str) -> Deed | None:
        """What is done to who asks for this path."""
        return next((deed for pattern, deed in self.deeds.items() if fnmatch.fnmatchcase(path, pattern)), None)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Count the connection."""
        self.connections += 1
        super().finish_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of readers that hang up: hanging up is what they should do."""

    def server_close(self) -> None:
        """End every deed and close."""
        self.closing.set()
        super().server_close()


class Reply(BaseHTTPRequestHandler):
    """One answer."""

    server: RogueServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    is_last = False  # after a deed the connection ends, and says so where it says anything

    def do_GET(self) -> None:
        """Answer honestly, or do the deed."""
        path = self.path.lstrip("/")
        self.server.asked.append(path)
        content, deed = self.server.content(path), self.server.deed(path)
        if deed is not None:
            self.is_last = True
            deed(self, content or b"")
            self.close_connection = True
        elif content is None:
            self.head(404, 0)
        else:
            self.head(200, len(content))
            self.wfile.write(content)

    def head(self, status: int, length: int | None, fields: Mapping[str, str] | None = None) -> None:
        """Begin an answer; without a length it lasts until the connection ends."""
        self.send_response(status)
        if self.is_last:
            self.send_header("Connection", "close")
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.flush()

    def raw(self, content: bytes) -> None:
        """Send these bytes as they are."""
        self.wfile.write(content)
        self.wfile.flush()

    def pause(self, seconds: float) -> bool:
        """Wait; False when the server is closing."""
        return not self.server.closing.wait(seconds)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep no log."""


def flipped(reply: Reply, content: bytes) -> None:
    """The content with one bit in its middle changed."""
    at = len(content) // 2
    changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    reply.head(200, len(changed))
    reply.raw(changed)


def truncated(reply: Reply, content: bytes) -> None:
    """Half of the content, as if it were all."""
    reply.head(200, len(content) // 2)
    reply.raw(content[: len(content) // 2])


def longer(reply: Reply, content: bytes) -> None:
    """The content and one byte more."""
    reply.head(200, len(content) + 1)
    reply.raw(content + b"\n")


def empty(reply: Reply, content: bytes) -> None:
    """Nothing, as if it were all."""
    del content
    reply.head(200, 0)


def endless(status: int = 200) -> Deed:
    """Content that does not end."""

    def deed(reply: Reply, content: bytes) -> None:
        reply.head(status, None)
        reply.raw(content)
        _pour(reply, _PIECE)

    return deed


def endless_chunks(reply: Reply, content: bytes) -> None:
    """Content in chunks of HTTP/1.1 that do not end."""
    del content
    reply.head(200, None, {"Transfer-Encoding": "chunked"})
    _pour(reply, b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE))


def endless_headers(reply: Reply, content: bytes) -> None:
    """Header fields that do not end."""
    del content
    reply.raw(b"HTTP/1.1 200 OK\r\n")
    _pour(reply, b"X-More: " + bytes(1_000).replace(b"\0", b"x") + b"\r\n")


def endless_continue(reply: Reply, content: bytes) -> None:
    """'100 Continue' again and again."""
    del content
    _pour(reply, b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)


def _pour(reply: Reply, piece: bytes) -> None:
    poured = 0
    while poured < ENDLESS_BYTES and not reply.server.closing.is_set():
        reply.raw(piece)
        poured += len(piece)
        reply.server.sent += len(piece)


def drip(before: bytes, piece: bytes, every_s: float = 0.5) -> Deed:
    """`before` at once, then a small piece now and then, so that no single silence is long."""

    def deed(reply: Reply, content: bytes) -> None:
        del content
        reply.raw(before)
        while reply.pause(every_s):
            reply.raw(piece)

    return deed


DRIP_BODY: Final = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 15000\r\n\r\n", b" ")
DRIP_HEADERS: Final = drip(b"HTTP/1.1 200 OK\r\nX-More: ", b"x")
DRIP_CHUNK_SIZE: Final = drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0")
DRIP_CONTINUE: Final = drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")


def late(seconds: float) -> Deed:
    """The honest answer, with headers dripped for so long before it that the reader may just bear it."""

    def deed(reply: Reply, content: bytes) -> None:
        reply.raw(b"HTTP/1.1 %s\r\nX-More: " % (b"200 OK" if content else b"404 Not Found"))
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s and reply.pause(0.5):
            reply.raw(b"x")
        reply.raw(b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))

    return deed


def half_open(before: bytes) -> Deed:
    """`before`, and then silence on an open connection."""

    def deed(reply: Reply, content: bytes) -> None:
        del content
        reply.raw(before)
        reply.pause(3_600)

    return deed


def reset(reply: Reply, content: bytes) -> None:
    """Half of the content, then a connection reset."""
    reply.head(200, len(content) + 1)
    reply.raw(content[: len(content) // 2])
    # Lingering for no time makes the close a reset.
    reply.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def status(code: int, fields: Mapping[str, str] | None = None) -> Deed:
    """An answer of another status, with the content."""

    def deed(reply: Reply, content: bytes) -> None:
        reply.head(code, len(content), fields)
        reply.raw(content)

    return deed


def garbage(reply: Reply, content: bytes) -> None:
    """Something that is not HTTP."""
    del content
    reply.raw(bytes(range(256)) * 16)


def encoded(reply: Reply, content: bytes) -> None:
    """The content under a claim that it is compressed."""
    reply.head(200, len(content), {"Content-Encoding": "gzip"})
    reply.raw(content)


@contextmanager
def serving(directory: Path) -> Iterator[RogueServer]:
    """A server of this feed on a port of its own."""
    server = RogueServer(directory)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
