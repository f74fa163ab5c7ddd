"""The QNetworkAccessManager of a worker, and the key that says which requests may share it.

Only ``worker_key`` is called in other threads than the worker's.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, Optional

from ...models.connection_options import DEFAULT_CONNECTION, ConnectionOptions
from ...models.http_messages import ConnectionCredentials, Request
from ...models.proxy import Proxy
from ...proxies.parse import qt_proxy
from ...qt.binding import QtCore, QtNetwork
from ...qt.objects import delete_at_thread_end, prime_disconnect_notify, release_ownership
from ...tls.qt_configuration import NO_TLS, TlsKey, tls_key
from .proxy_factory import BufferedDirect


class WorkerKey(NamedTuple):
    """Requests with equal keys may share a worker: Qt ties TLS, proxies and NTLM to a connection, not to a request."""

    tls: TlsKey = NO_TLS
    proxy: Optional[Proxy] = None
    connection_credentials: Optional[ConnectionCredentials] = None
    """By NTLM and Negotiate a connection is authenticated: the server takes each request on it as that user's."""
    qgis: bool = False
    connection: ConnectionOptions = DEFAULT_CONNECTION


_PLAIN = WorkerKey()


def worker_key(request: Request) -> WorkerKey:
    """Return the key of a request. Any thread may call this."""
    is_plain = request.proxy is None and request.connection_credentials is None and not request.qgis
    if is_plain and not request.url.startswith("https:"):
        return _PLAIN if request.connection is DEFAULT_CONNECTION else WorkerKey(connection=request.connection)
    return WorkerKey(tls_key(request), request.proxy, request.connection_credentials, request.qgis, request.connection)


class Manager:
    """A QNetworkAccessManager, and the proxy factory that must live as long."""

    def __init__(self, key: WorkerKey) -> None:
        self.qnam: QtNetwork.QNetworkAccessManager
        self._proxies: Optional[BufferedDirect] = None
        self._is_qgis = key.qgis
        if key.qgis:
            self.qnam = _qgis_manager()
            # The cache is above the engines. QGIS's own cache would answer without its knowledge.
            self.qnam.setCache(None)  # type: ignore[arg-type]
        else:
            self.qnam = QtNetwork.QNetworkAccessManager()
            release_ownership(self.qnam)
        if key.proxy is not None and not key.proxy.is_none:
            self.qnam.setProxy(qt_proxy(key.proxy))
        elif not key.qgis:
            self._proxies = BufferedDirect(no_proxy=key.proxy is not None)
            self.qnam.setProxyFactory(self._proxies)
        self.qnam.setAutoDeleteReplies(True)

    @property
    def finished(self) -> Any:
        """``QNetworkAccessManager.finished``. QGIS's subclass has another signal of that name."""
        return QtNetwork.QNetworkAccessManager.finished.__get__(self.qnam, type(self.qnam))

    def keep_the_lock_rule(self, slot: Any) -> None:
        """Prevent a freeze of the whole process (PyQt5 5.15).

        Symptom without it: one thread in ``~QNetworkReplyHttpImpl`` holds a lock of Qt and waits for the GIL in
        ``sipQNetworkAccessManager::disconnectNotify``; another holds the GIL and waits for that lock in a ``connect``.
        On Qt 5 each reply is a receiver of ``networkSessionConnected``, so the end of any reply can do it.

        PyQt takes the GIL to find out whether Python overrides ``disconnectNotify``, and remembers the result for each
        object. So a signal is connected and disconnected here, while no lock of Qt is held.
        """
        prime_disconnect_notify(self.finished, slot)

    def delete(self) -> None:
        """Delete the manager at the end of the thread. QGIS deletes its own manager."""
        if not self._is_qgis:
            delete_at_thread_end(self.qnam)


def _qgis_manager() -> Any:
    from qgis.core import QgsNetworkAccessManager

    # QGIS has one manager for each thread.
    return QgsNetworkAccessManager.instance()


def is_in_qgis() -> bool:
    """Return whether QGIS's own manager can be used: its library is loaded and its application exists."""
    core = sys.modules.get("qgis.core")
    if core is None or QtCore.QCoreApplication.instance() is None:
        return False
    return core.QgsApplication.instance() is not None
