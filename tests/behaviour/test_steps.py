"""The signals of the steps of a transfer: connecting, TLS, sending, and the header of the response."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from blocking_request import (
    AuthConfig,
    BlockingNetworkRequest,
    ErrorCode,
    NetworkAccessManager,
    NetworkMemoryCache,
    TlsSettings,
)
from blocking_request.engines.qt.transfer_tracer import SIGNALS_CONNECTING
from blocking_request.qt.binding import field_name

from ..support.names import TLS_ENGINES, Serve
from ..support.servers.http2 import Http2Peer, Http2Request, Http2Server
from ..support.servers.raw import Connection
from ..support.servers.tls import TlsServer

SIGNALS = (
    "socketStartedConnecting",
    "encrypted",
    "requestSent",
    "uploadProgress",
    "metaDataChanged",
    "redirected",
    "downloadProgress",
    "errorOccurred",
    "finished",
)

OF_PYTHON = ("socketStartedConnecting", "requestSent")
"""The signals that Qt 5 does not have: the python engine emits them."""


def respond(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if request.split()[1] == b"/moved":
            connection.respond(status="302 Found", headers="Location: /there\r\n")
        elif request.split()[1] == b"/private" and b"Authorization: Basic dXNlcjpwYXNz" not in request:
            connection.respond(b"no", status="401 Unauthorized", headers='WWW-Authenticate: Basic realm="x"\r\n')
        elif request.split()[1] == b"/cached":
            is_repeated = b"If-None-Match" in request
            connection.send(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n') if is_repeated else connection.respond(
                b"kept", headers='ETag: "x"\r\nCache-Control: no-cache\r\n'
            )
        else:
            connection.respond(b"hello")


def listen(request: BlockingNetworkRequest, *signals: str) -> list[str]:
    """Return the list of the names of the signals, to which each signal is added when it is emitted."""
    seen: list[str] = []
    for signal in signals or SIGNALS:
        getattr(request, signal).connect(lambda *_, signal=signal: seen.append(signal))
    return seen


def known(engine: str, *signals: str) -> list[str]:
    """Return the signals that the engine can tell."""
    return [each for each in signals if engine == "python" or SIGNALS_CONNECTING or each not in OF_PYTHON]


def test_order_of_the_signals(blocking: BlockingNetworkRequest, engine: str, serve: Serve) -> None:
    server = serve(respond)
    seen = listen(blocking)
    assert blocking.get(server.url + "/moved") is ErrorCode.NoError
    first = known(engine, "socketStartedConnecting", "requestSent", "metaDataChanged", "redirected")
    assert seen == [*first, *known(engine, "requestSent", "metaDataChanged", "downloadProgress", "finished")]


@pytest.mark.parametrize("size", [10, 100_000])
def test_request_is_sent_before_its_body(blocking: BlockingNetworkRequest, serve: Serve, size: int) -> None:
    server = serve(respond)
    blocking.get(server.url)
    seen = listen(blocking)
    assert blocking.post(server.url, b"x" * size) is ErrorCode.NoError
    in_order = ["requestSent", "uploadProgress", "metaDataChanged", "downloadProgress", "finished"]
    assert [each for each in dict.fromkeys(seen) if each != "socketStartedConnecting"] == in_order


@pytest.mark.parametrize(("other", "after"), [("finished", None), ("metaDataChanged", 302), ("redirected", None)])
def test_reply_in_slots_before_a_response(
    other: str, after: object, blocking: BlockingNetworkRequest, engine: str, serve: Serve
) -> None:
    """It is empty, although there was an earlier call. With a slot of metaDataChanged it is the one that redirected."""
    server = serve(respond)
    seen: list[tuple[str, object]] = []
    for name in OF_PYTHON:
        getattr(blocking, name).connect(lambda name=name: seen.append((name, blocking.reply().statusCode())))
    listen(blocking, other)
    for _ in range(2):
        assert blocking.get(server.url + "/moved") is ErrorCode.NoError
    sent = [("requestSent", None), ("requestSent", after)]
    expected = [("socketStartedConnecting", None), *sent, *sent] if SIGNALS_CONNECTING or engine != "qt" else []
    assert seen == expected


def test_auto_takes_an_engine_that_reports_each_step(serve: Serve) -> None:
    server = serve(respond)
    for signal in (*OF_PYTHON, "metaDataChanged"):
        request = BlockingNetworkRequest(NetworkAccessManager())
        seen = listen(request, signal)
        assert request.get(server.url) is ErrorCode.NoError
        assert request.reply().engine() == ("qt" if SIGNALS_CONNECTING or signal == "metaDataChanged" else "python")
        assert seen == [signal] or request.reply().engine() == "qt"  # the connection may have been kept


def test_reply_in_a_slot_has_the_header_and_no_secret(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(respond)
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        reply = blocking.reply()
        shown = reply.request()
        is_secret = shown.hasRawHeader(field_name(b"Authorization"))
        seen.append((reply.statusCode(), bytes(reply.rawHeader("Content-Length")), reply.body, is_secret))

    blocking.metaDataChanged.connect(look)
    blocking.setAuthConfig(AuthConfig.basic("user", "pass"))
    assert blocking.get(server.url + "/private") is ErrorCode.NoError
    assert seen == [(200, b"5", b"", False)]
    assert blocking.reply().body == b"hello"


@pytest.mark.parametrize("path", ["/private", "/moved", "/there"])
def test_final_header_is_reported_once_and_before_the_body(
    blocking: BlockingNetworkRequest, serve: Serve, path: str
) -> None:
    server = serve(respond)
    seen = listen(blocking, "metaDataChanged", "downloadProgress", "errorOccurred", "finished")
    blocking.get(server.url + path)
    error = ["errorOccurred"] if path == "/private" else []
    redirect = ["metaDataChanged"] if path == "/moved" else []
    assert seen == [*redirect, "metaDataChanged", "downloadProgress", *error, "finished"]


def test_header_from_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    """A 304 that confirms a stored response is reported as that response, as in Qt."""
    manager.setCache(NetworkMemoryCache())
    server = serve(respond)
    request = BlockingNetworkRequest(manager)
    seen: list[tuple[object, ...]] = []
    request.metaDataChanged.connect(lambda: seen.append((request.reply().statusCode(), request.reply().isFromCache())))
    for _ in range(2):
        assert request.get(server.url + "/cached") is ErrorCode.NoError
        assert request.reply().body == b"kept"
    assert seen == [(200, False), (200, True)]


def test_abort_in_a_slot(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(respond)
    blocking.metaDataChanged.connect(blocking.abort)
    assert blocking.get(server.url) is ErrorCode.CanceledError
    blocking.metaDataChanged.disconnect()
    assert blocking.get(server.url) is ErrorCode.NoError
    assert blocking.reply().body == b"hello"


def test_abort_before_the_request_is_sent(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(respond)
    on_python.socketStartedConnecting.connect(on_python.abort)
    assert on_python.get(server.url) is ErrorCode.CanceledError
    assert server.requests == []


def test_steps_of_a_stream_and_a_download(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(respond)
    statuses: list[object] = []
    blocking.metaDataChanged.connect(lambda: statuses.append(blocking.reply().statusCode()))
    with blocking.stream(server.url) as chunks:
        assert statuses == [200]
        assert b"".join(chunks) == b"hello"
    assert blocking.download(server.url, tmp_path / "file") is ErrorCode.NoError
    assert statuses == [200, 200]


def test_exception_in_a_slot(blocking: BlockingNetworkRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, *_: reported.append(kind))
    blocking.metaDataChanged.connect(lambda: reported.remove(None))
    assert blocking.get(serve(respond).url) is ErrorCode.NoError
    assert reported == [ValueError]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def https(authority: trustme.CA) -> Iterator[TlsServer]:
    server = TlsServer(authority.issue_cert("127.0.0.1"), respond)
    yield server
    server.close()


def trusting(authority: trustme.CA, engine: str) -> BlockingNetworkRequest:
    """Return a request that trusts the authority."""
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setEngine(engine)
    manager.setTimeout(10_000)
    return BlockingNetworkRequest(manager)


@pytest.mark.parametrize("tls_engine", TLS_ENGINES)
def test_encrypted(authority: trustme.CA, https: TlsServer, tls_engine: str) -> None:
    """It is emitted for new connections only, and ``reply()`` has the certificate."""
    request = trusting(authority, tls_engine)
    seen = listen(request, "encrypted", "requestSent", "metaDataChanged")
    protocols: list[str] = []
    request.encrypted.connect(lambda: protocols.append(request.reply().sessionProtocol()))
    for _ in range(2):
        assert request.get(https.url) is ErrorCode.NoError
    first = known(tls_engine, "encrypted", "requestSent", "metaDataChanged")
    assert seen == [*first, *known(tls_engine, "requestSent", "metaDataChanged")]
    assert protocols == ["TLSv1.3"]


@pytest.mark.parametrize("tls_engine", TLS_ENGINES)
def test_certificate_that_is_refused(authority: trustme.CA, https: TlsServer, tls_engine: str) -> None:
    request = trusting(trustme.CA(), tls_engine)
    seen = listen(request)
    assert request.get(https.url) is ErrorCode.NetworkError
    # The python engine connects a second time, to get the certificates.
    assert list(dict.fromkeys(seen)) == [*known(tls_engine, "socketStartedConnecting"), "errorOccurred", "finished"]


def test_abort_when_encrypted(authority: trustme.CA, https: TlsServer) -> None:
    """The slot has seen the certificate, and the server gets no request."""
    request = trusting(authority, "python")
    request.encrypted.connect(lambda: None if request.reply().peerCertificate() is None else request.abort())
    assert request.get(https.url) is ErrorCode.CanceledError
    assert https.requests == []


def test_steps_of_http2(authority: trustme.CA) -> None:
    server = Http2Server(authority, lambda peer, request: peer.respond(request, b"hello"))
    try:
        request = trusting(authority, "python")
        seen = listen(request)
        assert request.get(server.url) is ErrorCode.NoError
        assert request.reply().httpVersion() == "HTTP/2"
        steps = [
            "socketStartedConnecting",
            "encrypted",
            "requestSent",
            "metaDataChanged",
            "downloadProgress",
            "finished",
        ]
        assert seen == steps
        request.encrypted.connect(request.abort)
        NetworkAccessManager.instance().clearConnectionCache()
        assert request.get(server.url) is ErrorCode.CanceledError
    finally:
        server.close()


def test_steps_do_not_restart_the_idle_timeout(authority: trustme.CA) -> None:
    """A server that processes no request: each connection ends with GOAWAY. Symptom: the call never returned."""

    def leave(peer: Http2Peer, request: Http2Request) -> None:
        peer.h2.close_connection(last_stream_id=0)
        peer.flush()

    server = Http2Server(authority, leave)
    server.handshake_pause = 0.05
    try:
        request = trusting(authority, "python")
        request.setTimeout(1000)
        listen(request, "socketStartedConnecting", "encrypted", "requestSent")
        began = time.monotonic()
        code = request.get(server.url)
        assert code in (ErrorCode.TimeoutError, ErrorCode.NetworkError)
        assert time.monotonic() - began < 4
    finally:
        server.close()


def test_time_in_a_slot_of_a_step_is_not_idle_time(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(respond)
    blocking.setTimeout(200)
    blocking.metaDataChanged.connect(lambda: time.sleep(0.4))
    assert blocking.get(server.url) is ErrorCode.NoError
