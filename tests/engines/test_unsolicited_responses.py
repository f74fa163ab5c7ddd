"""Bytes that a server sends without a request are not a response to the next request (RFC 9112 section 9.2)."""

from __future__ import annotations

import threading

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, NetworkMemoryCache

from ..support.names import Serve
from ..support.servers.raw import Connection

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=999\r\n\r\nevil"
OK_TWO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=999\r\n"

FIRST = {
    "second response": OK_TWO + b"\r\nok",
    "late body of 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "late body of 304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "Transfer-Encoding and Content-Length": OK_TWO + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("first", FIRST)
def test_auto_stores_no_unsolicited_response(first: str, serve: Serve) -> None:
    sent = threading.Event()

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.startswith(b"GET /first"):
                connection.send(FIRST[first])
                released.wait(10)
                connection.send(EVIL)
                sent.set()
            else:
                connection.respond(b"good", headers="Cache-Control: max-age=999\r\n")

    released = threading.Event()
    server = serve(handle)
    manager = NetworkAccessManager()
    manager.setCache(NetworkMemoryCache())
    assert manager.blockingGet(f"{server.url}/first").errorCode() is ErrorCode.NoError
    released.set()
    assert sent.wait(10)
    for is_from_cache in (False, True):
        reply = manager.blockingGet(f"{server.url}/next")
        assert (reply.body, reply.isFromCache()) == (b"good", is_from_cache)


def test_auto_uses_python_if_responses_are_stored(serve: Serve) -> None:
    """The same server, with and without a cache."""

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"good", headers="Cache-Control: max-age=999\r\n")

    server = serve(handle)
    manager = NetworkAccessManager()
    assert manager.blockingGet(server.url).engine() == "qt"
    manager.setCache(NetworkMemoryCache())
    assert manager.blockingGet(server.url).engine() == "python"
    manager.setEngine("qt")
    assert manager.blockingGet(f"{server.url}/other").engine() == "qt"


@pytest.mark.parametrize(
    ("response", "is_kept"),
    [
        (FIRST["Transfer-Encoding and Content-Length"], False),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
    ],
)
def test_ambiguous_framing_closes_the_connection(
    response: bytes, is_kept: bool, on_qt: BlockingNetworkRequest, serve: Serve
) -> None:
    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(response)

    server = serve(handle)
    for _ in range(3):
        on_qt.get(server.url)
    assert server.connections == (1 if is_kept else 3)
