"""The pools of connections of the urllib3 engine: one PoolManager for each TLS configuration and proxy.

So a strict request never rides a connection that a lax one has opened.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, NamedTuple, Optional
from urllib.parse import SplitResult, urlsplit

import urllib3

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...models.proxy import Proxy, ProxyUnusable
from ...models.tls import TlsSettings, TlsUnusable
from ...models.urls import DEFAULT_PORTS
from ...proxies.system import proxy_of_request
from ...tls.qt_configuration import NO_TLS, TlsKey, configuration_settings, tls_key
from .connection import POOL_CLASSES
from .proxy import through
from .tls import Tls

KEPT_CONNECTIONS = 64
"""To one origin, when they are idle."""

KEPT_ORIGINS = 64
KEPT_MANAGERS = 64
KEPT_KEYS = 512


class _Key(NamedTuple):
    """What must be the same for two requests that share connections."""

    tls: TlsKey = NO_TLS
    proxy: Optional[Proxy] = None
    verify_name: str = ""
    """Which name the server's certificate must have, where it is not the host."""


class Pool:
    """A PoolManager and what it was made for. Every method may be called from any thread."""

    def __init__(
        self, manager: urllib3.PoolManager, tls: Tls, proxy: Optional[Proxy], clear_all: Callable[[], None]
    ) -> None:
        """``clear_all`` closes the idle connections of every pool."""
        self.clear_all = clear_all
        self.manager = manager
        self.tls = tls
        self.proxy = proxy
        self._keys: dict[tuple[str, ...], tuple[Any, dict[str, Any]]] = {}

    def connections(self, url: str) -> urllib3.HTTPConnectionPool:
        """The connections that serve a URL. urllib3's key for them is made once: that takes as long as the rest."""
        parts = urlsplit(url)
        if self.proxy is not None:
            return self.manager.connection_from_host(parts.hostname, parts.port, parts.scheme)
        known = self._keys.get(parts[:2]) or self._key(parts)
        key, context = known
        return self.manager.connection_from_pool_key(key, dict(context))  # it may take things out

    def _key(self, parts: SplitResult) -> tuple[Any, dict[str, Any]]:
        context = {**self.manager.connection_pool_kw, "scheme": parts.scheme, "host": parts.hostname}
        context["port"] = parts.port or DEFAULT_PORTS[parts.scheme]
        if len(self._keys) >= KEPT_KEYS:
            self._keys = {}
        known = self._keys[parts[:2]] = self.manager.key_fn_by_scheme[parts.scheme](context), context
        return known


class Pools:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pools: dict[_Key, Pool] = {}
        self._latest: tuple[Optional[Request], Optional[Pool]] = (None, None)
        """What was found last: each request asks twice, whether it is refused and when it is started."""

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        """Why no connection can be made as the request wants it, or None."""
        try:
            pool = self._find(request)
            if request.url.startswith("https:"):
                pool.tls.context  # noqa: B018  (made here, so that what is wrong with it is told)
            self._latest = (request, pool)
        except TlsUnusable as error:
            return messages.tls_unusable(str(error))
        except ProxyUnusable as error:
            return network_failure(QtNetworkError.UnknownProxyError, str(error))
        return None

    def take(self, request: Request) -> Pool:
        """The pool for a request that has not been refused. Raises TlsUnusable, ProxyUnusable."""
        asked_for, pool = self._latest
        self._latest = (None, None)  # it would hold on to a body and credentials
        return pool if asked_for is request and pool is not None else self._find(request)

    def _find(self, request: Request) -> Pool:
        key = _key(request)
        pool = self._pools.get(key)
        if pool is None:
            made = _make(request, key, self.clear)
            with self._guard:
                pool = self._pools.setdefault(key, made)
                surplus = list(self._pools)[:-KEPT_MANAGERS]
                dropped = [self._pools.pop(old) for old in surplus]
            for old_pool in dropped:
                old_pool.manager.clear()
        return pool

    def clear(self) -> None:
        """Close the connections that are idle."""
        for pool in list(self._pools.values()):
            pool.manager.clear()


_PLAIN = _Key()


def _key(request: Request) -> _Key:
    proxy = proxy_of_request(request)
    if not request.url.startswith("https:"):
        return _PLAIN if proxy is None else _Key(proxy=proxy)
    qt_request = request.qt_request
    verify_name = qt_request.peerVerifyName() if qt_request is not None and request.same_origin else ""
    return _Key(tls_key(request), proxy, verify_name)


def _make(request: Request, key: _Key, clear_all: Callable[[], None]) -> Pool:
    settings = TlsSettings() if key.tls == NO_TLS else configuration_settings(request)
    options: dict[str, Any] = {"num_pools": KEPT_ORIGINS, "maxsize": KEPT_CONNECTIONS, "retries": False}
    if key.verify_name:
        options["server_hostname"] = key.verify_name
    if key.proxy is not None:
        return Pool(through(key.proxy, **options), Tls(settings), key.proxy, clear_all)
    manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = POOL_CLASSES
    return Pool(manager, Tls(settings), None, clear_all)
