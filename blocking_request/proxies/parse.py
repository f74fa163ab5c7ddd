"""Converts a caller's proxy (a URL, a QNetworkProxy, a factory) to a Proxy, and a Proxy to Qt's."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Callable, Optional, Union
from urllib.parse import SplitResult, unquote, urlsplit

from ..models.hosts import canonical_host_without_brackets
from ..models.proxy import DEFAULT_PORTS, NO_PROXY, Proxy
from ..qt.binding import QtCore, QtNetwork, type_name

_Types = QtNetwork.QNetworkProxy.ProxyType

_SCHEMES = {
    "http": "http",
    "https": "https",
    "socks": "socks5",
    "socks4": "socks4",
    "socks4a": "socks4",
    "socks5": "socks5",
    "socks5h": "socks5",
}

_ONE_SLASH = re.compile(r"[a-z0-9]+:/(?!/)", re.IGNORECASE)
_ESCAPES = "In a user or password, write / as %2F, ? as %3F and # as %23"

ProxyLike = Union[Proxy, QtNetwork.QNetworkProxy, str, None]
ProxyFactory = Callable[[QtCore.QUrl], ProxyLike]


def proxy_of(proxy: ProxyLike) -> Optional[Proxy]:
    """Return the proxy as a Proxy; None if the choice is left open (None, or Qt's ``DefaultProxy``).

    Text is a URL, ``http://user:password@host:port`` or ``socks5://...``, ``host:port``, or ``none``. Raises TypeError
    and ValueError if it is not a proxy.
    """
    if proxy is None or isinstance(proxy, Proxy):
        return proxy
    if isinstance(proxy, QtNetwork.QNetworkProxy):
        return _proxy_of_qt(proxy)
    if isinstance(proxy, str):
        return _proxy_of_text(proxy)
    raise TypeError(f"a proxy is a Proxy, a QNetworkProxy, a URL as str or None, not {type_name(proxy)}")


def _proxy_of_qt(proxy: QtNetwork.QNetworkProxy) -> Optional[Proxy]:
    kind = proxy.type()
    if kind == _Types.DefaultProxy:
        return None
    if kind == _Types.NoProxy:
        return NO_PROXY
    if kind == _Types.FtpCachingProxy:
        raise ValueError("an FTP proxy serves no HTTP: give an HTTP or a SOCKS5 proxy")
    name = "socks5" if kind == _Types.Socks5Proxy else "http"
    return Proxy(name, proxy.hostName(), proxy.port() or DEFAULT_PORTS[name], proxy.user(), proxy.password())


def _proxy_of_text(text: str) -> Proxy:
    text = text.strip()
    if text.lower() in ("none", "direct"):
        return NO_PROXY
    if _ONE_SLASH.match(text):
        raise ValueError("a proxy is written http://host:port, with two slashes")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host = parts.hostname
    except ValueError:
        host = None
        parts = urlsplit("")
    if not host:
        # Its message may hold a password.
        raise ValueError("a proxy is written http://host:port or socks5://host:port, this one names no host")
    kind = _SCHEMES.get(parts.scheme)
    if kind is None:
        raise ValueError(f"a proxy is spoken to by http://, https://, socks5:// or socks4://, not by {parts.scheme}://")
    port = _port_of(parts)
    if parts.path not in ("", "/") or parts.query or parts.fragment or text.endswith(("?", "#")):
        # Not shown: it may be the rest of a password.
        raise ValueError(f"a proxy is written http://host:port, without a path, a query and a fragment. {_ESCAPES}")
    if "://" not in text and port is None:
        # A single word may as well be meant for something else, and ports of proxies differ.
        raise ValueError(f"a proxy is written http://host:port or host:port, {host!r} names no port")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    try:
        host = canonical_host_without_brackets(host)
    except ValueError as error:
        raise ValueError(f"a proxy is written http://host:port, and {error}") from None
    return Proxy(kind, host, port or DEFAULT_PORTS[kind], user, password)


def _port_of(parts: SplitResult) -> Optional[int]:
    """Return the port, or None if there is none. Raises ValueError if it is not a number, or out of range."""
    with suppress(ValueError):
        if parts.port != 0:
            return parts.port
    # The text is not shown: if a user and a password are written without a host, the password stands here.
    raise ValueError(
        "a proxy is written http://host:port or socks5://host:port, and the port of this one is no number from 1 to "
        f"65535. {_ESCAPES}"
    )


def qt_proxy(proxy: Proxy) -> QtNetwork.QNetworkProxy:
    """Return Qt's proxy object for a Proxy. A kind that Qt lacks becomes the nearest one."""
    if proxy.is_none:
        return QtNetwork.QNetworkProxy(_Types.NoProxy)
    kind = _Types.Socks5Proxy if proxy.kind.startswith("socks") else _Types.HttpProxy
    return QtNetwork.QNetworkProxy(kind, proxy.host, proxy.port, proxy.user, proxy.password)


def proxy_factory(factory: Any) -> Optional[ProxyFactory]:
    """Return a callable that chooses a proxy, also for a QNetworkProxyFactory. Raises TypeError for anything else."""
    if isinstance(factory, QtNetwork.QNetworkProxyFactory):
        return lambda url: next(iter(factory.queryProxy(QtNetwork.QNetworkProxyQuery(url))), None)
    if factory is not None and not callable(factory):
        raise TypeError(f"a proxy factory is a callable, a QNetworkProxyFactory or None, not {type(factory).__name__}")
    return factory  # type: ignore[no-any-return]
