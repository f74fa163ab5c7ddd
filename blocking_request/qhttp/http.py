"""Http: commands that are carried out one after another, as QHttp did until Qt 5."""

from __future__ import annotations

from typing import Any, Optional

from ..bodies.sink import writer
from ..bodies.upload import Data, body_for, check_body
from ..calls.task import POLL_SECONDS
from ..manager.manager import NetworkAccessManager, check_manager
from ..models.proxy import Proxy
from ..proxies.parse import ProxyLike, proxy_of
from ..qt.binding import QtCore, Signal, Slot, is_deleted
from ..qt.objects import prime_disconnect_notify
from . import state as http_state
from .command_queue import CommandQueue
from .commands import Close, Send, SetHost, SetProxy, SetUser, host_of
from .event_loop_waker import EventLoopWaker, EventQueue
from .headers import HttpHeader, HttpRequestHeader, HttpResponseHeader
from .socket_notifiers import SocketNotifiers
from .state import ConnectionMode, Error, State

SLICE = 0.005
"""Seconds after which other events have their turn."""

__all__ = ["Http", "HttpHeader", "HttpRequestHeader", "HttpResponseHeader"]


class Http(QtCore.QObject):
    """A client that is given commands, carries them out one after another, and tells how they go by signals.

    It has the methods, signals and enums of Qt 4's QHttp. Each command returns at once, and gives an id for
    ``requestStarted`` and ``requestFinished``; an error ends those that wait, without signals for them; ``done`` comes
    when none is left. A status of 400 or more is no error here, but 401 and 407 where nobody answers them.

    An object is for the thread it lives in; ``abort()`` may be called from any. Where that thread runs an event loop
    the commands run in it and the signals come there; without one, ``waitForDone()`` runs them.

    Redirects are not followed, cookies neither sent nor kept, bodies not decoded, as with QHttp. TLS, timeouts, user
    agent, and the proxy where none is set, are the manager's.
    """

    ConnectionMode = ConnectionMode
    ConnectionModeHttp, ConnectionModeHttps = ConnectionMode
    State = State
    Unconnected, HostLookup, Connecting, Sending, Reading, Connected, Closing = State
    Error = Error
    NoError = Error.NoError
    UnknownError = Error.UnknownError
    HostNotFound = Error.HostNotFound
    ConnectionRefused = Error.ConnectionRefused
    UnexpectedClose = Error.UnexpectedClose
    InvalidResponseHeader = Error.InvalidResponseHeader
    WrongContentLength = Error.WrongContentLength
    Aborted = Error.Aborted
    AuthenticationRequiredError = Error.AuthenticationRequiredError
    ProxyAuthenticationRequiredError = Error.ProxyAuthenticationRequiredError

    stateChanged = Signal(int)
    """The new ``State``."""
    requestStarted = Signal(int)
    """The id of a command."""
    requestFinished = Signal(int, bool)
    """The id of a command, and whether there was an error."""
    done = Signal(bool)
    """The last command has finished; whether there was an error."""
    dataSendProgress = Signal(int, int)
    """Bytes of the request sent, its header included as ``currentRequest()`` has it, and how many there are (0: not
    known). Above 2 GiB both are scaled down alike, to fit into an ``int``."""
    dataReadProgress = Signal(int, int)
    """Bytes of the response's body received, and how many there will be (0: not known)."""
    responseHeaderReceived = Signal(object)
    """The HttpResponseHeader."""
    readyRead = Signal(object)
    """There is more to ``read()``; the HttpResponseHeader. Not where there is a destination device."""
    authenticationRequired = Signal(str, int, object)
    """Host, port, and a QAuthenticator: put user and password into it from within the slot, or leave it to give up."""
    proxyAuthenticationRequired = Signal(object, object)
    """A QNetworkProxy, and a QAuthenticator as above."""
    sslErrors = Signal(list)
    """What is wrong with the server's certificate, as QSslErrors: call ``ignoreSslErrors()`` from within the slot."""

    def __init__(
        self,
        *arguments: Any,
        parent: Optional[QtCore.QObject] = None,
        manager: Optional[NetworkAccessManager] = None,
    ) -> None:
        """``Http(parent=None)``, ``Http(hostName, port=80, parent=None)``, or
        ``Http(hostName, mode, port=0, parent=None)`` with a ``ConnectionMode``; a port of 0 is the default one.

        ``manager`` gives the settings; without one it is ``NetworkAccessManager.instance()``. Raises TypeError,
        ValueError.
        """
        if arguments and (arguments[-1] is None or isinstance(arguments[-1], QtCore.QObject)):
            parent, arguments = arguments[-1] or parent, arguments[:-1]
        check_manager(manager)
        super().__init__(parent)
        prime_disconnect_notify(self.done, self._handle_events)
        host = _host(*arguments) if arguments else SetHost()
        self._waker = EventLoopWaker(self._handle_events)
        self._notifiers = SocketNotifiers(self._handle_activated, self._waker)
        self._queue = CommandQueue(
            http=self,
            event_queue=EventQueue(self._waker, self._notifiers.wake_waiter),
            notifiers=self._notifiers,
            manager=manager or NetworkAccessManager.instance(),
            host=host,
        )
        self._timer = 0
        # At once, in whichever thread it has come to live.
        self.destroyed.connect(self._queue.abandon, QtCore.Qt.ConnectionType.DirectConnection)  # type: ignore[call-arg]

    def __repr__(self) -> str:
        return f"<Http: {self.state().name}>"

    # -- commands

    def setHost(self, hostName: str, portOrMode: int = 0, port: int = 0) -> int:
        """``setHost(hostName, port=80)``, or ``setHost(hostName, mode, port=0)`` with a ``ConnectionMode``: where the
        requests go that give a path only. A port of 0 is the default one. Raises TypeError, ValueError.
        """
        return self._queue.add(_host(hostName, portOrMode, port))

    def setUser(self, userName: str, password: str = "") -> int:
        """Set who we are to the host that is set, or that is set next, where it asks; '' is nobody.

        Another host is told nothing of it: call it again after ``setHost``. Raises TypeError.
        """
        for text in (userName, password):
            if not isinstance(text, str):
                raise TypeError(f"user and password are str, not {type(text).__name__}")
        return self._queue.add(SetUser(userName, password))

    def setProxy(self, proxy: ProxyLike, port: int = 0, username: str = "", password: str = "") -> int:
        """``setProxy(QNetworkProxy)``, or ``setProxy(host, port, username="", password="")`` of an HTTP proxy; an empty
        host is no proxy. Without one, and with Qt's DefaultProxy, it is as the manager says. Raises TypeError,
        ValueError.
        """
        if isinstance(proxy, str) and (port or not proxy):
            proxy = Proxy("http", proxy, port, username, password) if proxy else Proxy("none")
        return self._queue.add(SetProxy(proxy_of(proxy)))

    def get(self, path: str, to: Any = None) -> int:
        """GET a path of the host, or an absolute URI, percent-encoded (RFC 9110 section 9.3.1).

        ``to``: an open QIODevice or binary file that takes the body, in this thread; without one it is there to
        ``read()``. Raises TypeError, ValueError.
        """
        return self._add(HttpRequestHeader("GET", _checked(path)), None, to)

    def post(self, path: str, data: Data = None, to: Any = None) -> int:
        """POST ``data``: bytes-like, a QByteArray, an open QIODevice that is not sequential, from its beginning, or a
        binary file. Without a ``Content-Type`` (see ``request``) it is ``application/x-www-form-urlencoded``.
        Otherwise as ``get``.
        """
        return self._add(HttpRequestHeader("POST", _checked(path)), body_for("POST", data), to)

    def head(self, path: str) -> int:
        """HEAD: the header that a GET would give. Otherwise as ``get``."""
        return self._add(HttpRequestHeader("HEAD", _checked(path)), None, None)

    def request(self, header: HttpRequestHeader, data: Data = None, to: Any = None) -> int:
        """Send any request: method, path and fields are the header's, but for the length of the body.

        Otherwise as ``post``; what cannot be sent is an error of the command.
        """
        if not isinstance(header, HttpRequestHeader):
            raise TypeError(f"header must be an HttpRequestHeader, not {type(header).__name__}")
        return self._add(HttpRequestHeader(header), data, to)

    def close(self) -> int:
        """Leave the connection, and close those that the process keeps and does not use."""
        return self._queue.add(Close())

    def _add(self, header: HttpRequestHeader, data: Data, to: Any) -> int:
        check_body(data)
        if isinstance(data, QtCore.QIODevice) and data.isSequential():
            raise ValueError("a sequential device (a socket, a process) cannot be waited for here: read it, give bytes")
        if not header.path():
            header.setRequest(header.method(), "/", header.majorVersion(), header.minorVersion())
        return self._queue.add(Send(header, data, to, None if to is None else writer(to)))

    @Slot()
    def abort(self) -> None:
        """End what is under way, with ``Aborted``, and forget what waits. From any thread."""
        if self._is_here():
            self._queue.abort()
        else:
            self._queue.abort_later()

    def clearPendingRequests(self) -> None:
        """Forget the commands that have not been started."""
        self._queue.clear_pending()

    def ignoreSslErrors(self) -> None:
        """Accept what ``sslErrors`` tells, for this request; from within its slot only."""
        if self._queue.prompts is not None:
            self._queue.prompts.ignores_errors = True

    # -- how it goes

    def currentId(self) -> int:
        """The id of the command that is carried out; 0 where there is none."""
        entries = self._queue.entries
        return entries[0].id if entries else 0

    def currentRequest(self) -> HttpRequestHeader:
        """The header of the request that is under way; one that is not valid where there is none."""
        send = self._queue.current(Send)
        return HttpRequestHeader(send.header) if send is not None else HttpRequestHeader()

    def currentSourceDevice(self) -> Optional[QtCore.QIODevice]:
        """The device whose contents are being sent, or None."""
        send = self._queue.current(Send)
        return send.data if send is not None and isinstance(send.data, QtCore.QIODevice) else None

    def currentDestinationDevice(self) -> Any:
        """The device or file that takes the body, or None."""
        send = self._queue.current(Send)
        return send.device if send is not None else None

    def hasPendingRequests(self) -> bool:
        """Whether there are commands that have not been started."""
        return len(self._queue.entries) > 1

    def lastResponse(self) -> HttpResponseHeader:
        """The header of the latest response; one that is not valid before the first."""
        return HttpResponseHeader(self._queue.response)

    def bytesAvailable(self) -> int:
        """How many bytes of the body can be read; they are there until the next command starts."""
        return len(self._queue.unread)

    def read(self, maxlen: int) -> bytes:
        """Take as many bytes of the body, or as there are."""
        unread = self._queue.unread
        taken = bytes(unread[: max(maxlen, 0)])
        del unread[: len(taken)]
        return taken

    def readAll(self) -> QtCore.QByteArray:
        """Take what there is of the body."""
        return QtCore.QByteArray(self.read(self.bytesAvailable()))

    def state(self) -> http_state.State:
        """What the connection is at."""
        return self._queue.state

    def error(self) -> http_state.Error:
        """What the last command came to; a new one begins with NoError."""
        return self._queue.error

    def errorString(self) -> str:
        """The same as a sentence."""
        return self._queue.error_text

    def waitForDone(self, msecs: int = -1) -> bool:
        """Block until every command has been carried out, or one has failed; the signals come from within this call.

        ``msecs``: how long at most; less than 0 is as long as it takes (the manager's timeout ends what hangs). False
        where that was too short: the command goes on when it is called again, or in the event loop.
        For the thread the object lives in. Raises RuntimeError in another, and from within a slot of its own.
        """
        if not self._is_here():
            raise RuntimeError("this Http lives in another thread: make it in the one that waits, or moveToThread() it")
        if self._queue.is_driving:
            raise RuntimeError("waitForDone() was called from within a slot of this Http: return from that first")
        is_done = self._queue.wait(None if msecs < 0 else msecs / 1000)
        self._notifiers.arm(has_more=self._queue.has_more)
        return is_done

    def _is_here(self) -> bool:
        return bool(QtCore.QThread.currentThread() == self.thread())

    # -- in an event loop

    @Slot()
    def _handle_events(self) -> None:
        self._waker.handled()
        self._drive()

    @Slot()
    def _handle_activated(self) -> None:
        self._notifiers.handle_activated()
        self._drive()

    def event(self, event: Optional[QtCore.QEvent]) -> bool:
        if event is not None and event.type() == QtCore.QEvent.Type.ThreadChange:
            self._notifiers.leave_thread()
            self._waker.wake()  # in the thread that it comes to
        return super().event(event)

    def timerEvent(self, event: Optional[QtCore.QTimerEvent]) -> None:
        if event is not None and event.timerId() == self._timer:
            self._drive()
        else:
            super().timerEvent(event)

    def _drive(self) -> None:
        try:
            self._queue.drive(SLICE)
            self._notifiers.arm(has_more=self._queue.has_more)
            is_under_way = self._queue.emitter is not None
            if is_under_way and not self._timer:
                self._timer = self.startTimer(int(POLL_SECONDS * 1000))
            elif not is_under_way and self._timer:
                self.killTimer(self._timer)
                self._timer = 0
        except RuntimeError:
            if not is_deleted(self):  # by a slot
                raise


def _host(name: str, port_or_mode: int = 0, port: int = 0) -> SetHost:
    mode = port_or_mode if isinstance(port_or_mode, ConnectionMode) else ConnectionMode.ConnectionModeHttp
    port = port if isinstance(port_or_mode, ConnectionMode) else port_or_mode
    if not isinstance(name, str):
        raise TypeError(f"a host is named by a str, not {type(name).__name__}")
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"a port is a number, not {type(port).__name__}")
    if not 0 <= port < 65536:
        raise ValueError(f"a port is a number from 0 to 65535, not {port}")
    return host_of(name, port, "https" if mode is ConnectionMode.ConnectionModeHttps else "http")


def _checked(path: str) -> str:
    if not isinstance(path, str):
        raise TypeError(f"path must be a str, not {type(path).__name__}")
    return path
