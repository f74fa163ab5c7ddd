"""HTTP/2 on the python engine (RFC 9113), against a server that is scripted frame by frame."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import h2.errors
import pytest
import trustme

from blocking_request import BatchRequest, BlockingNetworkRequest, NetworkAccessManager, TlsSettings, requests_session
from blocking_request.engines import choice
from blocking_request.engines.events import HeadersReceived
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python import routes
from blocking_request.engines.python.http2_stream import STREAM_WINDOW_BYTES
from blocking_request.models.http_messages import Request
from blocking_request.qt.binding import QtCore, enum_value

from ...support.marks import needs_fork
from ...support.names import CANCELED, NET, OK, REQUEST, ROOT, SERVER, Attribute
from ...support.servers.http2 import Http2Peer, Http2Request
from ...support.waiting import eventually
from .conftest import Start

BODY = bytes(range(256)) * 4


def hello(peer: Http2Peer, request: Http2Request) -> None:
    body = b"" if request.field(b":method") == b"HEAD" else BODY
    peer.respond(request, body, headers=[(b"x-path", request.field(b":path"))])


def echo(peer: Http2Peer, request: Http2Request) -> None:
    peer.respond(request, b"%d" % len(request.body))


def test_calls_share_a_connection(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(hello)
    request = BlockingNetworkRequest(over_http2)
    for path in ("/a", "/b?c=d#e"):
        assert request.get(server.url + path) is OK, request.errorMessage()
        reply = request.reply()
        assert reply.body == BODY and reply.statusCode() == 200
        assert reply.attributes()[enum_value(Attribute.Http2WasUsedAttribute)] is True
        assert reply.httpVersion() == "HTTP/2"
        assert reply.headers["X-Path"] == path.partition("#")[0]
    assert len(server.peers) == 1
    sent = dict(server.requests[0].headers)
    assert sent[b":authority"] == server.url.partition("//")[2].encode() and sent[b":scheme"] == b"https"
    assert not {b"host", b"connection"} & set(sent) and b"user-agent" in sent
    assert request.head(server.url) is OK and request.reply().body == b""


def test_version_in_requests(over_http2: NetworkAccessManager, start: Start) -> None:
    response = requests_session(over_http2).get(start(hello).url)
    assert (response.status_code, response.raw.version) == (200, 20)


def test_no_alpn_offer_without_the_h2_package(
    over_http2: NetworkAccessManager, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "alpn_offer", tuple)
    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(hello).url) is OK and request.reply().body == b"HTTP/1.1"
    assert request.reply().attributes()[enum_value(Attribute.Http2WasUsedAttribute)] is False
    assert request.reply().httpVersion() == "HTTP/1.1"


def test_http2_allowed_attribute(over_http2: NetworkAccessManager, start: Start) -> None:
    """By Qt's Http2AllowedAttribute."""
    url = start(hello).url
    request = REQUEST(QtCore.QUrl(url))
    request.setAttribute(Attribute.Http2AllowedAttribute, False)
    for each, body in ((request, b"HTTP/1.1"), (url, BODY), (request, b"HTTP/1.1")):
        assert over_http2.blockingGet(each).body == body


def test_http_1_1_required(over_http2: NetworkAccessManager, start: Start) -> None:
    def want(peer: Http2Peer, request: Http2Request) -> None:
        peer.reset(request, h2.errors.ErrorCodes.HTTP_1_1_REQUIRED)

    url = start(want).url
    request = BlockingNetworkRequest(over_http2)
    assert request.get(url) is OK and request.reply().body == b"HTTP/1.1"
    assert {reply.body for _, _, reply in over_http2.getMany([url] * 5)} == {b"HTTP/1.1"}


def test_batch_shares_one_connection(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(hello)
    server.most_streams = 7
    results = list(over_http2.getMany(f"{server.url}/{number}" for number in range(300)))
    assert {result.code for result in results} == {OK}
    assert sorted(int(result.reply.headers["X-Path"][1:]) for result in results) == list(range(300))
    assert len(server.peers) == 1
    # a single call reuses it
    assert over_http2.blockingGet(server.url).errorCode() is OK and len(server.peers) == 1


@pytest.mark.parametrize("size", [0, 1, 1 << 15, 3_000_000])
def test_upload(size: int, over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(echo)
    request = BlockingNetworkRequest(over_http2)
    moved: list[int] = []
    request.uploadProgress.connect(lambda done, total: moved.append(done))
    assert request.post(server.url, bytes(size)) is OK, request.errorMessage()
    assert request.reply().body == b"%d" % size
    assert not size or moved[-1] == size


def test_upload_of_unknown_length(over_http2: NetworkAccessManager, start: Start) -> None:
    request = BlockingNetworkRequest(over_http2)
    assert request.post(start(echo).url, iter([b"x" * 400_000] * 5)) is OK, request.errorMessage()
    assert request.reply().body == b"2000000"


def test_large_body(over_http2: NetworkAccessManager, start: Start) -> None:
    body = BODY * 10_000
    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(lambda peer, each: peer.respond(each, body)).url) is OK, request.errorMessage()
    assert request.reply().body == body


def test_unread_stream_applies_back_pressure(over_http2: NetworkAccessManager, start: Start) -> None:
    body = BODY * 20_000
    server = start(lambda peer, each: peer.respond(each, body))
    request = BlockingNetworkRequest(over_http2)
    with request.stream(server.url) as chunks:
        first = next(chunks)
        assert eventually(lambda: sum(server.peers[0].sent.values()) >= STREAM_WINDOW_BYTES)
        assert sum(server.peers[0].sent.values()) <= 2 * STREAM_WINDOW_BYTES
        assert first + b"".join(chunks) == body


@pytest.mark.parametrize("body", [None, b"once"])
def test_refused_stream_is_retried(body: Any, over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 8.7: for each method."""

    def refuse_once(peer: Http2Peer, request: Http2Request) -> None:
        if len(peer.server.requests) == 1:
            peer.reset(request, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            peer.respond(request, request.body or b"none")

    server = start(refuse_once)
    request = BlockingNetworkRequest(over_http2)
    assert request.sendCustomRequest(server.url, "POST" if body else "GET", body) is OK, request.errorMessage()
    assert request.reply().body == (body or b"none") and len(server.requests) == 2


def test_stream_refused_each_time(over_http2: NetworkAccessManager, start: Start) -> None:
    def refuse(peer: Http2Peer, request: Http2Request) -> None:
        peer.reset(request, h2.errors.ErrorCodes.REFUSED_STREAM)

    server = start(refuse)
    request = BlockingNetworkRequest(over_http2)
    assert request.get(server.url) is NET and len(server.requests) == 3
    assert "the server has refused to look at the request" in request.errorMessage()


def test_goaway_opens_a_new_connection(over_http2: NetworkAccessManager, start: Start) -> None:
    def leave(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, BODY)
        peer.h2.close_connection()
        peer.flush()

    server = start(leave)
    request = BlockingNetworkRequest(over_http2)
    for number in range(1, 4):
        assert request.get(server.url) is OK, request.errorMessage()
        assert len(server.peers) == number
    codes = [code for _, code, _ in over_http2.getMany([server.url] * 10, maxConcurrent=1)]
    assert codes == [OK] * 10


def test_stream_reset_by_the_server(over_http2: NetworkAccessManager, start: Start) -> None:
    def fail(peer: Http2Peer, request: Http2Request) -> None:
        peer.reset(request, h2.errors.ErrorCodes.INTERNAL_ERROR)

    server = start(fail)
    request = BlockingNetworkRequest(over_http2)
    assert request.get(server.url) is NET
    assert "the server has ended the stream (INTERNAL_ERROR)" in request.errorMessage()
    server.handler = hello
    assert request.get(server.url) is OK and len(server.peers) == 1


@pytest.mark.parametrize("ends", [False, True])
def test_connection_closed_in_the_body(ends: bool, over_http2: NetworkAccessManager, start: Start) -> None:
    def break_off(peer: Http2Peer, request: Http2Request) -> None:
        headers = [(b"content-length", b"1000")] if ends else []
        peer.respond(request, b"x" * 100, headers=headers, ends=False)
        peer.sock.close()

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(break_off).url) is NET
    assert request.reply().body == b"x" * 100 and request.reply().statusCode() == 200
    assert ("100 of 1000 bytes" if ends else "Connection closed") in request.errorMessage()


def test_early_final_response(over_http2: NetworkAccessManager, start: Start) -> None:
    """RFC 9113 section 8.1: the server does not need the rest of the request."""

    def refuse(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, b"too large", 413)
        peer.reset(request, h2.errors.ErrorCodes.NO_ERROR)

    server = start(echo)
    server.begun, server.acknowledges = refuse, False
    request = BlockingNetworkRequest(over_http2)
    assert request.post(server.url, bytes(5_000_000)) is SERVER, request.errorMessage()
    assert (request.reply().statusCode(), request.reply().body) == (413, b"too large")


def test_interim_responses_are_skipped(over_http2: NetworkAccessManager, start: Start) -> None:
    def hint(peer: Http2Peer, request: Http2Request) -> None:
        peer.h2.send_headers(request.stream, [(b":status", b"103"), (b"link", b"</a.css>")])
        peer.respond(request, BODY)

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(hint).url) is OK and request.reply().statusCode() == 200


def test_cancel_resets_one_stream_of_many(over_http2: NetworkAccessManager, start: Start) -> None:
    waiting: list[Http2Request] = []

    def half(peer: Http2Peer, request: Http2Request) -> None:
        if request.field(b":path") == b"/slow":
            waiting.append(request)
            return
        peer.respond(request, BODY)

    server = start(half)
    over_http2.setTimeout(1_500)
    requests = [BatchRequest(f"{server.url}/slow"), *(BatchRequest(f"{server.url}/{number}") for number in range(50))]
    codes = sorted(code.name for _, code, _ in over_http2.sendMany(requests))
    assert codes == ["NoError"] * 50 + ["TimeoutError"]
    assert len(server.peers) == 1
    assert eventually(lambda: server.resets == [waiting[0].stream])
    assert over_http2.blockingGet(server.url).errorCode() is OK and len(server.peers) == 1


def test_cancel_of_a_call(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(lambda peer, request: None)
    request = BlockingNetworkRequest(over_http2)
    threading.Timer(0.2, request.abort).start()
    assert request.get(server.url) is CANCELED
    assert eventually(lambda: len(server.resets) == 1)
    server.handler = hello
    assert request.get(server.url) is OK, request.errorMessage()


def test_protocol_error_of_the_server(over_http2: NetworkAccessManager, start: Start) -> None:
    def garble(peer: Http2Peer, request: Http2Request) -> None:
        peer.sock.sendall(b"\0\0\1\1\4\0\0\0\1\xff" * 3)

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(garble).url) is NET
    assert "breaks the rules of HTTP/2" in request.errorMessage()


def test_ping_flood(over_http2: NetworkAccessManager, start: Start) -> None:
    def flood(peer: Http2Peer, request: Http2Request) -> None:
        for _ in range(20_000):
            peer.h2.ping(b"12345678")
            if len(peer.h2._data_to_send) > 60_000:
                peer.flush()
        peer.flush()

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(flood).url) is NET
    assert "frames that are no response" in request.errorMessage()


def test_too_many_fields(over_http2: NetworkAccessManager, start: Start) -> None:
    def many(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, BODY, headers=[(b"x-%d" % number, b"1") for number in range(1_100)])

    request = BlockingNetworkRequest(over_http2)
    assert request.get(start(many).url) is NET
    assert "more than 1000 lines" in request.errorMessage()


def test_requests_beside_an_unread_stream(over_http2: NetworkAccessManager, start: Start) -> None:
    """A connection serves one call at a time: the stream has its own connection, and no other call waits for it."""
    large = BODY * 20_000

    def both(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, large if request.field(b":path") == b"/large" else BODY)

    server = start(both)
    request = BlockingNetworkRequest(over_http2)
    with request.stream(f"{server.url}/large") as chunks:
        first = next(chunks)
        assert over_http2.blockingGet(server.url).body == BODY
        assert {code for _, code, _ in over_http2.getMany([server.url] * 20)} == {OK}
        assert first + b"".join(chunks) == large


def test_each_thread_has_its_own_connection(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(hello)
    codes: list[Any] = []

    def work() -> None:
        request = BlockingNetworkRequest(over_http2)
        codes.extend(request.get(server.url) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [OK] * 160
    assert len(server.peers) <= 8


def test_abandoned_batch(over_http2: NetworkAccessManager, start: Start) -> None:
    server = start(hello)
    for _ in range(5):
        for result in over_http2.getMany(f"{server.url}/{number}" for number in range(1000)):
            assert result.code is OK
            break
    assert over_http2.blockingGet(server.url).errorCode() is OK


def test_download_of_a_batch(over_http2: NetworkAccessManager, start: Start, tmp_path: Path) -> None:
    large = BODY * 3_000
    server = start(lambda peer, request: peer.respond(request, large))
    paths = {f"{server.url}/{number}": tmp_path / str(number) for number in range(12)}
    results = list(over_http2.downloadMany(paths.items()))
    assert {result.code for result in results} == {OK}, [result.reply.errorString() for result in results]
    assert all(path.read_bytes() == large for path in paths.values())
    assert len(server.peers) == 1


FORKS_IN_A_SLOT = """
import gc, os, sys
from blocking_request import BatchRequest, BlockingNetworkRequest, NetworkAccessManager, TlsSettings
url, authority, how = sys.argv[1:]
manager = NetworkAccessManager()
manager.setEngine("python")
manager.setTlsSettings(TlsSettings(caData=authority.encode()))
if how == "call":
    request = BlockingNetworkRequest(manager)
    forked = []
    request.downloadProgress.connect(lambda done, total: forked or not done or forked.append(os.fork()))
    codes = [request.get(url).name]
    child = forked[0]
else:
    batch = manager.getMany([url + "/small"] + [url] * 5)
    codes = [next(batch).code.name]
    child = os.fork()
    codes.extend(code.name for _, code, _ in batch)
if child == 0:
    gc.collect()
    print("child", codes, manager.blockingGet(url).errorCode().name, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("parent", codes, manager.blockingGet(url).errorCode().name, flush=True)
"""


@needs_fork
@pytest.mark.parametrize("how", ["call", "batch"])
def test_fork_while_streams_are_open(how: str, http2_authority: trustme.CA, start: Start) -> None:
    """The child neither sends nor reads bytes on the connection, which belongs to the parent."""

    def respond(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, BODY * (1 if request.field(b":path") == b"/small" else 10_000))

    server = start(respond)
    pem = http2_authority.cert_pem.bytes().decode()
    command = [sys.executable, "-c", FORKS_IN_A_SLOT, server.url, pem, how]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    expected = {
        "call": ["child ['CanceledError'] NoError", "parent ['NoError'] NoError"],
        "batch": ["child ['NoError'] NoError", f"parent {['NoError'] * 6} NoError"],
    }
    assert sorted(run.stdout.splitlines()) == expected[how], run.stderr
    assert server.resets == []
    assert len(server.peers) == 2


def test_dropped_transfer_takes_no_lock(http2_authority: trustme.CA, start: Start) -> None:
    """The garbage collector may finalise it in a thread that holds the lock of the pool."""
    server = start(lambda peer, request: peer.respond(request, BODY, ends=False))
    engine: Any = choice.engine("python")
    settings = TlsSettings(caData=http2_authority.cert_pem.bytes())
    transfers = [engine.start(Request("GET", server.url, tls=settings, streams=True), Mailbox())]
    while not isinstance(event := transfers[0].step(), HeadersReceived):
        assert event is None
    thread = threading.Thread(target=transfers.clear, daemon=True)
    with engine.pool._guard:
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    assert eventually(lambda: len(server.resets) == 1)
