"""The settings of a manager that say over which engines, proxies and TLS its requests go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

from .._first_use import first_use
from ..engines import choice
from ..models.proxy import Proxy
from ..models.tls import TlsSettings
from ..prepare.settings import Settings, checked_callable, checked_milliseconds, checked_switch
from ..proxies.parse import ProxyFactory, ProxyLike, proxy_factory, proxy_of
from ..proxies.rules import url_prefixes
from .settings_holder import SettingsHolder

if TYPE_CHECKING:
    from ..flows.certificate_errors import SslErrorHandler
    from ..stores.hsts_hosts import StrictTransportHosts


class ConnectionSettings(SettingsHolder):
    """Every method may be called from any thread; a running request keeps what it started with."""

    def setTimeout(self, timeout: int) -> None:
        """Set the idle timeout in ms: how long nothing may move. 0 is none; 60 000 by default, as in QGIS."""
        self._change(timeout=checked_milliseconds(timeout, "timeout"))

    def timeout(self) -> int:
        """The idle timeout in ms; 0 is none."""
        return self._settings.timeout

    def setDeadline(self, deadline: int) -> None:
        """Set how long a call may take as a whole, redirects, retries and waits included, in ms. 0, the default, is
        none.
        """
        self._change(deadline=checked_milliseconds(deadline, "deadline"))

    def deadline(self) -> int:
        """The total deadline in ms; 0 is none."""
        return self._settings.deadline

    def setEngine(self, engine: str) -> None:
        """Set which engine serves: ``'qt'``, ``'python'``, or ``'auto'``, which takes Qt unless it cannot or is slow.

        Raises TypeError, ValueError.
        """
        self._change(engine=choice.checked_engine(engine))

    def engine(self) -> str:
        """Which engine serves; as long as none was set, what the environment variable ``BLOCKING_REQUEST_ENGINE`` says.

        Raises ValueError where that is no engine.
        """
        return self._settings.engine or choice.engine_of_environment()

    def setNetworkAccessible(self, accessible: bool) -> None:
        """Set whether anything is sent at all: while False every request but for local files is a NetworkError."""
        self._change(is_accessible=checked_switch(accessible, "accessible"))

    def networkAccessible(self) -> bool:
        """Whether anything is sent at all."""
        return self._settings.is_accessible

    # -- proxies

    def setProxy(self, proxy: ProxyLike) -> None:
        """Set the proxy of every request, to this machine too.

        ``proxy``: a Proxy, a QNetworkProxy, a URL (``http://user:password@host:port``, ``socks5://host:port``), or
        ``"none"`` for the way without one. None, the default, leaves it to Qt's application proxy, then the
        environment (``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``), then the system.
        Raises TypeError, ValueError.
        """
        checked = proxy_of(proxy)
        self._change_by(lambda settings: {"proxies": replace(settings.proxies, proxy=checked)})

    def proxy(self) -> Optional[Proxy]:
        """The proxy of every request; None: left open."""
        return self._settings.proxies.proxy

    def setProxyFactory(self, factory: Any) -> None:
        """Set who chooses the proxy of each request, before ``proxy()`` is looked at; None, the default, is nobody.

        ``factory``: a callable that is given the QUrl and returns what ``setProxy`` takes (None: no opinion), or a
        QNetworkProxyFactory. It is called in the thread of the blocked caller. Raises TypeError.
        """
        checked: Optional[ProxyFactory] = proxy_factory(factory)
        self._change_by(lambda settings: {"proxies": replace(settings.proxies, factory=checked)})

    def proxyFactory(self) -> Optional[ProxyFactory]:
        """Return the callable that chooses proxies, or None. A QNetworkProxyFactory is returned as a callable."""
        return self._settings.proxies.factory

    def setFallbackProxyAndExcludes(
        self, proxy: ProxyLike, excludes: Iterable[str] = (), noProxyURLs: Iterable[str] = ()
    ) -> None:
        """Set the proxy and what it is not for, as QGIS's manager has it.

        ``excludes``: URLs that begin with one of these use the proxy of Qt, the environment or the system;
        ``noProxyURLs``: URLs that begin with one of these use no proxy. Blank entries are left out.
        Raises TypeError, ValueError.
        """
        checked, default_proxy, no_proxy = proxy_of(proxy), url_prefixes(excludes), url_prefixes(noProxyURLs)

        def change(settings: Settings) -> dict[str, Any]:
            rules = replace(settings.proxies, proxy=checked, default_proxy_prefixes=default_proxy)
            return {"proxies": replace(rules, no_proxy_prefixes=no_proxy)}

        self._change_by(change)

    def excludeList(self) -> list[str]:
        """Return the prefixes of the URLs that use the proxy of Qt, the environment or the system."""
        return list(self._settings.proxies.default_proxy_prefixes)

    def noProxyList(self) -> list[str]:
        """Return the prefixes of the URLs that use no proxy."""
        return list(self._settings.proxies.no_proxy_prefixes)

    # -- TLS

    def setTlsSettings(self, tlsSettings: Optional[TlsSettings]) -> None:
        """Set whom TLS connections trust and who we are on them; None is what the engine has by itself.

        A request's own QSslConfiguration goes before it. Raises TypeError.
        """
        if tlsSettings is not None and not isinstance(tlsSettings, TlsSettings):
            raise TypeError(f"tlsSettings must be TlsSettings or None, not {type(tlsSettings).__name__}")
        self._change(tls=tlsSettings)

    def tlsSettings(self) -> Optional[TlsSettings]:
        """Whom TLS connections trust, or None."""
        return self._settings.tls

    def setSslErrorHandler(self, handler: Optional[SslErrorHandler]) -> None:
        """Set who is asked when a server's certificate is not accepted; None, the default, is nobody.

        ``handler(errors, chain)`` is called in the thread of the blocked caller, with the list of TlsErrors and the
        list of the server's Certificates, its own first. It returns those of the errors that are accepted, or None. If
        all are, the request goes on, over a connection of its own; if not, it ends in a NetworkError. It is asked anew
        for each call; what is to be accepted for good belongs into ``TlsSettings.ignoredErrors``. What it raises ends
        the call and goes to the caller. Raises TypeError.
        """
        self._change(ssl_error_handler=checked_callable(handler, "an SSL error handler"))

    def sslErrorHandler(self) -> Optional[SslErrorHandler]:
        """Who is asked when a server's certificate is not accepted, or None."""
        return self._settings.ssl_error_handler

    def setStrictTransportSecurityEnabled(self, enabled: bool) -> None:
        """Set whether hosts that ask for it by ``Strict-Transport-Security`` (RFC 6797) are spoken to over https only.

        False by default, as in Qt; what was learned is forgotten when it is switched off, and with the process.
        """
        enabled = checked_switch(enabled, "enabled")
        if bool(enabled) != self.isStrictTransportSecurityEnabled():
            with first_use:
                from ..stores.hsts_hosts import StrictTransportHosts
            self._change(strict_transport=StrictTransportHosts() if enabled else None)

    def isStrictTransportSecurityEnabled(self) -> bool:
        """Whether hosts that ask for it are spoken to over https only."""
        return self._settings.strict_transport is not None

    def strictTransportSecurityHosts(self) -> Optional[StrictTransportHosts]:
        """The hosts that have asked for it, to be read and added to; None where it is switched off."""
        return self._settings.strict_transport
