"""Http: a queue of commands that run one after the other, with the methods and signals of Qt 4's QHttp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Union

from .._first_use import first_use
from ..bodies.sink import writer
from ..bodies.upload import Data, body_for, check_body
from ..calls.task import POLL_SECONDS
from ..manager.manager import NetworkAccessManager, check_manager
from ..models.proxy import Proxy
from ..proxies.parse import ProxyLike, proxy_of
from ..qt.binding import DIRECT_CONNECTION, QtCore, QtNetwork, Signal, Slot, check_binding, is_deleted
from ..qt.event_loop_waker import EventLoopWaker
from ..qt.objects import prime_disconnect_notify
from . import state as http_state
from .command_queue import CommandQueue
from .commands import Close, Send, SetHost, SetProxy, SetSocket, SetUser, host_of
from .event_queue import EventQueue
from .headers import HttpHeader, HttpRequestHeader, HttpResponseHeader
from .socket_notifiers import SocketNotifiers
from .state import ConnectionMode, Error, State

if TYPE_CHECKING:
    from socket import socket as Socket

SLICE = 0.005
"""Seconds for which an Http handles its events before it lets the event loop handle others."""

__all__ = ["Http", "HttpHeader", "HttpRequestHeader", "HttpResponseHeader"]


class Http(QtCore.QObject):
    """An HTTP client that runs commands one after the other and reports them with signals, like Qt 4's QHttp.

    It has QHttp's methods, signals and enums. ``setHost``, ``setSocket``, ``setUser``, ``setProxy``, ``get``, ``post``,
    ``head``, ``request`` and ``close`` add a command and return at once. They return the id of the command, which
    ``requestStarted`` and ``requestFinished`` carry. ``done`` is emitted when all commands have ended. If a command
    fails, those after it are dropped, without signals for them.

    A status of 400 or more is no error, except for 401 and 407 if no credentials are given or they are wrong.

    Use an object in the thread that it lives in; only ``abort()`` may be called in any thread. If that thread runs an
    event loop, the commands run in it. Without an event loop, ``waitForDone()`` runs them. The signals are emitted in
    that thread.

    As in QHttp, redirects are not followed, cookies are neither sent nor stored, and bodies are not decoded. TLS
    settings, timeouts, user agent and, if none is set, the proxy come from the manager.
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
    """Emitted with the new ``State`` of the connection."""
    requestStarted = Signal(int)
    """Emitted with the id of a command that begins."""
    requestFinished = Signal(int, bool)
    """Emitted with the id of a command that has ended, and whether there was an error."""
    done = Signal(bool)
    """Emitted when all commands have ended, with whether there was an error."""
    dataSendProgress = Signal(int, int)
    """Emitted with the bytes of the request sent so far, and its size in bytes (0 if it is unknown).

    The header counts, with the length of ``currentRequest().toString()``. Above 2 GiB both are scaled down by the same
    factor, to fit into an ``int``.
    """
    dataReadProgress = Signal(int, int)
    """Emitted with the bytes of the response's body received so far, and its size in bytes (0 if it is unknown).

    Above 2 GiB both are scaled down by the same factor.
    """
    responseHeaderReceived = Signal(object)
    """Emitted with the HttpResponseHeader when it has arrived."""
    readyRead = Signal(object)
    """Emitted with the HttpResponseHeader when there are new bytes to ``read()``. Not if ``to`` was given."""
    authenticationRequired = Signal(str, int, object)
    """Emitted when the server requires credentials (401), with the host, the port and a QAuthenticator.

    A slot sets user and password in the QAuthenticator before it returns, or leaves it unchanged to give up.
    """
    proxyAuthenticationRequired = Signal(object, object)
    """Emitted when the proxy requires credentials (407), with a QNetworkProxy and a QAuthenticator.

    A slot sets user and password in the QAuthenticator before it returns, or leaves it unchanged to give up.
    """
    sslErrors = Signal(list)
    """Emitted with a list of QSslErrors if the server's certificate has errors.

    A slot calls ``ignoreSslErrors()`` before it returns, to accept them all.
    """

    def __init__(
        self,
        *arguments: Any,
        parent: Optional[QtCore.QObject] = None,
        manager: Optional[NetworkAccessManager] = None,
    ) -> None:
        """Create a client in one of three forms.

        - ``Http(parent=None)``
        - ``Http(hostName, port=80, parent=None)``
        - ``Http(hostName, mode, port=0, parent=None)``, with a ``ConnectionMode``

        The port 0 stands for the default port of the mode. ``manager``: its settings are used. None:
        ``NetworkAccessManager.instance()``. Raises TypeError or ValueError if an argument is not valid.
        """
        if arguments and (arguments[-1] is None or isinstance(arguments[-1], QtCore.QObject)):
            parent, arguments = arguments[-1] or parent, arguments[:-1]
        check_manager(manager)
        check_binding(parent, "parent")
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
        # Direct: it must run before the object is gone, in the thread that the object lives in.
        self.destroyed.connect(self._queue.abandon, DIRECT_CONNECTION)  # type: ignore[call-arg]

    def __repr__(self) -> str:
        return f"<Http: {self.state().name}>"

    # -- commands

    def setHost(self, hostName: str, portOrMode: int = 0, port: int = 0) -> int:
        """Set the host for requests that name only a path: ``setHost(hostName, port=80)``.

        Or ``setHost(hostName, mode, port=0)``, with a ``ConnectionMode``. The port 0 stands for the default port of the
        mode. Returns the id of the command. Raises TypeError or ValueError if an argument is not valid.
        """
        return self._queue.add(_host(hostName, portOrMode, port))

    def setSocket(self, socket: Union[QtNetwork.QTcpSocket, Socket, None]) -> int:
        """Use a connected socket for the requests that follow, whatever their host. None: own connections again.

        - ``socket``: a QTcpSocket of this thread, or a stream ``socket.socket`` (TCP, UNIX). It is duplicated in this
          call, and never closed here. Until the connection has ended, another command ``setSocket`` has begun or the
          Http is gone, only the Http may use it: the QTcpSocket reads nothing, and the ``socket.socket`` does not
          block.
        - The URL still gives the ``Host`` field, so ``setHost`` is needed. If it is https, TLS is started on the
          connection, which serves that server only from then on. A certificate that is refused cannot be accepted by
          ``ignoreSslErrors``. No proxy is used. The manager's engine must be 'auto' or 'python'.
        - If the connection has ended (the server has closed it, ``abort`` or a timeout has broken a request off,
          ``close``), requests fail with ``UnexpectedClose`` until ``setSocket`` is called again. Qt 4's QHttp connected
          the socket to the host of ``setHost`` then, and for an unconnected socket. Here, requests that were meant
          for a tunnel never leave it.

        Returns the id of the command. Raises TypeError for another type. Raises ValueError if the socket is not
        connected, is encrypted (QSslSocket, SSLSocket), lives in another thread, has bytes that were not read or sent,
        or is connected through a SOCKS5 proxy of Qt's.
        """
        supplied = None
        if socket is not None:
            with first_use:
                from .supplied_socket import supplied_socket
            supplied = supplied_socket(socket)
        return self._queue.add(SetSocket(supplied))

    def setUser(self, userName: str, password: str = "") -> int:
        """Set the user and password for the present host, or for the next one if no host is set; '' for none.

        They are sent if that host requires credentials (401), and never to another host: call it again after
        ``setHost``. Returns the id of the command. Raises TypeError if they are not str.
        """
        for text in (userName, password):
            if not isinstance(text, str):
                raise TypeError(f"userName and password must be str, not {type(text).__name__}")
        return self._queue.add(SetUser(userName, password))

    def setProxy(self, proxy: ProxyLike, port: int = 0, username: str = "", password: str = "") -> int:
        """Set the proxy: ``setProxy(QNetworkProxy)``, or ``setProxy(host, port, username="", password="")`` for HTTP.

        An empty host connects directly. If no proxy is set, or Qt's DefaultProxy, the manager's settings apply. Returns
        the id of the command. Raises TypeError or ValueError if it does not describe a proxy.
        """
        if isinstance(proxy, str) and (port or not proxy):
            proxy = Proxy("http", proxy, port, username, password) if proxy else Proxy("none")
        return self._queue.add(SetProxy(proxy_of(proxy)))

    def get(self, path: str, to: Any = None) -> int:
        """GET a path of the host (RFC 9110 section 9.3.1).

        - ``path``: a path, or an absolute URI; percent-encoded.
        - ``to``: an open QIODevice or binary file, into which the body is written in this thread. None: the body is
          kept for ``read()``.

        Returns the id of the command. Raises TypeError or ValueError if an argument is not valid.
        """
        return self._add(HttpRequestHeader("GET", _checked(path)), None, to)

    def post(self, path: str, data: Data = None, to: Any = None) -> int:
        """POST a body (RFC 9110 section 9.3.3).

        ``data``: a bytes-like object, a QByteArray, a binary file, or an open QIODevice that is not sequential; a
        device is sent from its beginning. The ``Content-Type`` is ``application/x-www-form-urlencoded``; use
        ``request`` for another one. Other arguments, id and exceptions as in ``get``.
        """
        return self._add(HttpRequestHeader("POST", _checked(path)), body_for("POST", data), to)

    def head(self, path: str) -> int:
        """Send HEAD: get the headers that GET would get (RFC 9110 section 9.3.2). Otherwise as ``get``."""
        return self._add(HttpRequestHeader("HEAD", _checked(path)), None, None)

    def request(self, header: HttpRequestHeader, data: Data = None, to: Any = None) -> int:
        """Send a request with the method, path and fields of ``header``. ``Content-Length`` is that of the body.

        Other arguments, id and exceptions as in ``post``. If the request is not valid, the command fails.
        """
        if not isinstance(header, HttpRequestHeader):
            raise TypeError(f"header must be an HttpRequestHeader, not {type(header).__name__}")
        return self._add(HttpRequestHeader(header), data, to)

    def close(self) -> int:
        """Close the connection, and all idle connections of the process. Returns the id of the command."""
        return self._queue.add(Close())

    def _add(self, header: HttpRequestHeader, data: Data, to: Any) -> int:
        check_body(data)
        if isinstance(data, QtCore.QIODevice) and data.isSequential():
            raise ValueError("a sequential device (a socket, a process) cannot be sent: read it, and give the bytes")
        if not header.path():
            header.setRequest(header.method(), "/", header.majorVersion(), header.minorVersion())
        return self._queue.add(Send(header, data, to, None if to is None else writer(to)))

    @Slot()
    def abort(self) -> None:
        """End the present command with the error ``Aborted``, and drop the pending ones. In any thread."""
        if self._is_here():
            self._queue.abort()
        else:
            self._queue.abort_later()

    def clearPendingRequests(self) -> None:
        """Drop the commands that have not been started."""
        self._queue.clear_pending()

    def ignoreSslErrors(self) -> None:
        """Accept the errors of ``sslErrors`` for this request. Has an effect in a slot of that signal only."""
        if self._queue.prompts is not None:
            self._queue.prompts.ignores_errors = True

    # -- state and results

    def currentId(self) -> int:
        """Return the id of the present command; 0 if there is none."""
        entries = self._queue.entries
        return entries[0].id if entries else 0

    def currentRequest(self) -> HttpRequestHeader:
        """Return the header of the present request; an invalid header if there is none."""
        send = self._queue.current(Send)
        return HttpRequestHeader(send.header) if send is not None else HttpRequestHeader()

    def currentSourceDevice(self) -> Optional[QtCore.QIODevice]:
        """Return the QIODevice that is being sent, or None."""
        send = self._queue.current(Send)
        return send.data if send is not None and isinstance(send.data, QtCore.QIODevice) else None

    def currentDestinationDevice(self) -> Any:
        """Return the device or file into which the present response is written, or None."""
        send = self._queue.current(Send)
        return send.device if send is not None else None

    def hasPendingRequests(self) -> bool:
        """Return whether there are commands that have not been started."""
        return len(self._queue.entries) > 1

    def lastResponse(self) -> HttpResponseHeader:
        """Return the header of the latest response; an invalid header before the first one."""
        return HttpResponseHeader(self._queue.response)

    def bytesAvailable(self) -> int:
        """Return the number of bytes of the body that can be read. They are dropped when the next command starts."""
        return len(self._queue.unread)

    def read(self, maxlen: int) -> bytes:
        """Read and remove up to ``maxlen`` bytes of the body."""
        unread = self._queue.unread
        taken = bytes(unread[: max(maxlen, 0)])
        del unread[: len(taken)]
        return taken

    def readAll(self) -> QtCore.QByteArray:
        """Read and remove all received bytes of the body."""
        return QtCore.QByteArray(self.read(self.bytesAvailable()))

    def state(self) -> http_state.State:
        """Return the state of the connection."""
        return self._queue.state

    def error(self) -> http_state.Error:
        """Return the error of the latest command. It is NoError again when a new command starts."""
        return self._queue.error

    def errorString(self) -> str:
        """Return a sentence that describes the error of the latest command."""
        return self._queue.error_text

    def waitForDone(self, msecs: int = -1) -> bool:
        """Block until all commands have ended. The signals are emitted during this call.

        ``msecs``: the longest time to wait in ms; if it is negative, wait without limit (the manager's timeout still
        ends a request that hangs). Returns False if that time was too short: the command continues in the next call, or
        in the event loop. Raises RuntimeError if it is called in another thread than the object lives in, or in a slot
        of this object.
        """
        if not self._is_here():
            raise RuntimeError(
                "this Http lives in another thread: create it in the thread that calls waitForDone(), "
                "or moveToThread() it"
            )
        if self._queue.is_driving:
            raise RuntimeError("waitForDone() was called in a slot of this Http: call it after the slot has returned")
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
            self._waker.wake()  # continues in the event loop of the new thread
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
            if not is_deleted(self):  # a slot may have deleted it
                raise


def _host(name: str, port_or_mode: int = 0, port: int = 0) -> SetHost:
    mode = port_or_mode if isinstance(port_or_mode, ConnectionMode) else ConnectionMode.ConnectionModeHttp
    port = port if isinstance(port_or_mode, ConnectionMode) else port_or_mode
    if not isinstance(name, str):
        raise TypeError(f"hostName must be a str, not {type(name).__name__}")
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"port must be an int, not {type(port).__name__}")
    if not 0 <= port < 65536:
        raise ValueError(f"port must be from 0 to 65535, not {port}")
    return host_of(name, port, "https" if mode is ConnectionMode.ConnectionModeHttps else "http")


def _checked(path: str) -> str:
    if not isinstance(path, str):
        raise TypeError(f"path must be a str, not {type(path).__name__}")
    return path
