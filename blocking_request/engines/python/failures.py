"""Why a transfer ends without a response, in the errors and the words that Qt has for it."""

from __future__ import annotations

import errno
import socket
import sys
from typing import TYPE_CHECKING, Optional

from ...errors import ErrorCode
from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...models.proxy import Proxy
from ...models.tls import TlsSession

if TYPE_CHECKING:
    import ssl

    from typing_extensions import TypeGuard


class TransferFailed(Exception):
    """A transfer cannot go on; ``failure`` says why. ``session``: the server's certificates, if TLS has failed."""

    def __init__(self, failure: Failure, session: Optional[TlsSession] = None) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.session = session


class StreamRefused(Exception):
    """The server has not processed the request (RFC 9113 section 8.7), so it may be sent again, with any method."""


class ServerLeaves(StreamRefused):
    """The server has ended the connection before it came to the request (RFC 9113 section 6.8)."""


class Http11Required(StreamRefused):
    """The server wants the request over HTTP/1.1 (RFC 9113 section 7), as some do for client certificates."""


class ConnectionLost(Exception):
    """The peer has closed or reset the connection."""


def is_tls_error(error: BaseException) -> TypeGuard[ssl.SSLError]:
    """Return whether the error is one of ``ssl``, which is loaded when it is first needed."""
    loaded = sys.modules.get("ssl")
    return loaded is not None and isinstance(error, loaded.SSLError)


_CONNECT_ERRORS: tuple[tuple[type[BaseException], QtNetworkError], ...] = (
    (socket.gaierror, QtNetworkError.HostNotFoundError),
    (UnicodeError, QtNetworkError.HostNotFoundError),
    (ConnectionRefusedError, QtNetworkError.ConnectionRefusedError),
    (TimeoutError, QtNetworkError.TimeoutError),
)

_PROXY_ERRORS: tuple[tuple[type[BaseException], QtNetworkError], ...] = (
    (socket.gaierror, QtNetworkError.ProxyNotFoundError),
    (UnicodeError, QtNetworkError.ProxyNotFoundError),
    (ConnectionRefusedError, QtNetworkError.ProxyConnectionRefusedError),
    (TimeoutError, QtNetworkError.ProxyTimeoutError),
)


def connect_failure(error: Exception, request: Request) -> Failure:
    """Return why the server could not be connected to."""
    for kind, qt_error in _CONNECT_ERRORS:
        if isinstance(error, kind):
            text = messages.error_text(qt_error, request.url) or qt_error.name
            code = ErrorCode.TimeoutError if qt_error is QtNetworkError.TimeoutError else ErrorCode.NetworkError
            return Failure(code, qt_error, text)
    if isinstance(error, ConnectionError):
        return messages.connection_closed(request, answered=False)
    return unknown_failure(error)


def proxy_connect_failure(error: Exception) -> Failure:
    """Return why the proxy could not be connected to."""
    for kind, qt_error in _PROXY_ERRORS:
        if isinstance(error, kind):
            return _proxy_failed(qt_error)
    if isinstance(error, ConnectionError):
        return proxy_closed()
    return unknown_failure(error)


def proxy_closed() -> Failure:
    """The proxy has closed the connection before it opened the way to the server."""
    return _proxy_failed(QtNetworkError.ProxyConnectionClosedError)


def proxy_wants_authentication() -> Failure:
    return _proxy_failed(QtNetworkError.ProxyAuthenticationRequiredError)


def _proxy_failed(error: QtNetworkError) -> Failure:
    failure = messages.proxy_failed(error)
    assert failure is not None
    return failure


def lost_failure(error: Exception, request: Request, proxy: Optional[Proxy], answered: bool) -> Failure:
    """Return the failure of a connection that broke; ``answered``: whether the header of a response has come."""
    is_closed = isinstance(error, (ConnectionLost, ConnectionError))
    if proxy is not None and proxy.forwards(request.url) and not answered and is_closed:
        return proxy_closed()
    if is_closed:
        return messages.connection_closed(request, answered)
    return unknown_failure(error)


def unknown_failure(error: Exception) -> Failure:
    """Return the failure of an error for which Qt has no name, in the words of the system if it has any."""
    text = getattr(error, "strerror", None) or f"The exchange failed: {error!r}"
    return network_failure(QtNetworkError.UnknownNetworkError, text)


def refused_failure() -> Failure:
    """The server has not processed the request, and it cannot be sent once more."""
    text = "Connection closed: the server has refused to look at the request"
    return network_failure(QtNetworkError.RemoteHostClosedError, text)


def internal_error(error: BaseException) -> Failure:
    return network_failure(QtNetworkError.UnknownNetworkError, f"Internal error: {error!r}")


def is_out_of_descriptors(error: Optional[BaseException]) -> bool:
    """Return whether no connection could be made because the process has too many files open."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
