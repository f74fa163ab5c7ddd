"""Whose failure it was where a proxy stood in between: Qt 5 tells most of a proxy's failures as the server's.

Where its code does not tell, the proxy is connected to once more: what becomes of that is the response, and unlike Qt's
words it does not depend on the language of the program.
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
"""How long connecting to the proxy may take; the caller's timeouts run in the meantime."""

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
"""What Qt makes of a proxy's answer to CONNECT."""


def may_be_proxy_failure(transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> bool:
    """Return whether a failure may be the proxy's or the server's."""
    error = enum_value(reply.error())  # type: ignore[operator]
    if QT_VERSION >= (6,) or transfer.aborted or transfer.failure is not None or error not in _MAY_BE_THE_PROXYS:
        return False
    return transfer.proxy is not None and not transfer.proxy.forwards(transfer.request.url)


def proxy_failure(proxy: Proxy, request: Request, error: QtNetworkError, words: str) -> Optional[Failure]:
    """The failure in terms of the proxy; None where it is the server's. ``words``: Qt's."""
    if proxy.forwards(request.url):
        # Nobody but the proxy is connected to.
        error = _OF_THE_PROXY.get(error, error)
    elif proxy.kind == "http" and error in _TUNNEL_REFUSALS:
        return messages.proxy_refused(_TUNNEL_REFUSALS[error])
    if error is QtNetworkError.UnknownNetworkError:
        return messages.proxy_refused(words)
    return messages.proxy_failed(error)


class ProxyProbe(QtCore.QObject):
    """Lives in the worker's thread, as the child of its dispatcher; tells what it found once, and deletes itself."""

    def __init__(self, parent: QtCore.QObject, proxy: Proxy, tell: Callable[[Optional[Failure]], None]) -> None:
        """``tell`` is called with the proxy's failure, or None where it can be connected to."""
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
        except BaseException:  # what leaves a slot ends the process
            logger.exception("a proxy's failure could not be looked into")
