"""NetworkAccessManager: the settings that requests share, and the shutdown of the engines."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Optional

from .._first_use import first_use
from .._names import public
from ..bodies.upload import Data
from ..engines import choice
from ..feedback import FeedbackLike
from ..models.proxy import Proxy
from ..prepare.arguments import HeadersLike, ParamsLike
from ..prepare.request_attributes import RequestLike
from ..proxies.rules import ProxyRules
from ..qt.binding import QtCore, QtNetwork, type_name
from ..reply import ReplyContent
from .also_static import also_static
from .batch_methods import BatchCalls
from .connection_settings import ConnectionSettings
from .request_settings import RequestSettings
from .settings_holder import change_settings, follow_qgis

if TYPE_CHECKING:
    from ..bodies.multipart import Fields, Files
    from ..request.request import BlockingNetworkRequest
    from .portable import PortableSettings


@public
class NetworkAccessManager(BatchCalls, ConnectionSettings, RequestSettings):
    """The settings that requests share: timeouts, engine, proxies, TLS, headers, cookies, cache and credentials.

    Every method may be called in any thread. A call uses the settings that the manager had when the call began. It is
    not a QNetworkAccessManager and needs no event loop. Requests that get no manager use ``instance()``.

    ``blockingGet``, ``blockingPost``, ``timeout``, ``setTimeout`` and the methods for preprocessors can be called on
    the class, too, as in QgsNetworkAccessManager. They are those of ``instance()`` then.

    It has signals of the type CallerSignal: their slots run in the thread of the blocked caller, and an exception of
    such a slot is raised to the caller. A method of a QObject that lives in another thread runs in that thread, by its
    event loop. The three signals below that ask are the exception.

    - ``requestAboutToBeCreated`` is emitted with a RequestParameters before a call sends anything.
    - ``finished`` is emitted with the ReplyContent when a call has ended.
    - ``encrypted`` is emitted with a ReplyContent when the TLS handshake of a new connection is complete. The reply has
      the TLS session. Batches do not emit it.
    - ``networkAccessibleChanged`` is emitted with a bool by ``setNetworkAccessible``.

    Three signals ask, in the place of a handler or before it. A call waits for their slots, so each slot runs in the
    thread of the caller, wherever its object lives.

    - ``authenticationRequired`` is emitted with a ReplyContent, which has the 401, and a QAuthenticator. A slot fills
      in user and password. After three wrong ones the call ends.
    - ``proxyAuthenticationRequired`` is emitted with a QNetworkProxy and a QAuthenticator, as for a server.
    - ``sslErrors`` is emitted with a reply and a list of QSslErrors. A slot accepts all of them by the reply's
      ``ignoreSslErrors()``, or some by ``ignoreSslErrors(errors)``.
    """

    _instance: Optional[NetworkAccessManager] = None
    _instance_guard = threading.RLock()

    def __init__(self, parent: None = None) -> None:
        """Create a manager with the default settings.

        ``parent``: always None, because the manager is not a QObject. Raises TypeError for another value.
        """
        if parent is not None:
            raise TypeError(
                f"NetworkAccessManager takes no parent, and was given a {type_name(parent)}: it is not a QObject, and "
                "Python deletes it. Write NetworkAccessManager()"
            )
        super().__init__()

    if not TYPE_CHECKING:  # a type checker would accept every name

        def __getattr__(self, name: str) -> Any:
            """Give advice about the methods of a QNetworkAccessManager that send."""
            if name in _SENDING_METHODS:
                advice = f"send requests by BlockingNetworkRequest(manager).{name}(...)"
                raise AttributeError(f"NetworkAccessManager has no {name}(): {advice}")
            return object.__getattribute__(self, name)  # raises the usual error

    def __repr__(self) -> str:
        settings = self._settings
        proxy = _shown(settings.proxies.proxy)
        cache = "" if settings.cache is None else f", {settings.cache!r}"
        return (
            f"<NetworkAccessManager: engine {settings.engine or 'auto'}, timeout {settings.timeout} ms{proxy}{cache}>"
        )

    @classmethod
    def instance(cls) -> NetworkAccessManager:
        """Return the manager of the process. Requests that get no manager use it. May be called in any thread.

        In a running QGIS it follows QGIS's settings: the timeout, the user agent, the proxy with its credentials, the
        exclusions from the proxy, the certificate authorities that the user has added, and the certificate errors that
        the user has accepted. A call uses the settings of its beginning; certificates may be five seconds old. What the
        program sets itself, as by ``setTimeout``, no longer follows. ``setInstance(None)`` starts anew.
        """
        manager = NetworkAccessManager._instance
        if manager is None:
            new = NetworkAccessManager()
            follow_qgis(new)
            with cls._instance_guard:
                manager = NetworkAccessManager._instance
                if manager is None:
                    manager = NetworkAccessManager._instance = new
        return manager

    @classmethod
    def setInstance(cls, manager: Optional[NetworkAccessManager]) -> None:
        """Replace the manager of the process. May be called in any thread.

        BlockingNetworkRequest objects that are made from now on use it. Those that exist keep their manager.

        ``manager``: it has its own settings. So after ``setInstance(NetworkAccessManager())`` requests do not follow
        QGIS. None: ``instance()`` makes a new manager, as at the start of the program. It has no cookies, credentials,
        handlers and other settings of the present one. Raises TypeError for another object.
        """
        check_manager(manager)
        with cls._instance_guard:
            old = NetworkAccessManager._instance
            NetworkAccessManager._instance = manager
        del old  # after the lock: a destructor of the program may call instance()

    @classmethod
    def fromQgis(cls, settingsFile: Optional[str] = None, useQgisManager: bool = False) -> NetworkAccessManager:
        """Return a new manager with QGIS's network settings.

        These are the timeout, the user agent, the proxy with its excluded URLs, and the trusted certificates. It gets a
        disk cache of the size of QGIS's, in a folder beside QGIS's.

        - ``settingsFile``: the path of a ``QGIS3.ini``, read without QGIS. None: the settings of the running QGIS.
        - ``useQgisManager``: if True, the qt engine sends through QgsNetworkAccessManager. Then requests appear in
          QGIS's network logger and use its proxy, TLS exceptions and user agent. Inside QGIS only.

        Later changes of QGIS's settings have no effect on it: make a new manager. Raises RuntimeError if QGIS is needed
        and does not run, FileNotFoundError if the file does not exist, ValueError if a setting is not valid.
        """
        with first_use:
            from ..qgis.settings import read_qgis_settings

        settings = read_qgis_settings(settingsFile, useQgisManager)
        manager = cls()
        manager.setTimeout(settings.timeout)
        manager.setUserAgent(settings.user_agent)
        if settings.proxies is None:
            change_settings(manager, proxies=ProxyRules(ignores_environment=True))
        else:
            manager.setFallbackProxyAndExcludes(*settings.proxies)
        if settings.tls is not None:
            manager.setTlsSettings(settings.tls)
        manager.setCache(settings.cache)
        change_settings(manager, qgis=useQgisManager)
        return manager

    def portableSettings(self, secrets: bool = False) -> PortableSettings:
        """Return the settings and cookies as a value that can be pickled for another process.

        There ``portableSettings().manager()`` gives a manager with these settings.

        ``secrets``: if True, it contains the configs of the registry, the credentials that the auth handler gave and
        that were right, passwords of proxies, default headers such as ``Authorization``, and the client's key. The
        pickle then has them in clear text.
        """
        with first_use:
            from .portable import portable_settings

        return portable_settings(self._settings, secrets)

    @also_static
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
        """GET a resource, block, and return the reply, after an error too. In any thread.

        Arguments as in ``BlockingNetworkRequest.get``; ``authCfg`` as in its ``setAuthCfg``. The reply has
        ``errorCode()`` and ``raiseForError()``. Raises TypeError, ValueError.
        """
        blocking = self._request(authCfg)
        blocking.get(request, forceRefresh, feedback, headers=headers, params=params, timeout=timeout)
        return blocking.reply()

    @also_static
    def blockingPost(
        self,
        request: RequestLike,
        data: Data = None,
        authCfg: str = "",
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        *,
        form: Optional[Fields] = None,
        files: Optional[Files] = None,
        json: Any = None,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> ReplyContent:
        """POST a body, block, and return the reply, after an error too. In any thread.

        Arguments as in ``BlockingNetworkRequest.post``; ``authCfg`` as in its ``setAuthCfg``. The reply has
        ``errorCode()`` and ``raiseForError()``. Raises TypeError, ValueError.
        """
        blocking = self._request(authCfg)
        blocking.post(
            *(request, data, forceRefresh, feedback),
            form=form,
            files=files,
            json=json,
            headers=headers,
            params=params,
            timeout=timeout,
        )
        return blocking.reply()

    def _request(self, authcfg: str) -> BlockingNetworkRequest:
        from ..request.request import BlockingNetworkRequest

        blocking = BlockingNetworkRequest(self)
        blocking.setAuthCfg(authcfg)
        return blocking

    def clearAccessCache(self) -> None:
        """Forget the credentials and pre-shared keys that the handlers gave, and close the idle connections of the
        process.
        """
        self._settings.credential_cache.clear()
        self._settings.pre_shared_keys.clear()
        self._settings.proxy_credential_cache.clear()
        choice.clear_connections()

    def clearConnectionCache(self) -> None:
        """Close all idle connections of the process, those of other managers too."""
        choice.clear_connections()

    def shutdown(self) -> None:
        """Cancel all running calls, close all idle connections and stop the qt engine's workers.

        It concerns all managers of this copy of the package. The calls return ``CanceledError``. It happens by itself
        when the application quits or the interpreter exits. May be called in any thread and more than once. The next
        call starts new workers and connections.
        """
        choice.shutdown()


_SENDING_METHODS = frozenset({"get", "head", "post", "put", "deleteResource", "sendCustomRequest"})


def _shown(proxy: Optional[Proxy]) -> str:
    if proxy is None:
        return ""
    return ", no proxy" if proxy.is_none else f", proxy {proxy.address}"


def _replace_guard_after_fork() -> None:
    """Replace the lock in a forked child: if a thread of the parent held it, it would never be released there."""
    NetworkAccessManager._instance_guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_guard_after_fork)


def check_manager(manager: Any) -> None:
    """Raise TypeError if ``manager`` is neither a NetworkAccessManager nor None."""
    if manager is None or isinstance(manager, NetworkAccessManager):
        return
    text = f"manager must be a blocking_request.NetworkAccessManager or None, not {type_name(manager)}"
    if type(manager).__name__ == NetworkAccessManager.__name__:
        own, other = NetworkAccessManager.__module__, type(manager).__module__
        text = (
            f"manager is of another copy of the package: {other}.NetworkAccessManager, not {own}.NetworkAccessManager"
        )
    if isinstance(manager, (str, QtCore.QUrl, QtNetwork.QNetworkRequest)):
        text += ": give the request to the call, BlockingNetworkRequest().get(request)"
    elif isinstance(manager, QtCore.QObject) and not isinstance(manager, QtNetwork.QNetworkAccessManager):
        text += ": a parent is given as parent=..."
    raise TypeError(text)
