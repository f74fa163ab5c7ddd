"""Finds out why a TLS handshake has failed: QNetworkAccessManager of Qt 5.15 only says "SSL handshake failed".

A QSslSocket reports the reason. So a QSslSocket repeats the handshake, and sends nothing afterwards.
"""

from __future__ import annotations

from typing import Callable, Optional

from ...models.proxy import NO_PROXY, Proxy
from ...proxies.parse import qt_proxy
from ...qt.binding import QtCore, QtNetwork, Slot
from ...trace import logger

PATIENCE_MS = 2_000
"""How long the handshake may take. The caller's timeouts run in the meantime."""


class TlsProbe(QtCore.QObject):
    """Repeats a handshake, reports the reason of its failure once, and deletes itself.

    It lives in the worker's thread, as a child of the dispatcher.
    """

    def __init__(
        self,
        parent: QtCore.QObject,
        request: QtNetwork.QNetworkRequest,
        proxy: Optional[Proxy],
        tell: Callable[[str], None],
        give_key: Callable[[QtNetwork.QSslPreSharedKeyAuthenticator], None],
    ) -> None:
        """``tell`` is called with OpenSSL's message, or with ``""`` if no reason was found. ``give_key`` is called if
        the server wants a pre-shared key.
        """
        super().__init__(parent)
        self._tell = tell
        self._give_key = give_key
        self._socket = QtNetwork.QSslSocket(self)
        self._socket.setProxy(qt_proxy(proxy or NO_PROXY))
        self._socket.setSslConfiguration(request.sslConfiguration())
        self._socket.errorOccurred.connect(self._failed)
        self._socket.encrypted.connect(self._encrypted)
        self._socket.preSharedKeyAuthenticationRequired.connect(self._key_wanted)
        self.startTimer(PATIENCE_MS)
        url, name = request.url(), request.peerVerifyName()
        self._socket.connectToHostEncrypted(url.host(), url.port(443), name or url.host())

    @Slot("QAbstractSocket::SocketError")
    def _failed(self, error: object) -> None:
        self._end(self._socket.errorString())

    @Slot("QSslPreSharedKeyAuthenticator*")
    def _key_wanted(self, authenticator: QtNetwork.QSslPreSharedKeyAuthenticator) -> None:
        try:
            self._give_key(authenticator)
        except BaseException:  # PyQt ends the process if an exception leaves a slot
            logger.exception("a pre-shared key could not be given")

    @Slot()
    def _encrypted(self) -> None:
        self._end("")

    def timerEvent(self, event: Optional[QtCore.QTimerEvent]) -> None:
        self._end("")

    def _end(self, reason: str) -> None:
        try:
            self._socket.errorOccurred.disconnect(self._failed)
            self._socket.encrypted.disconnect(self._encrypted)
            self._socket.abort()
            self.deleteLater()
            self._tell(reason)
        except BaseException:  # PyQt ends the process if an exception leaves a slot
            logger.exception("a TLS failure could not be looked into")
