"""``Http.setSocket``: the requests that follow use a connection of the application."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Callable, Union

import pytest
import trustme

from blocking_request import NetworkAccessManager, TlsSettings
from blocking_request.qhttp import Http
from blocking_request.qhttp.supplied_socket import supplied_socket
from blocking_request.qt.binding import API, QtCore, QtNetwork, delete, is_deleted

from ..support.marks import needs_tls_in_qt
from ..support.names import Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, always, asking, echo, once, silence, telling_the_end
from ..support.servers.tls import TlsServer
from ..support.waiting import eventually
from .test_http import Watched, in_event_loop, order, waiting

AnySocket = Union[QtNetwork.QTcpSocket, socket.socket]
Connect = Callable[[int], Any]

FIRST_REQUEST = """
    requestStarted(1) requestFinished(1, False) requestStarted(2) requestFinished(2, False)
    requestStarted(3) stateChanged(Connecting) stateChanged(Sending) dataSendProgress stateChanged(Reading)
    responseHeaderReceived dataReadProgress readyRead stateChanged(Connected) requestFinished(3, False)
"""
SECOND_REQUEST = """
    requestStarted(4) stateChanged(Sending) dataSendProgress stateChanged(Reading) responseHeaderReceived
    dataReadProgress readyRead stateChanged(Connected) requestFinished(4, False)
"""
END = "done(False) stateChanged(Closing) stateChanged(Unconnected)"


def python_socket(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def qt_socket(port: int, proxy: Any = None) -> QtNetwork.QTcpSocket:
    made = QtNetwork.QTcpSocket()
    if proxy is not None:
        made.setProxy(proxy)
    made.connectToHost("127.0.0.1", port)
    assert made.waitForConnected(10_000), made.errorString()
    return made


def close(made: AnySocket) -> None:
    made.close()
    if API == "PySide6" and isinstance(made, QtNetwork.QTcpSocket):
        delete(made)


@pytest.fixture(params=(waiting, in_event_loop))
def run(request: pytest.FixtureRequest) -> Callable[[Http], None]:
    """A function that runs the commands: by ``waitForDone`` or in an event loop."""
    function: Callable[[Http], None] = request.param
    return function


@pytest.fixture(params=(python_socket, qt_socket))
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """A function that connects a socket to a port. The sockets are closed at the end of the test."""
    sockets: list[AnySocket] = []

    def connected(port: int) -> AnySocket:
        sockets.append(request.param(port))
        return sockets[-1]

    yield connected
    for each in sockets:
        close(each)


@pytest.fixture
def http() -> Iterator[Watched]:
    manager = NetworkAccessManager()
    manager.setTimeout(10_000)
    made = Watched(manager=manager)
    yield made
    if not is_deleted(made):
        delete(made)


# -- requests on the connection


def test_signals(connect: Connect, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(always(b"content"))
    assert http.setSocket(connect(server.port)) == 1
    http.setHost("tunnel.invalid")
    assert http.get("/1") == 3
    http.get("/2")
    run(http)
    assert http.told == order(FIRST_REQUEST + SECOND_REQUEST + END)
    assert server.connections == 1
    assert bytes(http.readAll()) == b"content"


def test_requests_to_any_host(connect: Connect, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(echo)
    http.setSocket(connect(server.port))
    http.setHost("one.invalid", 8080)
    http.get("/1")
    http.post("http://two.invalid/2", b"body")
    run(http)
    assert bytes(http.readAll()).endswith(b"\r\n\r\nbody")
    run_again_at = server.requests[:]
    http.setHost("three.invalid")
    http.get("/3")
    run(http)
    hosts = [line for each in server.requests for line in each.split(b"\r\n") if line.startswith(b"Host: ")]
    assert hosts == [b"Host: one.invalid:8080", b"Host: two.invalid", b"Host: three.invalid"]
    assert (len(run_again_at), server.connections) == (2, 1)
    assert http.of("done") == ["done(False)", "done(False)"]


def test_large_bodies_in_an_event_loop(connect: Connect, http: Watched, serve: Serve) -> None:
    """A QTcpSocket reads nothing in the meantime, although its event loop runs."""
    content = bytes(range(256)) * 20_000
    server = serve(echo)
    http.setSocket(connect(server.port))
    http.setHost("tunnel.invalid")
    for _ in range(3):
        http.post("/", content)
    in_event_loop(http)
    assert bytes(http.readAll()).endswith(content)
    assert len(server.requests) == 3 and server.connections == 1


def test_unix_socket(run: Callable[[Http], None], http: Watched) -> None:
    ours, theirs = socket.socketpair()

    def serve() -> None:
        theirs.recv(1000)
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with ours, theirs:
        http.setSocket(ours)
        http.setHost("localhost")
        http.get("/containers/json")
        run(http)
        thread.join()
    assert http.lastResponse().statusCode() == 204


def test_accepted_connection(run: Callable[[Http], None], http: Watched) -> None:
    """A device that calls back: the peer has connected, and answers requests."""
    listener = QtNetwork.QTcpServer()
    assert listener.listen(QtNetwork.QHostAddress("127.0.0.1"))

    peer = python_socket(listener.serverPort())

    def device() -> None:
        with peer:
            if peer.recv(1000).startswith(b"GET /status "):
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")
                peer.recv(1)

    thread = threading.Thread(target=device)
    thread.start()
    listener.waitForNewConnection(10_000)
    accepted = listener.nextPendingConnection()
    assert accepted is not None
    http.setSocket(accepted)
    http.setHost("device.local")
    http.get("/status")
    run(http)
    http.setSocket(None)
    run(http)
    accepted.abort()
    thread.join()
    assert bytes(http.readAll()) == b"" and http.lastResponse().statusCode() == 200
    assert http.received == [(2, 2)]


def test_socket_connected_through_an_http_proxy_of_qt(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    """After CONNECT the descriptor is that of a tunnel."""
    proxy, server = ProxyServer(), serve(echo)
    made = qt_socket(
        server.port, QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.HttpProxy, "127.0.0.1", proxy.port)
    )
    try:
        http.setSocket(made)
        http.setHost("tunnel.invalid")
        http.get("/1")
        http.get("/2")
        run(http)
    finally:
        close(made)
        proxy.close()
    assert http.of("done") == ["done(False)"]
    assert len(server.requests) == 2 and proxy.asked == [f"CONNECT 127.0.0.1:{server.port}"]


def test_no_proxy_is_used(connect: Connect, http: Watched, serve: Serve) -> None:
    server, proxy = serve(echo), ProxyServer()
    try:
        http.setProxy("127.0.0.1", proxy.port, "user", "s3cret")
        http.setSocket(connect(server.port))
        http.setHost("tunnel.invalid")
        http.get("/1")
        assert http.waitForDone(20_000)
    finally:
        proxy.close()
    assert proxy.connections == 0
    assert server.requests[0].startswith(b"GET /1 HTTP/1.1\r\n") and b"Proxy-" not in server.requests[0]


def test_credentials_are_sent_to_the_host_of_set_user_only(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(asking("Basic realm=r"))
    http.setSocket(connect(server.port))
    http.setHost("one.invalid")
    http.setUser("user", "s3cret")
    http.get("/1")
    assert http.waitForDone(20_000)
    assert bytes(http.readAll()) == b"welcome"
    http.get("http://two.invalid/2")
    assert http.waitForDone(20_000)
    assert http.error() is Http.AuthenticationRequiredError
    assert [b"\r\nAuthorization: " in each for each in server.requests] == [False, True, False]
    assert server.connections == 1


@pytest.mark.parametrize("is_endless", (True, False))
def test_body_of_a_challenge_is_not_whole(is_endless: bool, connect: Connect, http: Watched, serve: Serve) -> None:
    def ask(connection: Connection) -> None:
        connection.read_request()
        connection.send(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 1000000000\r\n\r\nwho?"
        )
        with suppress(OSError):
            while is_endless:
                connection.sock.sendall(bytes(1 << 16))

    server = serve(ask)
    made = connect(server.port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.setUser("ada", "s3cret")
    http.get("/")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnexpectedClose and "has ended" in http.errorString()
    assert len(server.requests) == 1


@pytest.mark.parametrize("ends_by", ("timeout", "abort"))
def test_silence_in_the_body_of_a_challenge(ends_by: str, connect: Connect, serve: Serve) -> None:
    def ask(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 100\r\n\r\nwho?")
        connection.wait_for_close()

    manager = NetworkAccessManager()
    manager.setTimeout(200)
    server = serve(ask)
    http = Watched("tunnel.invalid", manager=manager)
    http.setSocket(connect(server.port))
    http.setUser("ada", "s3cret")
    http.get("/")
    if ends_by == "abort":
        assert not http.waitForDone(50)
        http.abort()
    assert http.waitForDone(20_000)
    assert http.errorString() == ("Request aborted" if ends_by == "abort" else "Timed out: no data moved for 200 ms")
    assert len(server.requests) == 1
    delete(http)


# -- TLS


def test_tls_on_the_connection(
    connect: Connect, run: Callable[[Http], None], http: Watched, manager_with_ca: Any
) -> None:
    manager, authority = manager_with_ca
    server = TlsServer(authority.issue_cert("tunnel.invalid"), echo)
    mine = Watched(manager=manager)
    try:
        mine.setSocket(connect(server.port))
        mine.setHost("tunnel.invalid", Http.ConnectionModeHttps)
        mine.get("/1")
        mine.get("/2")
        run(mine)
        assert bytes(mine.readAll()).startswith(b"GET /2 ")
        assert (server.handshakes, server.connections, len(server.requests)) == (1, 1, 2)
        for url in ("http://tunnel.invalid/3", "https://other.invalid/3"):
            mine.get(url)
            run(mine)
            assert mine.error() is Http.UnknownError
            assert mine.errorString() == (
                f"The connection of setSocket() is in use without TLS, or with TLS to another server: {url} needs another one"
            )
        mine.get("/4")
        run(mine)
        assert mine.of("done")[-1] == "done(False)"
    finally:
        delete(mine)
        server.close()
    assert len(server.requests) == 3


@pytest.fixture
def manager_with_ca() -> tuple[NetworkAccessManager, trustme.CA]:
    authority = trustme.CA()
    manager = NetworkAccessManager()
    manager.setTimeout(10_000)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    return manager, authority


def test_wrong_certificate(connect: Connect, http: Watched) -> None:
    server = TlsServer(trustme.CA().issue_cert("tunnel.invalid"), echo)
    try:
        http.setSocket(connect(server.port))
        http.setHost("tunnel.invalid", Http.ConnectionModeHttps)
        http.get("/1")
        assert http.waitForDone(20_000)
        assert "certificate" in http.errorString()
        http.get("/2")
        assert http.waitForDone(20_000)
        assert http.error() is Http.UnexpectedClose
    finally:
        server.close()
    assert server.requests == []


def test_https_after_http(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(echo)
    http.setSocket(connect(server.port))
    http.setHost("tunnel.invalid")
    http.get("/1")
    http.get("https://tunnel.invalid/2")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnknownError and "needs another one" in http.errorString()
    http.get("/3")
    assert http.waitForDone(20_000)
    assert len(server.requests) == 2


# -- the end of the connection


def test_server_closes_the_connection(
    connect: Connect, run: Callable[[Http], None], http: Watched, serve: Serve
) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"))
    http.setSocket(connect(server.port))
    http.setHost("127.0.0.1", server.port)
    http.get("/1")
    run(http)
    assert bytes(http.readAll()) == b"all of it" and http.of("done") == ["done(False)"]
    http.get("/2")
    http.get("/3")
    run(http)
    assert http.of("done") == ["done(False)", "done(True)"] and http.state() is Http.Unconnected
    assert http.error() is Http.UnexpectedClose
    assert http.errorString() == (
        "Connection closed: the connection of setSocket() has ended; give another one, or setSocket(None)"
    )
    assert server.connections == 1
    http.setSocket(None)
    http.get("/4")
    run(http)
    assert server.connections == 2 and http.of("done")[-1] == "done(False)"


def test_server_closes_between_two_requests(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    http.setSocket(connect(server.port))
    http.setHost("127.0.0.1", server.port)
    http.get("/1")
    assert http.waitForDone(20_000)
    assert eventually(lambda: server.open_connections == 0)
    http.get("/2")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnexpectedClose and server.connections == 1


def test_server_has_closed_before_the_first_request(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(lambda connection: None)
    made = connect(server.port)
    assert eventually(lambda: server.connections == 1 and server.open_connections == 0)
    http.setSocket(made)
    http.setHost("127.0.0.1", server.port)
    http.get("/1")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnexpectedClose and "has ended" in http.errorString()


def test_server_speaks_first(connect: Connect, http: Watched, serve: Serve) -> None:
    def greet(connection: Connection) -> None:
        connection.respond(b"unasked")
        connection.wait_for_close()

    server = serve(greet)
    made = connect(server.port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    with socket.fromfd(int(descriptor(made)), socket.AF_INET, socket.SOCK_STREAM) as peek:
        peek.settimeout(10)
        assert peek.recv(1, socket.MSG_PEEK)
    http.get("/1")
    assert http.waitForDone(20_000)
    assert http.error() is Http.InvalidResponseHeader
    assert http.errorString().startswith("The connection of setSocket() had bytes to read")
    assert server.requests == []


def descriptor(made: AnySocket) -> Any:
    return made.fileno() if isinstance(made, socket.socket) else made.socketDescriptor()


def test_abort(connect: Connect, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(silence)
    http.setSocket(connect(server.port))
    http.setHost("tunnel.invalid")
    http.get("/1")
    thread = threading.Thread(target=lambda: (server.wait_for_requests(1), http.abort()))  # type: ignore[func-returns-value]
    thread.start()
    run(http)
    thread.join()
    assert http.error() is Http.Aborted
    http.get("/2")
    run(http)
    assert http.error() is Http.UnexpectedClose


def test_timeout(connect: Connect, http: Watched, serve: Serve) -> None:
    manager = NetworkAccessManager()
    manager.setTimeout(100)
    mine = Watched(manager=manager)
    mine.setSocket(connect(serve(silence).port))
    mine.setHost("tunnel.invalid")
    mine.get("/1")
    assert mine.waitForDone(20_000)
    assert mine.errorString() == "Timed out: no data moved for 100 ms"
    delete(mine)


def test_close(connect: Connect, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    ended = threading.Event()
    server = serve(telling_the_end(echo, ended))
    made = connect(server.port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/1")
    http.close()
    run(http)
    assert http.of("done") == ["done(False)"]
    assert not ended.wait(0.1)  # the application's own socket is open
    http.get("/2")
    run(http)
    assert http.error() is Http.UnexpectedClose
    made.close()
    assert ended.wait(10)


# -- the application's object


def test_object_of_the_application_may_be_closed_at_once(connect: Connect, http: Watched, serve: Serve) -> None:
    ended = threading.Event()
    server = serve(telling_the_end(echo, ended))
    made = connect(server.port)
    http.setSocket(made)
    made.close()
    http.setHost("tunnel.invalid")
    http.get("/1")
    assert http.waitForDone(20_000)
    assert http.error() is Http.NoError and len(server.requests) == 1
    assert not ended.is_set()
    delete(http)
    assert ended.wait(10)


def test_python_socket_is_given_back(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    for timeout in (None, 5.0):
        with python_socket(server.port) as made:
            made.settimeout(timeout)
            http.setSocket(made)
            http.setHost("tunnel.invalid")
            http.get("/1")
            assert http.waitForDone(20_000)
            http.setSocket(None)
            assert http.waitForDone(20_000)
            made.sendall(b"GET /2 HTTP/1.1\r\n\r\n")
            assert made.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")  # it waits for the response
            assert made.gettimeout() == timeout


def test_qt_socket_is_given_back(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = qt_socket(server.port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/1")
    in_event_loop(http)
    http.setSocket(None)
    in_event_loop(http)
    assert made.bytesAvailable() == 0
    assert is_answered(made)
    close(made)


def is_answered(made: QtNetwork.QTcpSocket) -> bool:
    """Whether the event loop reads a response from a socket."""
    made.write(b"GET /2 HTTP/1.1\r\n\r\n")
    loop = QtCore.QEventLoop()
    made.readyRead.connect(loop.quit)
    QtCore.QTimer.singleShot(10_000, loop.quit)
    loop.exec()
    return bytes(made.readAll()).startswith(b"HTTP/1.1 200 OK\r\n")


def test_python_socket_is_given_back_by_a_dropped_http(run: Callable[[Http], None], serve: Serve) -> None:
    with python_socket(serve(echo).port) as made:
        made.settimeout(5.0)
        use_and_drop(made, run)
        made.sendall(b"GET /2 HTTP/1.1\r\n\r\n")
        assert made.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        made.settimeout(None)
        use_and_drop(made, run)
        assert os.get_blocking(made.fileno())


def use_and_drop(made: AnySocket, run: Callable[[Http], None]) -> None:
    http = Http("tunnel.invalid")
    http.setSocket(made)
    http.get("/1")
    run(http)
    reference = weakref.ref(http)
    del http
    gc.collect()
    assert reference() is None


def test_qt_socket_is_given_back_by_a_dropped_http(run: Callable[[Http], None], serve: Serve) -> None:
    made = qt_socket(serve(echo).port)
    for _ in range(3):
        use_and_drop(made, run)
        assert is_answered(made)
    close(made)


def test_duplicate_is_closed_by_a_dropped_http(connect: Connect, serve: Serve) -> None:
    server = serve(echo)
    made = connect(server.port)
    use_and_drop(made, waiting)
    made.close()
    assert eventually(lambda: server.open_connections == 0)


def test_http_is_dropped_after_another_has_taken_the_socket(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = connect(server.port)
    dropped = Http("tunnel.invalid")
    dropped.setSocket(made)
    dropped.get("/1")
    assert dropped.waitForDone(20_000)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/2")
    assert http.waitForDone(20_000)
    del dropped
    gc.collect()
    assert not os.get_blocking(int(descriptor(made)))
    http.post("/3", bytes(500_000))
    in_event_loop(http)
    assert len(bytes(http.readAll())) > 500_000
    assert http.of("done") == ["done(False)", "done(False)"]
    assert (len(server.requests), server.connections) == (3, 1)


def test_socket_is_dropped_in_another_thread(connect: Connect, serve: Serve) -> None:
    """As by the garbage collector."""
    server = serve(echo)
    made = connect(server.port)
    held = [supplied_socket(made)]
    held[0].hold()
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    if isinstance(made, socket.socket):
        assert os.get_blocking(made.fileno())
    else:
        assert is_answered(made)


def test_socket_is_dropped_in_another_thread_and_held_again(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = qt_socket(server.port)
    held = [supplied_socket(made)]
    held[0].hold()
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    http.setSocket(made)  # before the event loop of the socket can give it back
    http.setHost("tunnel.invalid")
    http.post("/", bytes(500_000))
    in_event_loop(http)
    assert len(bytes(http.readAll())) > 500_000
    close(made)


def test_socket_is_deleted_before_the_http(http: Watched, serve: Serve) -> None:
    made = qt_socket(serve(echo).port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/1")
    assert http.waitForDone(20_000)
    delete(made)
    http.get("/2")
    http.setSocket(None)
    assert http.waitForDone(20_000)
    assert http.of("done") == ["done(False)", "done(False)"]


def test_qt_socket_hears_that_the_server_has_closed(http: Watched, serve: Serve) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"))
    made = qt_socket(server.port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/1")
    loop = QtCore.QEventLoop()
    made.disconnected.connect(loop.quit)
    QtCore.QTimer.singleShot(10_000, loop.quit)
    loop.exec()
    assert http.of("done") == ["done(False)"]
    assert made.state() == QtNetwork.QAbstractSocket.SocketState.UnconnectedState
    close(made)


def test_dropped_commands_leave_the_object_alone(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = connect(server.port)
    http.setHost("127.0.0.1", server.port)
    http.setSocket(made)
    http.clearPendingRequests()
    http.get("/1")
    assert http.waitForDone(20_000)
    assert server.connections == 2  # the connection of the socket was not used
    http.setSocket(made)
    http.abort()
    http.close()
    assert http.waitForDone(20_000)
    assert eventually(lambda: server.open_connections == 1)
    made.close()
    assert eventually(lambda: server.open_connections == 0)  # the duplicates are closed, too


def test_same_socket_again(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = connect(server.port)
    http.setHost("tunnel.invalid")
    for number in range(3):
        http.setSocket(made)
        http.get(f"/{number}")
    in_event_loop(http)
    assert http.of("done") == ["done(False)"]
    assert len(server.requests) == 3 and server.connections == 1


def test_one_socket_after_another(connect: Connect, run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    first, second = serve(echo), serve(echo)
    http.setHost("tunnel.invalid")
    http.setSocket(connect(first.port))
    http.get("/1")
    http.setSocket(connect(second.port))
    http.get("/2")
    run(http)
    assert (len(first.requests), len(second.requests)) == (1, 1)
    states = http.of("stateChanged")
    assert states.count("stateChanged(Closing)") == 2 and states[-1] == "stateChanged(Unconnected)"


def test_no_descriptor_is_left_open(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    server = serve(echo)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for number in range(8):
            http = Http("tunnel.invalid")
            made = (python_socket, qt_socket)[number % 2](server.port)
            http.setSocket(made)
            close(made)
            del made
            if number % 4 < 3:
                http.get("/")
                assert http.waitForDone(20_000)
            delete(http)
            gc.collect()
    assert eventually(lambda: server.connections == 8 and server.open_connections == 0)
    assert capfd.readouterr().err == ""


def test_http_is_deleted_during_a_request(connect: Connect, http: Watched, serve: Serve) -> None:
    server = serve(silence)
    made = connect(server.port)
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/")
    assert not http.waitForDone(50)
    delete(http)
    made.close()
    assert eventually(lambda: server.open_connections == 0)


# -- sockets that cannot be used


def test_wrong_types(http: Watched) -> None:
    for wrong in ("127.0.0.1", 5, QtNetwork.QUdpSocket(), object()):
        with pytest.raises(TypeError, match=r"socket must be a QTcpSocket, a socket.socket or None, not \w+"):
            http.setSocket(wrong)  # type: ignore[arg-type]
    assert http.currentId() == 0


def test_sockets_without_a_connection(http: Watched) -> None:
    with socket.socket() as unconnected, pytest.raises(ValueError, match=r"^socket must be connected: "):
        http.setSocket(unconnected)
    with pytest.raises(ValueError, match=r"^socket must be connected: "):
        http.setSocket(unconnected)  # it is closed
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(ValueError, match="must be a stream socket"):
        http.setSocket(datagrams)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ValueError, match="must be connected"):
        http.setSocket(listener)
    with pytest.raises(ValueError, match=r"^socket must be connected: call connectToHost\(\) and waitForConnected\(\)"):
        http.setSocket(QtNetwork.QTcpSocket())
    assert http.currentId() == 0


def test_encrypted_python_socket(http: Watched) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    try:
        with context.wrap_socket(python_socket(server.port), server_hostname="127.0.0.1") as encrypted:
            with pytest.raises(ValueError, match="an SSLSocket cannot be used, because its keys stay in it: give the"):
                http.setSocket(encrypted)
    finally:
        server.close()


@needs_tls_in_qt
def test_encrypted_qt_socket(http: Watched) -> None:
    server = TlsServer(trustme.CA().issue_cert("127.0.0.1"))
    made = QtNetwork.QSslSocket()
    made.setPeerVerifyMode(QtNetwork.QSslSocket.PeerVerifyMode.VerifyNone)
    try:
        made.connectToHostEncrypted("127.0.0.1", server.port)
        assert made.waitForEncrypted(10_000)
        with pytest.raises(ValueError, match="an encrypted QSslSocket cannot be used"):
            http.setSocket(made)
    finally:
        close(made)
        server.close()


def test_qssl_socket_without_encryption(run: Callable[[Http], None], http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = QtNetwork.QSslSocket()
    made.connectToHost("127.0.0.1", server.port)
    if not made.waitForConnected(10_000):
        pytest.skip("this Qt has no TLS, and its QSslSocket cannot connect")
    http.setSocket(made)
    http.setHost("tunnel.invalid")
    http.get("/1")
    run(http)
    close(made)
    assert http.of("done") == ["done(False)"] and len(server.requests) == 1


def test_qt_socket_with_bytes_of_its_own(http: Watched, serve: Serve) -> None:
    made = qt_socket(serve(echo).port)
    made.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ValueError, match="bytes that were not sent"):
        http.setSocket(made)
    assert made.waitForReadyRead(10_000)
    with pytest.raises(ValueError, match="received bytes that were not read"):
        http.setSocket(made)
    made.readAll()
    http.setSocket(made)
    close(made)


def test_qt_socket_reads_bytes_before_the_command_begins(http: Watched, serve: Serve) -> None:
    server = serve(echo)
    made = qt_socket(server.port)
    http.setHost("127.0.0.1", server.port)
    http.setSocket(made)
    http.get("/1")
    made.write(b"GET /0 HTTP/1.1\r\n\r\n")
    assert made.waitForReadyRead(10_000)
    assert http.waitForDone(20_000)
    assert http.of("requestFinished", "done") == ["requestFinished(1,False)", "requestFinished(2,True)", "done(True)"]
    assert (http.error(), http.errorString()) == (
        Http.UnknownError,
        "the QTcpSocket has received bytes that were not read: call its readAll() first",
    )
    http.get("/2")
    assert http.waitForDone(20_000)
    assert http.error() is Http.UnexpectedClose and len(server.requests) == 1
    close(made)


def test_qt_socket_of_another_thread(http: Watched, serve: Serve) -> None:
    made = qt_socket(serve(echo).port)
    thread = QtCore.QThread()
    made.moveToThread(thread)
    with pytest.raises(ValueError, match="lives in another thread than this Http"):
        http.setSocket(made)
    thread.start()
    made.deleteLater()
    thread.quit()
    assert thread.wait(10_000)
    with suppress(RuntimeError):
        del made


def test_qt_socket_behind_a_socks_proxy(http: Watched, serve: Serve) -> None:
    proxy = ProxyServer()
    kind = QtNetwork.QNetworkProxy.ProxyType.Socks5Proxy
    made = qt_socket(serve(echo).port, QtNetwork.QNetworkProxy(kind, "127.0.0.1", proxy.port))
    try:
        with pytest.raises(ValueError, match="no descriptor of its own, as with a SOCKS5 proxy"):
            http.setSocket(made)
        made.close()
        assert eventually(lambda: proxy.open_connections == 0)
    finally:
        close(made)
        proxy.close()


def test_engine_that_cannot_use_it(connect: Connect, serve: Serve) -> None:
    server = serve(echo)
    manager = NetworkAccessManager()
    http = Watched("127.0.0.1", server.port, manager=manager)
    http.setSocket(connect(server.port))
    for engine, error in (("qt", True), ("python", False), ("auto", False)):
        manager.setEngine(engine)
        http.get("/")
        assert http.waitForDone(20_000)
        assert http.of("done")[-1] == f"done({error})"
        if error:
            assert http.errorString() == (
                "The engine 'qt' cannot use a socket of setSocket(): use setEngine('python') or 'auto'"
            )
    assert server.connections == 1 and len(server.requests) == 2
    delete(http)
