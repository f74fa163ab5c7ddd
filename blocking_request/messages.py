"""The sentences people read. Qt's own where Qt has one; the same on every engine; never a secret in them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Optional
from urllib.parse import urlsplit

from .errors import ErrorCode, Failure, QtNetworkError
from .exchange import Exchange
from .urls import shown

_QT_TEXTS = {
    QtNetworkError.ConnectionRefusedError: "Connection refused",
    QtNetworkError.RemoteHostClosedError: "Connection closed",
    QtNetworkError.TimeoutError: "Connection timed out",
    QtNetworkError.OperationCanceledError: "Operation canceled",
    QtNetworkError.ProxyConnectionRefusedError: "Proxy connection refused",
    QtNetworkError.ProxyConnectionClosedError: "Proxy connection closed prematurely",
    QtNetworkError.ProxyNotFoundError: "Proxy not found",
    QtNetworkError.ProxyTimeoutError: "Proxy server connection timed out",
}


def error_text(error: QtNetworkError, url: str) -> Optional[str]:
    """Qt's sentence for an error, or None where Qt has none that always fits."""
    if error is QtNetworkError.HostNotFoundError:
        return f"Host {urlsplit(url).hostname or ''} not found"
    return _QT_TEXTS.get(error)


def failure_message(failure: Failure, url: str) -> str:
    """A failure as one sentence that names the URL."""
    return f"{failure.text} ({shown(url)})" if url else failure.text


def status_message(status: int, reason: str, url: str) -> str:
    """Why a status of 400 or more is an error, in Qt's words."""
    if status == 401:
        return f"Host requires authentication ({shown(url)})"
    if status == 407:
        return f"Proxy requires authentication ({shown(url)})"
    return f"Error transferring {shown(url)} - server replied: {reason or _standard_reason(status)}"


def _standard_reason(status: int) -> str:
    """The reason RFC 9110 gives a status; HTTP/2 sends none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def connection_closed(exchange: Exchange, answered: bool) -> Failure:
    """``answered``: whether the header of an answer has come."""
    if answered:
        text = "Connection closed"
    elif exchange.body is not None:
        text = f"Connection closed: the {exchange.method} was sent once, no answer came, and it is not sent again"
    elif exchange.url.startswith("http:"):
        text = "Connection closed without an answer; if the server expects TLS there, use https://"
    else:
        text = "Connection closed without an answer"
    return Failure(ErrorCode.NetworkError, QtNetworkError.RemoteHostClosedError, text)


def interim_status(status: int) -> Failure:
    text = f"The connection ended with the interim status {status}, without a final answer"
    return Failure(ErrorCode.NetworkError, QtNetworkError.ProtocolFailure, text)


def canceled() -> Failure:
    return Failure(ErrorCode.CanceledError, QtNetworkError.OperationCanceledError, "Operation canceled")


def application_ended() -> Failure:
    text = "Operation canceled: the Qt application has ended"
    return Failure(ErrorCode.CanceledError, QtNetworkError.OperationCanceledError, text)


def idle_timeout(milliseconds: int) -> Failure:
    text = f"Timed out: no data moved for {milliseconds} ms"
    return Failure(ErrorCode.TimeoutError, QtNetworkError.TimeoutError, text)


def deadline_passed(milliseconds: int) -> Failure:
    text = f"Timed out: not finished within the deadline of {milliseconds} ms"
    return Failure(ErrorCode.TimeoutError, QtNetworkError.TimeoutError, text)
