"""Every answer of a web server is bounded from its first byte on, whatever part of it is dripped or does not end."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from restriction.errors import FeedUnreachableError, RefusedListError
from sync_agent.transport import Transport, renamed
from tests.faults import attacks_server as rogue
from tests.faults.attacks_server import Deed, serving

_LIMIT = 20_000
# What a reader may have been sent when it hangs up: buffers of two sockets, and what it was willing to read.
_SENT_BYTES = 16 << 20


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (rogue.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 15000\r\n\r\n", b" ", 0.01), FeedUnreachableError),
        (rogue.drip(b"HTTP/1.1 200 OK\r\nX-More: ", b"x", 0.01), FeedUnreachableError),
        (rogue.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0", 0.01), FeedUnreachableError),
        (rogue.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), FeedUnreachableError),
        (rogue.endless(500), FeedUnreachableError),
        (rogue.endless(404), FeedUnreachableError),
        (rogue.endless_headers, FeedUnreachableError),
        (rogue.endless_continue, FeedUnreachableError),
        (rogue.endless(), RefusedListError),
        (rogue.endless_chunks, RefusedListError),
        (rogue.garbage, FeedUnreachableError),
        (rogue.reset, FeedUnreachableError),
    ],
    ids=[
        "dripped body", "dripped header", "dripped size of a chunk", "dripped 100 Continue", "endless body of a 500",
        "endless body of a 404", "endless headers", "endless 100 Continue", "endless body", "endless chunks",
        "not HTTP", "reset",
    ],
)  # fmt: skip
def test_whatever_does_not_come_to_an_end_is_let_go(tmp_path: Path, deed: Deed, error: type[Exception]) -> None:
    """A tenth of a second passes between any two looks at the clock."""
    (tmp_path / "file").write_bytes(bytes(1_000))
    transport = Transport(itertools.count(step=0.1).__next__)
    with serving(tmp_path) as server:
        server.deeds["file"] = deed
        with pytest.raises(error), renamed():
            transport.download_bytes(f"{server.url}/file", _LIMIT)
        assert server.sent < _SENT_BYTES
    transport.close()


def test_a_connection_is_kept_over_an_answer_without_a_document(tmp_path: Path) -> None:
    """The next root is asked for at every look, and is not there."""
    (tmp_path / "file").write_bytes(b"content")
    transport = Transport(itertools.count(step=0.1).__next__)
    with serving(tmp_path) as server:
        for _ in range(3):
            with pytest.raises(FeedUnreachableError), renamed():
                transport.download_bytes(f"{server.url}/2.root.json", _LIMIT)
            assert transport.download_bytes(f"{server.url}/file", _LIMIT) == b"content"
        assert server.connections == 1
    transport.close()
