"""What went wrong on urllib3's engine, in the errors and the words that Qt has for it."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Optional

from urllib3 import exceptions

from ...errors import ErrorCode
from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Request
from ...models.proxy import Proxy
from .framing import BodyLost
from .response import HeaderLost

_CLOSED = (
    http.client.RemoteDisconnected,
    http.client.IncompleteRead,
    http.client.BadStatusLine,
    HeaderLost,
    BodyLost,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)

_LOW_STATUS = re.compile(r"HTTP/1\.[0-9] +(0?[0-9]{1,2})( [^\r\n]*)?\r?\n")


def transfer_failure(
    error: BaseException, request: Request, proxy: Optional[Proxy], answered: bool, shows_certificate: bool
) -> Failure:
    """``answered``: whether the header of a response has come; ``shows_certificate``: whether the client has one."""
    causes = list(_causes(error))
    if any(isinstance(cause, exceptions.ProxyError) for cause in causes):
        return _proxy_failure(causes)
    if proxy is not None and proxy.forwards(request.url) and not answered:
        failure = _forwarding_failure(causes)
        if failure is not None:
            return failure
    if proxy is not None and proxy.kind == "socks5":
        failure = _socks_failure(causes, request)
        if failure is not None:
            return failure
    for kind, qt_error in _NETWORK_ERRORS:
        if any(isinstance(cause, kind) for cause in causes):
            return _failure(qt_error, request)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _CLOSED):
            return messages.handshake_failed(cause.reason or str(cause), shows_certificate)
        if isinstance(cause, http.client.BadStatusLine):
            low = _LOW_STATUS.match(str(cause.args[0]) if cause.args else "")
            if low:
                return messages.interim_status(int(low[1]))
        if isinstance(cause, _CLOSED):
            return messages.connection_closed(request, answered)
        if isinstance(cause, http.client.HTTPException):
            return network_failure(QtNetworkError.ProtocolFailure, "Data corrupted: the answer is none of HTTP/1")
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return network_failure(QtNetworkError.UnknownNetworkError, cause.strerror)
    return network_failure(QtNetworkError.UnknownNetworkError, f"The exchange failed: {causes[-1]!r}")


_NETWORK_ERRORS: tuple[tuple[type[BaseException], QtNetworkError], ...] = (
    (socket.gaierror, QtNetworkError.HostNotFoundError),
    (exceptions.LocationParseError, QtNetworkError.HostNotFoundError),
    (UnicodeError, QtNetworkError.HostNotFoundError),
    (ConnectionRefusedError, QtNetworkError.ConnectionRefusedError),
    (socket.timeout, QtNetworkError.TimeoutError),
)


def _proxy_failure(causes: list[BaseException]) -> Failure:
    for kind, qt_error in _PROXY_ERRORS:
        failure = messages.proxy_failed(qt_error)
        if failure is not None and any(isinstance(cause, kind) for cause in causes):
            return failure
    said = str(causes[-1]).rpartition("Tunnel connection failed: ")[2]
    authentication = messages.proxy_failed(QtNetworkError.ProxyAuthenticationRequiredError)
    return authentication if authentication and said.startswith("407") else messages.proxy_refused(said)


def _forwarding_failure(causes: list[BaseException]) -> Optional[Failure]:
    """Nobody but the proxy has been connected to."""
    for kind, qt_error in _PROXY_ERRORS:
        if any(isinstance(cause, kind) for cause in causes):
            return messages.proxy_failed(qt_error)
    return None


def _socks_failure(causes: list[BaseException], request: Request) -> Optional[Failure]:
    """Of the package PySocks, which need not be there; the numbers are those of RFC 1928 section 6."""
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        # The proxy looks up every other name.
        return messages.proxy_failed(QtNetworkError.ProxyNotFoundError)
    of_socks = [cause for cause in causes if type(cause).__module__ == "socks"]
    for cause in of_socks:
        error = _SOCKS_ERRORS.get(type(cause).__name__)
        if error is not None:
            return messages.proxy_failed(error)
    if not of_socks:
        return None
    text = str(getattr(of_socks[-1], "msg", of_socks[-1]))
    if "0x05" in text:
        return _failure(QtNetworkError.ConnectionRefusedError, request)
    if "0x04" in text:
        return _failure(QtNetworkError.HostNotFoundError, request)
    return messages.proxy_refused(text)


_SOCKS_ERRORS = {
    "ProxyConnectionError": QtNetworkError.ProxyConnectionRefusedError,
    "SOCKS5AuthError": QtNetworkError.ProxyAuthenticationRequiredError,
}

_PROXY_ERRORS: tuple[tuple[type[BaseException], QtNetworkError], ...] = (
    (socket.gaierror, QtNetworkError.ProxyNotFoundError),
    (ConnectionRefusedError, QtNetworkError.ProxyConnectionRefusedError),
    (socket.timeout, QtNetworkError.ProxyTimeoutError),
    (ConnectionError, QtNetworkError.ProxyConnectionClosedError),
    (http.client.HTTPException, QtNetworkError.ProxyConnectionClosedError),
)


def _failure(error: QtNetworkError, request: Request) -> Failure:
    text = messages.error_text(error, request.url) or error.name
    code = ErrorCode.TimeoutError if error is QtNetworkError.TimeoutError else ErrorCode.NetworkError
    return Failure(code, error, text)


def broke_unanswered(error: BaseException) -> bool:
    """Whether the connection ended before the first byte of the response."""
    unanswered = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
    return any(isinstance(cause, unanswered) for cause in _causes(error))


def out_of_descriptors(error: BaseException) -> bool:
    """Whether no connection could be made because the process has too many files open."""
    numbers = (errno.EMFILE, errno.ENFILE)
    return any(isinstance(cause, OSError) and cause.errno in numbers for cause in _causes(error))


def internal_error(error: BaseException) -> Failure:
    return network_failure(QtNetworkError.UnknownNetworkError, f"Internal error: {error!r}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was made of or came from."""
    following: Optional[BaseException] = error
    seen: set[int] = set()
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = [argument for argument in following.args if isinstance(argument, BaseException)]
        following = inner[0] if inner else following.__cause__ or following.__context__
