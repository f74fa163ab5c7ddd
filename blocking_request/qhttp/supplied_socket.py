"""SuppliedSocket: the connected socket of the application that an Http uses by ``setSocket``.

The socket is duplicated, so the application's object stays open, and remains the application's to close. Both share
the connection and whether it blocks. So while the Http uses it, the application's object must not block, and a
QTcpSocket must not read: it would take the responses away.
"""

from __future__ import annotations

import socket
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional, TypeVar

from ..engines.python.supplied_connection import SuppliedConnection
from ..qt.binding import QtCore, QtNetwork, Signal, Slot, is_deleted, type_name
from ..qt.emit import emit
from ..qt.objects import disconnect_destroyed

_CONNECTED = QtNetwork.QAbstractSocket.SocketState.ConnectedState
_Kind = TypeVar("_Kind", bound=QtCore.QObject)


@dataclass(eq=False)
class SuppliedSocket:
    """A duplicate of a socket of the application. For the thread of the Http.

    If it is dropped without ``close``, as with its Http, the garbage collector closes it, in any thread.
    """

    connection: SuppliedConnection
    _hold: Callable[[object], None]
    _release: Callable[[object], None]
    _give_back: Optional[weakref.finalize[..., SuppliedSocket]] = None

    def __repr__(self) -> str:
        return "<SuppliedSocket>"

    def hold(self) -> None:
        """Take the connection over from the application's object.

        Raises ValueError if a QTcpSocket has bytes that were not read or sent, or lives in another thread.
        """
        self._hold(self.connection)
        self._give_back = weakref.finalize(self, _give_back, self.connection, self._release)
        self._give_back.atexit = False  # the application, and the thread of the socket, may be gone then

    def close(self) -> None:
        """Close the duplicate and give the application's object back. May be called again."""
        self.connection.close()
        if self._give_back is not None:
            self._give_back()  # only the first call does anything

    def close_if_ended(self) -> None:
        """Close it if the connection can serve no more requests. For moments in which no request is under way."""
        if self.connection.has_ended:
            self.close()


def _give_back(connection: SuppliedConnection, release: Callable[[object], None]) -> None:
    connection.close()
    release(connection)


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
        _hold=partial(_hold_python_socket, weakref.ref(given), duplicate),
        _release=partial(_restore_timeout, weakref.ref(given)),
    )


_holders: weakref.WeakKeyDictionary[socket.socket, object] = weakref.WeakKeyDictionary()
"""The holders of sockets. A socket is given back only by its last holder: another Http may hold it in the meantime."""

_holders_guard = threading.RLock()
"""The garbage collector may give a socket back in a thread that holds this lock."""


def _hold_python_socket(reference: weakref.ref[socket.socket], duplicate: socket.socket, holder: object) -> None:
    with _holders_guard:
        given = reference()
        if given is not None:
            _holders[given] = holder
        duplicate.setblocking(False)


def _restore_timeout(reference: weakref.ref[socket.socket], holder: object) -> None:
    """Restore the blocking mode that the object's own timeout asks for. Any thread may call this."""
    given = reference()
    with _holders_guard:
        if given is not None and _holders.get(given) is holder:
            del _holders[given]
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
    switch = next(iter(_children(given, _ReadingSwitch)), None) or _ReadingSwitch(given)
    return SuppliedSocket(
        connection=SuppliedConnection(duplicate),
        _hold=partial(_hold_qt_socket, given, switch, duplicate),
        _release=partial(_release_qt_socket, switch),
    )


class _ReadingSwitch(QtCore.QObject):
    """Has a QTcpSocket read, or not. It is a child of it, so both live in the same thread."""

    released = Signal(object)
    """Emitted in any thread, with the holder that needs the socket no more."""

    def __init__(self, given: QtNetwork.QTcpSocket) -> None:
        super().__init__(given)
        self._holder: Optional[object] = None
        self.released.connect(self._release)

    def hold(self, given: QtNetwork.QTcpSocket, holder: object) -> None:
        """Have the socket read nothing. For the thread of the socket."""
        self._holder = holder
        _set_reading(given, False)

    @Slot(object)
    def _release(self, holder: object) -> None:
        """Have the socket read again. It notices if the server has closed the connection."""
        if self._holder is not holder:
            return  # another Http holds the socket in the meantime
        self._holder = None
        given = self.parent()
        if isinstance(given, QtNetwork.QTcpSocket) and given.state() == _CONNECTED:
            _set_reading(given, True)


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


def _hold_qt_socket(
    given: QtNetwork.QTcpSocket, switch: _ReadingSwitch, duplicate: socket.socket, holder: object
) -> None:
    # If the application has closed or deleted its object, the duplicate is still connected.
    if not is_deleted(given) and given.state() == _CONNECTED:
        _check_qt_socket(given)
        switch.hold(given, holder)
    duplicate.setblocking(False)


def _release_qt_socket(switch: _ReadingSwitch, holder: object) -> None:
    """Have a QTcpSocket read again: at once in its own thread, else when the event loop of that comes to it."""
    emit(switch, "released", holder)


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
