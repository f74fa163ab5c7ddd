"""Uploads on the python engine: timeouts and cancels while they are sent, and ``Expect: 100-continue``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Optional

import pytest
import trustme

from blocking_request import BatchRequest, BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.engines.events import UploadDataNeeded
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python import tls
from blocking_request.engines.python.channel import SocketChannel
from blocking_request.engines.python.http1 import ResponseParser
from blocking_request.engines.python.routes import Routes
from blocking_request.engines.python.sending import CONTINUE_SECONDS, send_request
from blocking_request.engines.python.state import TransferState
from blocking_request.engines.python.tls_channel import NestedTlsChannel
from blocking_request.engines.upload_channel import UploadChannel
from blocking_request.engines.wanted import BYTES_PER_TURN, WRITE, YIELD_NOW, Wanted
from blocking_request.models.http_messages import Request
from blocking_request.qt.binding import QtCore, QtNetwork

from ...support.names import CANCELED, NET, OK, SERVER, Serve
from ...support.servers.raw import Connection, Handler, echo, silence
from ...support.servers.tls import TlsServer

PIECE = bytes(1 << 18)


class QuickChannel:
    """A channel whose other end reads faster than we send."""

    wanted = Wanted(((0, WRITE),))

    def __init__(self) -> None:
        self.taken = 0

    def send(self, data: Any) -> int:
        self.taken += len(data)
        return len(data)

    def receive(self, limit: int) -> Optional[bytes]:
        return None

    def fileno(self) -> int:
        return 0


@pytest.mark.parametrize("kind", ["bytes", "known length", "chunked"])
def test_upload_yields_regularly_to_the_driver(kind: str) -> None:
    size = 10 * BYTES_PER_TURN
    body: Any = bytes(size)
    if kind != "bytes":
        body = UploadChannel(size if kind == "known length" else -1, Mailbox())
        body.ask(None)
    state = TransferState(Request("POST", "http://127.0.0.1/", body=body), Mailbox())
    channel, connection = QuickChannel(), type("Connection", (), {})()
    connection.channel = channel
    state.connection, state.parser = connection, ResponseParser("POST")
    looks, taken, given = 0, 0, 0
    for wanted in send_request(state, Routes().find(state.request)):
        assert channel.taken - taken <= 2 * BYTES_PER_TURN
        if wanted is YIELD_NOW:
            looks, taken = looks + 1, channel.taken
        elif isinstance(wanted, UploadDataNeeded):
            if given < size:
                body.put(PIECE)
                given += len(PIECE)
            else:
                body.end()
    assert not state.is_cut_short and channel.taken >= size and looks >= 9


@pytest.mark.parametrize("before", [0, 10], ids=["small so far", "under way"])
@pytest.mark.parametrize("how", ["call", "batch"])
def test_slow_upload_iterator_is_not_read_after_a_cancel(how: str, before: int, serve: Serve) -> None:
    """The call checks for a cancel between two chunks of a body."""
    manager = NetworkAccessManager()
    manager.setEngine("python")
    request = BlockingNetworkRequest(manager)
    read_after: list[int] = []

    def source() -> Iterator[bytes]:
        yield from [PIECE] * before
        cancel()
        for number in range(500):
            read_after.append(number)
            yield b"x"

    def take_all(connection: Connection) -> None:
        with suppress(OSError):  # the client resets the connection
            while connection.sock.recv(1 << 16):
                pass

    url = serve(take_all).url
    if how == "call":
        cancel = request.abort
        assert request.post(url, source()) is CANCELED
    else:
        batch = manager.sendMany([BatchRequest(url, verb="POST", data=source())])
        cancel = batch.abort
        assert [code for _, code, _ in batch] == [CANCELED]
    assert len(read_after) <= 10


def read_head(connection: Connection) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.sock.recv(1)
    return head


def receive(connection: Connection, size: int) -> bytes:
    body = b""
    while len(body) < size and (piece := connection.sock.recv(size - len(body))):
        body += piece
    return body


def with_expect_continue(url: str) -> QtNetwork.QNetworkRequest:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    request.setRawHeader(b"Expect", b"100-continue")
    return request


SIZES = [100, 300_000]


def send_interim_responses(interim: list[bytes], size: int, body_came_early: list[bool]) -> Handler:
    """Return a handler that sends interim responses in parts and notes if the body arrives before they are complete."""

    def handle(connection: Connection) -> None:
        read_head(connection)
        for part in interim:
            connection.sock.settimeout(0.05)
            try:
                connection.sock.recv(1)
            except OSError:  # no bytes in this time
                body_came_early.append(False)
            else:
                body_came_early.append(True)
            connection.sock.settimeout(10)
            connection.send(part)
        connection.respond(b"%d" % len(receive(connection, size)))

    return handle


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "interim",
    [
        [b"HTTP/1.1 100 Continue\r\n\r\n"],
        [b"HTTP/1.1 100 ", b"Continue\r\n", b"\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"],
    ],
    ids=["at once", "in parts", "behind another", "before another"],
)
def test_body_waits_for_continue(
    interim: list[bytes], size: int, on_python: BlockingNetworkRequest, serve: Serve
) -> None:
    body_came_early: list[bool] = []
    server = serve(send_interim_responses(interim, size, body_came_early))
    assert on_python.post(with_expect_continue(server.url), bytes(size)) is OK, on_python.errorMessage()
    assert on_python.reply().body == b"%d" % size
    assert body_came_early == [False] * len(interim)


@pytest.mark.parametrize("size", SIZES)
def test_body_is_sent_without_continue_after_a_timeout(
    size: int, on_python: BlockingNetworkRequest, serve: Serve
) -> None:
    gaps: list[float] = []

    def ignore(connection: Connection) -> None:
        read_head(connection)
        started = time.monotonic()
        body = receive(connection, 1)
        gaps.append(time.monotonic() - started)
        connection.respond(b"%d" % len(body + receive(connection, size - 1)))

    assert on_python.post(with_expect_continue(serve(ignore).url), bytes(size)) is OK, on_python.errorMessage()
    assert on_python.reply().body == b"%d" % size
    assert CONTINUE_SECONDS * 0.8 < gaps[0] < CONTINUE_SECONDS * 5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("status", ["417 Expectation Failed", "401 Unauthorized", "413 Too Large"])
def test_refused_body_is_not_sent(status: str, size: int, on_python: BlockingNetworkRequest, serve: Serve) -> None:
    bodies: list[bytes] = []

    def refuse(connection: Connection) -> None:
        read_head(connection)
        connection.respond(b"no", status)
        bodies.append(receive(connection, 1))

    server = serve(refuse)
    assert on_python.post(with_expect_continue(server.url), bytes(size)) is SERVER, on_python.errorMessage()
    assert on_python.reply().body == b"no"
    server.close()
    assert bodies in ([], [b""])


def test_cancel_while_a_body_waits_for_continue(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(silence)
    threading.Timer(0.1, on_python.abort).start()
    started = time.monotonic()
    assert on_python.post(with_expect_continue(server.url), bytes(100)) is CANCELED
    assert time.monotonic() - started < CONTINUE_SECONDS


@pytest.mark.parametrize("ends", ["close", "reset"])
@pytest.mark.parametrize(
    ("raw", "is_whole"),
    [
        (b"Content-Length: 2\r\n\r\nno", True),
        (b"Connection: close\r\n\r\nno", True),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", True),
        (b"Content-Length: 3\r\n\r\nno", False),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n", False),
    ],
    ids=["length", "until the end", "chunked", "short", "cut off"],
)
def test_server_refuses_a_body_and_closes(
    raw: bytes, is_whole: bool, ends: str, on_python: BlockingNetworkRequest, serve: Serve
) -> None:
    """It has not read the whole body, so even ``close`` causes a reset."""
    may_end = threading.Event()

    def refuse(connection: Connection) -> None:
        read_head(connection)
        connection.send(b"HTTP/1.1 413 Too Large\r\n" + raw)
        may_end.wait(0.1)  # a reset may overtake the response
        if ends == "reset":
            connection.reset()

    code = on_python.post(serve(refuse).url, bytes(20_000_000))
    assert code is (SERVER if is_whole else NET), on_python.errorMessage()
    assert on_python.reply().statusCode() == 413 and on_python.reply().body == b"no"


def test_server_refuses_a_body_over_nested_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel still reads received bytes when it cannot send any more, like a plain TLS channel."""
    monkeypatch.setattr(tls, "encrypted", NestedTlsChannel)
    authority = trustme.CA()

    def refuse(connection: Connection) -> None:
        read_head(connection)
        connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")

    server = TlsServer(authority.issue_cert("127.0.0.1"), refuse)
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    codes = [request.post(server.url, bytes(20_000_000)) for _ in range(3)]
    server.close()
    assert codes == [SERVER] * 3, request.errorMessage()


def test_batch_sends_the_bytes_that_nested_tls_holds_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """``send`` has taken the request, but the socket only a part of it: the transfer waits until it can write."""
    monkeypatch.setattr(tls, "encrypted", NestedTlsChannel)
    send, refusals = SocketChannel.send, [0]

    def send_a_part(channel: SocketChannel, data: Any) -> Optional[int]:
        if len(data) <= 4_000 or refusals[0] > 1:
            return send(channel, data)
        refusals[0] += 1
        if refusals[0] == 1:
            return send(channel, data[:1_000])
        channel.wanted = channel.wants_write
        return None

    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), echo)
    server.context.num_tickets = 0  # they would wake it
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setTimeout(6_000)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    monkeypatch.setattr(SocketChannel, "send", send_a_part)
    (result,) = manager.sendMany([BatchRequest(server.url, "POST", bytes(8_000))])
    server.close()
    assert result.code is OK and refusals == [2], result.reply.errorString()
    assert result.reply.elapsed() < 3.0  # not at the idle timeout
