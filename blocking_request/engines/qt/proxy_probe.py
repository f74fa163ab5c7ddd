"""Finds out whether a proxy or the server has failed: Qt 5 reports most failures of a proxy as the server's.

If Qt's error code does not tell, a probe connects to the proxy once more. Its result, unlike Qt's message, does not
depend on the language of the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Optional

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError
from ...models.http_messages import Request
from ...models.proxy import Proxy
from ...qt.binding import QT_VERSION, QtCore, QtNetwork, Slot, enum_value
from ...trace import logger

if TYPE_CHECKING:
    from .worker import QtTransfer

PATIENCE_MS = 2_000
"""How long the probe may take to connect. The caller's timeouts run in the meantime."""

_OF_THE_PROXY = {
    QtNetworkError.ConnectionRefusedError: QtNetworkError.ProxyConnectionRefusedError,
    QtNetworkError.RemoteHostClosedError: QtNetworkError.ProxyConnectionClosedError,
    QtNetworkError.HostNotFoundError: QtNetworkError.ProxyNotFoundError,
    QtNetworkError.TimeoutError: QtNetworkError.ProxyTimeoutError,
}
_MAY_BE_THE_PROXYS = (
    QtNetworkError.ConnectionRefusedError,
    QtNetworkError.HostNotFoundError,
    QtNetworkError.TimeoutError,
    QtNetworkError.UnknownNetworkError,
)
_TUNNEL_REFUSALS = {
    QtNetworkError.ConnectionRefusedError: "503 Service Unavailable",
    QtNetworkError.HostNotFoundError: "404 Not Found",
}
"""The status of a proxy's response to CONNECT, by the error that Qt makes of it."""


def may_be_proxy_failure(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> bool:
    """Return whether Qt's error may mean the proxy as well as the server."""
    error = enum_value(reply.error())  # type: ignore[operator]
    if QT_VERSION >= (6,) or transfer.aborted or transfer.failure is not None or error not in _MAY_BE_THE_PROXYS:
        return False
    return transfer.proxy is not None and not transfer.proxy.forwards(transfer.request.url)


def proxy_failure(proxy: Proxy, request: Request, error: QtNetworkError, words: str) -> Optional[Failure]:
    """Return the failure of the proxy, or None if the server has failed. ``words``: Qt's message."""
    if proxy.forwards(request.url):
        # Qt connects to the proxy only.
        error = _OF_THE_PROXY.get(error, error)
    elif proxy.kind == "http" and error in _TUNNEL_REFUSALS:
        return messages.proxy_refused(_TUNNEL_REFUSALS[error])
    if error is QtNetworkError.UnknownNetworkError:
        return messages.proxy_refused(words)
    return messages.proxy_failed(error)


class ProxyProbe(QtCore.QObject):
    """Connects to a proxy, reports the result once, and deletes itself.

    It lives in the worker's thread, as a child of the dispatcher.
    """

    def __init__(self, parent: QtCore.QObject, proxy: Proxy, tell: Callable[[Optional[Failure]], None]) -> None:
        """``tell`` is called with the failure of the proxy, or with None if the proxy accepts connections."""
        super().__init__(parent)
        self._tell = tell
        self._socket = QtNetwork.QTcpSocket(self)
        self._socket.setProxy(QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.NoProxy))
        self._socket.errorOccurred.connect(self._failed)
        self._socket.connected.connect(self._connected)
        self.startTimer(PATIENCE_MS)
        self._socket.connectToHost(proxy.host, proxy.port)

    @Slot("QAbstractSocket::SocketError")
    def _failed(self, error: QtNetwork.QAbstractSocket.SocketError) -> None:
        kinds = QtNetwork.QAbstractSocket.SocketError
        by_kind = {
            enum_value(kinds.ConnectionRefusedError): QtNetworkError.ProxyConnectionRefusedError,
            enum_value(kinds.HostNotFoundError): QtNetworkError.ProxyNotFoundError,
            enum_value(kinds.SocketTimeoutError): QtNetworkError.ProxyTimeoutError,
        }
        known = by_kind.get(enum_value(error), QtNetworkError.ProxyConnectionClosedError)
        self._end(messages.proxy_failed(known))

    @Slot()
    def _connected(self) -> None:
        self._end(None)

    def timerEvent(self, event: Optional[QtCore.QTimerEvent]) -> None:
        self._end(messages.proxy_failed(QtNetworkError.ProxyTimeoutError))

    def _end(self, failure: Optional[Failure]) -> None:
        try:
            self._socket.errorOccurred.disconnect(self._failed)
            self._socket.connected.disconnect(self._connected)
            self._socket.abort()
            self.deleteLater()
            self._tell(failure)
        except BaseException:  # PyQt ends the process if an exception leaves a slot
            logger.exception("a proxy's failure could not be looked into")
