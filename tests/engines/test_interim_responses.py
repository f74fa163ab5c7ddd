"""Interim responses during uploads, and connections with unsolicited bytes."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode
from blocking_request.qt.binding import QtCore, QtNetwork

from ..support.names import Serve
from ..support.servers.raw import Connection, Handler

BODY = bytes(range(256)) * 1_200 + b"the end of the body"


def read_head(connection: Connection) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.sock.recv(1)
    return head


def send_before_the_body(*interim: bytes) -> Handler:
    """Return a handler that sends interim responses before it reads the body, as servers do."""

    def handle(connection: Connection) -> None:
        head = read_head(connection)
        for response in interim:
            connection.send(response)
        received = b""
        end = b"0\r\n\r\n" if b"chunked" in head else b"the end of the body"
        while not received.endswith(end):
            received += connection.sock.recv(1 << 16)
        connection.server.remember(received)
        connection.respond(b"ok")

    return handle


def chunks() -> Iterator[bytes]:
    for start in range(0, len(BODY), 10_000):
        yield BODY[start : start + 10_000]


INTERIM = {
    "100": [b"HTTP/1.1 100 Continue\r\n\r\n"],
    "102": [b"HTTP/1.1 102 Processing\r\n\r\n"],
    "103": [b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.css>\r\n\r\n"],
    "100 twice": [b"HTTP/1.1 100 Continue\r\n\r\n"] * 2,
    "100 and 103": [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"],
    "in pieces": [b"H", b"TTP/1.1 1", b"00 Con", b"tinue\r\n", b"\r\n"],
}


@pytest.mark.parametrize("interim", INTERIM)
@pytest.mark.parametrize("kind", ["bytes", "file", "generator"])
def test_interim_response_during_an_upload(
    interim: str, kind: str, on_python: BlockingNetworkRequest, serve: Serve
) -> None:
    """RFC 9110 section 15.2: a client skips any number of them. The upload once stopped until the idle timeout."""
    server = serve(send_before_the_body(*INTERIM[interim]))
    body: Any = {"bytes": BODY, "file": io.BytesIO(BODY), "generator": chunks()}[kind]
    assert on_python.post(server.url, body) is ErrorCode.NoError, on_python.errorMessage()
    assert on_python.reply().body == b"ok" and on_python.reply().statusCode() == 200
    assert len(server.requests[0]) >= len(BODY)


def test_expect_of_the_caller(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(send_before_the_body(b"HTTP/1.1 100 Continue\r\n\r\n"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setRawHeader(b"Expect", b"100-continue")
    assert blocking.put(request, BODY) is ErrorCode.NoError, blocking.errorMessage()
    assert server.requests == [BODY]


def test_final_response_during_an_upload(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    def refuse(connection: Connection) -> None:
        read_head(connection)
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        connection.wait_for_close()

    server = serve(refuse)
    assert on_python.post(server.url, BODY * 30) is ErrorCode.ServerExceptionError, on_python.errorMessage()
    assert on_python.reply().statusCode() == 413 and on_python.reply().body == b"no"


UNASKED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

DOUBTFUL = {
    "behind a length": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + UNASKED),
    "HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(UNASKED) + UNASKED),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n" + UNASKED),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nX: y\r\n\r\n" + UNASKED),
    "two framings": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ),
    "two codings": ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
    "HTTP/1.0": (
        "GET",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ),
}


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("case", DOUBTFUL)
def test_bytes_behind_a_response_are_discarded(
    case: str, late: bool, on_python: BlockingNetworkRequest, serve: Serve
) -> None:
    """RFC 9112 sections 6.1, 6.3 and 9.2: the connection of an ambiguous response is closed."""
    method, raw = DOUBTFUL[case]

    def handle(connection: Connection) -> None:
        is_first = connection.server.connections == 1
        while connection.read_request() is not None:
            if not is_first:
                connection.respond(b"good")
                continue
            head, unasked, _ = raw.partition(UNASKED)
            connection.send(head + (b"" if late else unasked))
            if late and unasked:
                head_has_come.wait(5)
                connection.send(unasked)
                unasked_was_sent.set()

    head_has_come, unasked_was_sent = threading.Event(), threading.Event()
    server = serve(handle)
    assert on_python.sendCustomRequest(server.url, method) is ErrorCode.NoError, on_python.errorMessage()
    head_has_come.set()
    if late and UNASKED in raw:
        assert unasked_was_sent.wait(5)
    assert on_python.get(server.url) is ErrorCode.NoError, on_python.errorMessage()
    assert on_python.reply().body == b"good"
    assert server.connections == 2
