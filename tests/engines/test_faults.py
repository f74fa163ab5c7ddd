"""Faults of servers and their messages. No call takes longer than its timeout + 0.2 s."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import Callable

import pytest

from blocking_request import BlockingNetworkRequest
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import QT_VERSION, enum_value

from ..support.faults import BIG_HEADER, FAULTS, MANY_HEADERS, NOT_HTTP, SHORT, Fault, then_silence
from ..support.names import NET, OK, TIMEOUT, Serve
from ..support.servers.raw import Connection, Handler, once
from ..support.servers.unreachable import full_port

QT5 = QT_VERSION < (6,)
INTERIM = [100, 102, 103]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(fault: Fault, engine: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    if fault.name == "no header field at all" and engine == "qt" and not QT5:
        # Qt 6 drops a header it cannot parse and reports no error.
        fault = replace(fault, code=NET, error=Q.ProtocolFailure, message="the header is empty", body=None)
    if engine == "python" and fault.name in NOT_HTTP:
        fault = replace(fault, error=Q.ProtocolFailure, message="the response is not HTTP/1")
    server = serve(fault.handler)
    blocking.setTimeout(fault.idle)
    deadline = 900 if fault.name == "endless drip" else 0
    blocking.setDeadline(deadline)
    blocking.downloadProgress.connect(lambda done, total: None)
    started = time.monotonic()
    code = blocking.get(server.url + "/a?token=s3cret")
    seconds = time.monotonic() - started
    reply = blocking.reply()
    assert code is fault.code, blocking.errorMessage()
    assert enum_value(reply.error()) == fault.error
    assert fault.message in blocking.errorMessage()
    assert "s3cret" not in blocking.errorMessage()
    if code is OK:
        assert blocking.errorMessage() == reply.errorString() == ""
    else:
        assert server.url in blocking.errorMessage()
    if fault.body is not None:
        assert reply.body == fault.body
    assert seconds < (deadline or fault.idle) / 1000 + 0.2


@pytest.mark.parametrize("status", ["000", "0", "099"])
def test_status_that_is_none(status: str, engine: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(once(f"HTTP/1.1 {status} Odd\r\nContent-Length: 2\r\n\r\nok".encode()))
    assert blocking.get(server.url) is NET
    assert f"interim status {int(status)}" in blocking.errorMessage()


@pytest.mark.parametrize("status", INTERIM)
def test_interim_response_is_skipped_or_an_error(
    status: int, engine: str, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.send(f"HTTP/1.1 {status} Soon\r\nLink: </a.css>\r\n\r\n".encode())
            connection.respond(b"final %d" % len(server.requests))

    server = serve(handle)
    code = blocking.get(server.url)
    if code is OK:
        assert blocking.reply().body == b"final 1"
    else:
        assert engine == "qt"
        assert QT5 and status != 100, "only Qt 5 treats interim responses as final ones"
        assert code is NET
        assert enum_value(blocking.reply().error()) == Q.ProtocolFailure
        assert f"interim status {status}" in blocking.errorMessage()
    # The final response that Qt 5 has not read must not be used for the next request.
    server_says = [b"final %d" % n for n in range(2, 5)]
    for _ in range(3):
        code = blocking.get(server.url)
        if code is OK:
            assert blocking.reply().body in server_says
            assert blocking.reply().body == b"final %d" % len(server.requests)


@pytest.mark.parametrize("raw", [MANY_HEADERS, BIG_HEADER], ids=["200 lines", "250 KB"])
@pytest.mark.parametrize("make_handler", [once, then_silence])
def test_large_header_is_read_or_an_error(
    raw: bytes,
    make_handler: Callable[[bytes], Handler],
    engine: str,
    blocking: BlockingNetworkRequest,
    serve: Serve,
) -> None:
    """Qt 6 drops a header over 99 lines or 100 KB and reports no error, so the package reports one."""
    server = serve(make_handler(raw))
    code = blocking.get(server.url)
    if engine == "python" or QT5:
        assert code is OK and blocking.reply().body == b"hi"
        assert "Content-Length" in blocking.reply().headers
    else:
        assert code is NET
        assert enum_value(blocking.reply().error()) == Q.ProtocolFailure
        assert "no header field could be read" in blocking.errorMessage()


def test_connect_timeout(blocking: BlockingNetworkRequest) -> None:
    with full_port() as port:
        blocking.setTimeout(SHORT)
        started = time.monotonic()
        assert blocking.get(f"http://127.0.0.1:{port}/") is TIMEOUT
        assert time.monotonic() - started < SHORT / 1000 + 0.2
        assert enum_value(blocking.reply().error()) == Q.TimeoutError


def test_unknown_host(blocking: BlockingNetworkRequest) -> None:
    assert blocking.get("http://no-such-host.invalid/") is NET
    assert enum_value(blocking.reply().error()) == Q.HostNotFoundError
    assert blocking.errorMessage() == "Host no-such-host.invalid not found (http://no-such-host.invalid/)"


def test_connection_refused(blocking: BlockingNetworkRequest) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert blocking.get(f"http://127.0.0.1:{port}/") is NET
    assert enum_value(blocking.reply().error()) == Q.ConnectionRefusedError
    assert blocking.errorMessage() == f"Connection refused (http://127.0.0.1:{port}/)"
