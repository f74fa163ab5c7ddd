"""Where a request goes, and what it must have in common with others to share their connections."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import NamedTuple, Optional
from urllib.parse import urlsplit

from ...models.http_messages import Request
from ...models.proxy import Proxy
from ...models.tls import TlsSettings, without_client_certificate
from ...models.urls import DEFAULT_PORTS, origin
from ...proxies.system import proxy_of_request
from ...tls.qt_configuration import NO_TLS, TlsKey, configuration_settings, tls_key
from .tls import Tls

KEPT_ROUTES = 512
KEPT_TLS = 64


class RouteKey(NamedTuple):
    """Two requests may share a connection if all of this is equal."""

    origin: str
    """'' if an HTTP proxy is given the whole URL: its connections serve every origin."""
    tls: TlsKey = NO_TLS
    proxy: Optional[Proxy] = None
    verify_name: str = ""
    """Which name the server's certificate must have, if that is not the host."""


@dataclass(frozen=True)
class Route:
    """A value: may be used from any thread."""

    key: RouteKey
    host: str
    """Of the server, without brackets."""
    port: int
    tls: Optional[Tls]
    """None: none is spoken with the server."""
    server_name: str
    """Whom the certificate must be for."""
    proxy: Optional[Proxy]
    proxy_tls: Optional[Tls]
    """None: none is spoken with the proxy."""
    is_forwarded: bool
    """Whether an HTTP proxy is given the whole URL (RFC 9112 section 3.2.2)."""


class Routes:
    """Remembers the routes, and the TLS contexts that they share. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._routes: dict[RouteKey, Route] = {}
        self._tls: dict[TlsKey, Tls] = {}

    def find(self, request: Request) -> Route:
        """Raises TlsUnusable if the TLS settings cannot be used."""
        key = _key(request)
        route = self._routes.get(key)
        if route is not None and key.origin:
            return route
        # The connections of a forwarding proxy are shared, the hosts differ.
        route = self._new_route(key, request)
        with self._guard:
            if len(self._routes) >= KEPT_ROUTES:
                self._routes.clear()
            return self._routes.setdefault(key, route) if key.origin else route

    def _new_route(self, key: RouteKey, request: Request) -> Route:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        is_https, proxy = parts.scheme == "https", key.proxy
        return Route(
            key=key,
            host=host,
            port=parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme],
            tls=self._shared(key.tls, request) if is_https else None,
            server_name=key.verify_name or host.partition("%")[0],
            proxy=proxy,
            proxy_tls=self._tls_of_proxy(request) if proxy is not None and proxy.kind == "https" else None,
            is_forwarded=proxy is not None and proxy.forwards(request.url),
        )

    def _shared(self, key: TlsKey, request: Request) -> Tls:
        tls = self._tls.get(key)
        if tls is None:
            new = Tls(TlsSettings() if key == NO_TLS else configuration_settings(request))
            with self._guard:
                if len(self._tls) >= KEPT_TLS:
                    self._tls.clear()
                tls = self._tls.setdefault(key, new)
        return tls

    def _tls_of_proxy(self, request: Request) -> Tls:
        """Whom the settings trust is trusted as a proxy, too. Pins and our own certificate are meant for the server."""
        settings = request.tls or TlsSettings()
        return Tls(replace(without_client_certificate(settings), pinnedFingerprints=(), ignoredErrors=()))


def _key(request: Request) -> RouteKey:
    proxy = proxy_of_request(request)
    url = request.url
    if url.startswith("https:"):
        qt_request = request.qt_request
        verify_name = qt_request.peerVerifyName() if qt_request is not None and request.same_origin else ""
        return RouteKey(origin(url), tls_key(request), proxy, verify_name)
    if proxy is None:
        return RouteKey(origin(url))
    tls = (request.tls, 0) if proxy.kind == "https" else NO_TLS
    return RouteKey("" if proxy.forwards(url) else origin(url), tls, proxy)


def request_target(url: str, is_absolute: bool) -> str:
    """The path and query of a URL, as they are sent (RFC 9112 section 3.2.1), or with scheme and host before them."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    end = min((position for position in (rest.find("/"), rest.find("?")) if position >= 0), default=len(rest))
    path = rest[end:] if rest[end : end + 1] == "/" else "/" + rest[end:]
    return f"{scheme}://{rest[:end]}{path}" if is_absolute else path


def host_field(url: str) -> bytes:
    """The value of ``Host`` (RFC 9110 section 7.2): without the default port and without the zone of an address."""
    scheme, _, rest = url.partition("://")
    end = min((position for position in map(rest.find, "/?#") if position >= 0), default=len(rest))
    host, colon, port = rest[:end].rpartition(":")
    if not colon or port.endswith("]"):
        host, port = rest[:end], ""
    if "%" in host and host.startswith("["):
        host = host.partition("%")[0] + "]"
    is_default = not port or (port.isdigit() and int(port) == DEFAULT_PORTS.get(scheme))
    return (host if is_default else f"{host}:{port}").encode("latin-1")
