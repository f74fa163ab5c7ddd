"""Which URL goes through which proxy: by the manager's settings, then the environment, then Qt.

A proxy is written in many ways (a URL, a QNetworkProxy); ``proxy_of`` reads them all.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union
from urllib.parse import SplitResult, unquote, urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ..environment import any_is_set, encoded_names
from ..models.proxy import DEFAULT_PORTS, NO_PROXY, Proxy, ProxyUnusable
from ..qt.binding import QtCore, QtNetwork, encoded_url, type_name

_Types = QtNetwork.QNetworkProxy.ProxyType

_SCHEMES = {"http": "http", "socks5": "socks5", "socks5h": "socks5", "socks": "socks5"}

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
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host = parts.hostname
    except ValueError:
        host = None
        parts = urlsplit("")
    if not host:
        # What it says may be a password.
        raise ValueError("a proxy is written http://host:port or socks5://host:port, this one names no host")
    kind = _SCHEMES.get(parts.scheme)
    if kind is None:
        raise ValueError(f"a proxy is spoken to by http:// or socks5://, not by {parts.scheme}://")
    port = _port_of(parts)
    if "://" not in text and port is None:
        # A single word may as well be meant for something else, and ports of proxies differ.
        raise ValueError(f"a proxy is written http://host:port or host:port, {host!r} names no port")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(kind, host, port or DEFAULT_PORTS[kind], user, password)


def _port_of(parts: SplitResult) -> Optional[int]:
    """Return the port, None if there is none. Raises ValueError if it is out of range or no number."""
    with suppress(ValueError):
        if parts.port != 0:
            return parts.port
    # The text is not shown: if a user and a password are written without a host, the password stands here.
    raise ValueError(
        "a proxy is written http://host:port or socks5://host:port, and the port of this one is no number from 1 to "
        "65535. In a user or password, write / as %2F, ? as %3F and # as %23"
    )


def qt_proxy(proxy: Proxy) -> QtNetwork.QNetworkProxy:
    """The same as Qt has it."""
    if proxy.is_none:
        return QtNetwork.QNetworkProxy(_Types.NoProxy)
    kind = _Types.Socks5Proxy if proxy.kind == "socks5" else _Types.HttpProxy
    return QtNetwork.QNetworkProxy(kind, proxy.host, proxy.port, proxy.user, proxy.password)


def proxy_factory(factory: Any) -> Optional[ProxyFactory]:
    """Return a callable that chooses a proxy, also for a QNetworkProxyFactory. Raises TypeError for anything else."""
    if isinstance(factory, QtNetwork.QNetworkProxyFactory):
        return lambda url: next(iter(factory.queryProxy(QtNetwork.QNetworkProxyQuery(url))), None)
    if factory is not None and not callable(factory):
        raise TypeError(f"a proxy factory is a callable, a QNetworkProxyFactory or None, not {type(factory).__name__}")
    return factory  # type: ignore[no-any-return]


_EARLIER_NAMES = {"excluded": "default_proxy_prefixes", "without": "no_proxy_prefixes", "are_all": "ignore_system"}


@dataclass(frozen=True)
class ProxyRules:
    """Which URL goes through which proxy."""

    proxy: Optional[Proxy] = None
    """None: as the environment and Qt's settings say."""
    default_proxy_prefixes: tuple[str, ...] = ()
    """URLs that begin with one of these use the proxy of the environment or of Qt (QGIS's rule)."""
    no_proxy_prefixes: tuple[str, ...] = ()
    """URLs that begin with one of these use no proxy (QGIS's rule)."""
    factory: Optional[ProxyFactory] = None
    """Called first; if it returns None the other rules apply."""
    ignore_system: bool = False
    """Whether the proxies of the environment and of the application are ignored."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the pickle of an earlier version, too: its fields had other names."""
        self.__dict__.update({_EARLIER_NAMES.get(name, name): value for name, value in state.items()})

    @property
    def is_default(self) -> bool:
        """Whether there are no rules."""
        return self.proxy is None and not self.no_proxy_prefixes and self.factory is None

    def find(self, url: str) -> Optional[Proxy]:
        """Return the proxy for a URL; None if Qt decides. Raises ProxyUnusable if the proxy cannot be used."""
        proxy = self._configured(url)
        return proxy if proxy is not None or self.ignore_system else proxy_of_environment(url)

    def _configured(self, url: str) -> Optional[Proxy]:
        if self.factory is not None:
            proxy = proxy_of(self.factory(encoded_url(url)))
            if proxy is not None:
                return proxy
        lowered = url.lower()
        if lowered.startswith(self.no_proxy_prefixes):
            return NO_PROXY
        if lowered.startswith(self.default_proxy_prefixes):
            return None
        return self.proxy


def url_prefixes(urls: Any) -> tuple[str, ...]:
    """Return the entries of a list of URL prefixes. Blank ones are left out, because they would match every URL."""
    if isinstance(urls, (str, bytes)):
        raise TypeError("give a list of URLs, not one: ['https://intranet.example.org/']")
    return tuple(url.strip().lower() for url in urls if url and url.strip())


_PROXY_VARIABLES = encoded_names("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def environment_names_proxies() -> bool:
    """Whether the environment names a proxy for some URL."""
    return any_is_set(_PROXY_VARIABLES)


uses_system_proxies = QtNetwork.QNetworkProxyFactory.usesSystemConfiguration
"""Whether the application has no proxies of its own, which would go before the environment's."""


def proxy_of_environment(url: str) -> Optional[Proxy]:
    """What ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` say, as requests reads them.

    None where they say nothing at all. This machine itself is reached without a proxy, as Qt and browsers have it.
    """
    if not environment_names_proxies() or not uses_system_proxies():
        return None
    if _is_this_machine(urlsplit(url).hostname or ""):
        return NO_PROXY
    text = select_proxy(url, get_environ_proxies(url))
    if not text:
        return NO_PROXY
    try:
        return _proxy_of_text(text)
    except ValueError as error:
        raise ProxyUnusable(f"The proxy that the environment names cannot be used: {error}") from None


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
