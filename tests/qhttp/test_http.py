"""Http compared with the documentation of Qt 4's QHttp: the order of the signals, the queue, the errors."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import trustme

from blocking_request import NetworkAccessManager, TlsSettings
from blocking_request.qhttp import Http, HttpRequestHeader, HttpResponseHeader
from blocking_request.qt.binding import (
    API,
    QtCore,
    QtNetwork,
    Signal,
    Slot,
    delete,
    has_tls,
    is_deleted,
    run_event_loop,
)

from ..support.names import Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, RawServer, always, asking, echo, once, silence, telling_the_end
from ..support.servers.tls import TlsServer
from ..support.waiting import eventually

State = Http.State
QIODevice = QtCore.QIODevice

SUCCESS = """
    requestStarted(1) requestFinished(1, False)
    requestStarted(2) stateChanged(Connecting) stateChanged(Sending) dataSendProgress stateChanged(Reading)
    responseHeaderReceived dataReadProgress readyRead stateChanged(Connected) requestFinished(2, False) done(False)
    stateChanged(Closing) stateChanged(Unconnected)
"""
FAILED_LOOKUP = """
    requestStarted(1) requestFinished(1, False)
    requestStarted(2) stateChanged(HostLookup) requestFinished(2, True) done(True) stateChanged(Unconnected)
"""
SIGNALS = (
    "stateChanged",
    "requestStarted",
    "requestFinished",
    "done",
    "dataSendProgress",
    "dataReadProgress",
    "responseHeaderReceived",
    "readyRead",
)


def order(text: str) -> list[str]:
    return text.replace(", ", ",").split()


class Watched(Http):
    """An Http that records its signals."""

    def __init__(self, *arguments: Any, manager: Optional[NetworkAccessManager] = None) -> None:
        super().__init__(*arguments, manager=manager)
        self.told: list[str] = []
        self.sent: list[tuple[int, int]] = []
        self.received: list[tuple[int, int]] = []
        self.threads: set[int] = set()
        for name in SIGNALS:
            getattr(self, name).connect(lambda *values, name=name: self._note(name, values))

    def _note(self, name: str, values: tuple[Any, ...]) -> None:
        self.threads.add(threading.get_ident())
        if name == "stateChanged":
            assert self.state() == values[0]
            values = (State(values[0]).name,)
        elif name == "dataSendProgress":
            self.sent.append(values)  # type: ignore[arg-type]
        elif name == "dataReadProgress":
            self.received.append(values)  # type: ignore[arg-type]
        shown = f"({','.join(str(value) for value in values)})"
        self.told.append(name + (shown if name in SIGNALS[:4] else ""))

    def of(self, *names: str) -> list[str]:
        return [each for each in self.told if each.partition("(")[0] in names]


def in_event_loop(http: Http) -> None:
    loop = QtCore.QEventLoop()
    http.done.connect(loop.quit)
    QtCore.QTimer.singleShot(20_000, loop.quit)
    loop.exec()
    http.done.disconnect(loop.quit)
    QtCore.QCoreApplication.processEvents()


def waiting(http: Http) -> None:
    assert http.waitForDone(20_000)


@pytest.fixture(params=(waiting, in_event_loop))
def run(request: pytest.FixtureRequest) -> Callable[[Http], None]:
    """A function that runs the commands: by ``waitForDone`` or in an event loop."""
    function: Callable[[Http], None] = request.param
    return function


@pytest.fixture
def http(manager: NetworkAccessManager) -> Iterator[Watched]:
    made = Watched(manager=manager)
    yield made
    # The slots refer to the object, and PySide6 keeps them as long as it lives.
    if API == "PySide6" and not is_deleted(made) and made.thread() == QtCore.QThread.currentThread():
        delete(made)


def to(server: RawServer, http: Http) -> int:
    return http.setHost("127.0.0.1", server.port)


# -- the order of the signals


def test_signals_of_a_success(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    assert to(serve(always(b"content")), http) == 1
    assert http.get("/index.html") == 2
    assert http.told == []
    run(http)
    assert http.told == order(SUCCESS)
    assert http.sent[-1][0] == http.sent[-1][1] > 0
    assert http.received == [(7, 7)]
    assert (http.error(), http.errorString()) == (Http.NoError, "Unknown error")
    assert bytes(http.readAll()) == b"content"
    assert http.threads == {threading.get_ident()}


def test_signals_of_a_failed_host_lookup(run: Callable[[Http], None], http: Watched) -> None:
    http.setHost("missing.invalid")
    http.get("/index.html")
    http.post("/cgi-bin/survey.cgi", b"never sent")
    run(http)
    assert http.told == order(FAILED_LOOKUP)
    assert http.error() is Http.HostNotFound
    assert http.errorString() == "Host missing.invalid not found"
    assert not http.hasPendingRequests() and http.currentId() == 0


def test_signals_of_an_abort(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(always(b"content"))
    to(server, http)
    http.get("/first")
    http.get("/second")
    http.responseHeaderReceived.connect(lambda header: http.abort())
    run(http)
    expected = order(SUCCESS)
    expected = expected[: expected.index("dataReadProgress")]
    assert http.told == [
        *expected,
        "requestFinished(2,True)",
        "done(True)",
        "stateChanged(Closing)",
        "stateChanged(Unconnected)",
    ]
    assert (http.error(), http.errorString()) == (Http.Aborted, "Request aborted")
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ("requestStarted", "stateChanged", "dataReadProgress", "readyRead"))
def test_abort_in_a_slot(name: str, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    to(serve(always(b"content")), http)
    http.get("/")
    http.get("/never")
    getattr(http, name).connect(lambda *values: http.abort())
    run(http)
    assert http.of("done") == ["done(True)"]
    assert http.of("requestFinished")[-1].endswith("True)")
    assert http.state() is State.Unconnected and http.currentId() == 0


def test_abort_in_a_slot_of_request_finished(http: Watched, serve: Serve) -> None:
    to(serve(always(b"content")), http)
    http.get("/")
    http.get("/never")
    http.requestFinished.connect(lambda id, error: id == 2 and http.abort())
    assert http.waitForDone(20_000)
    assert http.of("requestFinished", "done") == ["requestFinished(1,False)", "requestFinished(2,False)", "done(True)"]


def test_abort_in_another_thread(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(silence)
    to(server, http)
    http.get("/")
    thread = threading.Thread(target=lambda: (server.wait_for_requests(1), http.abort()))  # type: ignore[func-returns-value]
    thread.start()
    run(http)
    thread.join()
    assert http.of("requestFinished", "done")[-2:] == ["requestFinished(2,True)", "done(True)"]
    assert (http.error(), http.state()) == (Http.Aborted, State.Unconnected)
    assert http.threads == {threading.get_ident()}


def test_abort_in_another_thread_spares_later_commands(http: Watched, serve: Serve) -> None:
    server = serve(always(b"later"))
    to(server, http)
    http.get("/1")
    thread = threading.Thread(target=http.abort)
    thread.start()
    thread.join()
    to(server, http)
    http.get("/2")
    assert http.waitForDone(10_000)
    assert http.of("requestFinished", "done") == [
        "requestFinished(1,True)",
        "done(True)",
        "requestFinished(3,False)",
        "requestFinished(4,False)",
        "done(False)",
    ]
    assert bytes(http.readAll()) == b"later" and [b" /2 " in request for request in server.requests] == [True]


def test_abort_without_commands(http: Watched) -> None:
    http.abort()
    assert http.told == []


def test_state_while_the_server_is_silent(http: Watched, serve: Serve) -> None:
    server = serve(silence)
    to(server, http)
    http.get("/")
    assert not http.waitForDone(300)
    assert http.state() in (State.Connecting, State.Sending)
    http.abort()
    assert http.told[-1] == "stateChanged(Unconnected)"


# -- the queue


def test_commands_run_in_order_on_one_connection(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(always())
    ids = [to(server, http), http.get("/1"), http.head("/2"), http.get("/3"), http.get("/4")]
    assert ids == [1, 2, 3, 4, 5]
    run(http)
    assert [request.split()[1] for request in server.requests] == [b"/1", b"/2", b"/3", b"/4"]
    assert server.connections == 1
    assert http.of("stateChanged").count("stateChanged(Connecting)") == 1
    assert http.of("done") == ["done(False)"]


def test_command_added_in_a_slot_of_request_finished(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(echo)
    to(server, http)
    http.get("/1")
    http.requestFinished.connect(lambda id, error: id == 2 and http.get("/2"))  # type: ignore[arg-type]
    run(http)
    assert len(server.requests) == 2
    assert http.of("done") == ["done(False)"]


def test_present_and_pending_commands(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    source, sink = QtCore.QBuffer(), QtCore.QBuffer()
    source.setData(b"data")
    source.open(QIODevice.OpenModeFlag.ReadOnly)
    sink.open(QIODevice.OpenModeFlag.ReadWrite)
    seen: list[tuple[Any, ...]] = []

    def look(id: int) -> None:
        current = http.currentRequest()
        devices = http.currentSourceDevice(), http.currentDestinationDevice()
        seen.append((http.currentId(), current.isValid() and current.method(), devices, http.hasPendingRequests()))

    http.requestStarted.connect(look)
    to(server, http)
    http.post("/", source, sink)
    http.get("/")
    assert http.waitForDone(20_000)
    assert seen == [
        (1, False, (None, None), True),
        (2, "POST", (source, sink), True),
        (3, "GET", (None, None), False),
    ]
    assert http.currentId() == 0
    assert bytes(sink.data()).endswith(b"\r\n\r\ndata")


def test_clear_pending_requests(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    to(server, http)
    http.get("/1")
    http.get("/2")
    http.requestStarted.connect(lambda id: id == 2 and http.clearPendingRequests())  # type: ignore[func-returns-value]
    assert http.waitForDone(20_000)
    assert len(server.requests) == 1
    assert http.of("done") == ["done(False)"]


def test_close(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    closed = threading.Event()
    to(serve(telling_the_end(echo, closed)), http)
    http.get("/")
    assert http.close() == 3
    run(http)
    assert closed.wait(10)
    assert http.told[-6:] == order(
        """requestFinished(2,False) requestStarted(3) stateChanged(Closing) stateChanged(Unconnected)
        requestFinished(3,False) done(False)"""
    )


def test_server_closes_the_connection(http: Watched, serve: Serve) -> None:
    to(serve(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")), http)
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.received == [(9, 0)]
    assert http.told[-4:] == order(
        "stateChanged(Closing) stateChanged(Unconnected) requestFinished(2,False) done(False)"
    )


# -- requests and responses


def test_an_error_status_is_no_error(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    to(serve(always(b"nothing here", "404 Not Found")), http)
    http.get("/")
    run(http)
    assert http.of("done") == ["done(False)"]
    response = http.lastResponse()
    assert (response.statusCode(), response.reasonPhrase()) == (404, "Not Found")
    assert http.read(7) == b"nothing"
    assert http.bytesAvailable() == 5
    assert bytes(http.readAll()) == b" here"


def test_redirects_are_not_followed_and_cookies_not_stored(http: Watched, serve: Serve) -> None:
    server = serve(always(b"", "302 Found", "Location: /there\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"))
    to(server, http)
    http.get("/")
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.lastResponse().value("location") == "/there"
    assert http.lastResponse().allValues("set-cookie") == ["a=b", "c=d"]
    assert len(server.requests) == 2
    assert b"ookie" not in server.requests[1]


def test_unread_body_is_dropped_by_the_next_command(http: Watched, serve: Serve) -> None:
    to(serve(always(b"content")), http)
    http.get("/")
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.bytesAvailable() == 7


def test_absolute_uri(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    http.get(f"{server.url}/path?next=http://elsewhere/")
    assert http.waitForDone(20_000)
    assert server.requests[0].startswith(b"GET /path?next=http://elsewhere/ HTTP/1.1\r\n")


def test_request_with_own_header(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    to(server, http)
    header = HttpRequestHeader("REPORT", "/dav?x=1")
    header.setValue("Content-Type", "text/xml")
    header.setValue("Host", "virtual.test")
    header.addValue("X-Twice", "1")
    header.addValue("X-Twice", "2")
    header.setContentLength(999)
    http.request(header, b"<x/>")
    header.setValue("X-Twice", "changed later")
    assert http.waitForDone(20_000)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"REPORT /dav?x=1 HTTP/1.1"
    assert body == b"<x/>"
    for line in (b"Content-Type: text/xml", b"Host: virtual.test", b"Content-Length: 4"):
        assert lines.count(line) == 1
    joined = b", ".join(line[9:] for line in lines if line.startswith(b"X-Twice: "))
    assert joined == b"1, 2"
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1


def test_device_is_sent_from_its_beginning(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    to(server, http)
    device = QtCore.QBuffer()
    device.setData(b"0123456789")
    device.open(QIODevice.OpenModeFlag.ReadOnly)
    device.seek(5)
    http.post("/", device)
    http.post("/")
    assert http.waitForDone(20_000)
    assert server.requests[0].endswith(b"\r\n\r\n0123456789")
    assert b"Content-Length: 0\r\n" in server.requests[1]
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in server.requests[0]


def test_large_upload_and_download(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    data = bytes(range(256)) * 20_000
    to(serve(echo), http)
    http.post("/", io.BytesIO(data))
    run(http)
    head = http.sent[-1][1] - len(data)
    assert http.sent[-1] == (len(data) + head, len(data) + head)
    assert 0 < head < 200
    assert http.sent == sorted(http.sent)
    assert http.received == sorted(http.received) and len(http.received) > 1
    assert bytes(http.readAll()).endswith(data)


@pytest.mark.parametrize("kind", ("device", "file"))
def test_body_into_device_or_file(
    kind: str, run: Callable[[Http], None], http: Watched, serve: Serve, tmp_path: Path
) -> None:
    to(serve(always(b"x" * 100_000)), http)
    path = tmp_path / "body"
    sink: Any
    if kind == "file":
        sink = open(path, "wb")  # noqa: SIM115
    else:
        sink = QtCore.QFile(str(path))
        sink.open(QIODevice.OpenModeFlag.WriteOnly)
    http.get("/", sink)
    run(http)
    sink.close()
    assert path.read_bytes() == b"x" * 100_000
    assert http.received[-1] == (100_000, 100_000)
    assert http.of("readyRead") == [] and http.bytesAvailable() == 0


def test_body_into_unwritable_file(http: Watched, serve: Serve) -> None:
    to(serve(always(b"content")), http)
    with open("/dev/full", "wb", buffering=0) as sink:
        http.get("/", sink)
        http.get("/never")
        assert http.waitForDone(20_000)
    assert http.error() is Http.UnknownError
    assert http.errorString().startswith("Error writing response to device: ")
    assert http.of("done") == ["done(True)"]


# -- errors


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
WRONG_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nwhat\r\n"


@pytest.mark.parametrize(
    ("raw", "error"),
    (
        (b"", Http.UnexpectedClose),
        (b"HTTP/1.1 099 Hm\r\nContent-Length: 0\r\n\r\n", Http.InvalidResponseHeader),
        (CUT, Http.WrongContentLength),
        (WRONG_CHUNK, Http.WrongContentLength),
    ),
)
def test_invalid_responses(raw: bytes, error: Http.Error, http: Watched, serve: Serve) -> None:  # type: ignore[valid-type]
    to(serve(once(raw)), http)
    http.get("/")
    http.get("/never")
    assert http.waitForDone(20_000)
    assert http.error() is error, http.errorString()
    assert http.of("requestFinished", "done")[-2:] == ["requestFinished(2,True)", "done(True)"]


def test_connection_refused(http: Watched, serve: Serve) -> None:
    server = serve(silence)
    server.close()
    to(server, http)
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.error() is Http.ConnectionRefused
    assert http.told[2:] == order(
        """requestStarted(2) stateChanged(Connecting) requestFinished(2,True) done(True) stateChanged(Unconnected)"""
    )


def test_without_a_host(http: Watched) -> None:
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnknownError
    assert http.errorString().startswith("No server set to connect to")


def test_invalid_requests(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    for header in (HttpRequestHeader("CONNECT", "/"), HttpRequestHeader("GET", "ftp://127.0.0.1/")):
        to(server, http)
        http.request(header)
        assert http.waitForDone(20_000)
        assert http.error() is Http.UnknownError and len(http.errorString()) > 20
    header = HttpRequestHeader("GET", "/")
    header.setValue("X-Split", "a\r\nX-Other: b")
    http.request(header)
    assert http.waitForDone(20_000)
    assert "X-Split" in http.errorString()
    assert server.requests == []


def test_idle_timeout(http: Watched, manager: NetworkAccessManager, serve: Serve) -> None:
    manager.setTimeout(200)
    to(serve(silence), http)
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnknownError
    assert "200 ms" in http.errorString()


@pytest.mark.parametrize("where", ["at once", "in a slot"])
def test_busy_thread_causes_no_timeout(http: Watched, manager: NetworkAccessManager, serve: Serve, where: str) -> None:
    """The time in which the thread did not run the event loop does not count towards the timeout."""

    def handle(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.05)
        connection.respond(b"here")

    manager.setTimeout(1_000)
    to(serve(handle), http)
    if where == "in a slot":
        http.stateChanged.connect(lambda state: time.sleep(1.4) if state == Http.Connecting else None)
    http.get("/")
    if where == "at once":
        for _ in range(2):
            QtCore.QCoreApplication.processEvents()
            time.sleep(1.4)
    assert http.waitForDone(20_000)
    assert http.error() is Http.NoError, http.errorString()


def test_exception_of_a_preprocessor(http: Watched, manager: NetworkAccessManager, serve: Serve) -> None:
    def broken(request: QtNetwork.QNetworkRequest) -> None:
        raise LookupError("no such thing")

    manager.setRequestPreprocessor(broken)
    to(serve(echo), http)
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.errorString() == "LookupError: no such thing"


def test_commands_after_an_error(http: Watched, serve: Serve) -> None:
    http.get("/")
    assert http.waitForDone(20_000)
    to(serve(echo), http)
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.error() is Http.NoError
    assert http.of("done") == ["done(True)", "done(False)"]


# -- credentials, proxies, certificates


@pytest.mark.parametrize("scheme", ('Basic realm="r"', 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'))
def test_set_user(scheme: str, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server, other = serve(asking(scheme)), serve(asking(scheme))
    http.setUser("ada", "secret")
    to(server, http)
    http.get("/")
    run(http)
    assert http.of("done") == ["done(False)"]
    assert bytes(http.readAll()) == b"welcome"
    assert b"Authorization" not in server.requests[0]
    # Another host does not get the credentials.
    to(other, http)
    http.get("/")
    run(http)
    assert http.error() is Http.AuthenticationRequiredError
    assert http.errorString() == "Authentication required"
    assert all(b"Authorization" not in request for request in other.requests)


def test_credentials_from_a_slot(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(asking('Basic realm="the realm"'))
    asked: list[tuple[str, int, str]] = []

    def answer(host: str, port: int, authenticator: QtNetwork.QAuthenticator) -> None:
        asked.append((host, port, authenticator.option("realm")))
        authenticator.setUser("ada")
        authenticator.setPassword("secret")

    http.authenticationRequired.connect(answer)
    to(server, http)
    http.get("/")
    http.get("/again")
    run(http)
    assert asked == [("127.0.0.1", server.port, "the realm")]
    assert http.of("requestFinished")[1:] == ["requestFinished(2,False)", "requestFinished(3,False)"]


@pytest.mark.parametrize("aborts", (False, True))
def test_slot_gives_no_credentials(aborts: bool, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    to(serve(asking("Basic")), http)
    http.authenticationRequired.connect(lambda *values: http.abort() if aborts else None)
    http.get("/")
    http.get("/never")
    run(http)
    assert http.of("done") == ["done(True)"]
    assert http.error() is (Http.Aborted if aborts else Http.AuthenticationRequiredError)
    if not aborts:
        assert http.lastResponse().statusCode() == 401


class AskingProxy(ProxyServer):
    def _handle(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"\r\nProxy-Authorization: " in request:
                connection.respond(b"from the proxy")
            else:
                connection.respond(b"", "407 Who Are You", 'Proxy-Authenticate: Basic realm="p"\r\n')


@pytest.mark.parametrize("how", ("set", "slot", "none"))
def test_proxy_credentials(how: str, run: Callable[[Http], None], http: Watched) -> None:
    proxy = AskingProxy()

    def answer(given: QtNetwork.QNetworkProxy, authenticator: QtNetwork.QAuthenticator) -> None:
        assert given.port() == proxy.port
        authenticator.setUser("ada")
        authenticator.setPassword("secret")

    if how == "slot":
        http.proxyAuthenticationRequired.connect(answer)
    try:
        login = ("ada", "secret") if how == "set" else ()
        http.setProxy("127.0.0.1", proxy.port, *login)
        http.setHost("server.test")
        http.get("/page")
        run(http)
    finally:
        proxy.close()
    if how == "none":
        assert http.error() is Http.ProxyAuthenticationRequiredError
    else:
        assert bytes(http.readAll()) == b"from the proxy"
        assert proxy.requests[-1].startswith(b"GET http://server.test/page HTTP/1.1\r\n")


def test_set_qnetworkproxy(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    proxy = ProxyServer()
    try:
        http.setProxy(QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.HttpProxy, "127.0.0.1", proxy.port))
        to(server, http)
        http.get("/by")
        http.setProxy(QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.NoProxy))
        http.get("/without")
        http.setProxy("")
        assert http.waitForDone(20_000)
    finally:
        proxy.close()
    assert proxy.asked == [f"{server.url}/by"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("accepts", (True, False, None))
def test_untrusted_certificate(
    accepts: Optional[bool], engine: str, run: Callable[[Http], None], http: Watched
) -> None:
    if engine == "qt" and not has_tls():
        pytest.skip("this Qt has no TLS")
    server = TlsServer(trustme.CA().issue_cert("127.0.0.1"))
    found: list[Any] = []

    def look(errors: list[QtNetwork.QSslError]) -> None:
        found.extend(error.errorString() for error in errors)
        if accepts:
            http.ignoreSslErrors()

    if accepts is not None:
        http.sslErrors.connect(look)
    try:
        http.setHost("127.0.0.1", Http.ConnectionModeHttps, server.port)
        http.get("/")
        run(http)
    finally:
        server.close()
    if accepts:
        assert bytes(http.readAll()) == b"secret"
    else:
        assert http.error() is Http.UnknownError and "SSL handshake failed" in http.errorString()
        assert server.requests == []
    assert bool(found) is (accepts is not None)


def test_tls_settings_of_the_manager(engine: str, http: Watched, manager: NetworkAccessManager) -> None:
    if engine == "qt" and not has_tls():
        pytest.skip("this Qt has no TLS")
    authority = trustme.CA()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    try:
        http.get(f"{server.url}/")
        assert http.waitForDone(20_000)
    finally:
        server.close()
    assert bytes(http.readAll()) == b"secret"


# -- threads and deletion


def test_wait_for_done_with_time_limit(http: Watched, serve: Serve) -> None:
    server = serve(silence)
    assert http.waitForDone(0)
    to(server, http)
    http.get("/")
    assert not http.waitForDone(50)
    assert http.currentId() == 2
    server.wait_for_requests(1)
    http.abort()
    assert http.waitForDone()


def test_wait_for_done_in_a_slot_and_in_another_thread(http: Watched) -> None:
    found: list[str] = []

    def wait(*values: Any) -> None:
        try:
            http.waitForDone()
        except RuntimeError as error:
            found.append(str(error))

    http.requestStarted.connect(wait)
    http.setHost("somewhere")
    assert http.waitForDone(20_000)
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert "slot" in found[0] and "another thread" in found[1]


def test_python_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"content"))
    results: list[tuple[bytes, set[int], int]] = []

    def work() -> None:
        http = Watched("127.0.0.1", server.port, manager=manager)
        http.get("/")
        assert http.waitForDone(20_000)
        results.append((bytes(http.readAll()), http.threads, threading.get_ident()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 8
    assert all(body == b"content" and told == {own} for body, told, own in results)


class Worker(QtCore.QObject):
    """An object that lives in a QThread with an event loop."""

    go = Signal()

    def __init__(self, manager: NetworkAccessManager, port: int) -> None:
        super().__init__()
        self._manager, self._port = manager, port
        self.told: list[str] = []
        self.threads: set[bool] = set()
        self.go.connect(self.work)

    @Slot()
    def work(self) -> None:
        self.http = Watched("127.0.0.1", self._port, manager=self._manager)
        self.http.done.connect(self.finish)
        self.http.get("/")

    @Slot(bool)
    def finish(self, error: bool) -> None:
        self.threads.add(QtCore.QThread.currentThread() == self.thread())
        self.told = list(self.http.told)
        self.http.deleteLater()
        QtCore.QThread.currentThread().quit()  # type: ignore[union-attr]


def test_qthread_with_event_loop(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"content"))
    thread = QtCore.QThread()
    worker = Worker(manager, server.port)
    worker.moveToThread(thread)
    thread.start()
    worker.go.emit()
    assert thread.wait(20_000)
    assert worker.told[-1] == "done(False)"
    assert worker.threads == {True}
    assert len(worker.http.threads) == 1 and threading.get_ident() not in worker.http.threads


def test_move_to_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    thread = QtCore.QThread()
    http = Http(manager=manager)
    told: list[bool] = []
    http.done.connect(told.append)
    to(serve(always(b"content")), http)
    http.done.connect(thread.quit, QtCore.Qt.ConnectionType.DirectConnection)  # type: ignore[call-arg]
    http.moveToThread(thread)
    http.get("/")
    thread.start()
    assert thread.wait(20_000)
    # PyQt calls a connected function in the thread that connected it.
    QtCore.QCoreApplication.processEvents()
    assert told == [False]
    assert bytes(http.readAll()) == b"content"


def test_deleted_http_closes_its_connection(http: Watched, manager: NetworkAccessManager, serve: Serve) -> None:
    closed = threading.Event()
    server = serve(telling_the_end(silence, closed))
    parent = QtCore.QObject()
    child = Http("127.0.0.1", server.port, parent, manager=manager)
    child.get("/")
    assert not child.waitForDone(10)
    server.wait_for_requests(1)
    delete(parent)
    assert is_deleted(child)
    assert closed.wait(10)


def test_deleted_in_a_slot(run: Callable[[Http], None], manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"content"))
    http = Http("127.0.0.1", server.port, manager=manager)
    loop = QtCore.QEventLoop()
    http.readyRead.connect(lambda header: (delete(http), loop.quit()))  # type: ignore[arg-type, func-returns-value]
    http.get("/")
    if run is waiting:
        with pytest.raises(RuntimeError, match="deleted"):
            http.waitForDone(20_000)
    else:
        loop.exec()
    assert is_deleted(http)


def test_nested_event_loop_in_a_slot(http: Watched, serve: Serve) -> None:
    to(serve(always(b"content")), http)
    http.responseHeaderReceived.connect(lambda header: spin(60))
    http.get("/")
    in_event_loop(http)
    assert http.told == order(SUCCESS)


def test_finished_http_is_garbage_collected(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"content"))
    http = Http("127.0.0.1", server.port, manager=manager)
    http.get("/")
    assert http.waitForDone(20_000)
    gone = weakref.ref(http)
    del http
    gc.collect()
    assert gone() is None


WITHOUT_APPLICATION = """
import sys
from blocking_request.qhttp import Http
told = []
http = Http("127.0.0.1", int(sys.argv[1]))
http.done.connect(told.append)
http.get("/")
assert http.waitForDone(20_000)
print(bytes(http.readAll()).decode(), told)
"""


def test_without_an_application(serve: Serve) -> None:
    command = [sys.executable, "-c", WITHOUT_APPLICATION, str(serve(always(b"content")).port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "content [False]\n", done.stderr


# -- regressions


def spin(milliseconds: int) -> None:
    """Run a nested event loop, as a message box does."""
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def test_event_loop_in_a_slot_of_an_abort(http: Watched, serve: Serve) -> None:
    server = serve(silence)
    found: list[str] = []

    def show(id: int, error: bool) -> None:
        spin(50)
        with pytest.raises(RuntimeError) as caught:
            http.waitForDone(10)
        found.append(str(caught.value))

    to(server, http)
    assert http.waitForDone(20_000)
    http.requestFinished.connect(show)
    http.post("/pay", b"100 EUR")
    while not server.requests:
        spin(10)
    http.abort()
    spin(50)
    assert len(server.requests) == 1
    assert len(found) == 1 and "slot" in found[0]
    assert http.of("requestStarted", "done") == ["requestStarted(1)", "done(False)", "requestStarted(2)", "done(True)"]


@pytest.mark.parametrize("aborts", (False, True))
def test_event_loop_in_a_slot_for_credentials(
    aborts: bool, run: Callable[[Http], None], http: Watched, serve: Serve
) -> None:
    server = serve(asking("Basic"))
    refused: list[str] = []

    def show(host: str, port: int, authenticator: QtNetwork.QAuthenticator) -> None:
        if aborts:
            QtCore.QTimer.singleShot(10, http.abort)
        spin(60)
        with pytest.raises(RuntimeError) as caught:
            http.waitForDone(10)
        refused.append(str(caught.value))
        authenticator.setUser("ada")
        authenticator.setPassword("secret")

    http.authenticationRequired.connect(show)
    to(server, http)
    http.get("/")
    run(http)
    assert len(refused) == 1
    assert http.of("requestStarted", "requestFinished", "done")[2:] == [
        "requestStarted(2)",
        f"requestFinished(2,{aborts})",
        f"done({aborts})",
    ]
    assert len(server.requests) == (1 if aborts else 2)


def test_changed_user_is_used(http: Watched, serve: Serve) -> None:
    server = serve(asking("Basic"))
    to(server, http)
    for user in ("alice", "bob", ""):
        http.setUser(user, user)
        http.get("/")
        assert http.waitForDone(20_000)
    sent = [line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"Authorization")]
    assert sent == [b"Authorization: Basic YWxpY2U6YWxpY2U=", b"Authorization: Basic Ym9iOmJvYg=="]
    assert http.error() is Http.AuthenticationRequiredError


@pytest.mark.parametrize("name", ("127.1", "\uff4cocalhost", "LOCALHOST"))
def test_host_is_normalized_for_credentials(name: str, http: Watched, serve: Serve) -> None:
    server = serve(asking("Basic"))
    http.proxyAuthenticationRequired.connect(lambda proxy, authenticator: authenticator.setUser("proxy"))
    http.setHost(name, server.port)
    http.setUser("ada", "engine")
    http.get("/")
    assert http.waitForDone(20_000)
    assert bytes(http.readAll()) == b"welcome", http.errorString()
    assert b"Basic YWRhOmVuZ2luZQ==" in server.requests[-1]


def test_sequential_device_is_refused(http: Watched) -> None:
    socket = QtNetwork.QTcpSocket()
    with pytest.raises(ValueError, match="sequential device"):
        http.post("/", socket)
    assert http.currentId() == 0


class Broken:
    def read(self, size: int = -1) -> bytes:
        raise LookupError("no such thing")

    def write(self, data: bytes) -> int:
        raise LookupError("no such thing")


def test_exceptions_of_files(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(always(b"content"))
    to(server, http)
    http.post("/", Broken())
    run(http)
    assert http.errorString() == "LookupError: no such thing"
    http.get("/", Broken())
    http.get("/never")
    run(http)
    assert http.errorString() == "Error writing response to device: no such thing"
    assert http.of("done") == ["done(True)", "done(True)"]
    assert len(server.requests) == 1


def test_slow_slot_does_not_block_other_events(http: Watched, serve: Serve) -> None:
    to(serve(always(b"x" * 20_000_000)), http)
    ticks: list[int] = []
    timer = QtCore.QTimer()
    timer.timeout.connect(lambda: ticks.append(http.bytesAvailable()))

    def take(header: HttpResponseHeader) -> None:
        http.readAll()
        time.sleep(0.005)  # the work of a slot

    http.readyRead.connect(take)
    timer.start(5)
    http.get("/")
    in_event_loop(http)
    timer.stop()
    assert len(http.received) > 10
    assert len(ticks) > len(http.received) / 40


def test_waiting_event_loop_takes_no_processor_time(http: Watched, serve: Serve) -> None:
    """In an earlier version the slot of the event loop was called 100 000 times a second."""
    to(serve(silence), http)
    http.get("/")
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(1000, loop.quit)
    started = time.process_time()
    run_event_loop(loop)
    assert time.process_time() - started < 0.5
    http.abort()


def test_wait_for_done_returns_in_time_during_a_large_download(http: Watched, serve: Serve) -> None:
    to(serve(always(b"x" * 20_000_000)), http)
    http.get("/")
    http.readyRead.connect(lambda header: time.sleep(0.02))
    started = time.monotonic()
    assert not http.waitForDone(100)
    assert time.monotonic() - started < 2
    http.abort()


def test_deleted_in_another_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    closed = threading.Event()
    server = serve(telling_the_end(silence, closed))
    http = Http("127.0.0.1", server.port, manager=manager)
    http.get("/")
    assert eventually(lambda: not http.waitForDone(10) and bool(server.requests))
    thread = QtCore.QThread()
    http.moveToThread(thread)
    http.deleteLater()
    thread.start()
    assert closed.wait(10)
    thread.quit()
    assert thread.wait(10_000)


def test_move_to_thread_during_a_request(manager: NetworkAccessManager, serve: Serve) -> None:
    proceed = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        proceed.wait(20)
        connection.respond(b"content")

    server = serve(handle)
    http = Http("127.0.0.1", server.port, manager=manager)
    http.get("/")
    assert eventually(lambda: not http.waitForDone(10) and bool(server.requests))
    is_done = threading.Event()
    http.done.connect(lambda failed: is_done.set(), QtCore.Qt.ConnectionType.DirectConnection)  # type: ignore[call-arg]
    thread = QtCore.QThread()
    http.moveToThread(thread)
    thread.start()
    proceed.set()
    try:
        assert is_done.wait(10)
    finally:
        http.deleteLater()
        thread.quit()
        assert thread.wait(10_000)


def test_path_that_contains_a_url(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    to(server, http)
    http.get("/web/2020/http://example.com/")
    http.get("relative://x")
    assert http.waitForDone(20_000)
    assert server.requests[0].startswith(b"GET /web/2020/http://example.com/ HTTP/1.1\r\n")
    assert http.errorString() == 'Protocol "relative" is unknown'


def test_file_url_is_refused(http: Watched) -> None:
    http.get("file:///etc/passwd")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnknownError and http.bytesAvailable() == 0


@pytest.mark.parametrize("status", ("404 Not Found", "302 Found"))
def test_body_of_any_status_is_streamed(status: str, http: Watched, serve: Serve) -> None:
    gate = threading.Event()

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 {status}\r\nContent-Length: 10\r\n\r\nfirst".encode())
        gate.wait(10)
        connection.send(b"later")

    to(serve(handle), http)
    http.readyRead.connect(lambda header: gate.set())
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.received == [(5, 10), (10, 10)]


def test_abort_without_commands_has_no_later_effect(http: Watched, serve: Serve) -> None:
    thread = threading.Thread(target=http.abort)
    thread.start()
    thread.join()
    to(serve(always(b"content")), http)
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.of("done") == ["done(False)"]


def test_http_without_references_runs_its_commands(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"content"))
    told: list[bool] = []
    loop = QtCore.QEventLoop()

    def begin() -> None:
        http = Http("127.0.0.1", server.port, manager=manager)
        http.done.connect(told.append)
        http.done.connect(loop.quit)
        http.get("/")

    begin()
    gc.collect()
    QtCore.QTimer.singleShot(20_000, loop.quit)
    loop.exec()
    assert told == [False]


def test_cookie_headers_are_joined(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    to(server, http)
    header = HttpRequestHeader("GET", "/")
    header.addValue("Cookie", "a=1")
    header.addValue("Cookie", "b=2")
    http.request(header)
    assert http.waitForDone(20_000)
    assert b"\r\nCookie: a=1; b=2\r\n" in server.requests[0]


PROGRAM_WITH_PENDING_COMMANDS = """
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
Http("127.0.0.1", 9).get("/")
"""


def test_program_ends_with_pending_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM_WITH_PENDING_COMMANDS], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.replace(OPENSSL_WARNING, "")) == (0, "")


OPENSSL_WARNING = (
    "qt.network.ssl: Incompatible version of OpenSSL (built with OpenSSL 1.x, runtime version is >= 3.x)\n"
)


# -- the constructor, and wrong arguments


def test_constructor_forms(manager: NetworkAccessManager, serve: Serve) -> None:
    port = serve(always(b"content")).port
    parent = QtCore.QObject()
    for http in (
        Http("127.0.0.1", port, parent, manager=manager),
        Http("127.0.0.1", Http.ConnectionModeHttp, port, parent, manager=manager),
        Http("127.0.0.1", port, parent=parent, manager=manager),
    ):
        assert http.parent() is parent
        http.get("")
        assert http.waitForDone(20_000)
        assert bytes(http.readAll()) == b"content"
    assert Http(parent).parent() is parent
    assert Http().parent() is None


@pytest.mark.parametrize(
    ("call", "text"),
    (
        (lambda http: http.setHost(7), "str"),
        (lambda http: http.setHost("http://host/"), "without scheme"),
        (lambda http: http.setHost("host:8080"), "without its port"),
        (lambda http: http.setHost("["), "is not a valid host"),
        (lambda http: http.setHost("::zz"), "is not a valid host"),
        (lambda http: http.setHost("[abc]"), "is not a valid host"),
        (lambda http: http.setHost("host", 70_000), "65535"),
        (lambda http: http.setHost("host", "80"), "port must be an int"),
        (lambda http: http.setUser(None), "str"),
        (lambda http: http.setProxy(7), "proxy"),
        (lambda http: http.get(QtCore.QUrl("/")), "path must be a str"),
        (lambda http: http.get("/", "file name"), "QIODevice"),
        (lambda http: http.get("/", QtCore.QBuffer()), "open it first"),
        (lambda http: http.post("/", "text"), "encode"),
        (lambda http: http.request("GET / HTTP/1.1"), "HttpRequestHeader"),
    ),
)
def test_wrong_arguments(call: Callable[[Http], Any], text: str) -> None:
    http = Http()
    with pytest.raises((TypeError, ValueError), match=text):
        call(http)
    assert http.currentId() == 0


def test_repr_hides_the_password() -> None:
    http = Http()
    http.setUser("ada", "secret")
    assert "secret" not in repr(http._queue.entries)


# -- headers


def test_request_header() -> None:
    header = HttpRequestHeader("GET", "/index.html")
    assert header.isValid() and not HttpRequestHeader().isValid()
    header.setValue("Host", "example.org")
    header.addValue("Accept", "text/html")
    header.addValue("accept", "text/plain")
    assert header.toString() == (
        "GET /index.html HTTP/1.1\r\nHost: example.org\r\nAccept: text/html\r\naccept: text/plain\r\n\r\n"
    )
    again = HttpRequestHeader(header.toString())
    assert again.toString() == header.toString()
    assert header.keys() == ["Host", "Accept"]
    assert header.value("ACCEPT") == "text/html" and header.allValues("accept") == ["text/html", "text/plain"]
    copy = HttpRequestHeader(header)
    copy.setRequest("HEAD", "/", 1, 0)
    copy.removeAllValues("Accept")
    assert header.hasKey("accept") and not copy.hasKey("accept")
    assert (copy.method(), copy.path(), copy.majorVersion(), copy.minorVersion()) == ("HEAD", "/", 1, 0)
    header.removeValue("accept")
    assert header.allValues("accept") == ["text/plain"]
    header.setValues([("A", "b")])
    assert header.values() == [("A", "b")]
    assert not HttpRequestHeader("what is this").isValid()
    with pytest.raises(TypeError):
        HttpRequestHeader(7)  # type: ignore[arg-type]


def test_response_header() -> None:
    header = HttpResponseHeader(
        "HTTP/1.0 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\nX: a\r\n b\r\n\r\n"
    )
    assert (header.statusCode(), header.reasonPhrase(), header.minorVersion()) == (404, "Not Found", 0)
    assert header.hasContentType() and header.contentType() == "text/html"
    assert header.value("x") == "a b"
    assert not header.hasContentLength() and header.contentLength() == 0
    header.setContentLength(5)
    header.setContentType("text/plain")
    assert header.contentLength() == 5 and header.contentType() == "text/plain"
    assert HttpResponseHeader(200, "OK").toString() == "HTTP/1.1 200 OK\r\n\r\n"
    assert HttpResponseHeader(header).toString() == header.toString()
    assert not HttpResponseHeader().isValid() and HttpResponseHeader().statusCode() == 0
    assert not HttpResponseHeader("no status").isValid()


@pytest.mark.parametrize("how", ["abort", "delete"])
def test_event_loop_watches_no_closed_socket(how: str, manager: NetworkAccessManager, serve: Serve) -> None:
    """If it did, Qt would print a warning, or report events of the next connection with the same descriptor."""
    messages: list[str] = []
    server = serve(silence)
    http = Http("127.0.0.1", server.port, manager=manager)
    http.get("/")
    QtCore.qInstallMessageHandler(lambda kind, context, text: messages.append(str(text)))  # type: ignore[arg-type,unused-ignore]
    try:
        while not server.requests:
            spin(10)
        if how == "abort":
            http.abort()
        else:
            delete(http)
        while server.open_connections:
            spin(10)
        spin(10)
    finally:
        QtCore.qInstallMessageHandler(None)
    assert messages == []
