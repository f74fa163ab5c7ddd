"""The signals of a manager that QNetworkAccessManager has, too: questions, TLS sessions, the network switched off."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, ReplyContent, TlsSettings
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QtCore, QtNetwork, field_name

from ..support.interpreter import without_garbage_collector
from ..support.names import TLS_ENGINES, Serve
from ..support.servers.raw import Connection
from ..support.servers.tls import TlsServer


def ask(connection: Connection) -> None:
    """Want the user "ada" with the password "engine"."""
    while (request := connection.read_request()) is not None:
        if b"Authorization: Basic YWRhOmVuZ2luZQ==" in request:
            connection.respond(b"private")
        else:
            connection.respond(b"no", status="401 Unauthorized", headers='WWW-Authenticate: Basic realm="club"\r\n')


def forward(connection: Connection) -> None:
    """A proxy that wants the same."""
    while (request := connection.read_request()) is not None:
        if b"Proxy-Authorization: Basic YWRhOmVuZ2luZQ==" in request:
            connection.respond(b"through the proxy")
        else:
            realm = 'Proxy-Authenticate: Basic realm="gate"\r\n'
            connection.respond(b"no", status="407 Proxy Authentication Required", headers=realm)


def fill_in(authenticator: QtNetwork.QAuthenticator, password: str = "engine") -> None:
    authenticator.setUser("ada")
    authenticator.setPassword(password)


def test_authentication_required(manager: NetworkAccessManager, serve: Serve) -> None:
    """As in the tutorial of QNetworkAccessManager. The credentials are used for further calls."""
    server = serve(ask)
    asked: list[tuple[str, str, object, bool]] = []

    def answer(reply: ReplyContent, authenticator: QtNetwork.QAuthenticator) -> None:
        is_secret = reply.request().hasRawHeader(field_name(b"Authorization"))
        asked.append((reply.url().toString(), authenticator.realm(), reply.statusCode(), is_secret))
        fill_in(authenticator)

    manager.authenticationRequired.connect(answer)
    request = BlockingNetworkRequest(manager)
    for _ in range(2):
        assert request.get(server.url + "/a") is ErrorCode.NoError
    assert request.reply().body == b"private"
    assert asked == [(server.url + "/a", "club", 401, False)]
    manager.authenticationRequired.disconnect(answer)
    assert request.get(server.url + "/b") is ErrorCode.NoError
    manager.clearAccessCache()
    assert request.get(server.url + "/a") is ErrorCode.ServerExceptionError


def test_wrong_password_three_times(manager: NetworkAccessManager, serve: Serve) -> None:
    server, asked = serve(ask), []

    def answer(reply: ReplyContent, authenticator: QtNetwork.QAuthenticator) -> None:
        asked.append(reply.request().hasRawHeader(field_name(b"Authorization")))
        fill_in(authenticator, "wrong")

    manager.authenticationRequired.connect(answer)
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is ErrorCode.ServerExceptionError
    assert request.reply().statusCode() == 401
    assert asked == [False] * 3


def test_handler_is_called_if_no_slot_answers(manager: NetworkAccessManager, serve: Serve) -> None:
    server, order = serve(ask), []

    def handle(realm: str, host: str, attempt: int) -> tuple[str, str]:
        order.append(f"handler {attempt}")
        return "ada", "engine"

    manager.setAuthHandler(handle)
    manager.authenticationRequired.connect(lambda *_: order.append("slot"))
    assert BlockingNetworkRequest(manager).get(server.url) is ErrorCode.NoError
    assert order == ["slot", "handler 1"]


def test_slot_of_a_batch(manager: NetworkAccessManager, serve: Serve) -> None:
    server, threads = serve(ask), set()

    def answer(reply: ReplyContent, authenticator: QtNetwork.QAuthenticator) -> None:
        threads.add(threading.current_thread())
        fill_in(authenticator)

    manager.authenticationRequired.connect(answer)
    results = list(manager.getMany([f"{server.url}/{number}" for number in range(5)]))
    assert [reply.body for _, _, reply in results] == [b"private"] * 5
    assert threads == {threading.current_thread()}


class Dialog(QtCore.QObject):
    """Lives in the main thread, and answers."""

    thread_of_slot: object = None

    def answer(self, reply: ReplyContent, authenticator: QtNetwork.QAuthenticator) -> None:
        self.thread_of_slot = threading.current_thread()
        fill_in(authenticator)


def test_method_of_an_object_of_another_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    """The call waits for the answer, so the slot runs in its thread. The connection does not keep the object."""
    server, dialog = serve(ask), Dialog()
    manager.authenticationRequired.connect(dialog.answer)
    codes: list[ErrorCode] = []
    thread = threading.Thread(target=lambda: codes.append(BlockingNetworkRequest(manager).get(server.url)))
    thread.start()
    thread.join(20)
    assert codes == [ErrorCode.NoError]
    assert dialog.thread_of_slot is thread
    manager.clearAccessCache()
    del dialog
    gc.collect()
    assert BlockingNetworkRequest(manager).get(server.url) is ErrorCode.ServerExceptionError


def test_exception_of_a_slot_reaches_the_caller(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(ask)
    manager.authenticationRequired.connect(lambda *_: [][0])
    request = BlockingNetworkRequest(manager)
    with pytest.raises(IndexError):
        request.get(server.url)
    manager.authenticationRequired.disconnect()
    assert request.get(server.url) is ErrorCode.ServerExceptionError


def test_proxy_authentication_required(manager: NetworkAccessManager, serve: Serve) -> None:
    proxy = serve(forward)
    asked: list[tuple[str, int, str]] = []

    def answer(of_qt: QtNetwork.QNetworkProxy, authenticator: QtNetwork.QAuthenticator) -> None:
        asked.append((of_qt.hostName(), of_qt.port(), authenticator.realm()))
        fill_in(authenticator)

    manager.setProxy(proxy.url)
    manager.proxyAuthenticationRequired.connect(answer)
    request = BlockingNetworkRequest(manager)
    for _ in range(2):
        assert request.get("http://example.org/") is ErrorCode.NoError, request.errorMessage()
    assert request.reply().body == b"through the proxy"
    assert asked == [("127.0.0.1", QtCore.QUrl(proxy.url).port(), "gate")]


def test_network_accessible_changed(manager: NetworkAccessManager) -> None:
    seen: list[bool] = []
    manager.networkAccessibleChanged.connect(seen.append)
    for accessible in (True, False, False, True):
        manager.setNetworkAccessible(accessible)
    assert seen == [False, True]


def test_manager_with_slots_is_freed_at_once() -> None:
    manager = NetworkAccessManager()
    manager.authenticationRequired.connect(lambda *_: None)
    manager.sslErrors.connect(lambda *_: None)
    reference = weakref.ref(manager)
    with without_garbage_collector():
        del manager
        assert reference() is None


def test_slots_stay_in_their_process(manager: NetworkAccessManager) -> None:
    """Portable settings have handlers, and no slots."""
    manager.authenticationRequired.connect(lambda *_: None)
    assert manager.portableSettings().values.get("auth_prompt") is None


def test_http_asks_its_own_signals(manager: NetworkAccessManager, serve: Serve) -> None:
    server = QtCore.QUrl(serve(ask).url)
    manager.authenticationRequired.connect(lambda reply, authenticator: fill_in(authenticator))
    http = Http(server.host(), server.port(), manager=manager)
    http.get("/")
    http.waitForDone(10_000)
    assert http.error() == Http.Error.AuthenticationRequiredError


@pytest.fixture
def self_signed() -> Iterator[TlsServer]:
    server = TlsServer(trustme.CA().issue_cert("127.0.0.1"))
    yield server
    server.close()


@pytest.fixture(params=TLS_ENGINES)
def tls_manager(request: pytest.FixtureRequest) -> NetworkAccessManager:
    manager = NetworkAccessManager()
    manager.setEngine(request.param)
    manager.setTimeout(10_000)
    return manager


def test_ignore_ssl_errors(tls_manager: NetworkAccessManager, self_signed: TlsServer) -> None:
    seen: list[tuple[object, ...]] = []

    def accept(reply: ReplyContent, errors: list[QtNetwork.QSslError]) -> None:
        seen.append((reply.url().toString(), len(reply.sslErrors()), len(errors)))
        assert reply.peerCertificate() is not None
        reply.ignoreSslErrors()  # type: ignore[attr-defined]

    request = BlockingNetworkRequest(tls_manager)
    assert request.get(self_signed.url) is ErrorCode.NetworkError
    tls_manager.sslErrors.connect(accept)
    assert request.get(self_signed.url) is ErrorCode.NoError
    assert request.reply().body == b"secret"
    count = len(request.reply().sslErrors())
    assert seen == [(self_signed.url, count, count)]
    tls_manager.sslErrors.disconnect()
    assert request.get(self_signed.url) is ErrorCode.NetworkError


@pytest.mark.parametrize(("kept", "code"), [(slice(None), ErrorCode.NoError), (slice(0), ErrorCode.NetworkError)])
def test_ignore_some_ssl_errors(
    tls_manager: NetworkAccessManager, self_signed: TlsServer, kept: slice, code: ErrorCode
) -> None:
    tls_manager.sslErrors.connect(lambda reply, errors: reply.ignoreSslErrors(errors[kept]))
    assert BlockingNetworkRequest(tls_manager).get(self_signed.url) is code


def test_ssl_error_handler_is_called_if_no_slot_accepts(
    tls_manager: NetworkAccessManager, self_signed: TlsServer
) -> None:
    order: list[str] = []

    def handle(errors: list[object], chain: list[object]) -> list[object]:
        order.append("handler")
        return errors

    tls_manager.setSslErrorHandler(handle)  # type: ignore[arg-type]
    tls_manager.sslErrors.connect(lambda *_: order.append("slot"))
    assert BlockingNetworkRequest(tls_manager).get(self_signed.url) is ErrorCode.NoError
    assert order == ["slot", "handler"]


def test_encrypted(tls_manager: NetworkAccessManager) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    try:
        tls_manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
        protocols: list[str] = []
        tls_manager.encrypted.connect(lambda reply: protocols.append(reply.sessionProtocol()))
        for _ in range(2):
            assert BlockingNetworkRequest(tls_manager).get(server.url) is ErrorCode.NoError
        assert protocols == ["TLSv1.3"]
    finally:
        server.close()


@pytest.mark.parametrize("asks_handler", [True, False])
def test_abort_in_code_that_is_asked_for_a_password(
    manager: NetworkAccessManager, serve: Serve, asks_handler: bool
) -> None:
    """As if the user presses Cancel in a dialog."""
    request = BlockingNetworkRequest(manager)
    if asks_handler:
        manager.setAuthHandler(lambda *_: request.abort())
    else:
        manager.authenticationRequired.connect(lambda *_: request.abort())
    assert request.get(serve(ask).url) is ErrorCode.CanceledError
    assert request.reply().statusCode() == 401


def test_abort_in_code_that_is_asked_about_a_certificate(
    tls_manager: NetworkAccessManager, self_signed: TlsServer
) -> None:
    request = BlockingNetworkRequest(tls_manager)
    tls_manager.sslErrors.connect(lambda *_: request.abort())
    assert request.get(self_signed.url) is ErrorCode.CanceledError
