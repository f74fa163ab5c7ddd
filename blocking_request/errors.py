"""What can go wrong: codes, Qt's network errors, the exceptions, and the tables between them.

No Qt here: flows and tests name Qt's errors by ``QtNetworkError``, whose values are those of
``QNetworkReply.NetworkError`` (https://doc.qt.io/qt-5/qnetworkreply.html#NetworkError-enum).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reply import ReplyContent


class ErrorCode(IntEnum):
    """What a blocking call came to; the first four have the values of QGIS's class. Text shows the name."""

    # The formats of an IntEnum differ between the versions of Python; here they are all the same.
    def __str__(self) -> str:
        return self.name

    def __format__(self, specification: str) -> str:
        as_number = specification[-1:] in tuple("bcdeEfFgGnoxX%")
        return format(int(self) if as_number else self.name, specification)

    NoError = 0
    """A status below 400 and a complete body, an empty one too."""
    NetworkError = 1
    """No usable answer: name, connection, TLS, proxy, protocol, a damaged body, or a request that cannot be sent."""
    TimeoutError = 2
    """The idle timeout or the deadline has passed."""
    ServerExceptionError = 3
    """The server answered with a status of 400 or more."""
    CanceledError = 4
    """Cancelled by ``abort()``, by a feedback, or because the application quits."""


class QtNetworkError(IntEnum):
    """The values of ``QNetworkReply.NetworkError``."""

    NoError = 0
    ConnectionRefusedError = 1
    RemoteHostClosedError = 2
    HostNotFoundError = 3
    TimeoutError = 4
    OperationCanceledError = 5
    SslHandshakeFailedError = 6
    TemporaryNetworkFailureError = 7
    NetworkSessionFailedError = 8
    BackgroundRequestNotAllowedError = 9
    TooManyRedirectsError = 10
    InsecureRedirectError = 11
    UnknownNetworkError = 99
    ProxyConnectionRefusedError = 101
    ProxyConnectionClosedError = 102
    ProxyNotFoundError = 103
    ProxyTimeoutError = 104
    ProxyAuthenticationRequiredError = 105
    UnknownProxyError = 199
    ContentAccessDenied = 201
    ContentOperationNotPermittedError = 202
    ContentNotFoundError = 203
    AuthenticationRequiredError = 204
    ContentReSendError = 205
    ContentConflictError = 206
    ContentGoneError = 207
    UnknownContentError = 299
    ProtocolUnknownError = 301
    ProtocolInvalidOperationError = 302
    ProtocolFailure = 399
    InternalServerError = 401
    OperationNotImplementedError = 402
    ServiceUnavailableError = 403
    UnknownServerError = 499


_BY_STATUS = {
    400: QtNetworkError.ProtocolInvalidOperationError,
    401: QtNetworkError.AuthenticationRequiredError,
    403: QtNetworkError.ContentAccessDenied,
    404: QtNetworkError.ContentNotFoundError,
    405: QtNetworkError.ContentOperationNotPermittedError,
    407: QtNetworkError.ProxyAuthenticationRequiredError,
    409: QtNetworkError.ContentConflictError,
    410: QtNetworkError.ContentGoneError,
    418: QtNetworkError.ProtocolInvalidOperationError,
    500: QtNetworkError.InternalServerError,
    501: QtNetworkError.OperationNotImplementedError,
    503: QtNetworkError.ServiceUnavailableError,
}


def error_for_status(status: int) -> QtNetworkError:
    """Qt's error for an HTTP status, as Qt 5.15 and Qt 6 map them."""
    if status < 400:
        return QtNetworkError.NoError
    return _BY_STATUS.get(
        status, QtNetworkError.UnknownContentError if status < 500 else QtNetworkError.UnknownServerError
    )


@dataclass(frozen=True)
class Failure:
    """Why a request or a call gave no usable answer; ``text`` does not name the URL."""

    code: ErrorCode
    error: QtNetworkError
    text: str
    ends_the_call: bool = False
    """Whether nothing can follow it, however often it is tried."""
    is_connecting: bool = False
    """Whether it was too late before there was a connection."""


def network_failure(error: QtNetworkError, text: str) -> Failure:
    return Failure(ErrorCode.NetworkError, error, text)


class RequestNotSent(Exception):
    """A request that cannot be sent; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def request_not_sent(error: QtNetworkError, text: str) -> RequestNotSent:
    return RequestNotSent(network_failure(error, text))


class RequestError(Exception):
    """Base of what ``ReplyContent.raiseForError()`` raises; ``reply`` is the reply it was called on."""

    def __init__(self, message: str, reply: ReplyContent) -> None:
        super().__init__(message)
        self.reply = reply

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.reply)


class NetworkRequestError(RequestError):
    """Raised for ``ErrorCode.NetworkError``."""


class RequestTimeoutError(RequestError, TimeoutError):
    """Raised for ``ErrorCode.TimeoutError``; also a builtin ``TimeoutError``."""


class ServerExceptionError(RequestError):
    """Raised for ``ErrorCode.ServerExceptionError``: the server answered with a status of 400 or more."""


class RequestCanceledError(RequestError):
    """Raised for ``ErrorCode.CanceledError``."""


EXCEPTIONS: dict[ErrorCode, type[RequestError]] = {
    ErrorCode.NetworkError: NetworkRequestError,
    ErrorCode.TimeoutError: RequestTimeoutError,
    ErrorCode.ServerExceptionError: ServerExceptionError,
    ErrorCode.CanceledError: RequestCanceledError,
}
