"""http.client's response, with two things added: it keeps the header as it came, and skips every interim answer.

http.client reads the header by the email package, which is slow, takes 100 lines at most and puts up with a line that
has no colon; it takes the end of the connection for the end of the header; and it skips the interim status 100 only.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from typing import Any

from .body import DamagedBody
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
    """Stands before the connection's file while the header is read, and hands on what http.client needs to know."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.lines: list[bytes] = []
        """Of the latest header, without the status line and the empty one."""
        self.is_complete = False
        self._in_header = False
        self._hands_on = False
        self._size = 0

    def readline(self, limit: int) -> bytes:
        if not self._in_header:
            self._in_header, self.is_complete, self.lines = True, False, []
            line: bytes = self.file.readline(limit)
            return line
        while True:
            line = self.file.readline(HEADER_BYTES)
            self._size += len(line)
            if self._size > HEADER_BYTES:
                raise DamagedBody(f"the header is larger than {HEADER_BYTES >> 20} MB")
            if not line or line in _EMPTY_LINES:
                self._in_header, self.is_complete = False, bool(line)
                return line
            self.lines.append(line)
            if line[:1] not in (b" ", b"\t"):
                self._hands_on = line.partition(b":")[0].strip().lower() in _FRAMING_FIELDS
            if self._hands_on:
                return line

    def close(self) -> None:
        self.file.close()


class Response(http.client.HTTPResponse):
    header_lines: Sequence[bytes] = ()

    def begin(self) -> None:
        """Raises HeaderLost, DamagedBody."""
        if self.headers is not None:
            return
        reader = _HeaderReader(self.fp)
        while True:
            self.fp = reader  # type: ignore[assignment]
            try:
                super().begin()
            finally:
                if self.fp is reader:  # type: ignore[comparison-overlap]
                    self.fp = reader.file
            if not reader.is_complete:
                raise HeaderLost
            if self.status >= 200 or self.status == http.client.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
        grip = current_grip()
        if grip is not None:
            grip.response = self
        _check(reader.lines)
        self.header_lines = reader.lines


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
            value += b" " + line.strip()
            continue
        if name:
            yield name, value
        name, _, value = line.partition(b":")
        name, value = name.strip(), value.strip()
    if name:
        yield name, value
