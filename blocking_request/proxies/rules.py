"""Chooses the proxy of a URL: by the manager's settings, then the environment, then Qt."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Optional
from urllib.parse import urlsplit

from .._first_use import first_use
from .._names import pickled
from ..environment import any_is_set, encoded_names
from ..models.proxy import NO_PROXY, Proxy, ProxyUnusable
from ..models.urls import DEFAULT_PORTS
from ..qt.binding import QtNetwork, encoded_url
from .no_proxy import is_excluded
from .parse import ProxyFactory, proxy_of

OWN_PROXY, OWN_EXCLUSIONS, OWN_FACTORY = "proxies.proxy", "proxies.exclusions", "proxies.factory"
"""The parts of ProxyRules that a program can set without the others."""


@pickled
@dataclass(frozen=True)
class ProxyRules:
    """The settings of a manager that choose the proxy of a URL."""

    proxy: Optional[Proxy] = None
    """None: the environment or Qt decides."""
    default_proxy_prefixes: tuple[str, ...] = ()
    """URLs that begin with one of these use the proxy of the environment or of Qt (QGIS's rule)."""
    no_proxy_prefixes: tuple[str, ...] = ()
    """URLs that begin with one of these use no proxy (QGIS's rule)."""
    factory: Optional[ProxyFactory] = None
    """Called first; if it returns None the other rules apply."""
    ignores_environment: bool = False
    """Whether this package looks for no proxy, because QGIS's own manager chooses."""
    qgis_auth_cfg: str = ""
    """The id of the proxy's credentials in QGIS's authentication database; '': none."""
    problem: str = ""
    """Why the proxy of QGIS's settings cannot be used; '': it can."""

    def with_parts_of(self, own: ProxyRules, names: frozenset[str]) -> ProxyRules:
        """Return the rules with the parts that the program has set itself: ``names`` has ``OWN_PROXY`` and so on."""
        rules = replace(self, factory=own.factory)
        if OWN_PROXY in names:
            rules = replace(rules, proxy=own.proxy, qgis_auth_cfg="", problem="")
        if OWN_EXCLUSIONS in names:
            default_proxy, no_proxy = own.default_proxy_prefixes, own.no_proxy_prefixes
            rules = replace(rules, default_proxy_prefixes=default_proxy, no_proxy_prefixes=no_proxy)
        return rules

    @property
    def is_default(self) -> bool:
        """Whether no rule can name a proxy."""
        return self.proxy is None and not self.no_proxy_prefixes and self.factory is None and not self.problem

    def find(self, url: str) -> Optional[Proxy]:
        """Return the proxy for a URL; None if Qt decides.

        Raises ProxyUnusable if the proxy cannot be used, the exceptions of the factory, and TypeError or ValueError if
        the factory returns something that is no proxy.
        """
        proxy = self._configured(url)
        return proxy if proxy is not None or self.ignores_environment else proxy_of_environment(url)

    def _configured(self, url: str) -> Optional[Proxy]:
        if self.factory is not None:
            proxy = proxy_of(self.factory(encoded_url(url)))
            if proxy is not None:
                return proxy
        if _begins_with_one_of(self.no_proxy_prefixes, url):
            return NO_PROXY
        if _begins_with_one_of(self.default_proxy_prefixes, url):
            return None
        if self.problem:
            raise ProxyUnusable(self.problem)
        return self.proxy


def _begins_with_one_of(prefixes: tuple[str, ...], url: str) -> bool:
    return bool(prefixes) and url.lower().startswith(tuple(prefix.lower() for prefix in prefixes))


def url_prefixes(urls: Any) -> tuple[str, ...]:
    """Return the entries of a list of URL prefixes. Blank ones are left out, because they would match every URL."""
    if isinstance(urls, (str, bytes)):
        raise TypeError("give a list of URLs, not one: ['https://intranet.example.org/']")
    urls = list(urls)
    if not all(url is None or isinstance(url, str) for url in urls):
        raise TypeError("give a list of URLs as str: ['https://intranet.example.org/']")
    return tuple(url.strip() for url in urls if url and url.strip())


_PROXY_VARIABLES = encoded_names("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def environment_names_proxies() -> bool:
    """Whether the environment names a proxy for some URL."""
    return any_is_set(_PROXY_VARIABLES)


uses_system_proxies = QtNetwork.QNetworkProxyFactory.usesSystemConfiguration
"""Whether the application uses the system's proxies. If it has set its own, the environment is not read."""


def proxy_of_environment(url: str) -> Optional[Proxy]:
    """Return the proxy that ``http_proxy``, ``https_proxy`` and ``all_proxy`` name, unless ``no_proxy`` has the host.

    Return None if no proxy variable is set, or if the application has its own proxies; ``NO_PROXY`` if none is for this
    URL. This machine itself is reached without a proxy, as in Qt and browsers.
    """
    if not environment_names_proxies() or not uses_system_proxies():
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_this_machine(host):
        return NO_PROXY
    with first_use:
        from urllib.request import getproxies, proxy_bypass

        from requests.utils import select_proxy
    # The names in lower case come first, as in urllib. Without the variable, the system may have exclusions.
    no_proxy = os.environ.get("no_proxy", os.environ.get("NO_PROXY"))
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    is_direct = is_excluded(host, port, no_proxy) if no_proxy else proxy_bypass(host)
    text = None if is_direct else select_proxy(url, getproxies())
    if not text:
        return NO_PROXY
    try:
        return proxy_of(text)
    except ValueError as error:
        raise ProxyUnusable(f"The proxy that the environment names cannot be used: {error}") from None


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with first_use:
        from ipaddress import ip_address
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
