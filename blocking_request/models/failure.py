"""Failures: why a request or a call gave no usable response, with Qt's number for the error.

No Qt here: flows and tests name Qt's errors by ``QtNetworkError``, whose values are those of
``QNetworkReply.NetworkError`` (https://doc.qt.io/qt-5/qnetworkreply.html#NetworkError-enum).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .._names import pickled
from ..errors import ErrorCode


@pickled
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

    @property
    def is_of_proxy(self) -> bool:
        """Whether a proxy has failed, and not the server."""
        return QtNetworkError.ProxyConnectionRefusedError <= self <= QtNetworkError.UnknownProxyError


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


@pickled
@dataclass(frozen=True)
class Failure:
    """Why a request or a call gave no usable answer; ``text`` does not name the URL."""

    code: ErrorCode
    error: QtNetworkError
    text: str
    ends_the_call: bool = False
    """Whether a further attempt cannot succeed, so no flow may send the request again."""
    is_connecting: bool = False
    """Whether it was too late before there was a connection."""
    is_cut_off: bool = False
    """Whether the connection ended within the header of the response, or between the chunks of its body."""
    proxy: str = ""
    """The proxy that has failed, without its user and password."""


def network_failure(error: QtNetworkError, text: str) -> Failure:
    return Failure(ErrorCode.NetworkError, error, text)


class RequestNotSent(Exception):
    """A request that cannot be sent; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def request_not_sent(error: QtNetworkError, text: str) -> RequestNotSent:
    return RequestNotSent(network_failure(error, text))
