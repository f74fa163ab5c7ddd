"""HTTP/1.1 as bytes (RFC 9112): writes the head of a request, reads a response. No I/O, no clock.

Reading takes linear time, and no more memory than the limits of a header allow, also if the server is hostile. The
result does not depend on how the bytes are split.

A header is refused if another recipient could find another end of the body: the server, each proxy and this client must
agree on the end, or the rest of one response becomes the next one. Other deviations are read as curl and browsers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple, Optional

from ...models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, NO_FIELDS, Fields, known_fields
from ..body_errors import CorruptBody, HeaderTooLarge
from ..body_reader import framing_value, is_chunked, parse_length
from .chunked import ChunkReader, Data
from .failures import ConnectionLost
from .header_fields import odd_fields, plain_fields
from .http1_errors import CutOff, NoFinalResponse, NotHttp, described

# No pattern has two neighbouring quantifiers that match the same bytes: a hostile line could make the search quadratic.
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]([^\r\n]*))?\r?\n")
_LOW_STATUS = re.compile(rb"HTTP/1\.[0-9][ \t]+(0?[0-9]{1,2})(?:[ \t][^\r\n]*)?\r?\n")
_HEADER_END = re.compile(rb"\n\r?\n")
_EMPTY_LINES = re.compile(rb"(?:\r?\n)+")

_PLAIN_FIELDS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r?\n)*")
"""Usual fields: each line is a name, a colon and a value. Others are read by ``odd_fields``."""
_FRAMING_FIELDS = re.compile(rb"(?i)\n(content-length|transfer-encoding|connection):([^\r\n]*)")

_VERSION_START = b"HTTP/1."
_BLANKS = b" \t"
_USUAL = (b"", b"keep-alive")
_WITHOUT_BODY = (101, 204, 304)
_OTHER_LINES = 3
"""The status line and the empty lines after the header and the trailers."""
_CONTINUE = 100
_SWITCHING_PROTOCOLS = 101
_SURE_DIGITS = 18
"""A length with more digits is not usual; ``_frame`` reads it."""


def encode_head(method: str, target: str, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the request line, the fields and the empty line (RFC 9112 section 3).

    Raises ValueError if the parts contain a line end, which would split the request.
    """
    lines = [b"%b: %b\r\n" % field for field in fields]
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode("utf-8"), target.encode("utf-8"), b"".join(lines))
    if head.count(b"\n") != len(lines) + 2 or head.count(b"\r") != len(lines) + 2:
        raise ValueError("a line end stands within the head of the request")
    return head


class ResponseHead(NamedTuple):
    """The status line and the fields of a final response."""

    status: int
    reason: str
    minor_version: int
    fields: Fields


class ResponseParser:
    """Reads one response from bytes: first ``receive_head`` until it returns True, then ``receive_body``.

    Interim responses are skipped. After an error the parser is of no use; ``head`` is set if only the body has the
    error.
    """

    # These are attributes of the class, because to set them for each response takes time.
    head: Optional[ResponseHead] = None
    """The status line and the fields of the final response, when they have come. 101 is final."""
    length: int = -1
    """How many bytes of the body are still to come, if ``Content-Length`` tells its end; -1 otherwise."""
    total_bytes: int = -1
    """The value of ``Content-Length``, or -1."""
    is_complete: bool = False
    """Whether the body has ended."""
    keeps_connection: bool = False
    """Whether the connection may serve another request (RFC 9112 section 9.3). Valid when the body is complete."""
    has_begun: bool = False
    """Whether a byte of a status line has come, also of an interim response."""
    rest: bytes = b""
    """The bytes behind the header, when ``head`` is set; the bytes behind the body, when it is complete."""
    interim_status: int = 0
    """The status of the last interim response, or 0."""
    has_continue: bool = False
    """Whether the server has said 100 (Continue)."""

    _buffer: Optional[bytearray] = None
    """The bytes of a header that is not complete."""
    _searched: int = 0
    """The position in the buffer from which the end of the status line or of the header is searched."""
    _has_status_line: bool = False
    _bytes_left: int = MAXIMUM_HEADER_BYTES
    _lines_left: int = MAXIMUM_HEADER_LINES + _OTHER_LINES
    _chunks: Optional[ChunkReader] = None

    def __init__(self, method: str) -> None:
        """``method``: of the request. HEAD and a successful CONNECT have no body."""
        self._method = method

    # The header

    def receive_head(self, data: bytes) -> bool:
        """Read on in the header; return True once ``head`` is set.

        Raises NotHttp, NoFinalResponse (for a status below 100), HeaderTooLarge, CorruptBody.
        """
        if self._buffer is None:
            match = _STATUS_LINE.match(data)
            if match is not None:
                start = match.end()
                end = _header_end(data, start - 1)
                if end > 0:
                    self.has_begun = True
                    size = end + (1 if data[end] == 10 else 2)
                    is_final = self._read_header(data, match, end, size)
                    data = data[size:]
                    if is_final:
                        self.rest = data
                        return True
            self._buffer = bytearray()
        buffer = self._buffer
        buffer += data
        while (found := self._find_end(buffer)) is not None:
            end, size = found.start() + 1, found.end()
            header = bytes(buffer[:end])
            del buffer[:size]
            self._searched, self._has_status_line = 0, False
            match = _STATUS_LINE.match(header)
            assert match is not None
            if self._read_header(header, match, end, size):
                self.rest, self._buffer = bytes(buffer), None
                return True
        return False

    def _find_end(self, buffer: bytearray) -> Optional[re.Match[bytes]]:
        """Return the end of the header in the buffer. Raises NotHttp as soon as the bytes cannot be a status line."""
        if not self._has_status_line and not self._find_status_line(buffer):
            return None
        found = _HEADER_END.search(buffer, self._searched)
        if found is None:
            self._searched = max(self._searched, len(buffer) - 2)
            self._check_size(len(buffer))
        return found

    def _find_status_line(self, buffer: bytearray) -> bool:
        """Return whether the buffer begins with a complete status line, behind empty ones."""
        empty = _EMPTY_LINES.match(buffer)
        if empty is not None:
            # curl skips them, too. They count, so that there is an end to them.
            self._count(empty.end(), buffer.count(b"\n", 0, empty.end()))
            del buffer[: empty.end()]
        if not buffer or buffer == b"\r":
            return False
        self.has_begun = True
        if not buffer.startswith(_VERSION_START) and not _VERSION_START.startswith(buffer):
            raise NotHttp(described(buffer))
        newline = buffer.find(b"\n", self._searched)
        if newline < 0:
            self._searched = len(buffer)
            self._check_size(len(buffer))
            return False
        self._check_size(newline + 1)
        if _STATUS_LINE.match(buffer) is None:
            low = _LOW_STATUS.match(buffer)
            if low is not None:
                raise NoFinalResponse(int(low[1]))
            raise NotHttp(described(buffer))
        self._searched, self._has_status_line = newline, True
        return True

    def _check_size(self, size: int) -> None:
        if size > self._bytes_left:
            raise HeaderTooLarge

    def _count(self, size: int, lines: int) -> None:
        """Count lines that have come. Raises HeaderTooLarge."""
        self._bytes_left -= size
        self._lines_left -= lines
        if self._bytes_left < 0 or self._lines_left < 0:
            raise HeaderTooLarge

    def _read_header(self, data: bytes, match: re.Match[bytes], end: int, size: int) -> bool:
        """Read a header; return whether it belongs to the final response.

        ``match``: its status line; ``end``: the end of its fields; ``size``: its bytes, the empty line included.
        """
        start = match.end()
        self._bytes_left -= size
        self._lines_left -= data.count(b"\n", 0, end) + 1
        if self._bytes_left < 0 or self._lines_left < 0:
            raise HeaderTooLarge
        version, code, reason = match.groups()
        status = int(code)
        if status < 200 and status != _SWITCHING_PROTOCOLS:
            self.interim_status = status
            self.has_continue = self.has_continue or status == _CONTINUE
            return False
        is_plain = _PLAIN_FIELDS.fullmatch(data, start, end) is not None
        header = data[start:end]
        reason_text = "OK" if reason == b"OK" else _decoded(reason) if reason else ""
        if is_plain:
            fields = Fields(partial(plain_fields, header), header)
        else:
            # If the fields are refused, the status is told all the same.
            self.head = ResponseHead(status, reason_text, int(version), NO_FIELDS)
            fields = known_fields(tuple(odd_fields(header)))
        self.head = head = ResponseHead(status, reason_text, int(version), fields)
        has_body = (status == 200 and self._method == "GET") or self._has_body(status)
        if not (is_plain and has_body and self._frame_usual(head, _FRAMING_FIELDS.findall(data, start - 1, end))):
            self._frame(head, has_body)
        return True

    def _frame_usual(self, head: ResponseHead, framing: list[tuple[bytes, bytes]]) -> bool:
        """Find the end of the body in less time than ``_frame``, if the header has one length; return whether it has.

        ``framing``: the fields Content-Length, Transfer-Encoding and Connection.
        """
        length: Optional[bytes] = None
        connection: Optional[bytes] = None
        for name, value in framing:
            name = name.lower()
            if name == b"content-length" and length is None:
                length = value.strip(_BLANKS)
            elif name == b"connection" and connection is None:
                connection = value.strip(_BLANKS).lower()
            else:
                return False
        if length is None or not length.isdigit() or len(length) > _SURE_DIGITS:
            return False
        self.length = self.total_bytes = int(length)
        self.is_complete = not self.length
        is_usual = head.minor_version > 0 and (connection is None or connection == b"keep-alive")
        self.keeps_connection = is_usual or _keeps(head.minor_version, connection or b"")
        return True

    def _frame(self, head: ResponseHead, has_body: bool) -> None:
        """Find the end of the body (RFC 9112 section 6.3), and whether the connection can be kept (section 9.3)."""
        fields = head.fields
        transfer_encoding = fields.whole_value(b"transfer-encoding")
        has_length = fields.has(b"content-length")
        # Another reader may find another end of the body: RFC 9112 section 6.1 demands that the connection is closed.
        is_doubtful = transfer_encoding is not None and (
            head.minor_version < 1 or has_length or transfer_encoding.strip(_BLANKS).lower() != b"chunked"
        )
        is_framed = True
        if not has_body:
            # The length is the length of the body that a GET would get (RFC 9110 section 8.6).
            self.length = 0
            self.total_bytes = promised_length(fields) if has_length else -1
            self.is_complete = True
            # After 101 and CONNECT the connection carries another protocol.
            is_framed = head.status != _SWITCHING_PROTOCOLS and self._method != "CONNECT"
        elif is_chunked(framing_value(fields, b"transfer-encoding")):
            self._chunks = ChunkReader(self._count, self._check_size)
        elif has_length:
            # "identity" is no coding: the length counts (RFC 2616 section 4.4), and the connection is closed.
            self.length = self.total_bytes = parse_length(framing_value(fields, b"content-length") or b"")
            self.is_complete = not self.length
        else:
            is_framed = False
        connection = fields.value(b"connection") if fields.has(b"connection") else b""
        is_kept = connection is not None and _keeps(head.minor_version, connection.lower())
        self.keeps_connection = is_kept and is_framed and not is_doubtful

    def _has_body(self, status: int) -> bool:
        if status in _WITHOUT_BODY or self._method == "HEAD":
            return False
        return self._method != "CONNECT" or status >= 300

    # The body

    def receive_body(self, data: Data) -> Iterable[Data]:
        """Return the body's bytes in ``data`` without copies. The caller must use all of them up before it
        reads ``is_complete``.

        The bytes before an error are yielded before it is raised. Raises CorruptBody, HeaderTooLarge (trailers).
        """
        if self._chunks is not None:
            return self._read_chunks(self._chunks, data)
        self.rest = b""
        if self.is_complete:
            self.rest = bytes(data)
            return ()
        if not data:
            return ()
        length = self.length
        if length < 0:
            return (data,)
        size = len(data)
        if size < length:
            self.length = length - size
            return (data,)
        self.length, self.is_complete = 0, True
        if size == length:
            return (data,)
        self.rest = bytes(data[length:])
        return (memoryview(data)[:length],)

    def _read_chunks(self, chunks: ChunkReader, data: Data) -> Iterator[Data]:
        self.rest = b""
        yield from chunks.read(data)
        if chunks.is_complete:
            self.is_complete, self.rest = True, chunks.rest
            self._chunks = None  # it refers to the parser

    def took(self, count: int) -> None:
        """Count bytes of a body that the caller has read itself, at most ``length``. Not for a chunked body."""
        if self.length >= 0:
            self.length -= count
            self.is_complete = self.length <= 0

    def receive_end(self) -> None:
        """Note that the connection has ended. A body without a length is complete then.

        The BodyReader finds out whether bytes of a ``Content-Length`` are missing. Raises ConnectionLost if no byte of
        a response has come, CutOff within a header or a chunked body, and NoFinalResponse after interim responses.
        """
        if self.head is None:
            if self._buffer and self._buffer != b"\r":
                raise CutOff("Connection closed: the header of the response was cut off")
            if self.interim_status:
                raise NoFinalResponse(self.interim_status)
            raise ConnectionLost
        if self._chunks is not None:
            raise CutOff("Connection closed")
        if self.length < 0:
            self.is_complete = True


def _header_end(data: bytes, start: int) -> int:
    """Return the position of the empty line that ends a header, or 0. ``start``: the position to search from."""
    # A regular expression would take three times as long.
    end = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, end + 1) if end >= 0 else data.find(b"\n\n", start)
    return (end if bare < 0 else bare) + 1


def _keeps(minor_version: int, connection: bytes) -> bool:
    """Return whether the connection goes on (RFC 9112 section 9.3); ``connection``: the field, in lower case."""
    if connection in _USUAL and minor_version > 0:
        return True
    options = {option.strip(_BLANKS) for option in connection.split(b",")}
    return b"close" not in options and (minor_version > 0 or b"keep-alive" in options)


def _decoded(reason: bytes) -> str:
    reason = reason.strip(_BLANKS)
    try:
        return reason.decode("utf-8")
    except UnicodeDecodeError:
        return reason.decode("latin-1")


def promised_length(fields: Fields) -> int:
    """Return the length that a response without a body tells, or -1: no framing depends on it."""
    try:
        return parse_length(framing_value(fields, b"content-length") or b"")
    except CorruptBody:
        return -1
