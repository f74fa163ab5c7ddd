"""Whole requests through the kinds of proxies that the python engine alone can use: HTTPS and SOCKS4a."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, Certificate, ErrorCode, NetworkAccessManager, TlsError, TlsSettings
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.qt.binding import enum_value

from ...support.names import NET, OK, Serve
from ...support.servers.proxy import ProxyServer
from ...support.servers.raw import Connection, RawServer, always, silence
from ...support.servers.relay import relay_to
from ...support.servers.tls import TlsServer
from ...support.servers.unreachable import unused_port

HOST = "somewhere.test"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def client(authority: trustme.CA) -> BlockingNetworkRequest:
    """A request on the engine that "auto" chooses."""
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    request.setTimeout(10_000)
    return request


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    server = ProxyServer()
    yield server
    server.close()


@pytest.fixture
def https_proxy(proxy: ProxyServer, authority: trustme.CA) -> Iterator[TlsServer]:
    """TLS before ``proxy``."""
    server = TlsServer(authority.issue_cert("127.0.0.1"), relay_to(proxy.port))
    yield server
    server.close()


@pytest.fixture
def https_server(authority: trustme.CA) -> Iterator[TlsServer]:
    server = TlsServer(authority.issue_cert(HOST))
    yield server
    server.close()


def get(request: BlockingNetworkRequest, server: RawServer) -> bytes:
    """GET the server by a name that only the proxy can resolve; return the body."""
    assert request.get(server.url.replace("127.0.0.1", HOST)) is OK, request.errorMessage()
    assert request.reply().engine() == "python"
    return request.reply().body


def test_https_proxy(
    client: BlockingNetworkRequest, proxy: ProxyServer, https_proxy: TlsServer, https_server: TlsServer, serve: Serve
) -> None:
    """It forwards http URLs and tunnels TLS within TLS to the server."""
    server = serve(always(b"plain"))
    client.setProxy(f"https://user:pass@127.0.0.1:{https_proxy.port}")
    assert get(client, server) == b"plain"
    assert get(client, https_server) == b"secret"
    assert proxy.asked == [f"http://{HOST}:{server.port}/", f"CONNECT {HOST}:{https_server.port}"]
    assert proxy.authorizations == ["Basic dXNlcjpwYXNz"] * 2
    assert https_proxy.handshakes == 2
    assert b"Proxy-Authorization" not in b"".join([*server.requests, *https_server.requests])


def test_untrusted_https_proxy(https_proxy: TlsServer, proxy: ProxyServer) -> None:
    request = BlockingNetworkRequest()
    request.setTimeout(10_000)
    request.setProxy(f"https://127.0.0.1:{https_proxy.port}")
    assert request.get(f"http://{HOST}/") is NET
    assert request.errorMessage().startswith("SSL handshake with the proxy failed: the issuer ")
    assert proxy.asked == []


def test_https_proxy_without_tls(client: BlockingNetworkRequest, serve: Serve) -> None:
    def refuse(connection: Connection) -> None:
        connection.sock.recv(1 << 16)
        connection.respond(b"", "400 Bad Request")

    client.setProxy(f"https://127.0.0.1:{serve(refuse).port}")
    assert client.get(f"http://{HOST}/") is NET
    assert "SSL handshake with the proxy failed: the server does not speak TLS there" in client.errorMessage()


@pytest.mark.parametrize("user", ["", "user"])
def test_socks4a_proxy(user: str, client: BlockingNetworkRequest, https_server: TlsServer, serve: Serve) -> None:
    server, proxy = serve(always(b"plain")), ProxyServer(login=(user, ""))
    start = f"{user}@" if user else ""
    client.setProxy(f"socks4a://{start}127.0.0.1:{proxy.port}")
    assert get(client, server) == b"plain"
    assert get(client, https_server) == b"secret"
    assert client.get(server.url) is OK
    assert proxy.asked == [
        f"socks4 {start}{HOST}:{server.port}",
        f"socks4 {start}{HOST}:{https_server.port}",
        f"socks4 {start}127.0.0.1:{server.port}",
    ]
    proxy.close()


def test_socks4a_proxy_refuses_the_user(client: BlockingNetworkRequest) -> None:
    proxy = ProxyServer(login=("user", ""))
    client.setProxy(f"socks4a://other@127.0.0.1:{proxy.port}")
    assert client.get(f"http://{HOST}/") is NET
    assert enum_value(client.reply().error()) == Q.UnknownProxyError
    assert client.errorMessage().startswith("The proxy did not let us through: ")
    proxy.close()


@pytest.mark.parametrize("kind", ["https", "socks4", "socks5"])
def test_unreachable_proxy(kind: str, client: BlockingNetworkRequest) -> None:
    proxy = f"{kind}://127.0.0.1:{unused_port()}"
    client.setProxy(proxy)
    assert client.get(f"http://{HOST}/") is NET
    assert client.errorMessage() == f"Proxy connection refused (http://{HOST}/, proxy {proxy})"


@pytest.mark.parametrize("kind", ["http", "https", "socks4", "socks5"])
def test_silent_proxy(kind: str, client: BlockingNetworkRequest, serve: Serve) -> None:
    client.setEngine("python")
    client.setTimeout(300)
    client.setProxy(f"{kind}://127.0.0.1:{serve(silence).port}")
    assert client.get(f"https://{HOST}/") is ErrorCode.TimeoutError


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_https_proxy_with_a_certificate_for_another_host(
    scheme: str, authority: trustme.CA, proxy: ProxyServer
) -> None:
    """The handler is for certificates of servers and must not be asked about a proxy."""
    impostor = TlsServer(authority.issue_cert("other.test"), relay_to(proxy.port))
    asked: list[list[TlsError]] = []

    def accept(errors: list[TlsError], certificates: list[Certificate]) -> list[TlsError]:
        asked.append(errors)
        return errors

    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setSslErrorHandler(accept)
    client = BlockingNetworkRequest(manager)
    client.setProxy(f"https://127.0.0.1:{impostor.port}")
    assert client.get(f"{scheme}://{HOST}/") is NET
    text = "SSL handshake with the proxy failed: the certificate is for other.test, not for 127.0.0.1"
    assert client.errorMessage() == f"{text} ({scheme}://{HOST}/)"
    assert enum_value(client.reply().error()) == Q.SslHandshakeFailedError
    assert client.reply().peerCertificate() is None and client.reply().sslErrors() == ()
    assert asked == [] and proxy.asked == []
    impostor.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_https_proxy_closes_in_the_handshake(scheme: str, client: BlockingNetworkRequest, serve: Serve) -> None:
    def close(connection: Connection) -> None:
        connection.sock.recv(100)

    proxy = f"https://127.0.0.1:{serve(close).port}"
    client.setProxy(proxy)
    assert client.get(f"{scheme}://{HOST}/") is NET
    assert client.errorMessage() == f"Proxy connection closed prematurely ({scheme}://{HOST}/, proxy {proxy})"


def test_unusable_trust_for_an_https_proxy(https_proxy: TlsServer) -> None:
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=b"no certificate"))
    request = BlockingNetworkRequest(manager)
    request.setProxy(f"https://127.0.0.1:{https_proxy.port}")
    assert request.get(f"http://{HOST}/") is NET
    assert "Internal error" not in request.errorMessage(), request.errorMessage()
    assert request.errorMessage().startswith("SSL handshake failed: ")
