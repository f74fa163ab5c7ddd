"""The replies that a test gives: their values, checked, and makeReply."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http.client import responses
from typing import Any, Optional, Union

from ..errors import ErrorCode
from ..models import error_texts as messages
from ..models.failure import Failure, QtNetworkError
from ..models.headers import Pairs, encoded, field_problem, known_fields
from ..models.http_messages import Request, Response
from ..models.redaction import hidden_repr
from ..models.tls import TlsError
from ..qt.binding import QtCore
from ..reply import ReplyContent, response_of

NAME = "fake"
"""The name of the engine that gives the replies of a test."""


class _NotGiven:
    """Stands for an argument that is left out, where None is a value."""

    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN: Any = _NotGiven()

Pause = float
"""In seconds."""

BodyPart = Union[bytes, Pause, Failure]
"""A part of a body: bytes, a pause before the next one, or the failure that breaks it off."""

_BYTES_LIKE = (bytes, bytearray, memoryview, QtCore.QByteArray)


@dataclass(frozen=True)
class FakeReply:
    """One reply. A value."""

    status: int = 200
    reason: str = ""
    headers: Pairs = ()
    pieces: tuple[BodyPart, ...] = ()
    is_chunked: bool = False
    """Whether the body comes with ``Transfer-Encoding: chunked``."""
    delay: float = 0.0
    """In seconds."""
    failure: Optional[Failure] = None
    """Why there is no response."""
    tls_errors: tuple[TlsError, ...] = ()
    """The errors of the server's certificate."""
    is_of_function: bool = False
    """Whether a function of the test has made it."""

    __repr__ = hidden_repr

    @property
    def body(self) -> bytes:
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))

    @property
    def body_failure(self) -> Optional[Failure]:
        return next((piece for piece in self.pieces if isinstance(piece, Failure)), None)


def new_reply(
    status: int = 200,
    body: Any = b"",
    json: Any = NOT_GIVEN,
    headers: Any = None,
    reason: Optional[str] = None,
    delay: float = 0,
    error: Any = None,
) -> FakeReply:
    """Return a reply. The arguments are those of ``FakeReplies.add``. Raises TypeError, ValueError."""
    checked_status = _checked_status(status)
    fields = _fields(headers)
    pieces, is_chunked, kind = _body(body, json)
    names = {name.lower() for name, _ in fields}
    added: list[tuple[bytes, bytes]] = []
    if kind and b"content-type" not in names:
        added.append((b"Content-Type", kind))
    if is_chunked and b"content-length" not in names and b"transfer-encoding" not in names:
        added.append((b"Transfer-Encoding", b"chunked"))
    elif not is_chunked and not names & {b"content-length", b"transfer-encoding"} and has_body(checked_status):
        added.append((b"Content-Length", b"%d" % sum(len(piece) for piece in pieces if isinstance(piece, bytes))))
    failure, tls_errors = (None, _tls_errors(error)) if _is_tls_error(error) else (failure_of(error), ())
    return FakeReply(
        status=checked_status,
        reason=_checked_reason(checked_status, reason),
        headers=(*fields, *added),
        pieces=pieces,
        is_chunked=is_chunked and b"content-length" not in names,
        delay=_seconds(delay, "delay"),
        failure=failure,
        tls_errors=tls_errors,
    )


def has_body(status: int) -> bool:
    """Return whether a response of this status has a body (RFC 9110 section 6.4.1)."""
    return status >= 200 and status not in (204, 304)


def reply_of(content: ReplyContent) -> FakeReply:
    """Return the reply that gives a response like that of a ReplyContent."""
    response = response_of(content)
    if response.failure is not None and response.status is None:
        return FakeReply(failure=response.failure)
    body: tuple[BodyPart, ...] = (response.body,) if response.body else ()
    left_out = (b"transfer-encoding", b"content-encoding")  # the body is decoded
    fields = tuple(pair for pair in response.headers.pairs if pair[0].lower() not in left_out)
    if response.failure is not None:
        fields = tuple(pair for pair in fields if pair[0].lower() != b"content-length")
        fields += ((b"Content-Length", b"%d" % (len(response.body) + 1)),)
        return FakeReply(response.status or 200, response.reason, fields, (*body, response.failure))
    if has_body(response.status or 200) and not any(name.lower() == b"content-length" for name, _ in fields):
        fields += ((b"Content-Length", b"%d" % len(response.body)),)
    return FakeReply(response.status or 200, response.reason, fields, body)


def makeReply(
    status: int = 200,
    body: Any = b"",
    *,
    json: Any = NOT_GIVEN,
    headers: Any = None,
    reason: Optional[str] = None,
    error: Any = None,
    url: str = "http://localhost/",
    method: str = "GET",
) -> ReplyContent:
    """Return a ReplyContent as a call would give it, for mocks, and for the callables of ``FakeReplies``.

    ``status``, ``body``, ``json``, ``headers``, ``reason`` and ``error`` are as in ``FakeReplies.add``. With an
    ``error``, the reply has no status and no body. ``url`` and ``method``: those of the request.

    It needs no application object, and any thread may call it. Raises TypeError or ValueError for a wrong argument.
    """
    if not isinstance(url, str) or not isinstance(method, str):
        raise TypeError(f"url and method must be str, not {type(url).__name__} and {type(method).__name__}")
    reply = new_reply(status, body, json, headers, reason, 0, error)
    request = Request(method, url)
    failure = reply.failure or (messages.certificate_refused(reply.tls_errors) if reply.tls_errors else None)
    if failure is not None:
        response = Response(request, failure=failure_for(failure, url), engine=NAME)
    else:
        content = reply.body
        response = Response(
            request,
            reply.status,
            reply.reason,
            known_fields(reply.headers),
            content,
            reply.body_failure,
            engine=NAME,
            encoded_bytes=len(content),
            total_bytes=-1 if reply.is_chunked else len(content),
        )
    return ReplyContent.from_response(response, 0.0, -1)


# -- checks of the arguments


def _checked_status(status: Any) -> int:
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status must be an int, not {type(status).__name__}")
    if not 200 <= status <= 999:
        raise ValueError(f"status must be from 200 to 999, not {status}: a response has a final status")
    return int(status)


def _checked_reason(status: int, reason: Any) -> str:
    if reason is None:
        return responses.get(status, "")
    if not isinstance(reason, str):
        raise TypeError(f"reason must be a str, not {type(reason).__name__}")
    if "\r" in reason or "\n" in reason:
        raise ValueError("reason must not have a line end")
    return reason


def _fields(headers: Any) -> Pairs:
    if headers is None:
        return ()
    if isinstance(headers, (str, bytes)) or not isinstance(headers, Iterable):
        raise TypeError(f"headers must be a mapping or pairs of name and value, not {type(headers).__name__}")
    fields: list[tuple[bytes, bytes]] = []
    for pair in headers.items() if isinstance(headers, Mapping) else headers:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"headers must be a mapping or pairs of name and value, not {type(pair).__name__}")
        name, values = pair
        for value in values if isinstance(values, (tuple, list)) else [values]:
            if not isinstance(name, (str, bytes)) or not isinstance(value, (str, bytes, int)):
                raise TypeError(f"the name and the value of a header must be str, not {type(value).__name__}")
            field = encoded(name), encoded(value)
            problem = field_problem(*field)
            if problem is not None:
                raise ValueError(problem)
            fields.append(field)
    return tuple(fields)


def _body(body: Any, json: Any) -> tuple[tuple[BodyPart, ...], bool, bytes]:
    """Return the pieces, whether they are chunks, and the content type; ``b""`` if the body does not tell."""
    if json is not NOT_GIVEN:
        if not isinstance(body, bytes) or body:
            raise TypeError("body and json are both given: give one of them")
        return (json_module.dumps(json).encode(),), False, b"application/json"
    if isinstance(body, str):
        return ((body.encode("utf-8"),) if body else ()), False, b"text/plain; charset=utf-8"
    if isinstance(body, _BYTES_LIKE):
        return ((bytes(body),) if len(body) else ()), False, b""
    if isinstance(body, dict):
        raise TypeError("body must not be a dict: give json=... instead")
    if hasattr(body, "read"):
        return (_checked_bytes(body.read()),), False, b""
    if body is None or not isinstance(body, Iterable):
        raise TypeError(f"body must be bytes, a str, a binary file or an iterable of pieces, not {type(body).__name__}")
    return tuple(piece for each in body if (piece := _piece(each)) != b""), True, b""


def _checked_bytes(data: Any) -> bytes:
    if not isinstance(data, _BYTES_LIKE):
        raise TypeError(f"the file of body must give bytes, not {type(data).__name__}: open it in binary mode")
    return bytes(data)


def _piece(piece: Any) -> BodyPart:
    if isinstance(piece, _BYTES_LIKE):
        return bytes(piece)
    if isinstance(piece, str):
        return piece.encode("utf-8")
    failure = None if isinstance(piece, (int, float)) and type(piece) in (int, float) else _failure_or_none(piece)
    if failure is not None:
        return replace(failure, is_connecting=False)
    if isinstance(piece, (int, float)) and not isinstance(piece, bool):
        return _seconds(piece, "a pause within body")
    raise TypeError(
        f"a piece of body must be bytes, a str, a pause in ms or an error as in error=, not {type(piece).__name__}"
    )


def _seconds(milliseconds: Any, name: str) -> float:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        raise TypeError(f"{name} must be a number of milliseconds, not {type(milliseconds).__name__}")
    try:
        seconds = float(milliseconds) / 1000
    except OverflowError:
        raise ValueError(f"{name} is too large: give math.inf for a time without an end") from None
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{name} must not be negative: {milliseconds}")
    return seconds


# -- errors

_BY_CODE = {
    ErrorCode.NetworkError: QtNetworkError.UnknownNetworkError,
    ErrorCode.TimeoutError: QtNetworkError.TimeoutError,
    ErrorCode.CanceledError: QtNetworkError.OperationCanceledError,
}
CODES = {
    QtNetworkError.TimeoutError: ErrorCode.TimeoutError,
    QtNetworkError.ProxyTimeoutError: ErrorCode.NetworkError,
    QtNetworkError.OperationCanceledError: ErrorCode.CanceledError,
}


_TEXTS = {
    QtNetworkError.SslHandshakeFailedError: "SSL handshake failed",
    QtNetworkError.TemporaryNetworkFailureError: "Temporary network failure",
    QtNetworkError.NetworkSessionFailedError: "Network session error",
    QtNetworkError.BackgroundRequestNotAllowedError: "Background request not allowed",
    QtNetworkError.TooManyRedirectsError: "Too many redirects",
    QtNetworkError.InsecureRedirectError: "Insecure redirect",
    QtNetworkError.UnknownNetworkError: "Unknown error",
    QtNetworkError.UnknownProxyError: "Unknown proxy error",
    QtNetworkError.ProtocolUnknownError: "Protocol unknown",
    QtNetworkError.ProtocolInvalidOperationError: "Invalid operation of the protocol",
    QtNetworkError.ProtocolFailure: "Protocol failure",
}
"""Qt's sentences, or like them if Qt names what it knows of the one request."""


def _is_tls_error(error: Any) -> bool:
    return isinstance(error, TlsError) or (isinstance(error, (tuple, list)) and bool(error))


def _tls_errors(error: Any) -> tuple[TlsError, ...]:
    errors = (error,) if isinstance(error, TlsError) else tuple(error)
    if not all(isinstance(each, TlsError) for each in errors):
        raise TypeError("error must be a list of TlsError, or one error")
    return errors


def failure_of(error: Any) -> Optional[Failure]:
    """Return the failure of an error. Raises TypeError, ValueError."""
    if error is None:
        return None
    failure = _failure_or_none(error)
    if failure is None:
        raise TypeError(
            "error must be a QNetworkReply.NetworkError, an ErrorCode, a TlsError or a list of them, "
            f"not {type(error).__name__}"
        )
    return failure


def _failure_or_none(error: Any) -> Optional[Failure]:
    if isinstance(error, ErrorCode):
        if error not in _BY_CODE:
            raise ValueError(f"error={error.name} is not possible: give a status, or another error")
        qt_error = _BY_CODE[error]
    else:
        number = getattr(error, "value", error)
        if isinstance(number, bool) or not isinstance(number, int):
            return None
        try:
            qt_error = QtNetworkError(int(number))
        except ValueError:
            raise ValueError(f"there is no QNetworkReply.NetworkError of the number {int(number)}") from None
    if qt_error is QtNetworkError.NoError:
        raise ValueError("error=NoError is not possible: leave error out")
    if 201 <= qt_error <= 299 or qt_error >= 401:
        raise ValueError(f"error={qt_error.name} is what a status of HTTP leads to: give status=... instead")
    proxy_failure = messages.proxy_failed(qt_error) if qt_error.is_of_proxy else None
    if proxy_failure is not None:
        return proxy_failure
    text = messages.error_text(qt_error, "") or _TEXTS[qt_error]
    # Qt's TimeoutError is about the connection. ErrorCode.TimeoutError is a server that does not answer in time.
    is_connecting = qt_error is QtNetworkError.TimeoutError and not isinstance(error, ErrorCode)
    return Failure(CODES.get(qt_error, ErrorCode.NetworkError), qt_error, text, is_connecting=is_connecting)


def failure_for(failure: Failure, url: str) -> Failure:
    """Return the failure of a request to a URL: Qt names the host in one of its messages."""
    if failure.error is not QtNetworkError.HostNotFoundError:
        return failure
    return Failure(failure.code, failure.error, messages.error_text(failure.error, url) or failure.text)
