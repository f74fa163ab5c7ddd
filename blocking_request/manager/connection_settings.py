"""The settings of a manager for connections: timeouts, engine, proxies and TLS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

from .._first_use import first_use
from ..engines import choice
from ..models.pre_shared_key import PreSharedKeyHandler
from ..models.proxy import Proxy
from ..models.tls import TlsSettings
from ..prepare.settings import Settings, checked_callable, checked_milliseconds, checked_switch
from ..proxies.parse import ProxyFactory, ProxyLike, proxy_factory, proxy_of
from ..proxies.rules import OWN_EXCLUSIONS, OWN_FACTORY, OWN_PROXY, url_prefixes
from ..qt.binding import type_name
from .also_static import also_static
from .manager_signals import ManagerSignals

if TYPE_CHECKING:
    from ..flows.certificate_errors import SslErrorHandler
    from ..stores.hsts_hosts import StrictTransportHosts


class ConnectionSettings(ManagerSignals):
    """Settings for connections. Every method may be called in any thread. A call uses the settings of its beginning."""

    @also_static
    def setTimeout(self, timeout: int) -> None:
        """Set the idle timeout in ms: a call without progress for this long returns TimeoutError.

        0 disables it. The default is 60 000, as in QGIS. Raises TypeError if it is not an int, ValueError if it is
        negative.
        """
        self._change(timeout=checked_milliseconds(timeout, "timeout"))

    @also_static
    def timeout(self) -> int:
        """Return the idle timeout in ms; 0: no timeout."""
        return self._settings.timeout

    def setDeadline(self, deadline: int) -> None:
        """Set the longest time in ms that a whole call may take, with redirects, retries and the waits before them.

        0 (default) disables it. A call that takes longer returns TimeoutError. Raises TypeError if it is not an int,
        ValueError if it is negative.
        """
        self._change(deadline=checked_milliseconds(deadline, "deadline"))

    def deadline(self) -> int:
        """Return the deadline of a whole call in ms; 0: no deadline."""
        return self._settings.deadline

    def setEngine(self, engine: str) -> None:
        """Set the engine: ``'qt'``, ``'python'``, or ``'auto'``, which chooses one for each request.

        ``BlockingNetworkRequest.setEngine`` lists the rules of ``'auto'``. Raises TypeError if ``engine`` is not a str,
        ValueError if it is another name.
        """
        self._change(engine=choice.checked_engine(engine))

    def engine(self) -> str:
        """Return the engine that was set, else the environment variable ``BLOCKING_REQUEST_ENGINE``, else ``'auto'``.

        Raises ValueError if the variable is not the name of an engine.
        """
        return self._program_settings.settings.engine or choice.engine_of_environment()

    def setNetworkAccessible(self, accessible: bool) -> None:
        """Allow or forbid the network. While it is False, each call except for local files returns NetworkError.

        If this changes the setting, ``networkAccessibleChanged`` is emitted in the calling thread. Raises TypeError if
        ``accessible`` is not a bool.
        """
        before, accessible = self.networkAccessible(), checked_switch(accessible, "accessible")
        self._change(is_accessible=accessible)
        if accessible != before:
            self.networkAccessibleChanged.emit(accessible)

    def networkAccessible(self) -> bool:
        """Return whether requests may use the network."""
        return self._settings.is_accessible

    # -- proxies

    def setProxy(self, proxy: ProxyLike) -> None:
        """Set the proxy of every request, including those to localhost.

        ``proxy``: a Proxy, a QNetworkProxy, a URL (``http://user:password@host:port``, ``socks5://host:port``), or
        ``"none"`` to connect directly. None (default) uses the first of these that is set: Qt's application proxy, the
        environment (``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``), the proxy of the system. Raises
        TypeError or ValueError if it does not describe a proxy.
        """
        checked = proxy_of(proxy)
        self._change_by(
            lambda settings: {"proxies": replace(settings.proxies, proxy=checked, qgis_auth_cfg="")}, OWN_PROXY
        )

    def proxy(self) -> Optional[Proxy]:
        """Return the proxy that ``setProxy`` has set, or None."""
        return self._settings.proxies.proxy

    def setProxyFactory(self, factory: Any) -> None:
        """Set a function that chooses the proxy of each request. It takes precedence over ``proxy()``.

        ``factory``: a callable that gets the QUrl and returns a proxy, in any form that ``setProxy`` accepts, or None
        to use ``proxy()``; or a QNetworkProxyFactory; or None (default) for no function. It is called in the thread of
        the blocked caller. Raises TypeError for another object.
        """
        checked: Optional[ProxyFactory] = proxy_factory(factory)
        self._change_by(lambda settings: {"proxies": replace(settings.proxies, factory=checked)}, OWN_FACTORY)

    def proxyFactory(self) -> Optional[ProxyFactory]:
        """Return the callable that chooses proxies, or None. A QNetworkProxyFactory is returned as a callable."""
        return self._settings.proxies.factory

    def setFallbackProxyAndExcludes(
        self, proxy: ProxyLike, excludes: Iterable[str] = (), noProxyURLs: Iterable[str] = ()
    ) -> None:
        """Set the proxy and the URLs that do not use it, as in QgsNetworkAccessManager.

        - ``proxy``: as in ``setProxy``.
        - ``excludes``: URLs that begin with one of these strings use the proxy of Qt, the environment or the system.
        - ``noProxyURLs``: URLs that begin with one of these strings use no proxy.

        Blank strings are ignored. Raises TypeError or ValueError if an argument is not valid.
        """
        checked, default_proxy, no_proxy = proxy_of(proxy), url_prefixes(excludes), url_prefixes(noProxyURLs)

        def change(settings: Settings) -> dict[str, Any]:
            rules = replace(settings.proxies, proxy=checked, default_proxy_prefixes=default_proxy)
            return {"proxies": replace(rules, no_proxy_prefixes=no_proxy, qgis_auth_cfg="")}

        self._change_by(change, OWN_PROXY, OWN_EXCLUSIONS)

    def fallbackProxy(self) -> Optional[Proxy]:
        """Return the proxy, as ``proxy`` does; the name is that of QgsNetworkAccessManager."""
        return self._settings.proxies.proxy

    def excludeList(self) -> list[str]:
        """Return the prefixes of the URLs that use the proxy of Qt, the environment or the system."""
        return list(self._settings.proxies.default_proxy_prefixes)

    def noProxyList(self) -> list[str]:
        """Return the prefixes of the URLs that use no proxy."""
        return list(self._settings.proxies.no_proxy_prefixes)

    # -- TLS

    def setTlsSettings(self, tlsSettings: Optional[TlsSettings]) -> None:
        """Set the trusted certificates, the client certificate and the TLS versions; None uses the engine's defaults.

        A QSslConfiguration of the request takes precedence over it. Raises TypeError if it is not a TlsSettings.
        """
        if tlsSettings is not None and not isinstance(tlsSettings, TlsSettings):
            raise TypeError(f"tlsSettings must be TlsSettings or None, not {type_name(tlsSettings)}")
        self._change(tls=tlsSettings)

    def tlsSettings(self) -> Optional[TlsSettings]:
        """Return the TLS settings, or None for the engine's defaults."""
        return self._settings.tls

    def setSslErrorHandler(self, handler: Optional[SslErrorHandler]) -> None:
        """Set the function that decides about errors of a server's certificate; None (default) accepts no error.

        ``handler(errors, chain)`` is called in the thread of the blocked caller. ``errors`` is a list of TlsErrors,
        ``chain`` the list of the Certificates that the server sent, its own first. It returns the errors that are
        accepted, or None for none.

        If it accepts all errors, the request continues on a separate connection. Otherwise the call returns
        NetworkError. The handler is called again for each call; to accept an error always, put it into
        ``TlsSettings.ignoredErrors``. An exception of the handler ends the call and is raised to the caller.

        Raises TypeError if ``handler`` is not callable.
        """
        self._change(ssl_error_handler=checked_callable(handler, "an SSL error handler"))

    def sslErrorHandler(self) -> Optional[SslErrorHandler]:
        """Return the function that decides about errors of a server's certificate, or None."""
        return self._settings.ssl_error_handler

    def setPreSharedKeyHandler(self, handler: Optional[PreSharedKeyHandler]) -> None:
        """Set the function that is called when a server wants a pre-shared key (RFC 4279, RFC 8446 section 2.2).

        ``handler(hint, host, attempt)`` is called in the thread of the blocked caller, between two handshakes:

        - ``hint``: the identity hint of the server; '' if it sends none, as with TLS 1.3.
        - ``host``: the host; with its port if that is not the default.
        - ``attempt``: the number of the attempt, 1 for the first.

        It returns ``(identity, key)``, or None to give up: the call ends with NetworkError. ``identity`` is a str or
        bytes of at most 255 bytes, ``key`` is bytes, at most 512. After three refused keys the call ends. A key is
        reused for the origin until the server refuses it, another handler is set, or ``clearAccessCache()``. It is not
        used at other origins. An exception of the handler ends the call and is raised to the caller, as is a TypeError
        or ValueError for another result.

        It is also called if a server refuses the handshake without a reason, as servers do that have no certificate. A
        server that has no certificate, and proves that it knows the key, is trusted.

        Qt has pre-shared keys up to TLS 1.2. The python engine needs Python 3.13. ``'auto'`` takes the engine that can.
        See ``QNetworkAccessManager::preSharedKeyAuthenticationRequired``.

        None (default): no function is called. Raises TypeError if ``handler`` is not callable.
        """
        checked = checked_callable(handler, "a pre-shared key handler")
        self._change(pre_shared_key_handler=checked, pre_shared_keys={})

    def preSharedKeyHandler(self) -> Optional[PreSharedKeyHandler]:
        """Return the function that is called for pre-shared keys, or None."""
        return self._settings.pre_shared_key_handler

    def setStrictTransportSecurityEnabled(self, enabled: bool) -> None:
        """Enable or disable HSTS (RFC 6797): use https for hosts that have sent ``Strict-Transport-Security``.

        It is disabled by default, as in Qt. The hosts are kept in memory until it is disabled or the process ends.
        Raises TypeError if ``enabled`` is not a bool.
        """
        enabled = checked_switch(enabled, "enabled")
        if bool(enabled) != self.isStrictTransportSecurityEnabled():
            with first_use:
                from ..stores.hsts_hosts import StrictTransportHosts
            self._change(strict_transport=StrictTransportHosts() if enabled else None)

    def isStrictTransportSecurityEnabled(self) -> bool:
        """Return whether HSTS is enabled."""
        return self._settings.strict_transport is not None

    def strictTransportSecurityHosts(self) -> Optional[StrictTransportHosts]:
        """Return the known HSTS hosts, to read and to add to; None if HSTS is disabled."""
        return self._settings.strict_transport
