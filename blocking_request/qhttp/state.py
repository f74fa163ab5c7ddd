"""The enums of an Http, with the names and values of QHttp's."""

from __future__ import annotations

from enum import IntEnum

from ..models.failure import Failure
from ..models.failure import QtNetworkError as Qt


class ConnectionMode(IntEnum):
    """Whether a host is contacted over http or https."""

    ConnectionModeHttp = 0
    ConnectionModeHttps = 1


class State(IntEnum):
    """The state of the connection."""

    Unconnected = 0
    HostLookup = 1
    """A host name may be looked up. The engines do not report when they have the address."""
    Connecting = 2
    Sending = 3
    Reading = 4
    Connected = 5
    """The connection is open, and the next request can use it."""
    Closing = 6


class Error(IntEnum):
    """The error of a command."""

    NoError = 0
    UnknownError = 1
    HostNotFound = 2
    ConnectionRefused = 3
    UnexpectedClose = 4
    InvalidResponseHeader = 5
    WrongContentLength = 6
    """The body is shorter than its Content-Length, or corrupt."""
    Aborted = 7
    AuthenticationRequiredError = 8
    ProxyAuthenticationRequiredError = 9


_ERRORS = {
    Qt.HostNotFoundError: Error.HostNotFound,
    Qt.ProxyNotFoundError: Error.HostNotFound,
    Qt.ConnectionRefusedError: Error.ConnectionRefused,
    Qt.ProxyConnectionRefusedError: Error.ConnectionRefused,
    Qt.RemoteHostClosedError: Error.UnexpectedClose,
    Qt.ProxyConnectionClosedError: Error.UnexpectedClose,
    Qt.ProtocolFailure: Error.InvalidResponseHeader,
    Qt.OperationCanceledError: Error.Aborted,
    Qt.AuthenticationRequiredError: Error.AuthenticationRequiredError,
    Qt.ProxyAuthenticationRequiredError: Error.ProxyAuthenticationRequiredError,
}


def http_error(failure: Failure, is_reading: bool) -> Error:
    """Return the error for a failure. ``is_reading``: whether the header of the response had arrived."""
    error = _ERRORS.get(failure.error, Error.UnknownError)
    is_body = is_reading and error in (Error.UnexpectedClose, Error.InvalidResponseHeader)
    return Error.WrongContentLength if is_body else error
