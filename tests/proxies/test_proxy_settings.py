"""Proxies of the settings, the environment and Qt: which one is used, on both engines, with real proxies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, Proxy, TlsSettings
from blocking_request.manager.settings_holder import settings_of
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.models.proxy import NO_PROXY
from blocking_request.proxies.parse import proxy_of
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, has_tls

from ..support.auth_handler import ScriptedAuthHandler
from ..support.names import NET, OK, SERVER, Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import always
from ..support.servers.squid import PASSWORD, USER, has_squid, squid
from ..support.servers.tls import TlsServer
from ..support.servers.unreachable import unused_port

HOST = "somewhere.test"

needs_squid = pytest.mark.skipif(not has_squid(), reason="squid is not installed: apt-get install squid")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    QtNetwork.QNetworkProxyFactory.setUseSystemConfiguration(True)


def outcome(manager: NetworkAccessManager, url: str) -> tuple[ErrorCode, int, str]:
    reply = manager.blockingGet(url)
    return reply.errorCode(), enum_value(reply.error()), reply.errorString()


# -- squid


@pytest.fixture(scope="module")
def squids() -> Iterator[dict[str, int]]:
    if not has_squid():
        yield {}
        return
    with squid("open") as one, squid("basic") as two, squid("refusing") as three:
        yield {"open": one, "basic": two, "refusing": three}


@needs_squid
def test_squid_forwards_requests(squids: dict[str, int], manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"from the server"))
    url = f"http://{HOST}:{server.port}/path"
    manager.setProxy(f"http://127.0.0.1:{squids['open']}")
    for _ in range(2):
        reply = manager.blockingGet(url)
        assert (reply.errorCode(), reply.body) == (OK, b"from the server"), reply.errorString()
    assert "squid" in reply.headers["Via"]
    assert manager.blockingPost(url, b"data").errorCode() is OK
    assert server.requests[-1].endswith(b"\r\n\r\ndata")


@needs_squid
def test_tunnel_through_squid(squids: dict[str, int], engine: str) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert(HOST))
    manager = NetworkAccessManager()
    manager.setEngine(engine if has_tls() else "python")
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    # squid is configured to allow CONNECT to any port
    manager.setProxy(f"http://127.0.0.1:{squids['open']}")
    reply = manager.blockingGet(server.url.replace("127.0.0.1", HOST))
    assert (reply.errorCode(), reply.body) == (OK, b"secret"), reply.errorString()
    manager.setProxy(f"http://{USER}:pass%20word@127.0.0.1:{squids['basic']}")
    reply = manager.blockingGet(server.url.replace("127.0.0.1", HOST))
    assert (reply.errorCode(), reply.body) == (OK, b"secret"), reply.errorString()
    server.close()


@needs_squid
def test_squid_requires_credentials(squids: dict[str, int], manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"from the server"))
    url = f"http://{HOST}:{server.port}/"
    address = f"127.0.0.1:{squids['basic']}"
    manager.setProxy(address)
    code, error, message = outcome(manager, url)
    assert (code, error) == (SERVER, Q.ProxyAuthenticationRequiredError)
    assert message == f"Proxy requires authentication (407, {url})"
    handler = ScriptedAuthHandler((USER, "wrong"), (USER, PASSWORD))
    manager.setAuthHandler(handler)
    assert outcome(manager, url)[0] is OK
    assert handler.questions == [("the proxy's realm", address, 1), ("the proxy's realm", address, 2)]
    assert outcome(manager, url)[0] is OK
    assert len(handler.questions) == 2
    # always wrong credentials
    manager.clearAccessCache()
    handler = ScriptedAuthHandler((USER, "1"), (USER, "2"), (USER, "3"))
    manager.setAuthHandler(handler)
    assert outcome(manager, url)[:2] == (SERVER, Q.ProxyAuthenticationRequiredError)
    assert len(handler.questions) == 3
    assert not any(b"roxy-" in request for request in server.requests)


@needs_squid
def test_squid_requires_credentials_for_a_tunnel(squids: dict[str, int], engine: str) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert(HOST))
    manager = NetworkAccessManager()
    manager.setEngine(engine if has_tls() else "python")
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setProxy(f"127.0.0.1:{squids['basic']}")
    url = server.url.replace("127.0.0.1", HOST)
    assert outcome(manager, url)[:2] == (NET, Q.ProxyAuthenticationRequiredError)
    handler = ScriptedAuthHandler((USER, "wrong"), (USER, PASSWORD))
    manager.setAuthHandler(handler)
    reply = manager.blockingGet(url)
    assert (reply.errorCode(), reply.body) == (OK, b"secret"), reply.errorString()
    assert [question[1:] for question in handler.questions] == [(f"127.0.0.1:{squids['basic']}", n) for n in (1, 2)]
    server.close()


@needs_squid
def test_squid_refuses_requests(squids: dict[str, int], manager: NetworkAccessManager) -> None:
    manager.setProxy(f"127.0.0.1:{squids['refusing']}")
    reply = manager.blockingGet(f"http://{HOST}/")
    assert (reply.errorCode(), reply.statusCode()) == (SERVER, 403)
    if manager.engine() == "python" or has_tls():
        code, error, message = outcome(manager, f"https://{HOST}/")
        assert (code, error) == (NET, Q.UnknownProxyError)
        assert message.startswith("The proxy did not let us through: ")


# -- SOCKS5


def test_socks_with_a_password(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"from the server"))
    guarded = ProxyServer(login=("user", "pass"))
    url = f"http://{HOST}:{server.port}/"
    manager.setProxy(f"socks5://user:pass@127.0.0.1:{guarded.port}")
    reply = manager.blockingGet(url)
    assert (reply.errorCode(), reply.body) == (OK, b"from the server"), reply.errorString()
    # the proxy resolves the name
    assert guarded.asked == [f"socks {HOST}:{server.port}"]
    manager.setProxy(f"socks5://user:wrong@127.0.0.1:{guarded.port}")
    assert outcome(manager, url)[:2] == (NET, Q.ProxyAuthenticationRequiredError)
    manager.setProxy(f"socks5://127.0.0.1:{guarded.port}")
    handler = ScriptedAuthHandler(("user", "pass"))
    manager.setAuthHandler(handler)
    assert outcome(manager, url)[0] is OK
    assert handler.questions == [("", f"127.0.0.1:{guarded.port}", 1)]
    guarded.close()


# -- failures of the proxy and of the server


@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_unreachable_proxy(kind: str, scheme: str, manager: NetworkAccessManager) -> None:
    if scheme == "https" and manager.engine() == "qt" and not has_tls():
        manager.setEngine("python")
    port = unused_port()
    manager.setProxy(Proxy(kind, "127.0.0.1", port, "user", "secret"))
    url = f"{scheme}://{HOST}/"
    names = f"{url}, proxy {kind}://127.0.0.1:{port}"
    assert outcome(manager, url) == (NET, Q.ProxyConnectionRefusedError, f"Proxy connection refused ({names})")
    manager.setProxy(Proxy(kind, "no-such-proxy.invalid", 3128))
    names = f"{url}, proxy {kind}://no-such-proxy.invalid:3128"
    assert outcome(manager, url) == (NET, Q.ProxyNotFoundError, f"Proxy not found ({names})")


def test_unreachable_server_behind_a_proxy(manager: NetworkAccessManager, proxy: ProxyServer) -> None:
    manager.setProxy(f"socks5://127.0.0.1:{proxy.port}")
    url = f"http://{HOST}:{unused_port()}/"
    assert outcome(manager, url) == (NET, Q.ConnectionRefusedError, f"Connection refused ({url})")


@pytest.mark.parametrize("refusal", ["403 Not you", "502 Bad Gateway", "503 Service Unavailable", "404 Not Found"])
def test_proxy_refuses_the_tunnel(refusal: str, engine: str) -> None:
    refusing = ProxyServer(refuse=refusal)
    manager = NetworkAccessManager()
    manager.setEngine(engine if has_tls() else "python")
    manager.setProxy(f"127.0.0.1:{refusing.port}")
    code, error, message = outcome(manager, f"https://{HOST}/")
    assert (code, error) == (NET, Q.UnknownProxyError)
    assert (
        message.startswith("The proxy did not let us through: ")
        and f"(https://{HOST}/, proxy http://127.0.0.1:" in message
    )
    refusing.close()


# -- precedence


def test_proxy_of_the_call_takes_precedence_over_the_manager(
    manager: NetworkAccessManager, proxy: ProxyServer, serve: Serve
) -> None:
    server = serve(always(b"ok"))
    other = ProxyServer()
    manager.setProxy(f"127.0.0.1:{other.port}")
    request = BlockingNetworkRequest(manager)
    request.setProxy(f"127.0.0.1:{proxy.port}")
    assert request.get(f"http://{HOST}:{server.port}/") is OK
    assert (len(proxy.asked), len(other.asked)) == (1, 0)
    request.setProxy("none")
    assert request.get(server.url) is OK
    request.setProxy(None)
    # an explicit proxy is used for loopback addresses, too
    assert request.get(server.url) is OK
    assert (len(proxy.asked), len(other.asked)) == (1, 1)
    other.close()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_proxy_of_the_environment(
    name: str, manager: NetworkAccessManager, proxy: ProxyServer, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(always(b"ok"))
    monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    url = f"http://{HOST}:{server.port}/"
    assert outcome(manager, url)[0] is OK
    assert proxy.asked == [url]
    # loopback addresses are reached without it
    assert outcome(manager, server.url)[0] is OK
    assert len(proxy.asked) == 1
    # the application's proxy takes precedence
    QtNetwork.QNetworkProxy.setApplicationProxy(QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.NoProxy))
    assert outcome(manager, url)[1] == Q.HostNotFoundError
    assert len(proxy.asked) == 1


def test_https_proxy_of_the_environment(manager: NetworkAccessManager, proxy: ProxyServer, monkeypatch: Any) -> None:
    if manager.engine() == "qt" and not has_tls():
        manager.setEngine("python")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    assert outcome(manager, f"https://{HOST}/")[1] == Q.HostNotFoundError
    assert proxy.asked == []
    refusing = ProxyServer(refuse="403 Not you")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{refusing.port}")
    assert outcome(manager, f"https://{HOST}/")[1] == Q.UnknownProxyError
    assert refusing.asked == [f"CONNECT {HOST}:443"]
    refusing.close()


@pytest.mark.parametrize(
    ("no_proxy", "host", "taken"),
    [
        ("somewhere.test", "somewhere.test", False),
        ("test", "somewhere.test", False),
        (".test", "somewhere.test", False),
        ("other.test", "somewhere.test", True),
        ("a.test,somewhere.test", "somewhere.test", False),
        ("*", "somewhere.test", False),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/16", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", False),
    ],
)
def test_no_proxy_variable(
    no_proxy: str, host: str, taken: bool, proxy: ProxyServer, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blocking_request.proxies.rules import proxy_of_environment

    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", no_proxy)
    found = proxy_of_environment(f"http://{host}:8000/")
    assert found == (Proxy("http", "127.0.0.1", proxy.port) if taken else Proxy("none"))


def test_invalid_proxy_of_the_environment(manager: NetworkAccessManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "ftp://user:secret@proxy:1")
    code, error, message = outcome(manager, f"http://{HOST}/")
    assert (code, error) == (NET, Q.UnknownProxyError)
    assert message.startswith("The proxy that the environment names cannot be used: a proxy is spoken to by http://")
    assert "secret" not in message


def test_prefixes_of_qgis_keep_their_case(manager: NetworkAccessManager) -> None:
    manager.setFallbackProxyAndExcludes(None, [], [" HTTP://Somewhere/X "])
    assert manager.noProxyList() == ["HTTP://Somewhere/X"]
    assert settings_of(manager).proxies.find("http://somewhere/x/y") is NO_PROXY


def test_exclude_and_no_proxy_lists_of_qgis(manager: NetworkAccessManager, proxy: ProxyServer, serve: Serve) -> None:
    server = serve(always(b"ok"))
    url = f"http://{HOST}:{server.port}"
    manager.setFallbackProxyAndExcludes(
        f"127.0.0.1:{proxy.port}", [f"{url}/Excluded", ""], [f"{server.url}/without", " "]
    )
    assert manager.excludeList() == [f"{url}/Excluded"] and manager.noProxyList() == [f"{server.url}/without"]
    assert manager.fallbackProxy() == manager.proxy()
    assert outcome(manager, f"{url}/other")[0] is OK
    assert outcome(manager, f"{server.url}/without/this")[0] is OK
    assert outcome(manager, f"{url}/EXCLUDED/too")[1] == Q.HostNotFoundError
    assert proxy.asked == [f"{url}/other"]


def test_proxy_factory(manager: NetworkAccessManager, proxy: ProxyServer, serve: Serve) -> None:
    import threading

    server = serve(always(b"ok"))
    asked: list[tuple[str, int]] = []

    def choose(url: QtCore.QUrl) -> Any:
        asked.append((url.path(), threading.get_ident()))
        return f"127.0.0.1:{proxy.port}" if url.path() == "/there" else None

    manager.setProxyFactory(choose)
    assert outcome(manager, f"http://{HOST}:{server.port}/there")[0] is OK
    assert outcome(manager, f"{server.url}/here")[0] is OK
    here = threading.get_ident()
    assert asked == [("/there", here), ("/here", here)] and len(proxy.asked) == 1

    class Factory(QtNetwork.QNetworkProxyFactory):
        def queryProxy(self, query: Any = None) -> list[QtNetwork.QNetworkProxy]:
            return [QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.HttpProxy, "127.0.0.1", proxy.port)]

    manager.setProxyFactory(Factory())
    assert outcome(manager, f"{server.url}/here")[0] is OK
    assert len(proxy.asked) == 2
    manager.setProxyFactory(None)
    assert outcome(manager, f"{server.url}/here")[0] is OK
    assert len(proxy.asked) == 2


# -- proxies as text and as values


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("none", Proxy("none")),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("http://proxy", Proxy("http", "proxy", 8080)),
        ("http://u%20s:p%40w@proxy:1/", Proxy("http", "proxy", 1, "u s", "p@w")),
        ("socks5h://[::1]:9", Proxy("socks5", "::1", 9)),
        (Proxy("socks5", "p", 1), Proxy("socks5", "p", 1)),
        (QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.DefaultProxy), None),
        (QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.NoProxy), Proxy("none")),
        (
            QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.Socks5Proxy, "p", 0, "u", "w"),
            Proxy("socks5", "p", 1080, "u", "w"),
        ),
    ],
)
def test_valid_proxies(given: Any, expected: Any) -> None:
    manager = NetworkAccessManager()
    manager.setProxy(given)
    assert manager.proxy() == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "http://",
        "ftp://proxy:1",
        "socks6://proxy:1",
        "http://proxy:99999",
        "a b:1",
        "http://a..b:1",
        "http://user:12#34@127.0.0.1:3128",
        "http://user:12?34@127.0.0.1:3128",
        "http://user:12/34@127.0.0.1:3128",
        "http://proxy:3128/path",
        "http://proxy:3128?query",
        "proxy:3128#",
        "http:/proxy:3128",
        "http:proxy:3128",
    ],
)
def test_invalid_proxies(given: str) -> None:
    with pytest.raises(ValueError, match="a proxy"):
        NetworkAccessManager().setProxy(given)


def test_wrong_types() -> None:
    with pytest.raises(TypeError, match="a proxy is a Proxy, a QNetworkProxy, a URL as str or None, not int"):
        NetworkAccessManager().setProxy(3128)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a proxy factory is a callable"):
        NetworkAccessManager().setProxyFactory("proxy")
    with pytest.raises(TypeError, match="give a list of URLs"):
        NetworkAccessManager().setFallbackProxyAndExcludes(None, "http://a/")
    with pytest.raises(TypeError, match="give a list of URLs as str"):
        NetworkAccessManager().setFallbackProxyAndExcludes(None, [5])  # type: ignore[list-item]


def test_repr_hides_the_password() -> None:
    assert "secret" not in repr(Proxy("http", "proxy", 1, "user", "secret"))


@pytest.mark.parametrize(
    "text", ["proxy:99999", "http://proxy:0", "proxy:0", "http://proxy:port", "user:s3cret", "user:s3/cret@h:80"]
)
def test_invalid_port(text: str) -> None:
    """The text is not shown: the part behind the colon may be a password."""
    with pytest.raises(ValueError, match="the port of this one is no number from 1 to 65535") as raised:
        proxy_of(text)
    assert "s3" not in str(raised.value) and raised.value.__context__ is None


def test_name_of_a_proxy_outside_ascii() -> None:
    proxy = proxy_of("http://straße.example:3128/")
    assert proxy is not None and proxy.host == "xn--strae-oqa.example"


@pytest.mark.parametrize("text", ["proxy.example", "user:s3cret@proxy.example", "s3cret@proxy.example"])
def test_proxy_without_a_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"'proxy\.example' names no port") as raised:
        proxy_of(text)
    assert "s3cret" not in str(raised.value)
