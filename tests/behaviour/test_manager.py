"""NetworkAccessManager: the effect of its settings on both engines; threads may change them at any time."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
import trustme

from blocking_request import (
    AuthConfig,
    BlockingNetworkRequest,
    ErrorCode,
    NetworkAccessManager,
    ReplyContent,
    RequestParameters,
    TlsSettings,
)
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import QtCore, QtNetwork, Signal, Slot, enum_value

from ..support.names import NET, OK, REQUEST, TLS_ENGINES, Serve
from ..support.servers.raw import Connection, Handler, always, echo, telling_the_end
from ..support.servers.tls import TlsServer


def moving(target: str) -> Handler:
    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"", "302 Found", f"Location: {target}\r\n")

    return handle


# -- signals


def test_signals_are_emitted_in_the_callers_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"body"))
    heard: list[tuple[Any, int]] = []
    manager.requestAboutToBeCreated.connect(lambda parameters: heard.append((parameters, threading.get_ident())))
    manager.finished.connect(lambda reply: heard.append((reply, threading.get_ident())))
    replies: list[ReplyContent] = []
    caller = threading.Thread(target=lambda: replies.append(manager.blockingPost(f"{server.url}/x", b"data")))
    caller.start()
    caller.join(30)
    (parameters, one), (reply, two) = heard
    assert one == two == caller.ident and reply is replies[0]
    assert isinstance(parameters, RequestParameters)
    assert parameters.requestId() == reply.requestId() and parameters.originatingThreadId() == caller.ident
    assert parameters.request().url().path() == "/x" and bytes(parameters.content()) == b"data"
    assert parameters.operation() == QtNetwork.QNetworkAccessManager.Operation.PostOperation


def test_finished_signal_of_an_invalid_request(manager: NetworkAccessManager) -> None:
    heard: list[str] = []
    manager.requestAboutToBeCreated.connect(lambda parameters: heard.append("about"))
    manager.finished.connect(lambda reply: heard.append(reply.errorCode().name))
    manager.blockingGet("nonsense:")
    assert heard == ["about", "NetworkError"]
    manager.blockingGet("")
    assert heard == ["about", "NetworkError"] * 2


class Listener(QtCore.QObject):
    passed_on = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[int] = []

    @Slot(object)
    def handle_event(self, reply: object) -> None:
        self.heard.append(threading.get_ident())


def test_slot_of_a_qobject_runs_in_its_thread(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))
    listener = Listener()
    manager.finished.connect(listener.handle_event)
    manager.blockingGet(server.url)
    assert listener.heard == [threading.get_ident()]
    caller = threading.Thread(target=manager.blockingGet, args=(server.url,))
    caller.start()
    caller.join(30)
    assert len(listener.heard) == 1
    QtCore.QCoreApplication.processEvents()
    assert listener.heard == [threading.get_ident()] * 2
    manager.finished.disconnect(listener.handle_event)
    manager.blockingGet(server.url)
    assert len(listener.heard) == 2


def test_signal_to_signal_connection_and_disconnect(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))
    listener = Listener()
    passed: list[object] = []
    listener.passed_on.connect(passed.append)
    manager.finished.connect(listener.passed_on)  # type: ignore[arg-type]
    reply = manager.blockingGet(server.url)
    assert passed == [reply]
    manager.finished.disconnect()
    manager.blockingGet(server.url)
    assert len(passed) == 1 and not manager.finished
    with pytest.raises(TypeError, match="is not connected"):
        manager.finished.disconnect(passed.append)
    with pytest.raises(TypeError, match="a slot must be callable"):
        manager.finished.connect("slot")  # type: ignore[arg-type]


# -- header fields


def test_default_headers_and_user_agent(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))
    manager.setDefaultHeaders({"X-Plugin": "one", "Accept": "text/plain"})
    manager.setUserAgent("mine/1.0")
    manager.blockingGet(server.url)
    request = REQUEST(QtCore.QUrl(server.url))
    request.setRawHeader(b"accept", b"image/png")
    request.setRawHeader(b"User-Agent", b"own")
    manager.blockingGet(request)
    first, second = (request.lower() for request in server.requests)
    assert b"x-plugin: one\r\n" in first and b"accept: text/plain\r\n" in first
    assert b"user-agent: mine/1.0\r\n" in first
    assert b"x-plugin: one\r\n" in second and b"accept: image/png\r\n" in second and b"text/plain" not in second
    assert b"user-agent: own\r\n" in second and b"mine" not in second
    assert manager.defaultHeaders() == {"X-Plugin": "one", "Accept": "text/plain"}
    for headers in ({"A b": "1"}, {"A": "1\r\nB: 2"}, {"Content-Length": "1"}, {"Host": "x"}):
        with pytest.raises(ValueError, match=r"not allowed|line end|cannot be a default"):
            manager.setDefaultHeaders(headers)
    with pytest.raises(TypeError, match="header names and values must be str"):
        manager.setDefaultHeaders({"A": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize("framing", ["length", "chunks", "gzip"])
def test_maximum_body_size(framing: str, manager: NetworkAccessManager, serve: Serve) -> None:
    import gzip

    body = b"x" * 200_000
    if framing == "gzip":
        server = serve(always(gzip.compress(body), headers="Content-Encoding: gzip\r\n"))
    elif framing == "length":
        server = serve(always(body))
    else:

        def handle(connection: Connection) -> None:
            while connection.read_request() is not None:
                connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for start in range(0, len(body), 1000):
                    connection.send(b"3e8\r\n" + body[start : start + 1000] + b"\r\n")
                connection.send(b"0\r\n\r\n")

        server = serve(handle)
    manager.setMaximumBodySize(len(body))
    reply = manager.blockingGet(server.url)
    assert (reply.errorCode(), reply.body) == (OK, body)
    manager.setMaximumBodySize(len(body) - 1)
    reply = manager.blockingGet(server.url)
    assert (reply.errorCode(), enum_value(reply.error())) == (NET, Q.UnknownContentError)
    assert reply.errorString().startswith(f"The body is larger than the limit of {len(body) - 1} bytes")
    assert manager.maximumBodySize() == len(body) - 1
    manager.setMaximumBodySize(0)
    assert manager.blockingGet(server.url).errorCode() is OK


def test_network_accessible(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))
    manager.setNetworkAccessible(False)
    reply = manager.blockingGet(server.url)
    assert reply.errorCode() is NET and "setNetworkAccessible(False) was called" in reply.errorString()
    assert not manager.networkAccessible() and server.requests == []
    manager.setNetworkAccessible(True)
    assert manager.blockingGet(server.url).errorCode() is OK


def test_secret_parameters(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"", "404 No"))
    manager.setSecretParameters(("ticket",))
    reply = manager.blockingGet(f"{server.url}/?ticket=abc&token=def&x=1")
    assert reply.errorString().startswith(f"Error transferring {server.url}/?ticket=***&token=***&x=1 -")


# -- preprocessors


def test_request_preprocessors(manager: NetworkAccessManager, serve: Serve) -> None:
    last = serve(always(b""))
    first = serve(moving(f"{last.url}/there"))
    threads: list[int] = []

    def sign(request: QtNetwork.QNetworkRequest) -> None:
        threads.append(threading.get_ident())
        request.setRawHeader(b"X-Signed", request.url().path().encode())

    def mark(request: QtNetwork.QNetworkRequest) -> None:
        url = request.url()
        url.setQuery("marked=1")
        request.setUrl(url)

    one, two = manager.setRequestPreprocessor(sign), manager.setRequestPreprocessor(mark)
    reply = manager.blockingGet(f"{first.url}/here")
    assert reply.errorCode() is OK and threads == [threading.get_ident()] * 2
    one_sent, two_sent = first.requests[0].lower(), last.requests[0].lower()  # Qt 6 writes names in lower case
    assert b"get /here?marked=1 " in one_sent and b"x-signed: /here\r\n" in one_sent
    assert b"get /there?marked=1 " in two_sent and b"x-signed: /there\r\n" in two_sent
    assert reply.url().query() == "marked=1"
    manager.removeRequestPreprocessor(one)
    manager.blockingPost(f"{last.url}/", b"data")
    assert b"marked=1" in last.requests[1] and b"x-signed" not in last.requests[1].lower()
    assert last.requests[1].endswith(b"\r\n\r\ndata")
    manager.removeRequestPreprocessor(two)
    with pytest.raises(KeyError, match=f"No processor with id {two} exists."):
        manager.removeRequestPreprocessor(two)
    with pytest.raises(TypeError, match="a preprocessor must be callable"):
        manager.setRequestPreprocessor("x")  # type: ignore[arg-type]


def test_preprocessed_request_is_validated(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))
    manager.setRequestPreprocessor(lambda request: request.setRawHeader(b"X-A", b"1\r\nX-B: 2"))
    request = BlockingNetworkRequest(manager)
    # Qt 6 removes such a header
    if request.get(server.url) is not OK:
        assert "line end" in request.errorMessage()
    assert not any(b"X-B" in each for each in server.requests)
    manager.setRequestPreprocessor(lambda request: request.setUrl(QtCore.QUrl("gopher://x")))
    assert request.get(server.url) is NET and 'Protocol "gopher" is unknown' in request.errorMessage()


def test_exception_of_a_preprocessor(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b""))

    def fail(*_: Any) -> None:
        raise LookupError("not today")

    id = manager.setRequestPreprocessor(fail)
    request = BlockingNetworkRequest(manager)
    finished: list[None] = []
    request.finished.connect(lambda: finished.append(None))
    with pytest.raises(LookupError, match="not today"):
        request.get(server.url)
    manager.removeRequestPreprocessor(id)
    manager.setReplyPreprocessor(fail)
    with pytest.raises(LookupError, match="not today"):
        request.get(server.url)
    assert len(finished) == 2 and len(server.requests) == 1


def test_reply_preprocessors(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"body"))
    seen: list[tuple[str, bytes]] = []
    id = manager.setReplyPreprocessor(lambda request, reply: seen.append((request.url().path(), reply.body)))
    manager.blockingGet(f"{server.url}/a")
    manager.removeReplyPreprocessor(id)
    manager.blockingGet(f"{server.url}/b")
    assert seen == [("/a", b"body")]


# -- redirects


def test_redirect_policy(manager: NetworkAccessManager, serve: Serve) -> None:
    policies = REQUEST.RedirectPolicy
    last = serve(always(b"there"))
    first = serve(moving(last.url))
    assert manager.redirectPolicy() == policies.NoLessSafeRedirectPolicy
    manager.setRedirectPolicy(policies.ManualRedirectPolicy)
    assert manager.blockingGet(first.url).statusCode() == 302
    manager.setRedirectPolicy(policies.SameOriginRedirectPolicy)
    assert manager.blockingGet(first.url).errorCode() is NET
    # the request's own value takes precedence
    request = REQUEST(QtCore.QUrl(first.url))
    request.setAttribute(REQUEST.Attribute.RedirectPolicyAttribute, enum_value(policies.NoLessSafeRedirectPolicy))
    assert manager.blockingGet(request).body == b"there"


def test_user_verified_redirects(manager: NetworkAccessManager, serve: Serve) -> None:
    last = serve(always(b"there"))
    first = serve(moving(f"{last.url}/a"))
    manager.setRedirectPolicy(REQUEST.RedirectPolicy.UserVerifiedRedirectPolicy)
    reply = manager.blockingGet(first.url)
    assert reply.errorCode() is NET and "there is nothing to ask: set a redirect handler" in reply.errorString()
    asked: list[tuple[str, str, int]] = []
    answers = [True, False]

    def handler(url: QtCore.QUrl, target: QtCore.QUrl) -> bool:
        asked.append((url.toString(), target.toString(), threading.get_ident()))
        return answers.pop(0)

    manager.setRedirectHandler(handler)
    assert manager.blockingGet(first.url).body == b"there"
    reply = manager.blockingGet(first.url)
    assert reply.errorCode() is NET and "needs the user's consent and did not get it" in reply.errorString()
    assert asked == [(first.url, f"{last.url}/a", threading.get_ident())] * 2


# -- HSTS


@pytest.mark.parametrize("engine", TLS_ENGINES)
def test_strict_transport_security(engine: str) -> None:
    authority = trustme.CA()
    server = TlsServer(
        authority.issue_cert("localhost"), always(b"safe", headers="Strict-Transport-Security: max-age=100\r\n")
    )
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    url = server.url.replace("127.0.0.1", "localhost")
    assert not manager.isStrictTransportSecurityEnabled() and manager.strictTransportSecurityHosts() is None
    assert manager.blockingGet(url).errorCode() is OK
    assert manager.blockingGet(url.replace("https", "http")).errorCode() is NET
    manager.setStrictTransportSecurityEnabled(True)
    assert manager.blockingGet(url).errorCode() is OK
    reply = manager.blockingGet(url.replace("https", "http"))
    assert (reply.errorCode(), reply.body) == (OK, b"safe"), reply.errorString()
    assert reply.url().scheme() == "https"
    hosts = manager.strictTransportSecurityHosts()
    assert hosts is not None and hosts.hosts() == ["localhost"]
    server.close()


# -- changes while requests run


def test_running_request_keeps_its_settings(manager: NetworkAccessManager, serve: Serve) -> None:
    last = serve(echo)
    changed = threading.Event()

    def move(connection: Connection) -> None:
        while connection.read_request() is not None:
            manager.setDefaultHeaders({"X-Plugin": "new"})
            manager.setProxy("127.0.0.1:1")
            manager.setRedirectPolicy(REQUEST.RedirectPolicy.ManualRedirectPolicy)
            changed.set()
            connection.respond(b"", "307 Go", f"Location: {last.url}\r\n")

    first = serve(move)
    manager.setDefaultHeaders({"X-Plugin": "old"})
    reply = manager.blockingPost(first.url, b"data")
    assert changed.is_set() and reply.errorCode() is OK and reply.body.endswith(b"data")
    assert b"x-plugin: old" in last.requests[0].lower()
    assert enum_value(manager.blockingGet(last.url).error()) == Q.ProxyConnectionRefusedError


def test_64_threads_change_settings_during_requests(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"ok", headers="Set-Cookie: a=1\r\n"))
    errors: list[object] = []
    stop = threading.Event()

    def change(number: int) -> None:
        chance = random.Random(number)
        ids: list[str] = []
        changes: list[Callable[[], object]] = [
            lambda: manager.setTimeout(chance.randrange(5_000, 20_000)),
            lambda: manager.setUserAgent(f"agent/{number}"),
            lambda: manager.setDefaultHeaders({"X-A": str(number)}),
            lambda: manager.cookieJar().setCookie(server.url, f"c{number}", "1"),
            lambda: manager.cookieJar().clear(),
            lambda: manager.setProxy(chance.choice([None, "none"])),
            lambda: manager.authRegistry().store(AuthConfig.bearer("x"), f"id{number}"),
            lambda: ids.append(manager.setRequestPreprocessor(lambda request: None)),
            lambda: ids and manager.removeRequestPreprocessor(ids.pop()),  # type: ignore[func-returns-value]
            lambda: manager.setRetry(chance.choice([None, 1])),
            manager.clearAccessCache,
            lambda: manager.setStrictTransportSecurityEnabled(chance.random() < 0.5),
        ]
        try:
            while not stop.is_set():
                chance.choice(changes)()
                stop.wait(0.005)
        except BaseException as error:
            errors.append(error)

    def request(number: int) -> None:
        try:
            for _ in range(10):
                reply = manager.blockingGet(server.url, "id1" if number % 4 == 0 else "")
                if reply.body != b"ok":
                    errors.append(reply.errorString())
        except BaseException as error:
            errors.append(error)

    manager.authRegistry().store(AuthConfig.bearer("x"), "id1")
    changers = [threading.Thread(target=change, args=(number,)) for number in range(32)]
    requesters = [threading.Thread(target=request, args=(number,)) for number in range(32)]
    for thread in (*changers, *requesters):
        thread.start()
    for thread in requesters:
        thread.join(90)
    stop.set()
    for thread in changers:
        thread.join(30)
    assert errors == []
    assert not any(thread.is_alive() for thread in (*changers, *requesters))


@pytest.mark.parametrize("streamed", (False, True))
def test_clear_connection_cache_closes_connections(streamed: bool, manager: NetworkAccessManager, serve: Serve) -> None:
    closed = threading.Event()
    server = serve(telling_the_end(echo, closed))
    if streamed:
        with BlockingNetworkRequest(manager).stream(server.url) as chunks:
            assert b"".join(chunks)
    else:
        assert manager.blockingGet(server.url).errorCode() == ErrorCode.NoError
    manager.clearConnectionCache()
    assert closed.wait(10)


def test_getters_return_what_was_set(manager: NetworkAccessManager, tmp_path: Path) -> None:
    def factory(url: QtCore.QUrl) -> None:
        return None

    def handler(url: QtCore.QUrl, target: QtCore.QUrl) -> bool:
        return True

    assert manager.secretParameters() == () and manager.netrc() is False
    assert manager.redirectHandler() is None and manager.proxyFactory() is None
    manager.setSecretParameters(("ticket",))
    manager.setNetrc(tmp_path / "netrc")
    manager.setRedirectHandler(handler)
    manager.setProxyFactory(factory)
    assert manager.secretParameters() == ("ticket",) and manager.netrc() == str(tmp_path / "netrc")
    assert manager.redirectHandler() is handler and manager.proxyFactory() is factory
    request, config = BlockingNetworkRequest(manager), AuthConfig.basic("user", "secret")
    assert request.authConfig() is None
    request.setAuthConfig(config)
    assert request.authConfig() is config


def test_instance_can_be_replaced(serve: Serve) -> None:
    """Outside QGIS, too."""
    server = serve(always(b"hello"))
    before = NetworkAccessManager.instance()
    mine = NetworkAccessManager()
    mine.setUserAgent("mine")
    try:
        NetworkAccessManager.setInstance(mine)
        assert NetworkAccessManager.instance() is mine
        assert BlockingNetworkRequest().get(server.url) is OK
        assert NetworkAccessManager.blockingGet(server.url).text() == "hello"
        NetworkAccessManager.setTimeout(1234)
        assert mine.timeout() == NetworkAccessManager.timeout() == 1234 != before.timeout()
        assert NetworkAccessManager.blockingPost(server.url, b"x").text() == "hello"
        NetworkAccessManager.setInstance(None)
        assert NetworkAccessManager.instance() not in (mine, before)
    finally:
        NetworkAccessManager.setInstance(before)
    assert all(b"user-agent: mine" in request.lower() for request in server.requests)
    for wrong in ("http://x/", object()):
        with pytest.raises(TypeError, match=r"must be a blocking_request\.NetworkAccessManager"):
            NetworkAccessManager.setInstance(wrong)  # type: ignore[arg-type]


def test_preprocessors_of_the_class(serve: Serve) -> None:
    """They are static in QgsNetworkAccessManager."""
    server, seen = serve(always(b"hello")), list[str]()
    before = NetworkAccessManager.instance()
    NetworkAccessManager.setInstance(NetworkAccessManager())
    try:
        first = NetworkAccessManager.setRequestPreprocessor(lambda request: seen.append("request"))
        second = NetworkAccessManager.setReplyPreprocessor(lambda request, reply: seen.append("reply"))
        assert NetworkAccessManager.blockingGet(server.url).text() == "hello"
        NetworkAccessManager.removeRequestPreprocessor(first)
        NetworkAccessManager.removeReplyPreprocessor(second)
        assert NetworkAccessManager.blockingGet(server.url).text() == "hello"
        assert seen == ["request", "reply"]
        with pytest.raises(KeyError):
            NetworkAccessManager.removeRequestPreprocessor(first)
    finally:
        NetworkAccessManager.setInstance(before)


def test_method_of_the_class_and_of_a_manager() -> None:
    manager = NetworkAccessManager()
    NetworkAccessManager.setTimeout(manager, 77)  # type: ignore[arg-type, call-arg]
    assert NetworkAccessManager.timeout(manager) == 77  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        NetworkAccessManager.setTimeout("soon")  # type: ignore[arg-type]


def test_subclass_shares_the_instance() -> None:
    class Mine(NetworkAccessManager):
        pass

    before = NetworkAccessManager.instance()
    try:
        Mine.setInstance(None)
        assert Mine.instance() is NetworkAccessManager.instance()
        mine = Mine()
        Mine.setInstance(mine)
        assert NetworkAccessManager.instance() is mine
    finally:
        NetworkAccessManager.setInstance(before)


class Destroyed:
    """A handler whose destructor uses managers."""

    def __init__(self, manager: NetworkAccessManager) -> None:
        self._manager = manager

    def __call__(self, realm: str, host: str, attempt: int) -> None:
        return None

    def __del__(self) -> None:
        self._manager.setTimeout(1234)
        NetworkAccessManager.instance().timeout()


def test_destructors_that_use_managers() -> None:
    """No lock is held while an object of the program is destroyed."""
    before, other = NetworkAccessManager.instance(), NetworkAccessManager()
    try:
        other.setAuthHandler(Destroyed(other))
        other.setAuthHandler(None)
        assert other.timeout() == 1234
        mine = NetworkAccessManager()
        mine.setAuthHandler(Destroyed(other))
        NetworkAccessManager.setInstance(mine)
        del mine
        NetworkAccessManager.setInstance(None)
    finally:
        NetworkAccessManager.setInstance(before)


def test_settings_of_a_thread_are_seen_at_once() -> None:
    manager = NetworkAccessManager()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            manager.timeout()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for number in range(2_000):
            manager.setTimeout(number)
            assert manager.timeout() == number
    finally:
        stop.set()
        for reader in readers:
            reader.join()


@pytest.mark.parametrize("stub", ["types.ModuleType('qgis.core')", "unittest.mock.MagicMock()"])
def test_stub_of_qgis(stub: str, serve: Serve) -> None:
    """Tests of plugins put such a thing in the place of QGIS."""
    program = f"""
import sys, types, unittest.mock
from blocking_request import BlockingNetworkRequest, NetworkAccessManager
sys.modules["qgis.core"] = {stub}
request = BlockingNetworkRequest()
print(request.get({serve(always(b"ok")).url!r}).name, NetworkAccessManager.timeout())
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.split() == ["NoError", "60000"], run.stderr
