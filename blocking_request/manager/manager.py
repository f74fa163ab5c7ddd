"""NetworkAccessManager: the settings that requests share, and the end of the workers they use."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Optional

from .._first_use import first_use
from .._names import public
from ..bodies.upload import Data
from ..engines import choice
from ..feedback import FeedbackLike
from ..prepare.arguments import HeadersLike, ParamsLike
from ..prepare.request_attributes import RequestLike
from ..proxies.rules import ProxyRules
from ..qt.binding import QtCore, QtNetwork, type_name
from ..qt.caller_signal import CallerSignal
from ..reply import ReplyContent
from .batch_methods import BatchCalls
from .connection_settings import ConnectionSettings
from .request_settings import RequestSettings
from .settings_holder import change_settings

if TYPE_CHECKING:
    from ..request.request import BlockingNetworkRequest
    from .portable import PortableSettings


@public
class NetworkAccessManager(BatchCalls, ConnectionSettings, RequestSettings):
    """Settings that requests share. Every method may be called from any thread; a running request keeps what it
    started with.

    ``requestAboutToBeCreated`` is emitted with a RequestParameters before each call sends anything, ``finished`` with
    the ReplyContent after it: in the thread of the blocked caller, see CallerSignal. An exception of a slot goes to the
    caller.
    """

    _instance: Optional[NetworkAccessManager] = None
    _instance_guard = threading.Lock()

    def __init__(self) -> None:
        super().__init__()
        self.requestAboutToBeCreated = CallerSignal()
        self.finished = CallerSignal()

    def __repr__(self) -> str:
        settings = self._settings
        proxy = "" if settings.proxies.proxy is None else f", proxy {settings.proxies.proxy.address or 'none'}"
        cache = "" if settings.cache is None else f", {settings.cache!r}"
        return (
            f"<NetworkAccessManager: engine {settings.engine or 'auto'}, timeout {settings.timeout} ms{proxy}{cache}>"
        )

    @classmethod
    def instance(cls) -> NetworkAccessManager:
        """The one of the process, which requests use that were given none."""
        with cls._instance_guard:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def fromQgis(cls, settingsFile: Optional[str] = None, useQgisManager: bool = False) -> NetworkAccessManager:
        """A manager with QGIS's network settings: timeout, user agent, proxy with its exceptions, trusted certificates;
        and with a cache on disk, of the size and in the place that QGIS's has, beside it.

        ``settingsFile``: the path of a ``QGIS3.ini``, which is read without QGIS; None: the settings of the QGIS this
        program is. ``useQgisManager``: have the qt engine send by QGIS's own manager of the network thread, so that
        requests show up in QGIS's network logger, with its proxy, TLS exceptions and user agent; only inside QGIS.
        Settings that are changed later are not followed: make another. Raises RuntimeError where this is no QGIS,
        FileNotFoundError where there is no such file, ValueError where a setting cannot be used.
        """
        with first_use:
            from ..qgis.settings import read_qgis_settings

        settings = read_qgis_settings(settingsFile, useQgisManager)
        manager = cls()
        manager.setTimeout(settings.timeout)
        manager.setUserAgent(settings.user_agent)
        if settings.proxies is None:
            change_settings(manager, proxies=ProxyRules(ignore_system=True))
        else:
            manager.setFallbackProxyAndExcludes(*settings.proxies)
        if settings.tls is not None:
            manager.setTlsSettings(settings.tls)
        manager.setCache(settings.cache)
        change_settings(manager, qgis=useQgisManager)
        return manager

    def portableSettings(self, secrets: bool = False) -> PortableSettings:
        """The settings and cookies as a value for other processes: ``portableSettings().manager()`` there.

        ``secrets``: with the configs of the registry, what was found right when somebody was asked, passwords of
        proxies, default headers like ``Authorization``, and the client's key. They then stand in the pickle in clear
        text.
        """
        with first_use:
            from .portable import portable_settings

        return portable_settings(self._settings, secrets)

    def blockingGet(
        self,
        request: RequestLike,
        authCfg: str = "",
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> ReplyContent:
        """GET and return the reply, whatever it came to: see its ``errorCode()`` or call its ``raiseForError()``."""
        blocking = self._request(authCfg)
        blocking.get(request, forceRefresh, feedback, headers=headers, params=params, timeout=timeout)
        return blocking.reply()

    def blockingPost(
        self,
        request: RequestLike,
        data: Data,
        authCfg: str = "",
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> ReplyContent:
        """POST and return the reply, whatever it came to: see its ``errorCode()`` or call its ``raiseForError()``."""
        blocking = self._request(authCfg)
        blocking.post(request, data, forceRefresh, feedback, headers=headers, params=params, timeout=timeout)
        return blocking.reply()

    def _request(self, authcfg: str) -> BlockingNetworkRequest:
        from ..request.request import BlockingNetworkRequest

        blocking = BlockingNetworkRequest(self)
        blocking.setAuthCfg(authcfg)
        return blocking

    def clearAccessCache(self) -> None:
        """Forget the credentials that the auth handler gave, and close the connections that are kept, all of them."""
        self._settings.credential_cache.clear()
        self._settings.proxy_credential_cache.clear()
        choice.clear_connections()

    def clearConnectionCache(self) -> None:
        """Close the connections that are kept and that no request uses at the moment, those of the whole process."""
        choice.clear_connections()

    def shutdown(self) -> None:
        """Cancel what is under way in the process (the calls return ``CanceledError``), close the connections that are
        kept, and end the qt engine's workers.

        Happens by itself when the application quits and when the interpreter exits. May be called again; the next
        request starts anew.
        """
        choice.shutdown()


def _replace_guard_after_fork() -> None:
    """In a forked child: a thread of the parent may have held it, and would never release it."""
    NetworkAccessManager._instance_guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_guard_after_fork)


def check_manager(manager: Any) -> None:
    """Raises TypeError if it is neither a NetworkAccessManager nor None."""
    if manager is None or isinstance(manager, NetworkAccessManager):
        return
    text = f"manager must be a blocking_request.NetworkAccessManager or None, not {type_name(manager)}"
    if isinstance(manager, (str, QtCore.QUrl, QtNetwork.QNetworkRequest)):
        text += ": give the request to the call, BlockingNetworkRequest().get(request)"
    elif isinstance(manager, QtCore.QObject) and not isinstance(manager, QtNetwork.QNetworkAccessManager):
        text += ": a parent is given as parent=..."
    raise TypeError(text)
