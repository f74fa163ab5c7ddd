"""Unusual URLs of the caller and of redirects, and the request that reaches the server, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkMemoryCache
from blocking_request.qt.binding import QT_VERSION, QtCore

from ..support.names import NET, OK, REQUEST, SERVER, TLS_ENGINES, Serve
from ..support.servers.proxy import ProxyServer
from ..support.servers.raw import Connection, Handler, RawServer, always, once


def redirecting(*locations: bytes) -> Handler:
    """Return a handler that redirects /start."""
    fields = b"".join(b"Location: %b\r\n" % location for location in locations)

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /start " in request:
                connection.send(b"HTTP/1.1 302 Found\r\nContent-Length: 5\r\n%b\r\nmoved" % fields)
            else:
                connection.respond(b"ok")

    return handle


def targets(server: RawServer) -> list[str]:
    return [request.split(b" ", 2)[1].decode("latin-1") for request in server.requests]


PATHS = {
    "/a/../b": "/b",
    "/a/%2e%2e/b": "/b",
    "/foo/bar/..": "/foo/",
    "/100%/a%20b": "/100%/a%20b",
    "/%": "/%",
    "/%e4": "/%E4",
    "/ö": "/%C3%B6",
    "/a b?c d": "/a%20b?c%20d",
    "/a|b": "/a%7Cb",
    "//a/b": "//a/b",
    "///x": "///x",
}


def expected_target(engine: str, path: str) -> str:
    """Return the target that an engine sends; '' if it refuses the URL."""
    if engine == "qt":
        if path.startswith("//") and QT_VERSION < (6,):
            return ""
        return {"/100%/a%20b": "/100%25/a%20b", "/%": "/%25"}.get(path, PATHS[path])
    return PATHS[path]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("source", ["caller", "redirect"])
def test_path(path: str, source: str, blocking: BlockingNetworkRequest, engine: str, serve: Serve) -> None:
    server = serve(redirecting(path.encode()))
    expected = expected_target(engine, path)
    if source == "redirect":
        if path.startswith("//"):
            server.close()
            server = serve(always(b"ok"))
            start = serve(redirecting(f"{server.url}{path}".encode()))
            code = blocking.get(f"{start.url}/start")
        else:
            code = blocking.get(f"{server.url}/start")
        sent = [target for target in targets(server) if target != "/start"]
    else:
        code = blocking.get(f"{server.url}{path}")
        sent = targets(server)
    assert sent == ([expected] if expected else []), blocking.errorMessage()
    assert code is (OK if expected else NET)
    if not expected:
        assert "setEngine('python')" in blocking.errorMessage()


@pytest.mark.parametrize("path", ["/100%/a%20b", "//a/b"])
def test_auto_engine_sends_paths_unchanged(path: str, serve: Serve) -> None:
    server, blocking = serve(always(b"ok")), BlockingNetworkRequest()
    assert blocking.get(f"{server.url}{path}") is OK
    assert targets(server) == [path]
    has_python = "%" in path or QT_VERSION < (6,)
    assert blocking.reply().engine() == ("python" if has_python else "qt")
    assert blocking.reply().url().isValid()


def test_params_after_a_stray_percent(blocking: BlockingNetworkRequest, engine: str, serve: Serve) -> None:
    server = serve(always(b"ok"))
    assert blocking.get(f" {server.url}/100%/a%20b#x ", params={"q": "1%"}) is OK
    assert targets(server) == ["/100%25/a%20b?q=1%25" if engine == "qt" else "/100%/a%20b?q=1%25"]


@pytest.mark.parametrize("location", [b"", b"  "])
def test_empty_location_is_not_followed(location: bytes, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting(location))
    assert blocking.post(f"{server.url}/start", b"data") is OK
    assert (blocking.reply().statusCode(), blocking.reply().body) == (302, b"moved")
    assert len(server.requests) == 1


def test_repeated_location(blocking: BlockingNetworkRequest, engine: str, serve: Serve) -> None:
    server = serve(redirecting(b"/ok", b"/ok"))
    assert blocking.get(f"{server.url}/start") is OK
    assert targets(server) == ["/start", "/ok"]
    server = serve(redirecting(b"/ok", b"/other"))
    code = blocking.get(f"{server.url}/start")
    if engine == "qt":
        # A known limitation (docs/limits.rst): Qt gives the last one only.
        assert (code, targets(server)) == (OK, ["/start", "/other"])
    else:
        assert (code, targets(server)) == (NET, ["/start"])
        assert "several Locations that differ" in blocking.errorMessage()
        assert blocking.reply().statusCode() == 302


@pytest.mark.parametrize("location", [b"//", b"http:/x", b"http:x", b"http:///x"])
def test_location_without_a_host(location: bytes, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(redirecting(location))
    assert blocking.get(f"{server.url}/start") is NET
    assert "names no host" in blocking.errorMessage() and len(server.requests) == 1


# -- hosts, seen by a proxy


@pytest.fixture
def proxy() -> Iterator[RawServer]:
    """A proxy that responds itself and forwards nothing."""
    server = RawServer(always(b"from the proxy"))
    yield server
    server.close()


@pytest.fixture
def through_proxy(manager: NetworkAccessManager, proxy: RawServer) -> BlockingNetworkRequest:
    """A request that uses the proxy for all paths except /start."""
    address = f"127.0.0.1:{proxy.port}"
    manager.setProxyFactory(lambda url: None if url.path() == "/start" else address)
    return BlockingNetworkRequest(manager)


HOSTS = {
    "straße.example": "xn--strae-oqa.example",
    "EXAMPLE.org": "example.org",
    "h:80": "h",
    "h:": "h",
    "h:81": "h:81",
    "127.1": "127.0.0.1",
    "0x7f.1": "127.0.0.1",
    "1.2.3": "1.2.0.3",
    "a_b.example.": "a_b.example.",
    "[0:0::1]:80": "[::1]",
    "a..invalid": "",
    "-a.": "",
    "xn--.": "",
    "a b.": "",
    "a" * 64 + ".x": "",
    "256.1.1.1": "",
    "h:0": "",
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("source", ["caller", "redirect"])
def test_host(host: str, source: str, through_proxy: BlockingNetworkRequest, proxy: RawServer, serve: Serve) -> None:
    server = serve(redirecting(f"http://{host}/x".encode()))
    code = through_proxy.get(f"http://{host}/x" if source == "caller" else f"{server.url}/start")
    expected = HOSTS[host]
    if not expected:
        assert code is NET and proxy.requests == []
        assert "port" in through_proxy.errorMessage() or repr(host) in through_proxy.errorMessage()
        return
    assert code is OK, through_proxy.errorMessage()
    assert targets(proxy) == [f"http://{expected}/x"]
    assert f"\r\nHost: {expected}\r\n".encode() in proxy.requests[0]


def test_default_port_of_a_qurl(through_proxy: BlockingNetworkRequest, proxy: RawServer) -> None:
    for request in (QtCore.QUrl("http://h:80/x"), REQUEST(QtCore.QUrl("http://h:80/x"))):
        assert through_proxy.get(request) is OK
    assert targets(proxy) == ["http://h/x"] * 2
    assert all(b"\r\nHost: h\r\n" in request for request in proxy.requests)


# -- fields that may come once


def test_repeated_singleton_fields(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    both = "Content-Type: text/plain\r\nContent-Type: text/html; charset=latin-1\r\n"
    name = "Content-Disposition: attachment; filename=same.zip\r\n"
    server = serve(always("ö".encode("latin-1"), headers=both + name + name))
    assert blocking.get(server.url) is OK and blocking.reply().text() == "ö"
    assert blocking.download(f"{server.url}/x.bin", f"{tmp_path}/") is OK
    server = serve(always(b"x", headers=name + name.replace("same", "other")))
    assert blocking.download(f"{server.url}/x.bin", f"{tmp_path}/") is OK
    assert sorted(path.name for path in tmp_path.iterdir()) == ["same.zip", "x.bin"]


def test_reason_in_utf8(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(once("HTTP/1.1 404 Nicht da: ö\r\nContent-Length: 0\r\n\r\n".encode()))
    assert blocking.get(server.url) is SERVER
    assert blocking.reply().reasonPhrase() == "Nicht da: ö"
    assert "Nicht da: ö (404)" in blocking.errorMessage()


@pytest.mark.parametrize("engine_name", ["auto", *TLS_ENGINES])
def test_tunnel_to_an_ipv6_address(engine_name: str) -> None:
    """RFC 9112 section 3.2.3: the address is in brackets."""
    proxy = ProxyServer(refuse="403 Not you")
    manager = NetworkAccessManager()
    manager.setEngine(engine_name)
    manager.setProxy(f"127.0.0.1:{proxy.port}")
    blocking = BlockingNetworkRequest(manager)
    for url, target in (("https://[::1]/", "[::1]:443"), ("https://[2001:db8:0::1]:8443/x", "[2001:db8::1]:8443")):
        assert blocking.get(url) is NET
        if engine_name == "qt":
            assert proxy.asked == [] and "setEngine('python')" in blocking.errorMessage()
        else:
            assert proxy.asked.pop() == f"CONNECT {target}"
            assert "The proxy did not let us through: 403 Not you" in blocking.errorMessage()
    proxy.close()


def test_one_rule_for_cookies_and_the_cache(manager: NetworkAccessManager, proxy: RawServer) -> None:
    """Their URLs and hosts are read like those of requests."""
    manager.setProxy(f"127.0.0.1:{proxy.port}")
    jar, cache = manager.cookieJar(), NetworkMemoryCache()
    manager.setCache(cache)
    jar.setCookie("http://STRASSE.example:80/", "a", "1")
    jar.setCookie("http://straße.example/", "b", "2")
    url = "http://straße.example:80/a/../100%"
    for _ in range(2):
        manager.blockingGet(url)
    assert all(b"\r\nCookie: b=2\r\n" in request for request in proxy.requests)
    cache.remove(url)
    jar.clear("Straße.example")
    assert len(jar) == 1
    for bad in ("a..b", "-a", "a b", ""):
        with pytest.raises(ValueError, match="host must be the name or the address"):
            jar.clear(bad)
