"""SuppliedSocket: the connected socket of the application that an Http uses by ``setSocket``.

The socket is duplicated, so the application's object stays open, and remains the application's to close. Both share
the connection and whether it blocks. So while the Http uses it, the application's object must not block, and a
QTcpSocket must not read: it would take the responses away.
"""

from __future__ import annotations

import socket
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, TypeVar

from ..engines.python.supplied_connection import SuppliedConnection
from ..qt.binding import QtCore, QtNetwork, is_deleted, type_name
from ..qt.objects import disconnect_destroyed

_CONNECTED = QtNetwork.QAbstractSocket.SocketState.ConnectedState
_Kind = TypeVar("_Kind", bound=QtCore.QObject)


@dataclass(eq=False)
class SuppliedSocket:
    """A duplicate of a socket of the application. For the thread of the Http."""

    connection: SuppliedConnection
    _hold: Callable[[], None]
    _release: Callable[[], None]
    _is_held: bool = False

    def __repr__(self) -> str:
        return "<SuppliedSocket>"

    def hold(self) -> None:
        """Take the connection over from the application's object. Raises ValueError."""
        self._hold()
        self._is_held = True

    def close(self) -> None:
        """Close the duplicate and give the application's object back. May be called again."""
        self.connection.close()
        if self._is_held:
            self._is_held = False
            self._release()

    def close_if_ended(self) -> None:
        """Close it if the connection can serve no more requests. For moments in which no request is under way."""
        if self.connection.has_ended:
            self.close()


def supplied_socket(given: Any) -> SuppliedSocket:
    """Duplicate a socket. Raises TypeError for another type, and ValueError if its connection cannot be used."""
    if isinstance(given, QtNetwork.QTcpSocket):
        return _of_qt(given)
    if isinstance(given, socket.socket):
        return _of_python(given)
    raise TypeError(f"socket must be a QTcpSocket, a socket.socket or None, not {type_name(given)}")


def _of_python(given: socket.socket) -> SuppliedSocket:
    ssl = sys.modules.get("ssl")
    if ssl is not None and isinstance(given, ssl.SSLSocket):
        raise ValueError(
            "an SSLSocket cannot be used, because its keys stay in it: give the socket before TLS is started, "
            "and call setHost() with ConnectionModeHttps"
        )
    if given.type != socket.SOCK_STREAM:
        raise ValueError(f"socket must be a stream socket, not {given.type!r}")
    try:
        given.getpeername()
        duplicate = socket.fromfd(given.fileno(), given.family, given.type, given.proto)
    except OSError as error:
        raise ValueError(f"socket must be connected: {error}") from None
    return SuppliedSocket(
        connection=SuppliedConnection(duplicate),
        _hold=partial(duplicate.setblocking, False),
        _release=partial(_restore_timeout, weakref.ref(given)),
    )


def _restore_timeout(reference: weakref.ref[socket.socket]) -> None:
    """Have a socket of Python block again, if it did before."""
    given = reference()
    if given is not None:
        with suppress(OSError):  # it is closed
            given.settimeout(given.gettimeout())


def _of_qt(given: QtNetwork.QTcpSocket) -> SuppliedSocket:
    if given.state() != _CONNECTED:
        raise ValueError("socket must be connected: call connectToHost() and waitForConnected() of it first")
    unencrypted = QtNetwork.QSslSocket.SslMode.UnencryptedMode
    if isinstance(given, QtNetwork.QSslSocket) and given.mode() != unencrypted:
        raise ValueError(
            "an encrypted QSslSocket cannot be used, because its keys stay in it: give a QTcpSocket, "
            "and call setHost() with ConnectionModeHttps"
        )
    _check_qt_socket(given)
    duplicate = _duplicate_of(given)
    return SuppliedSocket(
        connection=SuppliedConnection(duplicate),
        _hold=partial(_hold_qt_socket, given, duplicate),
        _release=partial(_release_qt_socket, given),
    )


def _duplicate_of(given: QtNetwork.QTcpSocket) -> socket.socket:
    """Raises ValueError if the descriptor of a QTcpSocket is not that of its connection.

    If it is connected through a SOCKS5 proxy, Qt returns a number that is no descriptor, and may be that of a file.
    """
    try:
        borrowed = socket.socket(fileno=int(given.socketDescriptor()))
        try:
            borrowed.getpeername()
            if borrowed.getsockname()[1] == given.localPort():
                return borrowed.dup()
        finally:
            borrowed.detach()
    except (OSError, OverflowError):
        pass
    raise ValueError("the QTcpSocket has no descriptor of its own, as with a SOCKS5 proxy: use setProxy() instead")


def _check_qt_socket(given: QtNetwork.QTcpSocket) -> None:
    """Raises ValueError if a QTcpSocket holds bytes, or lives in another thread than this one."""
    if given.thread() != QtCore.QThread.currentThread():
        raise ValueError("the QTcpSocket lives in another thread than this Http: call its moveToThread() first")
    # With an HTTP proxy, and in a QSslSocket, Qt has another socket in it.
    for each in (given, *_children(given, QtNetwork.QTcpSocket)):
        if each.bytesAvailable():
            raise ValueError("the QTcpSocket has received bytes that were not read: call its readAll() first")
        if each.bytesToWrite():
            raise ValueError("the QTcpSocket has bytes that were not sent: call its waitForBytesWritten() first")


def _hold_qt_socket(given: QtNetwork.QTcpSocket, duplicate: socket.socket) -> None:
    if not is_deleted(given) and given.state() == _CONNECTED:
        _check_qt_socket(given)
        _set_reading(given, False)
    duplicate.setblocking(False)


def _release_qt_socket(given: QtNetwork.QTcpSocket) -> None:
    """Have a QTcpSocket read again. It notices if the server has closed the connection."""
    is_here = not is_deleted(given) and given.thread() == QtCore.QThread.currentThread()
    if is_here and given.state() == _CONNECTED:
        _set_reading(given, True)


def _set_reading(given: QtNetwork.QTcpSocket, enabled: bool) -> None:
    for notifier in _children(given, QtCore.QSocketNotifier):
        if notifier.type() == QtCore.QSocketNotifier.Type.Read:
            notifier.setEnabled(enabled)


def _children(given: QtNetwork.QTcpSocket, kind: type[_Kind]) -> list[_Kind]:
    """Return the objects of a class inside a QTcpSocket.

    ``findChildren`` makes a wrapper for each object, of whatever class. PyQt connects a slot to them, and Qt 6 prints a
    warning when it deletes an object with such a slot.
    """
    found: list[_Kind] = []
    for each in given.findChildren(QtCore.QObject):
        if isinstance(each, kind):
            found.append(each)
        disconnect_destroyed(each)
    return found
