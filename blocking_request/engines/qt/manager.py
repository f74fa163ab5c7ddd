"""The QNetworkAccessManager of a worker, and what must be the same for requests that share one.

Called in the worker's thread, but for ``worker_key``.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, Optional

from ...models.http_messages import ConnectionCredentials, Request
from ...models.proxy import Proxy
from ...proxies.parse import qt_proxy
from ...qt.binding import QtCore, QtNetwork
from ...qt.objects import delete_at_thread_end, prime_disconnect_notify, release_ownership
from ...tls.qt_configuration import NO_TLS, TlsKey, tls_key
from .proxy_factory import BufferedDirect


class WorkerKey(NamedTuple):
    """Qt ties TLS, proxies and NTLM to a manager's connections and not to a request."""

    tls: TlsKey = NO_TLS
    proxy: Optional[Proxy] = None
    connection_credentials: Optional[ConnectionCredentials] = None
    """A server answers every request on an authenticated connection as that user's."""
    qgis: bool = False


_PLAIN = WorkerKey()


def worker_key(request: Request) -> WorkerKey:
    """May be called from any thread."""
    is_plain = request.proxy is None and request.connection_credentials is None and not request.qgis
    if is_plain and not request.url.startswith("https:"):
        return _PLAIN
    return WorkerKey(tls_key(request), request.proxy, request.connection_credentials, request.qgis)


class Manager:
    """A QNetworkAccessManager and what it needs to live."""

    def __init__(self, key: WorkerKey) -> None:
        self.qnam: QtNetwork.QNetworkAccessManager
        self._proxies: Optional[BufferedDirect] = None
        self._is_qgis = key.qgis
        if key.qgis:
            self.qnam = _qgis_manager()
            # Ours is above the engines, and QGIS's rule would answer from its own behind our back.
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
        """``QNetworkAccessManager.finished``; QGIS's heir has another signal of that name."""
        return QtNetwork.QNetworkAccessManager.finished.__get__(self.qnam, type(self.qnam))

    def keep_the_lock_rule(self, slot: Any) -> None:
        """Prevent a freeze of the whole process (PyQt5 5.15).

        Symptom without it: one thread in ``~QNetworkReplyHttpImpl`` holds a Qt lock and waits for the GIL in
        ``sipQNetworkAccessManager::disconnectNotify``; another holds the GIL and waits for that lock in some
        ``connect``. Every reply on Qt 5 is the receiver of ``networkSessionConnected``, so every reply's end may do it.

        PyQt asks for the GIL only to find out whether Python overrides ``disconnectNotify``, and remembers a no for
        each object. This connection and its end make it ask now, while no Qt lock is held.
        """
        prime_disconnect_notify(self.finished, slot)

    def delete(self) -> None:
        """At the end of the thread. QGIS deletes its own."""
        if not self._is_qgis:
            delete_at_thread_end(self.qnam)


def _qgis_manager() -> Any:
    from qgis.core import QgsNetworkAccessManager

    # Each thread has one. Nobody else has this thread's.
    return QgsNetworkAccessManager.instance()


def is_in_qgis() -> bool:
    """Whether QGIS's own manager can be had: its library is loaded and its application lives."""
    core = sys.modules.get("qgis.core")
    if core is None or QtCore.QCoreApplication.instance() is None:
        return False
    return core.QgsApplication.instance() is not None
