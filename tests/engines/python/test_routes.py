"""Routes of requests: hosts and targets as they are sent, and the connections that two requests share."""

from __future__ import annotations

import pytest
import trustme

from blocking_request.engines.python.request_head import host_field, request_head, request_target
from blocking_request.engines.python.routes import Routes
from blocking_request.models.http_messages import Request
from blocking_request.models.proxy import Proxy
from blocking_request.models.tls import TlsSettings

HOSTS = [
    ("http://h", b"h"),
    ("http://h/", b"h"),
    ("http://h:80/", b"h"),
    ("http://h:080/", b"h"),
    ("https://h:443/", b"h"),
    ("http://h:443/", b"h:443"),
    ("https://h:80/a:1", b"h:80"),
    ("http://h:8080?q=:1", b"h:8080"),
    ("http://h#f:1", b"h"),
    ("http://[::1]/", b"[::1]"),
    ("http://[::1]:80/", b"[::1]"),
    ("http://[::1]:8080/", b"[::1]:8080"),
    ("https://[fe80::1%25eth0]/", b"[fe80::1]"),
    ("https://[fe80::1%25eth0]:8443/", b"[fe80::1]:8443"),
    ("http://127.0.0.1:8080/", b"127.0.0.1:8080"),
]


@pytest.mark.parametrize(("url", "host"), HOSTS)
def test_host_field(url: str, host: bytes) -> None:
    """RFC 9110 section 7.2: as in the URL, without the default port, and without a zone (RFC 6874 section 4)."""
    assert host_field(url) == host


TARGETS = [
    ("http://h", "/", "http://h/"),
    ("http://h/", "/", "http://h/"),
    ("http://h/a/b?c=d#e", "/a/b?c=d", "http://h/a/b?c=d"),
    ("http://h?c=d", "/?c=d", "http://h/?c=d"),
    ("http://h?c=/d", "/?c=/d", "http://h/?c=/d"),
    ("http://h#e", "/", "http://h/"),
    ("http://h#/e", "/", "http://h/"),
    ("http://h//a//b", "//a//b", "http://h//a//b"),
    ("http://h/?a=http://b/c", "/?a=http://b/c", "http://h/?a=http://b/c"),
    ("http://[::1]:8080/a", "/a", "http://[::1]:8080/a"),
    ("http://h/a?", "/a?", "http://h/a?"),
    ("http://h/100%25/%20", "/100%25/%20", "http://h/100%25/%20"),
]


@pytest.mark.parametrize(("url", "origin_form", "absolute_form"), TARGETS)
def test_request_target(url: str, origin_form: str, absolute_form: str) -> None:
    """RFC 9112 section 3.2."""
    assert request_target(url, False) == origin_form
    assert request_target(url, True) == absolute_form


def test_zone_is_not_sent_to_a_proxy() -> None:
    """RFC 6874 section 4: the zone is only valid on this computer."""
    assert request_target("http://[fe80::1%25eth0]:8080/a", True) == "http://[fe80::1]:8080/a"


def request(url: str, proxy: Proxy | None = None, tls: TlsSettings | None = None) -> Request:
    return Request("GET", url, proxy=proxy or Proxy("none"), tls=tls)


@pytest.mark.parametrize(
    ("url", "host", "port", "server_name"),
    [
        ("http://h", "h", 80, "h"),
        ("https://h", "h", 443, "h"),
        ("https://h:8443/", "h", 8443, "h"),
        ("https://[::1]/", "::1", 443, "::1"),
        ("https://[fe80::1%25eth0]:8443/", "fe80::1%25eth0", 8443, "fe80::1"),
    ],
)
def test_direct_route(url: str, host: str, port: int, server_name: str) -> None:
    route = Routes().find(request(url))
    assert (route.host, route.port, route.server_name) == (host, port, server_name)
    assert (route.tls is not None) is url.startswith("https")
    assert route.proxy is None and not route.is_forwarded


@pytest.mark.parametrize(
    ("kind", "url", "is_forwarded", "shares"),
    [
        ("http", "http://{}.test/", True, True),
        ("https", "http://{}.test/", True, True),
        ("http", "https://{}.test/", False, False),
        ("https", "https://{}.test/", False, False),
        ("socks5", "http://{}.test/", False, False),
        ("socks4", "https://{}.test/", False, False),
    ],
)
def test_routes_through_proxies(kind: str, url: str, is_forwarded: bool, shares: bool) -> None:
    """A forwarding proxy is given whole URLs, so all origins share the connections to it."""
    routes, proxy = Routes(), Proxy(kind, "proxy.test", 3128)
    one, other = (routes.find(request(url.format(name), proxy)) for name in ("one", "other"))
    assert one.is_forwarded is other.is_forwarded is is_forwarded
    assert (one.key == other.key) is shares
    assert (one.host, other.host) == ("one.test", "other.test")
    assert (one.proxy_tls is not None) is (kind == "https")


def test_trust_of_an_https_proxy_is_loaded_once() -> None:
    routes, proxy = Routes(), Proxy("https", "proxy.test", 3128)
    settings = TlsSettings(caData=trustme.CA().cert_pem.bytes())
    tls = {id(routes.find(request(f"http://{name}.test/", proxy, settings)).proxy_tls) for name in ("one", "other")}
    assert len(tls) == 1
    other = routes.find(request("http://one.test/", proxy, TlsSettings(verify=False))).proxy_tls
    assert id(other) not in tls


def test_pins_and_client_certificates_are_not_used_for_the_proxy() -> None:
    leaf = trustme.CA().issue_cert("client.test")
    settings = TlsSettings(
        pinnedFingerprints=("sha256:" + "00" * 32,),
        clientCertificate=leaf.cert_chain_pems[0].bytes(),
        clientKey=leaf.private_key_pem.bytes(),
    )
    route = Routes().find(request("https://one.test/", Proxy("https", "proxy.test", 3128), settings))
    assert route.tls is not None and route.tls.settings == settings
    assert route.proxy_tls is not None
    assert route.proxy_tls.settings.pinnedFingerprints == () and route.proxy_tls.settings.clientCertificate is None


@pytest.mark.parametrize("field", ["Host", "X-A"])
def test_line_end_in_a_url_is_refused(field: str) -> None:
    sent = Request("GET", "http://h/a\r\nX: y", headers=((field.encode(), b"b"),))
    with pytest.raises(ValueError, match="line end"):
        request_head(sent, Routes().find(request("http://h/")))
