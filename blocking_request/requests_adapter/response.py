"""Gives ``requests`` a ``urllib3.HTTPResponse`` over a Response, and its own exceptions for failures."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import IncompleteRead
from typing import Callable, Optional

import requests
import urllib3
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.models import PreparedRequest
from urllib3.exceptions import HTTPError, InvalidHeader, ProtocolError, ReadTimeoutError

from ..bodies.sink import merge_responses
from ..calls.call import Call
from ..errors import ErrorCode
from ..models.error_texts import failure_message
from ..models.failure import Failure, QtNetworkError
from ..models.http_messages import Response
from ..models.urllib3_response import OriginalResponse, urllib3_response
from ..models.urls import origin


class RequestCanceled(RequestsConnectionError):
    """The request was cancelled by the feedback, or because the application quits."""


def exception_for(failure: Failure, request: PreparedRequest) -> requests.RequestException:
    """Return the exception that requests would raise for a failure."""
    text = failure_message(failure, "")
    if failure.code is ErrorCode.CanceledError:
        return RequestCanceled(text, request=request)
    if failure.is_connecting:
        return requests.exceptions.ConnectTimeout(text, request=request)
    if failure.code is ErrorCode.TimeoutError:
        return requests.exceptions.ReadTimeout(_read_timeout(request.url or "", text), request=request)
    if failure.is_cut_off:
        return requests.exceptions.ChunkedEncodingError(ProtocolError(text), request=request)
    if failure.error is QtNetworkError.SslHandshakeFailedError:
        return requests.exceptions.SSLError(text, request=request)
    if failure.error.is_of_proxy:
        return requests.exceptions.ProxyError(text, request=request)
    if failure.error is QtNetworkError.ProtocolUnknownError:
        return requests.exceptions.InvalidSchema(text, request=request)
    if failure.error is QtNetworkError.ProtocolInvalidOperationError and "header" in text:
        return requests.exceptions.InvalidHeader(text, request=request)
    return RequestsConnectionError(text, request=request)


class RawBody:
    """The file from which ``urllib3.HTTPResponse`` reads the bytes of the body."""

    def __init__(self, response: Response, call: Call, report_end: Callable[[Response], None]) -> None:
        """``report_end`` is called with the complete response of a streamed body."""
        self._response: Optional[Response] = response
        self._begun = response if response.is_streaming else None
        self._report_end = report_end
        self._call = call
        self._chunks: Iterator[bytes] = call.iter_chunks() if response.is_streaming else iter((response.body,))
        self._unread = memoryview(b"")
        self.closed = False

    def isclosed(self) -> bool:
        return self.closed

    def read(self, amount: Optional[int] = None) -> bytes:
        """Read at most so many bytes. Raises HTTPError if the body breaks off."""
        if amount is None or amount < 0:
            pieces = []
            while piece := self.read(1 << 20):
                pieces.append(piece)
            return b"".join(pieces)
        while not self._unread and not self.closed:
            try:
                self._unread = memoryview(next(self._chunks))
            except StopIteration:
                self._end()
                return b""
        chunk, self._unread = self._unread[:amount], self._unread[amount:]
        return bytes(chunk)

    read1 = read

    def _end(self) -> None:
        response = self._response
        if response is None:
            return
        last = self._call.streamed_response if response.is_streaming else response
        self._response = None
        self.close()
        self._report()
        if last is not None and last.failure is not None:
            raise _body_error(last)

    def close(self) -> None:
        """End the request if the body was not read to its end."""
        if self.closed:
            return
        self.closed = True
        close = getattr(self._chunks, "close", None)
        try:
            if close is not None:
                close()
            self._call.abandon()
        except ValueError:
            # Another thread is reading at the moment, and hears of it there.
            self._call.cancel()
        else:
            self._report()

    def _report(self) -> None:
        """Report the end of the call, if it has ended and was not reported."""
        last = self._call.streamed_response
        if last is not None and self._begun is not None:
            begun, self._begun = self._begun, None
            self._report_end(merge_responses(begun, last))

    def flush(self) -> None:
        pass


def _body_error(response: Response) -> HTTPError:
    failure = response.failure
    assert failure is not None
    if failure.code is ErrorCode.TimeoutError:
        return _read_timeout(response.request.redacted_url, failure.text)
    missing = max(response.total_bytes - response.encoded_bytes, 0)
    return ProtocolError(failure.text, _IncompleteRead(response.encoded_bytes, missing or None))


def _read_timeout(url: str, text: str) -> ReadTimeoutError:
    """The error that requests has as the argument of its own, and whose text begins in the same way."""
    return ReadTimeoutError(origin(url), url, f"Read timed out. {text}")  # type: ignore[arg-type]


class _IncompleteRead(IncompleteRead):
    """The error of http.client, with the number of bytes in place of the bytes."""

    def __init__(self, received: int, missing: Optional[int]) -> None:
        super().__init__(b"", missing)
        self._received = received

    def __repr__(self) -> str:
        missing = "" if self.expected is None else f", {self.expected} more expected"
        return f"IncompleteRead({self._received} bytes read{missing})"

    __str__ = __repr__


def raw_response(
    response: Response, call: Call, request: PreparedRequest, report_end: Callable[[Response], None]
) -> urllib3.HTTPResponse:
    pairs = response.headers.pairs
    original = OriginalResponse(pairs) if response.headers.has_set_cookie else None
    try:
        return urllib3_response(response, RawBody(response, call, report_end), pairs, request, original)
    except InvalidHeader as error:  # two values of Content-Length
        call.abandon()
        if response.is_streaming:
            report_end(response)
        raise requests.exceptions.InvalidHeader(error, request=request) from None
