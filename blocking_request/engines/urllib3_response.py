"""http.client's response, whose header we read ourselves; it skips every interim answer.

http.client reads the header by the email package, which is slow, takes 100 lines at most, splits them at a bare CR and
puts up with a line that has no colon; it takes the end of the connection for the end of the header; and it skips the
interim status 100 only. So it is shown an empty header, and told afterwards what it needs to know.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ..headers import NO_FIELDS, Fields
from .body import DamagedBody
from .urllib3_framing import will_close
from .urllib3_grip import current_grip

HEADER_BYTES = 1 << 24
"""How large a header may be; Qt 5 knows no limit."""

_FRAMING_FIELDS = frozenset(
    (b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection")
)
"""What http.client needs to know of the header."""

_EMPTY_LINES = (b"\r\n", b"\n")


class HeaderLost(http.client.HTTPException):
    """The connection ended within the header."""


class _HeaderReader:
    """Stands before the connection's file while the header is read: keeps it, and shows http.client an empty one."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.lines: list[bytes] = []
        """Of the latest header, without the status line and the empty one."""
        self.has_begun = False
        """Whether the first byte of an answer has come."""
        self.is_complete = False
        self._in_header = False

    def readline(self, limit: int) -> bytes:
        if not self._in_header:
            self._in_header, self.is_complete, self.lines = True, False, []
            status_line: bytes = self.file.readline(limit)
            self.has_begun = self.has_begun or bool(status_line)
            return status_line
        size = 0
        while True:
            line: bytes = self.file.readline(HEADER_BYTES)
            size += len(line)
            if size > HEADER_BYTES:
                raise DamagedBody(f"the header is larger than {HEADER_BYTES >> 20} MB")
            if not line or line in _EMPTY_LINES:
                self._in_header, self.is_complete = False, bool(line)
                return line
            self.lines.append(line)

    def close(self) -> None:
        self.file.close()


class Response(http.client.HTTPResponse):
    """``fields`` and ``file`` are there when ``begin`` has been called."""

    fields: Fields = NO_FIELDS
    """Of the header, as they came."""
    file: Any = None
    """Where the body comes from."""

    def begin(self) -> None:
        """Raises HeaderLost, DamagedBody."""
        if self.headers is not None:
            return
        grip = current_grip()
        file = self.fp
        reader = _HeaderReader(file)
        while True:
            self.fp = reader  # type: ignore[assignment]
            try:
                super().begin()
            finally:
                if self.fp is reader:  # type: ignore[comparison-overlap]
                    self.fp = file
                if grip is not None:
                    grip.answer_begun = reader.has_begun
            if not reader.is_complete:
                raise HeaderLost
            if self.status >= 200 or self.status == http.client.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
        if grip is not None:
            grip.response = self
        self.file = file
        _check(reader.lines)
        self.fields = Fields(partial(header_pairs, reader.lines))
        self._tell_http_client()

    def _tell_http_client(self) -> None:
        """Whether the connection goes on after this answer. The body is none of its business."""
        fields = self.fields
        has_body = self._method != "HEAD" and self.status not in (204, 304)  # type: ignore[attr-defined]
        is_framed = not has_body or any(fields.value(name) for name in (b"content-length", b"transfer-encoding"))
        self.will_close = will_close(self.version, fields.value(b"connection") or b"", is_framed)


def _check(lines: list[bytes]) -> None:
    """Raises DamagedBody where a line is none of a header."""
    for number, line in enumerate(lines):
        if b":" not in line and (number == 0 or line[:1] not in (b" ", b"\t")):
            raise DamagedBody("the header has a line without a colon")


def header_pairs(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Names and values; a value on several lines (RFC 9112 section 5.2) becomes one."""
    name, value = b"", b""
    for line in lines:
        if name and line[:1] in (b" ", b"\t"):
            value = (value + b" " + line.strip()).strip()
            continue
        if name:
            yield name, value
        name, _, value = line.partition(b":")
        name, value = name.strip(), value.strip()
    if name:
        yield name, value
