"""The rows of docs/qnetworkrequest.rst: each setting of a QNetworkRequest, on each engine and each binding that has it.

``test_qt_headers`` has QHttpHeaders and QNetworkRequestFactory. Redirects, the cache, cookies, credentials and TLS have
more tests in their own files.
"""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Callable, Optional

import pytest
import trustme

from blocking_request import (
    AuthConfig,
    BlockingNetworkRequest,
    NetworkAccessManager,
    NetworkMemoryCache,
    TlsSettings,
)
from blocking_request.engines.python import routes
from blocking_request.engines.qt.request import make_qt_request
from blocking_request.models.http_messages import Request as Message
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork, enum_value, has_tls

from ..support.marks import needs_descriptors
from ..support.names import NET, OK, REQUEST, TIMEOUT, Attribute, Serve
from ..support.servers.http2 import Http2Peer, Http2Request, Http2Server
from ..support.servers.raw import Connection, RawServer, always, asking, echo, once, silence
from ..support.waiting import eventually

StartHttp2 = Callable[[Optional[trustme.CA]], Http2Server]
Request = Any
"""A QNetworkRequest: the stubs of PyQt5 lack the newer functions."""


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test if QNetworkRequest lacks the function or the attribute in this binding."""
    has_it = hasattr(REQUEST, name) or hasattr(Attribute, name)
    return pytest.mark.skipif(not has_it, reason=f"QNetworkRequest has no {name}")


def request_to(url: str, path: str = "/", **attributes: Any) -> Request:
    """``attributes``: by their names without ``Attribute``."""
    request: Request = REQUEST(QtCore.QUrl(url + path))
    for name, value in attributes.items():
        request.setAttribute(getattr(Attribute, f"{name}Attribute"), value)
    return request


@pytest.fixture
def start_http2() -> Iterator[StartHttp2]:
    servers: list[Http2Server] = []

    def start(authority: Optional[trustme.CA]) -> Http2Server:
        def respond(peer: Http2Peer, request: Http2Request) -> None:
            peer.respond(request, request.field(b":scheme") + request.body)

        servers.append(Http2Server(authority, respond))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def client_sockets(port: int) -> list[socket.socket]:
    """Return duplicates of the sockets of this process that are connected to the port: the engines' ones."""
    found: dict[str, socket.socket] = {}
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            name = os.readlink(f"/proc/self/fd/{descriptor}")
            if not name.startswith("socket:") or name in found:  # it may be a duplicate
                continue
            sock = socket.socket(fileno=os.dup(int(descriptor)))
            try:
                if sock.getpeername()[1] == port:
                    found[name] = sock
                    continue
            except OSError:
                pass
            sock.close()
    return list(found.values())


def connection_count(port: int) -> int:
    sockets = client_sockets(port)
    for sock in sockets:
        sock.close()
    return len(sockets)


# -- functions


def test_url_headers_and_originating_object(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    server, owner = serve(echo), QtCore.QObject()
    request = request_to(server.url, "/first")
    request.setUrl(QtCore.QUrl(f"{server.url}/second"))
    request.setHeader(REQUEST.KnownHeaders.ContentTypeHeader, "text/plain")
    request.setRawHeader(b"X-Raw", b"1")
    request.setOriginatingObject(owner)
    other = REQUEST()
    request.swap(other)
    request.swap(other)
    assert blocking.post(request, b"body") is OK
    text = blocking.reply().text().lower()
    assert text.startswith("post /second http/1.1\r\n") and "\r\ncontent-type: text/plain\r\nx-raw: 1\r\n" in text
    assert blocking.reply().request().originatingObject() is owner
    assert request.url().path() == "/second" and len(request.rawHeaderList()) == 2


def test_case_of_field_names(serve: Serve, blocking: BlockingNetworkRequest, engine: str) -> None:
    """docs/engines.rst says which: Qt 6.8 and newer loses the case. Servers compare names without it."""
    request = request_to(serve(echo).url)
    request.setRawHeader(b"X-CamelCase", b"1")
    assert blocking.get(request, headers={"X-OtherCase": "2"}) is OK
    sent = {line.partition(":")[0] for line in blocking.reply().text().splitlines()}
    expected = {"X-CamelCase", "X-OtherCase"}
    if QT_VERSION >= (6, 8):
        expected = {"x-camelcase", "X-OtherCase"} if engine == "python" else {"X-Camelcase", "X-Othercase"}
    assert {name for name in sent if name.lower().startswith("x-")} == expected


def test_transfer_timeout(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """Its unit is ms on each binding; none takes a timedelta."""
    request = request_to(serve(silence).url)
    request.setTransferTimeout(100)
    blocking.setTimeout(0)
    assert blocking.get(request) is TIMEOUT and "100 ms" in blocking.errorMessage()


def test_priority_changes_no_result(serve: Serve, manager: NetworkAccessManager) -> None:
    url, requests = serve(echo).url, []
    for priority in (REQUEST.Priority.LowPriority, REQUEST.Priority.HighPriority):
        request = request_to(url)
        request.setPriority(priority)
        requests.append(request)
    replies = [reply for _, code, reply in manager.getMany(requests, ordered=True) if code is OK]
    assert [reply.request().priority() for reply in replies] == [each.priority() for each in requests]


def redirecting(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        number = int(request.split(b" ")[1].strip(b"/") or b"0")
        connection.respond(b"", "302 Found", f"Location: /{number + 1}\r\n")


def test_maximum_redirects(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    server = serve(redirecting)
    request = request_to(server.url)
    request.setMaximumRedirectsAllowed(3)
    assert blocking.get(request) is NET and len(server.requests) == 4


BOMB = gzip.compress(bytes(1 << 20))


def is_refused(blocking: BlockingNetworkRequest, request: Request) -> bool:
    code = blocking.get(request)
    if code is OK:
        assert blocking.reply().body == bytes(1 << 20)
        return False
    assert "more than 40 times as large" in blocking.errorMessage()
    assert "(setDecompressedSafetyCheckThreshold)" in blocking.errorMessage()
    return True


@needs("setDecompressedSafetyCheckThreshold")
@pytest.mark.parametrize(
    ("threshold", "refused"), [(100_000, True), (0, True), (2 << 20, False), (10 << 20, False), (-1, False)]
)
def test_decompressed_safety_check_threshold(
    serve: Serve, blocking: BlockingNetworkRequest, threshold: int, refused: bool
) -> None:
    """A body of 1 MB, which is 1000 times as large as its gzip."""
    request = request_to(serve(always(BOMB, headers="Content-Encoding: gzip\r\n")).url)
    request.setDecompressedSafetyCheckThreshold(threshold)
    assert is_refused(blocking, request) is refused


@needs("setDecompressedSafetyCheckThreshold")
def test_threshold_takes_precedence(
    serve: Serve, manager: NetworkAccessManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It replaces the manager's limit, also one without a limit. A preprocessor may set it, too."""
    request = request_to(serve(always(BOMB, headers="Content-Encoding: gzip\r\n")).url)
    manager.setMaximumExpansion(0)
    blocking = BlockingNetworkRequest(manager)
    assert is_refused(blocking, request) is False
    request.setDecompressedSafetyCheckThreshold(100_000)
    assert is_refused(blocking, request) is True
    request.setDecompressedSafetyCheckThreshold(-1)
    assert is_refused(blocking, request) is False
    manager.setRequestPreprocessor(lambda each: each.setDecompressedSafetyCheckThreshold(100_000))  # type: ignore[attr-defined]
    assert is_refused(blocking, request) is True


# -- TCP keep-alive (Qt 6.11)


def keep_alive_of(server: RawServer) -> list[tuple[int, ...]]:
    values = []
    for sock in client_sockets(server.port):
        with sock:
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            values.append((on, *(sock.getsockopt(socket.IPPROTO_TCP, option) for option in options)))
    return values


def with_keep_alive(url: str, idle: int, interval: int, probes: int) -> Request:
    request = request_to(url)
    request.setTcpKeepAliveIdleTimeBeforeProbes(idle)
    request.setTcpKeepAliveIntervalBetweenProbes(interval)
    request.setTcpKeepAliveProbeCount(probes)
    return request


@needs_descriptors
@needs("setTcpKeepAliveProbeCount")
@pytest.mark.parametrize(
    ("values", "expected"),
    [((11, 7, 3), (1, 11, 7, 3)), ((0, 0, 4), (1, 60, 10, 4)), ((32767, 0, 0), (1, 32767, 10, 5))],
)
def test_tcp_keep_alive(
    serve: Serve, blocking: BlockingNetworkRequest, values: tuple[int, int, int], expected: tuple[int, ...]
) -> None:
    server = serve(always(b"x"))
    assert blocking.get(with_keep_alive(server.url, *values)) is OK
    assert keep_alive_of(server) == [expected]
    # A request without these settings does not use the connection.
    assert blocking.get(server.url) is OK and server.connections == 2
    assert blocking.get(with_keep_alive(server.url, *values)) is OK and server.connections == 2


@needs("setTcpKeepAliveProbeCount")
@pytest.mark.parametrize("values", [(-1, 0, 0), (0, 32768, 0), (0, 0, 128)])
def test_impossible_tcp_keep_alive(
    serve: Serve, blocking: BlockingNetworkRequest, values: tuple[int, int, int]
) -> None:
    server = serve(always(b"x"))
    assert blocking.get(with_keep_alive(server.url, *values)) is NET
    assert "The TCP keep-alive settings of the request are not possible: give times of" in blocking.errorMessage()
    assert server.connections == 0


# -- kept connections


@needs_descriptors
@needs("ConnectionCacheExpiryTimeoutSecondsAttribute")
def test_connection_expiry(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    server = serve(always(b"x"))
    short = request_to(server.url, ConnectionCacheExpiryTimeoutSeconds=0)
    for connections in (1, 2):
        assert blocking.get(short) is OK and server.connections == connections
        eventually(lambda: connection_count(server.port) == 0)
    long = request_to(server.url, ConnectionCacheExpiryTimeoutSeconds=3600)
    for _ in range(2):
        assert blocking.get(long) is OK and server.connections == 3


@needs("ConnectionCacheExpiryTimeoutSecondsAttribute")
@pytest.mark.parametrize("value", [-1, "soon", 2**40])
def test_odd_connection_expiry(serve: Serve, blocking: BlockingNetworkRequest, value: Any) -> None:
    request = request_to(serve(echo).url, ConnectionCacheExpiryTimeoutSeconds=value)
    assert blocking.get(request) is OK and blocking.get(request) is OK


# -- QHttp1Configuration


class Counting:
    """Counts the requests that run at once, and answers when as many have come as the test allows."""

    def __init__(self, expected: int) -> None:
        self._guard = threading.Lock()
        self._barrier = threading.Barrier(expected)
        self._now = self.most = 0

    def __call__(self, connection: Connection) -> None:
        while connection.read_request() is not None:
            with self._guard:
                self._now += 1
                self.most = max(self.most, self._now)
            with suppress(threading.BrokenBarrierError):
                self._barrier.wait(10)
            with self._guard:
                self._now -= 1
            connection.respond(b"x")


def with_connections(url: str, count: int) -> Request:
    request = request_to(url)
    configuration = QtNetwork.QHttp1Configuration()  # type: ignore[attr-defined]
    configuration.setNumberOfConnectionsPerHost(count)
    request.setHttp1Configuration(configuration)
    return request


@needs("setHttp1Configuration")
@pytest.mark.parametrize(("own", "per_origin", "expected"), [(2, 0, 2), (4, 2, 2), (2, 4, 2), (12, 0, 12)])
def test_connections_per_host_in_a_batch(
    serve: Serve, manager: NetworkAccessManager, own: int, per_origin: int, expected: int
) -> None:
    counting = Counting(expected)
    server = serve(counting)
    requests = [with_connections(server.url, own) for _ in range(12)]
    codes = {code for _, code, _ in manager.getMany(requests, maxPerOrigin=per_origin)}
    assert codes == {OK} and counting.most == expected


@needs("setHttp1Configuration")
def test_connections_per_host_of_a_call(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """A call needs one connection. Calls of other threads do not wait for it."""
    counting = Counting(3)
    server = serve(counting)
    codes = []

    def run() -> None:
        own = BlockingNetworkRequest()
        codes.append(own.get(with_connections(server.url, 1), timeout=10_000))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [OK] * 3 and counting.most == 3


# -- HTTP/2


def test_http2_direct_without_tls(start_http2: StartHttp2, blocking: BlockingNetworkRequest) -> None:
    server = start_http2(None)
    assert blocking.post(request_to(server.url, Http2Direct=True), b"-body") is OK, blocking.errorMessage()
    reply = blocking.reply()
    assert reply.body == b"http-body" and reply.httpVersion() == "HTTP/2"
    assert reply.attribute(Attribute.Http2WasUsedAttribute) is True
    assert blocking.get(request_to(server.url, Http2Direct=True)) is OK and len(server.peers) == 1


def test_http2_direct_with_auto(start_http2: StartHttp2) -> None:
    request = BlockingNetworkRequest()
    assert request.get(request_to(start_http2(None).url, Http2Direct=True), timeout=10_000) is OK
    assert request.reply().engine() == "python"


def test_http2_direct_without_the_h2_package(
    start_http2: StartHttp2, blocking: BlockingNetworkRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "alpn_offer", tuple)
    code = blocking.get(request_to(start_http2(None).url, Http2Direct=True))
    if blocking.reply().engine() == "qt":
        assert code is OK
        return
    assert code is NET and "the package h2 is not installed: run pip install h2, or use" in blocking.errorMessage()


def test_http2_direct_beside_http1(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """A connection of HTTP/1.1 to the same server is not used, and is used again by the next request."""
    server = serve(always(b"x"))
    assert blocking.get(server.url) is OK and blocking.reply().httpVersion() == "HTTP/1.1"
    code = blocking.get(request_to(server.url, Http2Direct=True), timeout=300)
    # Qt takes the response of HTTP/1.1 for the beginning of a frame, and waits for the rest.
    assert code is (TIMEOUT if blocking.reply().engine() == "qt" else NET)
    assert blocking.get(server.url) is OK and server.connections == 2


def test_http2_direct_in_a_batch(start_http2: StartHttp2, manager: NetworkAccessManager) -> None:
    server = start_http2(None)
    requests = [request_to(server.url, f"/{number}", Http2Direct=True) for number in range(20)]
    results = list(manager.getMany(requests))
    assert {(code, reply.httpVersion()) for _, code, reply in results} == {(OK, "HTTP/2")} and len(results) == 20
    if manager.engine() == "python":
        assert len(server.peers) == 1


def test_http2_direct_to_a_server_of_http1(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    server = serve(once(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
    assert blocking.get(request_to(server.url, Http2Direct=True)) is NET
    if blocking.reply().engine() == "python":
        text = "the server responds by HTTP/1.1 to HTTP/2, which Http2DirectAttribute demands"
        assert text in blocking.errorMessage()


def test_http2_direct_through_a_forwarding_proxy(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    proxy = serve(always(b"x"))
    blocking.setProxy(f"http://127.0.0.1:{proxy.port}")
    assert blocking.get(request_to("http://example.org", Http2Direct=True)) is NET
    assert "the HTTP proxy forwards http:// URLs by HTTP/1.1: leave the attribute out" in blocking.errorMessage()
    assert proxy.requests == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def over_tls(engine: str, authority: trustme.CA) -> NetworkAccessManager:
    if engine == "qt" and not has_tls():
        pytest.skip("this Qt has no TLS")
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTimeout(10_000)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    return manager


def test_http2_direct_over_tls(start_http2: StartHttp2, over_tls: NetworkAccessManager, authority: trustme.CA) -> None:
    server = start_http2(authority)
    server.needs_alpn = over_tls.engine() == "python"  # Qt does not offer it then
    reply = over_tls.blockingGet(request_to(server.url, Http2Direct=True))
    assert (reply.body, reply.httpVersion()) == (b"https", "HTTP/2"), reply.errorString()


def test_http2_allowed(start_http2: StartHttp2, over_tls: NetworkAccessManager, authority: trustme.CA) -> None:
    server = start_http2(authority)
    for allowed, version in ((True, "HTTP/2"), (False, "HTTP/1.1"), (True, "HTTP/2")):
        reply = over_tls.blockingGet(request_to(server.url, Http2Allowed=allowed))
        assert reply.httpVersion() == version, reply.errorString()


@needs("Http2CleartextAllowedAttribute")
def test_http2_cleartext_allowed(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """Qt asks by Upgrade; the server need not. The python engine does not ask: RFC 9113 no longer has it."""
    server = serve(echo)
    assert blocking.get(request_to(server.url, Http2CleartextAllowed=True)) is OK
    assert blocking.reply().httpVersion() == "HTTP/1.1"
    asks = b"upgrade: h2c" in server.requests[0].lower()
    assert asks is (blocking.reply().engine() == "qt")


def test_http2_configuration(start_http2: StartHttp2, blocking: BlockingNetworkRequest) -> None:
    server = start_http2(None)
    configuration = QtNetwork.QHttp2Configuration()
    assert configuration.setStreamReceiveWindowSize(200_000)
    assert configuration.setSessionReceiveWindowSize(300_000)
    assert configuration.setMaxFrameSize(30_000)
    configuration.setServerPushEnabled(True)
    configuration.setHuffmanCompressionEnabled(False)
    request = request_to(server.url, Http2Direct=True)
    request.setHttp2Configuration(configuration)
    assert blocking.post(request, b"") is OK, blocking.errorMessage()
    # A request without this configuration has another connection.
    assert blocking.get(request_to(server.url, Http2Direct=True)) is OK
    first, second = (peer.h2 for peer in server.peers)
    assert first.remote_settings.initial_window_size == 200_000
    assert first.outbound_flow_control_window <= 300_000
    assert first.remote_settings.max_frame_size == 30_000
    assert first.remote_settings.enable_push == 0, "no call reads a pushed response"
    assert second.remote_settings.initial_window_size != 200_000 and second.remote_settings.max_frame_size == 1 << 14
    assert request.http2Configuration().serverPushEnabled() is True, "the caller's request is not changed"


@pytest.mark.parametrize("window", [1, 1000, 70_000])
def test_small_windows_and_large_frames(start_http2: StartHttp2, blocking: BlockingNetworkRequest, window: int) -> None:
    if window == 1 and blocking.engine() == "qt":
        pytest.skip("Qt 6 never opens so small a window again")
    body = os.urandom(200_000 if window > 1 else 50)
    server = start_http2(None)
    server.handler = lambda peer, request: peer.respond(request, body)
    configuration = QtNetwork.QHttp2Configuration()
    assert configuration.setStreamReceiveWindowSize(window) and configuration.setSessionReceiveWindowSize(100_000)
    assert configuration.setMaxFrameSize((1 << 24) - 1)
    request = request_to(server.url, Http2Direct=True)
    request.setHttp2Configuration(configuration)
    assert blocking.get(request) is OK, blocking.errorMessage()
    assert blocking.reply().body == body


# -- attributes that say how Qt performs a request


INTERNAL = {"DownloadBuffer": 15, "MaximumDownloadBufferSize": 14, "SynchronousRequest": 16}
"""Attributes of Qt's own. PySide6 names them, and the numbers can be given with each binding."""


@pytest.mark.parametrize(("number", "value"), [(14, 100_000), (16, True)])
def test_internal_attributes(serve: Serve, blocking: BlockingNetworkRequest, number: int, value: Any) -> None:
    """The qt engine stood still for 30 s with the second one."""
    request = request_to(serve(always(b"x")).url)
    request.setAttribute(Attribute(number), value)  # type: ignore[call-arg]
    assert blocking.get(request) is OK and blocking.reply().body == b"x"
    for name, each in INTERNAL.items():
        assert enum_value(getattr(Attribute, f"{name}Attribute", each)) == each


def test_pipelining_and_background_are_harmless(serve: Serve, manager: NetworkAccessManager) -> None:
    names = ("HttpPipeliningAllowed", "BackgroundRequest", "EmitAllUploadProgressSignals", "DoNotBufferUploadData")
    server = serve(echo)
    attributes = dict.fromkeys(names, True)
    requests = [request_to(server.url, f"/{number}", **attributes) for number in range(30)]
    results = {index: reply.text() for index, code, reply in manager.getMany(requests) if code is OK}
    assert all(results[number].startswith(f"GET /{number} ") for number in range(30))


@pytest.mark.parametrize("name", ["UseCredentials", "FullLocalServerName", "SpdyAllowed", "ResourceType"])
def test_attributes_without_meaning(serve: Serve, blocking: BlockingNetworkRequest, name: str) -> None:
    if not hasattr(Attribute, f"{name}Attribute"):
        pytest.skip(f"this binding has no {name}Attribute")
    request = request_to(serve(always(b"x")).url, "/", **{name: 1})
    assert blocking.get(request) is OK and blocking.reply().body == b"x"


@pytest.mark.parametrize("scheme", ["unix+http", "local+http"])
def test_local_sockets_are_refused(blocking: BlockingNetworkRequest, scheme: str) -> None:
    assert blocking.get(REQUEST(QtCore.QUrl(f"{scheme}://host/path"))) is NET
    assert f'Protocol "{scheme}" is unknown: the URL must begin with http://' in blocking.errorMessage()


def test_replies_are_deleted(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """A program never sees the replies of the engine, so AutoDeleteReplyOnFinishAttribute has no effect."""
    name, request = Attribute.AutoDeleteReplyOnFinishAttribute, request_to(serve(always(b"x")).url)
    request.setAttribute(name, False)
    assert blocking.get(request) is OK
    assert make_qt_request(Message("GET", "http://a/", qt_request=request)).attribute(name) is True
    assert request.attribute(name) is False, "the caller's request is not changed"


# -- attributes that the flows honour


def test_cache_attributes(serve: Serve, manager: NetworkAccessManager) -> None:
    server = serve(always(b"x", headers="Cache-Control: max-age=1000\r\n"))
    manager.setCache(NetworkMemoryCache())
    load = REQUEST.CacheLoadControl
    expected = [
        (load.PreferCache, False),
        (load.PreferCache, True),
        (load.AlwaysNetwork, False),
        (load.AlwaysCache, True),
    ]
    for control, is_cached in expected:
        reply = manager.blockingGet(request_to(server.url, CacheLoadControl=enum_value(control)))
        assert reply.attribute(Attribute.SourceIsFromCacheAttribute) is is_cached
    reply = manager.blockingGet(request_to(server.url, "/unstored", CacheSaveControl=False))
    assert reply.attribute(Attribute.SourceIsFromCacheAttribute) is False
    assert manager.blockingGet(f"{server.url}/unstored").isFromCache() is False


def test_cookie_and_redirect_attributes(serve: Serve, manager: NetworkAccessManager) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            connection.respond(request, "302 Found", "Location: /other\r\nSet-Cookie: a=1\r\n")

    manual = enum_value(REQUEST.LoadControl.Manual)
    policy = enum_value(REQUEST.RedirectPolicy.ManualRedirectPolicy)
    server = serve(handle)
    for attribute, sent in (
        ("CookieSaveControl", False),
        ("User", False),
        ("CookieLoadControl", False),
        ("User", True),
    ):
        request = request_to(server.url, RedirectPolicy=policy)
        if attribute != "User":
            request.setAttribute(getattr(Attribute, f"{attribute}Attribute"), manual)
        assert manager.blockingGet(request).statusCode() == 302
        assert (b"\r\ncookie: a=1\r\n" in server.requests[-1].lower()) is sent, attribute


def test_custom_verb_and_user_attributes(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    request = request_to(serve(echo).url, CustomVerb=QtCore.QByteArray(b"REPORT"))
    request.setAttribute(Attribute.User, "mine")
    assert blocking.sendCustomRequest(request, b"") is OK
    assert blocking.reply().text().startswith("REPORT / ")
    assert blocking.reply().request().attribute(Attribute.User) == "mine"


def test_authentication_reuse(serve: Serve, manager: NetworkAccessManager) -> None:
    """Manual: neither the handler's credentials of an earlier call, nor the handler are used."""
    server = serve(asking('Basic realm="r"'))
    manager.setAuthHandler(lambda *_: AuthConfig.basic("ann", "s3cret"))
    assert manager.blockingGet(server.url).body == b"welcome"
    manual = enum_value(REQUEST.LoadControl.Manual)
    assert manager.blockingGet(request_to(server.url, AuthenticationReuse=manual)).body is not None
    first = len(server.requests)
    assert manager.blockingGet(server.url).body == b"welcome" and len(server.requests) == first + 1


def test_attributes_of_a_reply(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """They are read from the reply; on a request they change nothing."""
    request = request_to(serve(always(b"abc")).url, HttpStatusCode=99, HttpReasonPhrase="no", Http2WasUsed=True)
    assert blocking.get(request) is OK
    reply = blocking.reply()
    expected = {"HttpStatusCode": 200, "HttpReasonPhrase": "OK", "ConnectionEncrypted": False, "Http2WasUsed": False}
    for name, value in {**expected, "OriginalContentLength": 3, "SourceIsFromCache": False}.items():
        assert reply.attribute(getattr(Attribute, f"{name}Attribute")) == value
    for name in ("RedirectionTarget", "HttpPipeliningWasUsed"):
        assert not reply.attribute(getattr(Attribute, f"{name}Attribute"))
