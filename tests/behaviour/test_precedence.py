"""The table of ``docs/reference/precedence.rst``: one test for each row, from the lowest precedence to the highest."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import trustme
from urllib3.util import Retry

from blocking_request import AuthConfig, BlockingNetworkRequest, NetworkAccessManager, NetworkMemoryCache, TlsSettings
from blocking_request._version import VERSION
from blocking_request.qt.binding import QtCore, QtNetwork, has_tls
from blocking_request.testing import FakeReplies

from ..support.names import NET, OK, REQUEST, ROOT, TIMEOUT, Attribute, Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import always, asking, echo
from ..support.servers.tls import TlsServer

PAGE = ROOT / "docs" / "reference" / "precedence.rst"


def test_every_row_has_a_test() -> None:
    rows = re.findall(r"^   \* - (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)[1:]
    assert len(rows) == 14
    assert [row for row in rows if f"test_{row.lower().replace(' ', '_')}" not in globals()] == []


def qt_request(url: str, **fields: str) -> QtNetwork.QNetworkRequest:
    request = REQUEST(QtCore.QUrl(url))
    for name, value in fields.items():
        request.setRawHeader(name.replace("_", "-").encode(), value.encode())
    return request


def field_sent(blocking: BlockingNetworkRequest, name: str) -> str:
    """The value of a field that reached a server that echoes, or ""."""
    found = re.search(rf"^{name}: (.*?)\r$", blocking.reply().text(), re.MULTILINE | re.IGNORECASE)
    return "" if found is None else found[1]


def test_header_fields(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(echo).url
    blocking = BlockingNetworkRequest(manager)
    assert blocking.get(url) is OK and field_sent(blocking, "Accept-Encoding") != ""
    manager.setDefaultHeaders({"Accept-Encoding": "identity", "X-Manager": "yes"})
    assert blocking.get(url) is OK and field_sent(blocking, "Accept-Encoding") == "identity"
    own = qt_request(url, Accept_Encoding="gzip")
    assert blocking.get(own) is OK and field_sent(blocking, "Accept-Encoding") == "gzip"
    assert field_sent(blocking, "X-Manager") == "yes"
    assert blocking.get(own, headers={"Accept-Encoding": "br"}) is OK
    assert field_sent(blocking, "Accept-Encoding") == "br"
    assert blocking.get(own, headers={"X-Manager": None}) is OK and field_sent(blocking, "X-Manager") == ""


def test_user_agent(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(echo).url
    blocking = BlockingNetworkRequest(manager)

    def sent(target: Any, **arguments: Any) -> str:
        assert blocking.get(target, **arguments) is OK
        return field_sent(blocking, "User-Agent")

    assert sent(url) == f"blocking-request/{VERSION}"
    manager.setUserAgent("manager")
    assert sent(url) == "manager"
    manager.setDefaultHeaders({"User-Agent": "default header"})
    assert sent(url) == "default header"
    assert sent(qt_request(url, User_Agent="request")) == "request"
    assert sent(qt_request(url, User_Agent="request"), headers={"User-Agent": "call"}) == "call"


def test_query_parameters(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    url = serve(echo).url
    assert blocking.get(f"{url}/?a=1", params={"a": "2", "b": "3"}) is OK
    assert blocking.reply().text().startswith("GET /?a=1&a=2&b=3 HTTP/1.1\r\n")


def test_idle_timeout(fake: FakeReplies) -> None:
    """In virtual time. The tests of timeouts measure the true ones."""
    manager = NetworkAccessManager()
    blocking, url = BlockingNetworkRequest(manager), "http://h/"
    fake.get(url, delay=math.inf)
    assert NetworkAccessManager().timeout() == BlockingNetworkRequest(NetworkAccessManager()).timeout() == 60_000

    def milliseconds(target: Any, **arguments: Any) -> float:
        assert blocking.get(target, **arguments) is TIMEOUT
        return round(blocking.reply().elapsed() * 1000, 3)

    assert milliseconds(url) == 60_000
    manager.setTimeout(1_000)
    assert milliseconds(url) == 1_000
    blocking.setTimeout(50)
    assert milliseconds(url) == 50
    own = qt_request(url)
    assert milliseconds(own) == 50  # its transfer timeout is 0, which means that none is set
    own.setTransferTimeout(1_000)
    assert milliseconds(own) == 1_000
    assert milliseconds(own, timeout=50) == 50


def test_deadline(fake: FakeReplies) -> None:
    manager = NetworkAccessManager()
    blocking, url = BlockingNetworkRequest(manager), "http://h/"
    fake.get(url, delay=math.inf)
    assert manager.deadline() == blocking.deadline() == 0
    manager.setDeadline(50)
    assert blocking.deadline() == 50
    assert blocking.get(url) is TIMEOUT and blocking.reply().elapsed() == pytest.approx(0.05)
    blocking.setDeadline(300)
    assert blocking.get(url) is TIMEOUT and blocking.reply().elapsed() == pytest.approx(0.3)


def test_engine(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(always(b"ok"))
    manager = NetworkAccessManager()
    blocking = BlockingNetworkRequest(manager)

    def used() -> str:
        assert blocking.get(server.url) is OK
        return blocking.reply().engine()

    monkeypatch.delenv("BLOCKING_REQUEST_ENGINE", raising=False)
    assert blocking.engine() == "auto" and used() == "qt"
    monkeypatch.setenv("BLOCKING_REQUEST_ENGINE", "python")
    assert used() == "python"
    manager.setEngine("qt")
    assert used() == "qt"
    blocking.setEngine("python")
    assert used() == "python"


def test_proxy(manager: NetworkAccessManager, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a proxy can resolve the host."""
    url = f"http://server.invalid:{serve(always(b'ok')).port}/"
    proxies = {name: ProxyServer() for name in ("environment", "application", "manager", "factory", "request")}
    blocking = BlockingNetworkRequest(manager)

    def used() -> list[str]:
        before = {name: len(proxy.asked) for name, proxy in proxies.items()}
        assert blocking.get(url) is OK, blocking.errorMessage()
        return [name for name, proxy in proxies.items() if len(proxy.asked) > before[name]]

    def address(name: str) -> str:
        return f"http://127.0.0.1:{proxies[name].port}"

    assert blocking.get(url) is NET
    monkeypatch.setenv("http_proxy", address("environment"))
    assert used() == ["environment"]
    kind = QtNetwork.QNetworkProxy.ProxyType.HttpProxy
    factory = QtNetwork.QNetworkProxyFactory
    try:
        QtNetwork.QNetworkProxy.setApplicationProxy(
            QtNetwork.QNetworkProxy(kind, "127.0.0.1", proxies["application"].port)
        )
        assert used() == ["application"]
    finally:
        factory.setApplicationProxyFactory(None)
        factory.setUseSystemConfiguration(True)
    manager.setProxy(address("manager"))
    assert used() == ["manager"]
    manager.setProxyFactory(lambda _: address("factory"))
    assert used() == ["factory"]
    blocking.setProxy(address("request"))
    assert used() == ["request"]
    for proxy in proxies.values():
        proxy.close()


def test_retries(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"", "503 Later"))
    blocking = BlockingNetworkRequest(manager)

    def attempts() -> int:
        blocking.get(server.url)
        return blocking.reply().attempts()

    def rule(count: int) -> Retry:
        return Retry(count, status_forcelist=[503], backoff_factor=0)

    assert attempts() == 1
    manager.setRetry(rule(2))
    assert attempts() == 3
    blocking.setRetry(rule(1))
    assert attempts() == 2
    blocking.setRetry(None)
    assert attempts() == 1


def test_credentials(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    """Credentials of a handler are cached, so the handler comes first."""
    asks = serve(asking('Basic realm="x"'))
    url = serve(echo).url
    with_user = url.replace("//", "//url:x@")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login netrc password x")
    blocking = BlockingNetworkRequest(manager)

    def user(target: Any, **arguments: Any) -> str:
        assert blocking.get(target, **arguments) is OK
        value = field_sent(blocking, "Authorization")
        names = {AuthConfig.basic(name, "x"): name for name in ("url", "netrc", "id", "config")}
        for config, name in names.items():
            if value == f"Basic {_base64(config)}":
                return name
        return value

    assert user(url) == ""
    manager.setAuthHandler(lambda realm, host, attempt: ("handler", "x"))
    assert blocking.get(asks.url) is OK and asks.requests[-1].count(b"Authorization: Basic aGFuZGxlcjp4") == 1
    manager.setNetrc(str(netrc))
    assert user(url) == "netrc"
    assert blocking.get(asks.url) is OK and b"Basic bmV0cmM6eA==" in asks.requests[-1]
    assert user(with_user) == "url"
    blocking.setAuthCfg(manager.authRegistry().store(AuthConfig.basic("id", "x")))
    assert user(with_user) == "id"
    blocking.setAuthConfig(AuthConfig.basic("config", "x"))
    assert user(with_user) == "config"
    assert user(qt_request(url, Authorization="request")) == "request"
    assert user(qt_request(url, Authorization="request"), headers={"Authorization": "call"}) == "call"


def _base64(config: AuthConfig) -> str:
    from base64 import b64encode

    return b64encode(f"{config.user}:{config.secret}".encode()).decode()


def test_cookies(manager: NetworkAccessManager, serve: Serve) -> None:
    url = serve(echo).url
    blocking = BlockingNetworkRequest(manager)

    def sent(target: Any, **arguments: Any) -> str:
        assert blocking.get(target, **arguments) is OK
        return field_sent(blocking, "Cookie")

    assert sent(url) == ""
    manager.cookieJar().setCookie(url, "from", "jar")
    assert sent(url) == "from=jar"
    assert sent(qt_request(url, Cookie="from=request")) == "from=request"
    assert sent(qt_request(url, Cookie="from=request"), headers={"Cookie": "from=call"}) == "from=call"


def test_redirect_policy(manager: NetworkAccessManager, serve: Serve) -> None:
    target = serve(always(b"here"))
    url = serve(always(b"", "302 Found", f"Location: {target.url}\r\n")).url
    policy = REQUEST.RedirectPolicy
    assert manager.blockingGet(url).statusCode() == 200
    manager.setRedirectPolicy(policy.ManualRedirectPolicy)
    assert manager.blockingGet(url).statusCode() == 302
    own = qt_request(url)
    own.setAttribute(Attribute.RedirectPolicyAttribute, policy.NoLessSafeRedirectPolicy)
    assert manager.blockingGet(own).statusCode() == 200


def test_redirect_limit(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"", "302 Found", "Location: /again\r\n"))
    error = QtNetwork.QNetworkReply.NetworkError.TooManyRedirectsError
    assert manager.blockingGet(server.url).error() == error and len(server.requests) == 51
    own = qt_request(server.url)
    own.setMaximumRedirectsAllowed(2)
    assert manager.blockingGet(own).error() == error and len(server.requests) == 51 + 3


def test_cache_use(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"kept", headers="Cache-Control: max-age=60\r\n"))
    manager.setCache(NetworkMemoryCache())
    own = qt_request(server.url)
    own.setAttribute(Attribute.CacheLoadControlAttribute, REQUEST.CacheLoadControl.AlwaysCache)
    assert manager.blockingGet(own).errorCode() is NET
    assert not manager.blockingGet(server.url).isFromCache() and manager.blockingGet(server.url).isFromCache()
    own.setAttribute(Attribute.CacheLoadControlAttribute, REQUEST.CacheLoadControl.AlwaysNetwork)
    assert not manager.blockingGet(own).isFromCache()
    own.setAttribute(Attribute.CacheLoadControlAttribute, REQUEST.CacheLoadControl.AlwaysCache)
    assert not manager.blockingGet(own, forceRefresh=True).isFromCache()


@pytest.mark.skipif(not has_tls(), reason="this Qt has no TLS, so no QSslConfiguration")
def test_tls(manager: NetworkAccessManager) -> None:
    authority, unknown = trustme.CA(), trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    configuration_class = QtNetwork.QSslConfiguration
    before = configuration_class.defaultConfiguration()

    def trusting(ca: trustme.CA) -> QtNetwork.QSslConfiguration:
        made = configuration_class(before)
        made.setCaCertificates(QtNetwork.QSslCertificate.fromData(ca.cert_pem.bytes()))
        return made

    def code(target: Any) -> Any:
        return manager.blockingGet(target).errorCode()

    try:
        assert code(server.url) is NET
        configuration_class.setDefaultConfiguration(trusting(authority))
        assert code(server.url) is OK
        manager.setTlsSettings(TlsSettings(caData=unknown.cert_pem.bytes()))
        assert code(server.url) is NET
        configuration_class.setDefaultConfiguration(before)
        # It is equal to the default one that was refused above: the requests must not share a route.
        own = qt_request(server.url)
        own.setSslConfiguration(trusting(authority))
        assert code(own) is OK, manager.blockingGet(own).errorString()
    finally:
        configuration_class.setDefaultConfiguration(before)
        server.close()
