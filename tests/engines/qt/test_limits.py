"""The known limitations of docs/limits.rst: if a test fails, Qt has changed and the page must be updated."""

from __future__ import annotations

import threading

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode

from ...support.names import Serve
from ...support.servers.raw import Connection, once

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        b"zz\r\nmore\r\n0\r\n\r\n",
        b"-4\r\nmore\r\n0\r\n\r\n",
        b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        b"fffffffffffffffffff\r\nmore",
    ],
)
def test_qt_ends_a_body_at_an_invalid_chunk_size(
    rest: bytes, engine: str, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(once(CHUNKED + b"5\r\nhello\r\n" + rest))
    code = blocking.get(server.url)
    assert code is ErrorCode.NetworkError or engine == "qt"
    assert engine == "qt" or "the size of a chunk is" in blocking.errorMessage()
    assert blocking.reply().body.startswith(b"hello")


@pytest.mark.parametrize("raw", [b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\r\n0\r\nX-Trailer: cu"])
def test_qt_ignores_bytes_between_chunks(
    raw: bytes, engine: str, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(once(CHUNKED + raw))
    assert blocking.get(server.url) is ErrorCode.NetworkError or engine == "qt"


def test_qt_ends_a_body_without_length_at_a_reset(engine: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nhello")
        connection.sock.settimeout(5)
        # The client sends no further request here; only the reset is left.
        connection.reset()

    server = serve(handle)
    code = blocking.get(server.url)
    assert code in (ErrorCode.NoError, ErrorCode.NetworkError)
    assert code is ErrorCode.NetworkError or (engine == "qt" and blocking.reply().body in (b"", b"hello"))


def test_qt_retries_a_get(engine: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(lambda connection: connection.read_request() and None)  # type: ignore[arg-type]
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert 1 <= len(server.requests) <= (4 if engine == "qt" else 1)


def test_connection_closed_while_idle(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """If the request is sent just when the server closes, it fails; the body is never sent twice."""
    closed = threading.Event()

    def handle(connection: Connection) -> None:
        request = connection.read_request()
        if request is not None:
            connection.respond(b"ok")
        connection.sock.close()
        closed.set()

    server = serve(handle)
    for number in range(20):
        closed.clear()
        assert blocking.post(f"{server.url}/{number}", b"%d" % number) in (ErrorCode.NoError, ErrorCode.NetworkError)
        closed.wait(5)
    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
    assert len(bodies) == len(set(bodies))
