"""HTTP/2 connections that several transfers share: one reads, the others wait; idle ones are kept."""

from __future__ import annotations

import gc
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import h2.settings
import pytest
import trustme

from blocking_request import BatchRequest, BlockingNetworkRequest, NetworkAccessManager
from blocking_request.engines.python.engine import engine

from ...support.names import NET, OK, REQUEST
from ...support.servers.http2 import Http2Peer, Http2Request
from ...support.servers.proxy import ProxyServer
from ...support.servers.relay import relay_to
from ...support.servers.tls import TlsServer
from ...support.waiting import eventually
from .conftest import Start

BODY = bytes(range(256)) * 4
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


def hello(peer: Http2Peer, request: Http2Request) -> None:
    peer.respond(request, BODY)


def echo_size(peer: Http2Peer, request: Http2Request) -> None:
    peer.respond(request, b"%d" % len(request.body))


@pytest.mark.parametrize("size", [100_000, 6_000_000])
def test_concurrent_uploads(size: int, over_http2: NetworkAccessManager, start: Start) -> None:
    """The windows are so large that only the socket limits the uploads."""
    server = start(echo_size)
    server.settings = {WINDOW: 1 << 30}
    server.connection_window, server.pause = 1 << 30, 0.0003
    requests = [BatchRequest(server.url, "POST", bytes(size)) for _ in range(6)]
    results = list(over_http2.sendMany(requests))
    assert {result.code for result in results} == {OK}, [result.reply.errorString() for result in results]
    assert {result.reply.body for result in results} == {b"%d" % size}
    assert len(server.peers) == 1


def test_early_response_during_an_upload(over_http2: NetworkAccessManager, start: Start) -> None:
    def refuse(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, b"no", 413)

    server = start(hello)
    server.begun, server.settings, server.connection_window = refuse, {WINDOW: 1 << 30}, 1 << 30
    request = BlockingNetworkRequest(over_http2)
    given = 0

    def pieces() -> object:
        nonlocal given
        for _ in range(500):
            given += 1
            time.sleep(0.005)
            yield bytes(100_000)

    request.post(server.url, pieces())
    assert request.reply().statusCode() == 413 and request.reply().body == b"no"
    assert given < 100


@pytest.mark.parametrize("interim", [b"100", b"103", None])
def test_expect_continue(interim: bytes, over_http2: NetworkAccessManager, start: Start) -> None:
    began: list[float] = []
    sent: list[float] = []

    def go_on(peer: Http2Peer, request: Http2Request) -> None:
        began.append(time.monotonic())
        if interim is not None:
            time.sleep(0.2)
            peer.h2.send_headers(request.stream, [(b":status", interim)])
            peer.flush()

    def answer(peer: Http2Peer, request: Http2Request) -> None:
        sent.append(time.monotonic())
        echo_size(peer, request)

    server = start(answer)
    server.begun = go_on
    qt_request = REQUEST(server.url) if isinstance(server.url, bytes) else server.url
    request = BlockingNetworkRequest(over_http2)
    assert request.post(qt_request, b"x" * 50, headers={"Expect": "100-continue"}) is OK, request.errorMessage()
    assert request.reply().body == b"50"
    least, most = (0.9, 1.5) if interim is None else (0.18, 0.7)
    assert least < sent[0] - began[0] < most


def test_connection_fields_are_not_sent(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(hello)
    headers = {"Host": "other.example", "TE": "gzip", "Keep-Alive": "5", "Upgrade": "x", "X-Kept": "yes"}
    assert over_http2.blockingGet(server.url, headers=headers).errorCode() is OK
    sent = dict(server.requests[0].headers)
    assert sent[b":authority"] == b"other.example" and sent[b"x-kept"] == b"yes"
    assert not {b"host", b"te", b"keep-alive", b"upgrade", b"connection"} & set(sent)


def test_unread_upload_iterator_is_retried(over_http2: NetworkAccessManager, start: Start) -> None:
    """The server sends GOAWAY while the request waits for 100 (Continue)."""
    count = 0

    def leave_once(peer: Http2Peer, request: Http2Request) -> None:
        nonlocal count
        count += 1
        if count == 1:
            peer.sock.sendall(b"\0\0\x08\7\0\0\0\0\0" + bytes(8))

    server = start(echo_size)
    server.begun = leave_once
    request = BlockingNetworkRequest(over_http2)
    code = request.post(server.url, iter([b"abc"] * 3), headers={"Expect": "100-continue"})
    assert code is OK and request.reply().body == b"9", request.errorMessage()


def test_goaway_after_each_few_requests(over_http2: NetworkAccessManager, start: Start) -> None:
    def few(peer: Http2Peer, request: Http2Request) -> None:
        if request.stream > 5:
            return
        if request.stream == 5:
            peer.sock.sendall(b"\0\0\x08\7\0\0\0\0\0" + (5).to_bytes(4, "big") + bytes(4))
        peer.respond(request, request.body)

    server = start(few)
    requests = [BatchRequest(server.url, "POST", b"%d" % number) for number in range(60)]
    results = list(over_http2.sendMany(requests))
    assert {result.code for result in results} == {OK}, [result.reply.errorString() for result in results]
    assert len(server.peers) <= 60


def test_refused_certificate_fails_all_requests_at_once(start: Start) -> None:
    """Each request probes the certificate at the same time."""
    server = start(hello)
    server.handshake_pause = 0.2
    manager = NetworkAccessManager()
    manager.setEngine("python")
    manager.setTimeout(5000)
    began = time.monotonic()
    assert {code for _, code, _ in manager.getMany([server.url] * 12)} == {NET}
    assert time.monotonic() - began < 2.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_keeps_the_connection_of_the_parent(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(lambda peer, request: peer.respond(request, BODY * 4000))
    for path in ("/stream", "/batch"):
        if path == "/stream":
            request = BlockingNetworkRequest(over_http2)
            with request.stream(server.url) as chunks:
                body = next(chunks)
                _call_in_a_child(lambda chunks=chunks: chunks.close())
                assert body + b"".join(chunks) == BODY * 4000
            continue
        results = over_http2.getMany([server.url] * 20)
        first = next(iter(results))
        _call_in_a_child(results.close if hasattr(results, "close") else gc.collect)
        assert {first.code, *(result.code for result in results)} == {OK}


def _call_in_a_child(leave: object) -> None:
    child = os.fork()
    if child == 0:
        try:
            leave()  # type: ignore[operator]
            gc.collect()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_connection_of_a_dropped_stream_is_closed(over_http2: NetworkAccessManager, start: Start) -> None:
    """The thread that drops it may hold any lock, so the connection is not returned to the pool."""
    server = start(lambda peer, request: peer.respond(request, BODY * 20_000))
    kept = engine.pool.idle_count()
    chunks = BlockingNetworkRequest(over_http2).stream(server.url).__enter__()
    next(iter(chunks))
    del chunks
    gc.collect()
    assert eventually(lambda: server.closed == 1)
    assert engine.pool.idle_count() == kept


def test_slow_reader_delays_no_other_stream(over_http2: NetworkAccessManager, start: Start, tmp_path: Path) -> None:
    """A body that is not read fills only the window of its stream."""
    large = BODY * 10_000

    def serve(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, large if request.field(b":path") == b"/large" else BODY)

    server = start(serve)
    os.mkfifo(tmp_path / "pipe")
    taken: list[int] = []

    def take() -> None:
        with (tmp_path / "pipe").open("rb") as pipe:
            while data := pipe.read(1 << 16):
                taken.append(len(data))
                time.sleep(0.002)

    reader = threading.Thread(target=take, daemon=True)
    reader.start()
    requests = [BatchRequest(f"{server.url}/large"), *(BatchRequest(f"{server.url}/{number}") for number in range(40))]
    results = list(over_http2.sendMany(requests))
    assert [result.code for result in results] == [OK] * 41
    assert len(server.peers) == 1
    with (tmp_path / "pipe").open("wb"):
        pass
    reader.join(5)


@pytest.mark.parametrize("resets", [False, True])
def test_connection_closed_with_many_streams(resets: bool, over_http2: NetworkAccessManager, start: Start) -> None:
    """A request with a body is sent once; one without a body is retried once."""

    def end(peer: Http2Peer, request: Http2Request) -> None:
        if len(peer.server.requests) == 8:
            if resets:
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.sock.close()
        elif len(peer.server.requests) > 8:
            peer.respond(request, BODY)

    server = start(end)
    began = time.monotonic()
    results = list(over_http2.sendMany([BatchRequest(server.url, "POST", b"x") for _ in range(8)]))
    assert {result.code for result in results} == {NET} and len(server.requests) == 8
    assert all("Connection closed" in result.reply.errorString() for result in results)
    server.requests.clear()
    results = list(over_http2.getMany([server.url] * 8))
    assert [result.code for result in results].count(OK) >= 7 and len(server.requests) in (15, 16)
    assert time.monotonic() - began < 5


def test_upload_and_download_through_https_proxy(
    over_http2: NetworkAccessManager, http2_authority: trustme.CA, start: Start
) -> None:
    """TLS within TLS, where a read may need a write."""
    server = start(lambda peer, request: peer.respond(request, request.body))
    proxy = ProxyServer()
    https_proxy = TlsServer(http2_authority.issue_cert("127.0.0.1"), relay_to(proxy.port))
    try:
        over_http2.setProxy(f"https://127.0.0.1:{https_proxy.port}")
        body = BODY * 3000
        results = list(over_http2.sendMany([BatchRequest(server.url, "POST", body) for _ in range(4)]))
        assert [(result.code, result.reply.body == body) for result in results] == [(OK, True)] * 4
        assert len(server.peers) == 1
    finally:
        https_proxy.close()
        proxy.close()


@pytest.mark.parametrize("streams", [False, True])
def test_server_that_responds_while_it_reads(streams: bool, over_http2: NetworkAccessManager, start: Start) -> None:
    """As a proxy that pipes the request into the response. Its window opens only as its response is read."""
    unsent: dict[int, bytearray] = {}

    def begin(peer: Http2Peer, request: Http2Request) -> None:
        unsent[request.stream] = bytearray()
        peer.h2.send_headers(request.stream, [(b":status", b"200")])
        peer.flush()

    def echo(peer: Http2Peer, request: Http2Request, data: bytes) -> None:
        rest, stream = unsent[request.stream], request.stream
        rest += data
        while count := min(peer.h2.local_flow_control_window(stream), peer.h2.max_outbound_frame_size, len(rest)):
            peer.h2.send_data(stream, bytes(rest[:count]))
            del rest[:count]
        peer.flush()

    def end(peer: Http2Peer, request: Http2Request) -> None:
        if unsent[request.stream]:
            peer.unsent[request.stream] = bytes(unsent[request.stream])
            peer.send_more()
        else:
            peer.h2.end_stream(request.stream)
            peer.flush()

    server = start(end)
    server.begun, server.data_received = begin, echo
    data = os.urandom(1 << 20) * 3
    client = BlockingNetworkRequest(over_http2)
    body: Any = iter([data[:1_000_000], data[1_000_000:]]) if streams else data
    assert client.post(server.url, body) is OK, client.errorMessage()
    assert client.reply().body == data
