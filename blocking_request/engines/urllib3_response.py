"""http.client's response, whose header we read ourselves; it skips every interim answer.

http.client reads the header by the email package, which is slow, takes 100 lines at most, splits them at a bare CR and
puts up with a line that has no colon; it takes the end of the connection for the end of the header; and it skips the
interim status 100 only.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ..headers import NO_FIELDS, Fields
from .damage import DamagedBody
from .urllib3_framing import will_close
from .urllib3_grip import current_grip

HEADER_BYTES = 1 << 24
"""How large a header may be; Qt 5 knows no limit."""

STATUS_LINE_BYTES = 1 << 16

_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]+([^\r\n]*))?[ \t]*\r?\n")
_EMPTY_LINES = (b"\r\n", b"\n")


class HeaderLost(http.client.HTTPException):
    """The connection ended within the header."""


class Response(http.client.HTTPResponse):
    """``fields`` and ``file`` are there when ``begin`` has been called."""

    fields: Fields = NO_FIELDS
    """Of the header, as they came."""
    file: Any = None
    """Where the body comes from."""

    def begin(self) -> None:
        """Read the header; what http.client documents of a response is set. Raises HeaderLost, DamagedBody."""
        if self.headers is not None:
            return
        grip = current_grip()
        file: Any = self.fp
        while True:
            line: bytes = file.readline(STATUS_LINE_BYTES)
            if grip is not None and line:
                grip.answer_begun = True
            minor_version, self.status, self.reason = _status(line)
            lines = _read_lines(file)
            if self.status >= 200 or self.status == http.client.SWITCHING_PROTOCOLS:
                break
        self.code, self.version = self.status, 10 + minor_version
        self.headers = self.msg = http.client.HTTPMessage()
        if grip is not None:
            grip.response = self
        self.file = file
        _check(lines)
        self.fields = Fields(partial(header_pairs, lines))
        self._tell_http_client()

    def _tell_http_client(self) -> None:
        """Whether the connection goes on after this answer. The body is none of its business."""
        self.chunked, self.chunk_left, self.length = False, None, None
        fields = self.fields
        has_body = self._method != "HEAD" and self.status not in (204, 304)  # type: ignore[attr-defined]
        is_framed = not has_body or any(fields.value(name) for name in (b"content-length", b"transfer-encoding"))
        self.will_close = will_close(self.version, fields.value(b"connection") or b"", is_framed)


def _status(line: bytes) -> tuple[int, int, str]:
    """Minor version, status and reason (RFC 9112 section 4)."""
    if not line:
        raise http.client.RemoteDisconnected("the connection ended without an answer")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise http.client.BadStatusLine(line.decode("latin-1"))
    version, status, reason = match.groups()
    return int(version), int(status), (reason or b"").strip().decode("latin-1")


def _read_lines(file: Any) -> list[bytes]:
    """The lines of a header, without the empty one. Raises HeaderLost, DamagedBody."""
    lines: list[bytes] = []
    size = 0
    while True:
        line: bytes = file.readline(HEADER_BYTES)
        if line in _EMPTY_LINES:
            return lines
        size += len(line)
        if size > HEADER_BYTES:
            raise DamagedBody(f"the header is larger than {HEADER_BYTES >> 20} MB")
        if not line.endswith(b"\n"):
            raise HeaderLost
        lines.append(line)


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
