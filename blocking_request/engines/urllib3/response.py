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
from typing import Any, Optional

from ...models.headers import MAXIMUM_HEADER_BYTES, MAXIMUM_HEADER_LINES, NO_FIELDS, Fields
from ..body_errors import CorruptBody, HeaderTooLarge
from .abort_handle import current_handle
from .framing import is_doubtful, will_close

# No two quantifiers that match the same bytes stand side by side: a hostile line must not make the search quadratic.
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]([^\r\n]*))?\r?\n")
_EMPTY_LINES = (b"\r\n", b"\n")


class HeaderLost(http.client.HTTPException):
    """The connection ended within the header."""


class HttpClientResponse(http.client.HTTPResponse):
    """``fields`` and ``file`` are there when ``begin`` has been called."""

    fields: Fields = NO_FIELDS
    """Of the header, as they came."""
    file: Any = None
    """Where the body comes from."""
    room: Optional[HeaderRoom] = None
    """What is left for trailers."""

    def begin(self) -> None:
        """Read the header; what http.client documents of a response is set. Raises HeaderLost, CorruptBody."""
        if self.headers is not None:
            return
        abort_handle = current_handle()
        file: Any = self.fp
        room = HeaderRoom()
        while True:
            line = room.status_line(file)
            if abort_handle is not None and line:
                abort_handle.response_begun = True
            minor_version, self.status, self.reason = _status(line)
            lines = room.header(file)
            if self.status >= 200 or self.status == http.client.SWITCHING_PROTOCOLS:
                break
        self.code, self.version = self.status, 10 + minor_version
        self.headers = self.msg = http.client.HTTPMessage()
        if abort_handle is not None:
            abort_handle.response = self
        self.file = file
        self.room = room
        _check(lines)
        self.fields = Fields(partial(header_pairs, lines))
        self._tell_http_client()

    def _tell_http_client(self) -> None:
        """Tell http.client whether the connection goes on after this response, and hide the body from it."""
        self.chunked, self.chunk_left, self.length = False, None, None
        fields = self.fields
        has_body = self._method != "HEAD" and self.status not in (204, 304)  # type: ignore[attr-defined]
        is_framed = not has_body or any(fields.whole_value(name) for name in (b"content-length", b"transfer-encoding"))
        doubtful = is_doubtful(self.version, fields.whole_value(b"transfer-encoding"), fields.has(b"content-length"))
        self.will_close = will_close(self.version, fields.value(b"connection") or b"", is_framed, doubtful)


def _status(line: bytes) -> tuple[int, int, str]:
    """Minor version, status and reason (RFC 9112 section 4)."""
    if not line:
        raise http.client.RemoteDisconnected("the connection ended without an answer")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise http.client.BadStatusLine(line.decode("latin-1"))
    version, status, reason = match.groups()
    return int(version), int(status), (reason or b"").strip().decode("latin-1")


_OTHER_LINES = 3
"""The status line and the empty lines after the header and the trailers."""


class HeaderRoom:
    """Counts the lines and bytes of one response's header, its interim responses and trailers."""

    def __init__(self) -> None:
        self._bytes = MAXIMUM_HEADER_BYTES
        self._lines = MAXIMUM_HEADER_LINES + _OTHER_LINES

    def status_line(self, file: Any) -> bytes:
        """Read a status line; it has no line end if the connection has ended. Raises HeaderTooLarge."""
        line: bytes = file.readline(self._bytes + 1)
        self._bytes -= len(line)
        self._lines -= 1
        if self._bytes < 0 or self._lines < 0:
            raise HeaderTooLarge
        return line

    def line(self, file: Any) -> bytes:
        """Read one line. Raises HeaderTooLarge, and HeaderLost at the end of the connection."""
        line = self.status_line(file)
        if not line.endswith(b"\n"):
            raise HeaderLost
        return line

    def header(self, file: Any) -> list[bytes]:
        """Read the lines of a header, without the empty one at its end. Raises HeaderLost, HeaderTooLarge."""
        # Written out, because a call for each line took a hundredth of a small GET.
        lines: list[bytes] = []
        readline, room = file.readline, self._bytes
        while True:
            line: bytes = readline(room + 1)
            room -= len(line)
            if line in _EMPTY_LINES:
                break
            if room < 0 or len(lines) >= self._lines:
                raise HeaderTooLarge
            if not line.endswith(b"\n"):
                raise HeaderLost
            lines.append(line)
        self._bytes, self._lines = room, self._lines - len(lines)
        return lines


def _check(lines: list[bytes]) -> None:
    """Raises CorruptBody if a line has no colon and does not continue the line before it."""
    for number, line in enumerate(lines):
        if b":" not in line and (number == 0 or line[:1] not in (b" ", b"\t")):
            raise CorruptBody("the header has a line without a colon")


def header_pairs(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Return names and values; a value on several lines (RFC 9112 section 5.2) becomes one."""
    header = b"".join(lines)
    if b"\n " in header or b"\n\t" in header:
        lines = _unfolded(lines)
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.strip()
        if name:
            yield name, value.strip()


def _unfolded(lines: Sequence[bytes]) -> list[bytes]:
    """Join each line with those that continue it."""
    fields: list[list[bytes]] = []
    for line in lines:
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1].append(line.strip())
        else:
            fields.append([line.strip()])
    return [b" ".join(parts) for parts in fields]
