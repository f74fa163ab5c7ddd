"""Finds the proxy that Qt would take for a URL. The python engine uses it, and failures are judged by it."""

from __future__ import annotations

import socket
import threading
from functools import lru_cache
from typing import Optional
from urllib.parse import urlsplit

from ..models.http_messages import Request
from ..models.proxy import Proxy
from ..models.urls import CACHED_URL_LENGTH, DEFAULT_PORTS
from ..qt.binding import QtNetwork, encoded_url

_Types = QtNetwork.QNetworkProxy.ProxyType
_proxy_for_query = QtNetwork.QNetworkProxyFactory.proxyForQuery
_uses_system_configuration = QtNetwork.QNetworkProxyFactory.usesSystemConfiguration


def python_may_be_asked() -> bool:
    """Whether the application's proxy factory may be one written in Python.

    Qt does not give the factory out. But it can only be one if the application has its own proxies and there is a class
    of factories in Python other than ours.
    """
    return not _uses_system_configuration() and len(QtNetwork.QNetworkProxyFactory.__subclasses__()) > 1


lookups = threading.Lock()
"""Held while a request is handed to Qt and Python may be asked for the proxy.

Qt holds a lock of its own while it asks the application's proxy factory; PyQt holds the GIL while Qt wants that lock.
A factory written in Python that lets go of the GIL (a sleep, a file) then freezes the process with the next thread that
asks (5.15, 6.11). So only one of ours asks at a time.
"""


def proxy_of_request(request: Request) -> Optional[Proxy]:
    """The proxy a request goes through; None: none."""
    proxy = request.proxy
    if proxy is None:
        return proxy_of_qt(request.url)
    return None if proxy.is_none else proxy


def proxy_of_qt(url: str) -> Optional[Proxy]:
    """Return the proxy by the application's proxy, its proxy factory or the system's settings, in Qt's order; or
    None.
    """
    query = _known_query(url) if len(url) <= CACHED_URL_LENGTH else _query(url)
    if python_may_be_asked():
        with lookups:
            proxies = _proxy_for_query(query)
    else:
        proxies = _proxy_for_query(query)
    for proxy in proxies:
        kind = proxy.type()
        if kind in _DIRECT:
            return None
        if kind in (_Types.HttpProxy, _Types.HttpCachingProxy, _Types.Socks5Proxy):
            name = "socks5" if kind == _Types.Socks5Proxy else "http"
            return Proxy(name, proxy.hostName(), proxy.port(), proxy.user(), proxy.password())
    return None


REACH_SECONDS = 2.0


def can_be_reached(request: Request, proxy: Optional[Proxy]) -> bool:
    """Whether a TCP connection to the server, or its proxy, can be made; looks for two seconds at most."""
    parts = urlsplit(request.url)
    address = (parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0))
    if proxy is not None:
        address = (proxy.host, proxy.port)
    try:
        socket.create_connection(address, REACH_SECONDS).close()
    except OSError:
        return False
    return True


_DIRECT = (_Types.NoProxy, _Types.DefaultProxy)


def _query(url: str) -> QtNetwork.QNetworkProxyQuery:
    return QtNetwork.QNetworkProxyQuery(encoded_url(url))


_known_query = lru_cache(maxsize=256)(_query)
