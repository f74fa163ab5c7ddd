"""The state of one stream of HTTP/2, and the rules for the header of its response.

A response that breaks the rules fails alone (RFC 9113 section 8.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable, Optional

import h2.errors

from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, Pairs, known_fields
from ..body_errors import BodyError, HeaderTooLarge
from ..body_reader import framing_value, parse_length
from .http1 import ResponseHead, promised_length
from .http1_errors import shown

_STATUS = re.compile(rb"[1-9][0-9]{2}")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_FORBIDDEN_IN_VALUE = re.compile(rb"[\r\n\0]")
_BLANKS = b" \t"
_LENGTH = b"content-length"

CONNECTION_FIELDS = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
"""Fields that have no place in HTTP/2 (RFC 9113 section 8.2.2)."""

STREAM_WINDOW_BYTES = 1 << 20
"""How many bytes of a body a server may send before the caller takes any of them (RFC 9113 section 5.2)."""


class StreamFailed(BodyError):
    """The server has ended the stream, or the connection, with an error."""

    @property
    def failure(self) -> Failure:
        return network_failure(QtNetworkError.RemoteHostClosedError, str(self))


class MalformedResponse(BodyError):
    """The response breaks the rules of HTTP/2 (RFC 9113 section 8.1.1)."""

    @property
    def failure(self) -> Failure:
        return network_failure(QtNetworkError.ProtocolFailure, str(self))


class Http2Stream:
    """A stream. It is not thread-safe: one thread at a time drives its connection."""

    def __init__(self, number: int, method: str, wake: Callable[[], None], window: int = STREAM_WINDOW_BYTES) -> None:
        self.number = number
        self.wake = wake
        self.head: Optional[ResponseHead] = None
        self.total_bytes = -1
        """The value of ``Content-Length``, or -1."""
        self.has_body = method != "HEAD"
        """Whether the response may have a body."""
        self.has_begun = False
        """Whether a part of a response has come."""
        self.chunks: list[bytes] = []
        """The parts of the body that the transfer has not taken yet."""
        self.buffered_bytes = 0
        """How many bytes of the window they fill."""
        self.body_bytes = 0
        """How many bytes of the body have come."""
        self.window = window
        """How many bytes of the body the server may still send."""
        self.unacknowledged = 0
        """How many bytes were taken since the last WINDOW_UPDATE."""
        self.has_ended = False
        self.error: Optional[Exception] = None
        """Why no more of the response will come."""
        self.is_waiting = False
        """Whether its transfer waits for a wake-up by the stream that reads the socket."""
        self.is_sending_open = True
        """Whether more of the request is to be sent."""
        self.is_reset = False
        """Whether it was ended early, by us or by the server."""
        self._bytes_left = MAXIMUM_HEADER_BYTES
        self._lines_left = MAXIMUM_HEADER_LINES + 1

    @property
    def needs_no_request_body(self) -> bool:
        """Whether the rest of the request need not be sent: the response is complete, or says that the request has
        failed, or there will be none. A server may begin a successful response while it reads the request.
        """
        return self.has_ended or self.error is not None or (self.head is not None and self.head.status >= 300)

    def take_chunks(self) -> tuple[list[bytes], int]:
        """Return the parts of the body that have come, and how many bytes of the window they fill."""
        chunks, size = self.chunks, self.buffered_bytes
        self.chunks, self.buffered_bytes = [], 0
        return chunks, size

    def read_headers(self, pairs: Pairs, ends_stream: bool) -> None:
        """Take the header of a response, or trailers. An interim response and trailers are skipped.

        Raises BodyError. ``head`` is set then, too, if only ``Content-Length`` is invalid.
        """
        self.has_begun = True
        if self.head is None:
            self._read_head(pairs, ends_stream)
        else:
            self._check_trailers(pairs, ends_stream)
        self.has_ended = ends_stream

    def _read_head(self, pairs: Pairs, ends_stream: bool) -> None:
        status, fields = self._read_fields(pairs)
        if _STATUS.fullmatch(status) is None or status == b"101":
            raise MalformedResponse(f"The server has sent '{shown(status)}' as the status of a response")
        number = int(status)
        if number < 200:
            if ends_stream:
                raise MalformedResponse(f"The server has ended a response with the interim status {number}")
            return
        self.has_body = self.has_body and number not in (204, 304)
        known = known_fields(fields)
        self.head = ResponseHead(number, "", 1, known)
        if not known.has(_LENGTH):
            return
        if self.has_body:
            self.total_bytes = parse_length(framing_value(known, _LENGTH) or b"")
        else:
            self.total_bytes = promised_length(known)

    def _check_trailers(self, pairs: Pairs, ends_stream: bool) -> None:
        self._charge_limits(pairs)
        if not ends_stream:
            raise MalformedResponse("The server has sent a second header in a response")
        if any(name[:1] == b":" for name, _ in pairs):
            raise MalformedResponse("The server has sent a field of the header, such as :status, after the body")

    def _charge_limits(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Take fields off what the header and the trailers may have. Raises HeaderTooLarge."""
        for name, value in pairs:
            self._lines_left -= 1
            self._bytes_left -= len(name) + len(value) + 4  # as in HTTP/1.1
        if self._bytes_left < 0 or self._lines_left < 0:
            raise HeaderTooLarge

    def _read_fields(self, pairs: Pairs) -> tuple[bytes, Pairs]:
        """Return the status and the fields; an odd field is dropped, as in HTTP/1.1. Raises BodyError."""
        self._charge_limits(pairs)
        status = b""
        fields: list[tuple[bytes, bytes]] = []
        for name, value in pairs:
            if name[:1] == b":":
                if name != b":status" or status or fields:
                    raise MalformedResponse(f"The server has sent the field '{shown(name)}' out of place in a response")
                status = value
                continue
            if name in CONNECTION_FIELDS or _NAME.fullmatch(name) is None:
                continue
            if _FORBIDDEN_IN_VALUE.search(value) is None:
                fields.append((name, value.strip(_BLANKS)))
        if not status:
            raise MalformedResponse("The server has sent a response that has no status")
        return status, tuple(fields)


def name_of(code: int) -> str:
    """Return the name of an error code (RFC 9113 section 7)."""
    try:
        return h2.errors.ErrorCodes(code).name
    except ValueError:
        return f"error {code}"
