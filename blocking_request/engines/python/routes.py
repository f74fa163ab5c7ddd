"""The route of a request: its server, proxy and TLS settings. Requests with equal routes share connections."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Optional, TypeVar
from urllib.parse import urlsplit

from ..._first_use import first_use
from ...models.connection_options import DEFAULT_CONNECTION, ConnectionOptions
from ...models.headers import Pairs
from ...models.http_messages import Request
from ...models.pre_shared_key import PreSharedKey
from ...models.proxy import Proxy
from ...models.tls import TlsSettings, without_client_certificate
from ...models.urls import DEFAULT_PORTS, origin
from ...proxies.system import proxy_of_request
from ...tls.qt_configuration import NO_TLS, TlsKey, configuration_settings, tls_key

if TYPE_CHECKING:
    from .tls import Tls

KEPT_ROUTES = 512
KEPT_TLS = 64
_Key = TypeVar("_Key")


class RouteKey(NamedTuple):
    """Two requests may share a connection if all of this is equal."""

    origin: str
    """'' if an HTTP proxy is given the whole URL: its connections serve every origin."""
    tls: TlsKey = NO_TLS
    proxy: Optional[Proxy] = None
    verify_name: str = ""
    """Which name the server's certificate must have, if that is not the host."""
    connection: ConnectionOptions = DEFAULT_CONNECTION


@dataclass(frozen=True)
class Route:
    """A value: may be used from any thread."""

    key: RouteKey
    host: str
    """Of the server, without brackets."""
    port: int
    tls: Optional[Tls]
    """None if the connection to the server is not encrypted."""
    server_name: str
    """The host name that the certificate must have."""
    proxy: Optional[Proxy]
    proxy_tls: Optional[Tls]
    """None if the connection to the proxy is not encrypted."""
    is_forwarded: bool
    """Whether an HTTP proxy is given the whole URL (RFC 9112 section 3.2.2)."""
    alpn: tuple[str, ...] = ()
    """The protocols that are offered to the server (RFC 7301); none: HTTP/1.1 is spoken without asking."""
    encoded_fields: dict[tuple[Pairs, bool], bytes] = field(default_factory=dict, compare=False, repr=False)
    """The encoded default fields of requests, by the fields and whether the method is idempotent."""


class Routes:
    """Remembers the routes, and the TLS contexts that they share. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._routes: dict[RouteKey, Route] = {}
        self._tls: dict[TlsKey, Tls] = {}
        self._tls_of_proxies: dict[TlsSettings, Tls] = {}

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
            alpn=_alpn(key.connection, is_https),
        )

    def _shared(self, key: TlsKey, request: Request) -> Tls:
        tls = self._tls.get(key)
        if tls is None:
            new = new_tls(TlsSettings() if key == NO_TLS else configuration_settings(request), request.pre_shared_key)
            tls = self._keep(self._tls, key, new)
        return tls

    def _tls_of_proxy(self, request: Request) -> Tls:
        """Return the TLS of an https proxy. It has the trust of the settings; pins and a client certificate are meant
        for the server only.
        """
        settings = without_client_certificate(request.tls or TlsSettings())
        settings = replace(settings, pinnedFingerprints=(), ignoredErrors=())
        return self._tls_of_proxies.get(settings) or self._keep(self._tls_of_proxies, settings, new_tls(settings))

    def _keep(self, known: dict[_Key, Tls], key: _Key, new: Tls) -> Tls:
        """Keep the Tls of a key, unless another thread has just done so; return the one that is kept."""
        with self._guard:
            if len(known) >= KEPT_TLS:
                known.clear()
            return known.setdefault(key, new)


def new_tls(settings: TlsSettings, key: Optional[PreSharedKey] = None) -> Tls:
    """Return a Tls for the settings. The TLS modules are imported when the first request needs them."""
    with first_use:
        import encodings.idna  # noqa: F401 (Python does it for the name of the server)

        from .tls import Tls
    return Tls(settings, key)


@cache
def alpn_offer() -> tuple[str, ...]:
    """Return the protocols to offer: HTTP/2 if the package h2 is installed. It is imported before the request is
    sent.
    """
    try:
        with first_use:
            from . import http2_transfer  # noqa: F401
    except ImportError:
        return ()
    return ("h2", "http/1.1")


def _alpn(options: ConnectionOptions, is_https: bool) -> tuple[str, ...]:
    if options.demands_http2:
        return alpn_offer()[:1]
    return alpn_offer() if is_https and options.allows_http2 else ()


def _key(request: Request) -> RouteKey:
    proxy = proxy_of_request(request)
    url = request.url
    if url.startswith("https:"):
        qt_request = request.qt_request
        verify_name = qt_request.peerVerifyName() if qt_request is not None and request.same_origin else ""
        return RouteKey(origin(url), tls_key(request), proxy, verify_name, request.connection)
    if proxy is None:
        return RouteKey(origin(url), connection=request.connection)
    tls = (request.tls, 0, None) if proxy.kind == "https" else NO_TLS
    return RouteKey("" if proxy.forwards(url) else origin(url), tls, proxy, connection=request.connection)
