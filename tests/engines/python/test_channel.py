"""Channels: reading, writing and waiting over a socket, TLS, and TLS inside TLS."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Callable, Optional

import pytest
import trustme

from blocking_request.engines.python.channel import Channel, SocketChannel
from blocking_request.engines.python.tls_channel import NestedTlsChannel, TlsChannel, TlsStream, handshake
from blocking_request.engines.wanted import READ, WRITE

from ...support.drive_steps import connected, drive, receive_all, receive_some, send_all
from ...support.marks import needs_fork
from ...support.servers.raw import Connection, Handler, RawServer
from ...support.servers.relay import relay_to
from ...support.servers.tls import TlsServer
from ...support.waiting import eventually

LARGE = os.urandom(1 << 20) * 10
KINDS = ("plain", "TLS 1.2", "TLS 1.3", "TLS over a channel", "TLS in TLS")
TLS_KINDS = KINDS[1:]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


Open = Callable[..., Channel]


@pytest.fixture
def open_channel(authority: trustme.CA) -> Iterator[Open]:
    """Return a function that connects one kind of channel to a server with a handler."""
    servers: list[RawServer] = []
    channels: list[Channel] = []
    leaf = authority.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)

    def connect(kind: str, handler: Handler) -> Channel:
        version = "TLSv1_2" if kind == "TLS 1.2" else "TLSv1_3"
        server = RawServer(handler) if kind == "plain" else TlsServer(leaf, handler, versions=(version, version))
        servers.append(server)
        if kind == "TLS in TLS":
            servers.append(TlsServer(leaf, relay_to(server.port)))
        channel = drive(connected(servers[-1].port)())
        channels.append(channel)
        if kind == "plain":
            return channel
        if kind == "TLS over a channel":
            return shake_hands(NestedTlsChannel(channel, context, "127.0.0.1"))
        assert isinstance(channel, SocketChannel)
        stream = shake_hands(TlsChannel(channel, context, "127.0.0.1"))
        if kind == "TLS in TLS":
            stream = shake_hands(NestedTlsChannel(stream, context, "127.0.0.1"))
        return stream

    def shake_hands(stream: TlsStream) -> TlsStream:
        channels.append(stream)
        drive(handshake(stream))
        return stream

    yield connect
    for channel in channels:
        channel.close()
    for server in servers:
        server.close()


def echo_bytes(connection: Connection) -> None:
    """Send all received bytes back."""
    with suppress(OSError):  # the client has aborted
        while data := connection.sock.recv(1 << 16):
            connection.sock.sendall(data)


def read_and_count(connection: Connection) -> None:
    """Read the whole upload, then send the number of its bytes."""
    total = 0
    with suppress(OSError):  # the client has aborted
        while total < len(LARGE) and (data := connection.sock.recv(1 << 16)):
            total += len(data)
    connection.send(b"%d" % total)


@pytest.mark.parametrize("kind", KINDS)
def test_small_message(kind: str, open_channel: Open) -> None:
    channel = open_channel(kind, echo_bytes)
    assert channel.receive(100) is None
    assert channel.wanted == channel.wants_read == (((channel.fileno(), READ),), float("inf"))
    assert channel.wants_write.sockets == ((channel.fileno(), WRITE),)
    assert channel.send(b"hello") == 5
    assert drive(receive_some(channel)) == b"hello"
    assert channel.receive(100) is None


@pytest.mark.parametrize("kind", KINDS)
def test_receive_into_buffer(kind: str, open_channel: Open) -> None:
    channel = open_channel(kind, echo_bytes)
    buffer = memoryview(bytearray(100))
    assert channel.receive_into(buffer) is None
    assert channel.send(memoryview(b"hello")) == 5
    while (count := channel.receive_into(buffer[:3])) is None:
        pass
    assert bytes(buffer[:count]) == b"hel"
    assert channel.has_pending() is (kind != "plain")
    assert channel.receive_into(buffer[3:]) == 2
    assert bytes(buffer[:5]) == b"hello"
    assert channel.has_pending() is False


@pytest.mark.parametrize("kind", KINDS)
def test_large_download(kind: str, open_channel: Open) -> None:
    channel = open_channel(kind, lambda connection: connection.send(LARGE))
    assert drive(receive_all(channel), 60) == LARGE
    assert channel.receive(10) == b""
    assert channel.receive_into(memoryview(bytearray(10))) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_large_upload(kind: str, open_channel: Open) -> None:
    channel = open_channel(kind, read_and_count)
    drive(send_all(channel, LARGE), 60)
    assert drive(receive_some(channel)) == b"%d" % len(LARGE)


@pytest.mark.parametrize("kind", KINDS)
def test_upload_to_a_server_that_reads_late(kind: str, open_channel: Open) -> None:
    def handle(connection: Connection) -> None:
        time.sleep(0.3)
        read_and_count(connection)

    channel = open_channel(kind, handle)
    rest = memoryview(LARGE)
    while (count := channel.send(rest)) is not None:
        rest = rest[count:]
    assert rest
    if kind in ("plain", "TLS 1.2", "TLS 1.3"):
        assert channel.wanted == channel.wants_write
    drive(send_all(channel, bytes(rest)), 60)  # from another buffer
    assert drive(receive_some(channel)) == b"%d" % len(LARGE)


@pytest.mark.parametrize("kind", TLS_KINDS)
def test_send_takes_one_tls_record(kind: str, open_channel: Open) -> None:
    channel = open_channel(kind, echo_bytes)
    assert channel.send(LARGE) == 1 << 14
    assert channel.send(memoryview(LARGE)[: 1 << 14]) == 1 << 14


@pytest.mark.parametrize("kind", ["TLS 1.3", "TLS over a channel"])
def test_late_session_tickets_are_not_data(kind: str, open_channel: Open) -> None:
    def handle(connection: Connection) -> None:
        connection.sock.recv(1)
        connection.wait_for_close()

    channel = open_channel(kind, handle)
    assert select.select([channel.fileno()], [], [], 5)[0], "no tickets have come"
    assert channel.receive(100) is None
    assert channel.wanted == channel.wants_read
    assert select.select([channel.fileno()], [], [], 0)[0] == []
    assert channel.has_pending() is False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["goodbye", "close", "half a record"])
def test_end_of_stream(kind: str, how: str, open_channel: Open) -> None:
    def handle(connection: Connection) -> None:
        connection.send(b"last words")
        if how == "goodbye" and isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.settimeout(1)
            try:
                connection.sock.unwrap()
            except OSError:
                pass
        elif how == "half a record" and isinstance(connection.sock, ssl.SSLSocket):
            os.write(connection.sock.fileno(), b"\x17\x03\x03\x01\x00half")

    channel = open_channel(kind, handle)
    assert drive(receive_all(channel)) == b"last words"
    assert channel.receive(10) == b""


@pytest.mark.parametrize("kind", ["plain", "TLS 1.2", "TLS 1.3", "TLS over a channel"])
def test_reset(kind: str, open_channel: Open) -> None:
    def handle(connection: Connection) -> None:
        connection.sock.recv(1)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    channel = open_channel(kind, handle)
    channel.send(b"x")
    with pytest.raises(ConnectionResetError):
        drive(receive_some(channel))
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        drive(send_all(channel, LARGE))


@pytest.mark.parametrize("kind", ["TLS 1.2", "TLS 1.3", "TLS over a channel"])
def test_invalid_tls_record(kind: str, open_channel: Open) -> None:
    channel = open_channel(
        kind, lambda connection: (os.write(connection.sock.fileno(), b"HTTP/1.1 200 OK\r\n" * 10), None)[1]
    )
    with pytest.raises(ssl.SSLError):
        drive(receive_some(channel))


@pytest.mark.parametrize("kind", KINDS)
def test_close(kind: str, open_channel: Open) -> None:
    ended: list[Optional[bytes]] = []

    def handle(connection: Connection) -> None:
        with socket.socket(fileno=os.dup(connection.sock.fileno())) as sock:  # below TLS
            sock.settimeout(10)
            try:
                ended.append(sock.recv(10))
            except ConnectionResetError:
                ended.append(None)

    channel = open_channel(kind, handle)
    while channel.receive(10) is not None:  # unread bytes would turn each close into a reset
        pass
    time.sleep(0.1)
    channel.receive(10)
    channel.close()
    assert channel.fileno() == -1
    channel.close()
    assert eventually(lambda: ended != [])
    assert ended == [b""]
    with pytest.raises(OSError):
        channel.receive(10)
    with pytest.raises(OSError):
        channel.send(b"x")


@pytest.mark.parametrize("kind", KINDS)
def test_close_while_the_server_sends(kind: str, open_channel: Open) -> None:
    ended: list[float] = []

    def handle(connection: Connection) -> None:
        try:
            while True:
                connection.sock.sendall(LARGE)
        except OSError:
            ended.append(time.monotonic())

    channel = open_channel(kind, handle)
    drive(receive_some(channel))
    time.sleep(0.1)
    begin = time.monotonic()
    channel.close()
    assert eventually(lambda: ended != [], 5)
    assert ended[0] - begin < 1


@needs_fork
@pytest.mark.parametrize("kind", KINDS)
def test_close_in_a_forked_child_keeps_the_connection_of_the_parent(kind: str, open_channel: Open) -> None:
    channel = open_channel(kind, echo_bytes)
    assert channel.send(b"before") == 6
    assert drive(receive_some(channel)) == b"before"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            channel.close()
            del channel
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    time.sleep(0.05)
    assert channel.receive(10) is None
    assert channel.send(b"after") == 5
    assert drive(receive_some(channel)) == b"after"
