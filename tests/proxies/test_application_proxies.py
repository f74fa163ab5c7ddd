"""The proxies that the application has set for Qt are used by each engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Callable

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import QtNetwork, enum_value, has_tls

from ..support.names import NET, OK, Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import always
from ..support.servers.tls import TlsServer

Proxy = QtNetwork.QNetworkProxy
# Qt goes to loopback without the application's proxy; any other name is 127.0.0.1 to the proxies here.
HOST = "somewhere.invalid"


@pytest.fixture
def set_application_proxy() -> Iterator[Callable[..., None]]:
    """Set the application's proxy for the test."""

    def set_proxy(kind: Proxy.ProxyType, port: int, user: str = "", password: str = "") -> None:
        Proxy.setApplicationProxy(Proxy(kind, "127.0.0.1", port, user, password))

    yield set_proxy
    QtNetwork.QNetworkProxyFactory.setUseSystemConfiguration(True)
    NetworkAccessManager.instance().shutdown()


def with_host_name(url: str) -> str:
    return url.replace("127.0.0.1", HOST)


def test_http_proxy_forwards_requests(
    set_application_proxy: Callable[..., None], proxy: ProxyServer, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(always(b"from the server"))
    set_application_proxy(Proxy.ProxyType.HttpProxy, proxy.port, "user", "päss")
    url = with_host_name(f"{server.url}/path?a=b#fragment")
    for _ in range(2):
        assert blocking.get(url) is OK, blocking.errorMessage()
        assert blocking.reply().body == b"from the server"
    assert blocking.post(url, b"data") is OK
    assert proxy.asked == [with_host_name(f"{server.url}/path?a=b")] * 3
    assert server.requests[2].endswith(b"\r\n\r\ndata")
    assert b"uthorization" not in server.requests[2]
    # the next request, without a proxy, is sent directly
    set_application_proxy(Proxy.ProxyType.NoProxy, 0)
    assert blocking.get(server.url) is OK
    assert len(proxy.asked) == 3


@pytest.mark.parametrize("kind", ["HttpProxy", "Socks5Proxy"])
def test_tunnel_through_http_and_socks_proxies(
    kind: str, set_application_proxy: Callable[..., None], proxy: ProxyServer, engine: str
) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert(HOST))
    other = TlsServer(authority.issue_cert("another.invalid"))
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    blocking = BlockingNetworkRequest(manager)
    blocking.setEngine(engine if has_tls() else "python")
    set_application_proxy(getattr(Proxy.ProxyType, kind), proxy.port)
    for _ in range(2):
        assert blocking.get(with_host_name(server.url)) is OK, blocking.errorMessage()
        assert blocking.reply().body == b"secret"
    assert proxy.asked == [f"{'socks' if kind == 'Socks5Proxy' else 'CONNECT'} {HOST}:{server.port}"]
    # the probe for certificate errors uses the proxy, too
    assert blocking.get(with_host_name(other.url)) is NET
    assert "the certificate is for another.invalid, not for somewhere.invalid" in blocking.errorMessage()
    server.close()
    other.close()


def test_proxy_connection_refused(set_application_proxy: Callable[..., None], blocking: BlockingNetworkRequest) -> None:
    set_application_proxy(Proxy.ProxyType.HttpProxy, 1)
    assert blocking.get(f"http://{HOST}/") is NET
    if blocking.reply().engine() == "python":
        assert enum_value(blocking.reply().error()) == Q.ProxyConnectionRefusedError
        assert blocking.errorMessage() == f"Proxy connection refused (http://{HOST}/, proxy http://127.0.0.1:1)"


def test_proxy_refuses_the_tunnel(set_application_proxy: Callable[..., None]) -> None:
    refusing = ProxyServer(refuse="403 Not you")
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    set_application_proxy(Proxy.ProxyType.HttpProxy, refusing.port)
    assert blocking.get(f"https://{HOST}/") is NET
    assert enum_value(blocking.reply().error()) == Q.UnknownProxyError
    assert "The proxy did not let us through: 403 Not you" in blocking.errorMessage()
    refusing.close()


def test_many_threads(
    set_application_proxy: Callable[..., None], proxy: ProxyServer, engine: str, serve: Serve
) -> None:
    server = serve(always(b"from the server"))
    set_application_proxy(Proxy.ProxyType.HttpProxy, proxy.port)
    bodies: list[bytes] = []

    def work() -> None:
        blocking = BlockingNetworkRequest()
        for _ in range(10):
            blocking.get(with_host_name(server.url))
            bodies.append(blocking.reply().body)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert bodies == [b"from the server"] * 120
