"""Shows a body on a terminal: as text, JSON laid out and colored, and no binary data."""

from __future__ import annotations

import codecs
import errno
import io
import json
import sys
from typing import Any, Optional

from ..models.header_parameters import charset
from ..models.redaction import printable
from ..models.text_encoding import text_encoding
from .json_layout import lay_out
from .streams import RawOutput, write_all
from .terminal import Paint, paint_for, paint_plain

JSON_LIMIT = 1 << 20
"""JSON bodies of more bytes are written as they come: to color them would take longer than a second."""

_SAMPLE_BYTES = 1024
_MOST_CONTROLS = 0.3
"""The share of characters in the first bytes that are no text, from which on a body counts as binary."""


class BinaryBodyError(OSError):
    """The body is binary, and a terminal would show nonsense."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is a terminal, and the body is binary")


def is_json(content_type: str) -> bool:
    """Return whether a ``Content-Type`` means one JSON value (RFC 8259, RFC 6839)."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


class PrintedBody:
    """Writes a body to a terminal, or writes JSON laid out to any standard output.

    On a terminal, control characters are shown as escapes, because the terminal would obey them, and the last line gets
    an end, because the shell's prompt would follow it. A body that is not JSON is written while it arrives.
    """

    def __init__(self, output: RawOutput, is_pretty: bool) -> None:
        self._output = output
        self._is_pretty = is_pretty
        self._is_terminal = output.isatty()
        self._content_type = ""
        self._held: Optional[bytearray] = None
        """The JSON so far; None if the body is written as it arrives."""
        self._decoder: Any = None
        self._last = "\n"

    def begin(self, content_type: str) -> None:
        """Take the type of the body that follows."""
        self._content_type = content_type
        self._held = bytearray() if self._is_pretty and is_json(content_type) else None

    def write(self, piece: Any) -> int:
        """Write a chunk. Raises OutputError, BinaryBodyError."""
        data = bytes(piece)
        if self._held is None:
            self._write_now(data)
        else:
            self._held += data
            if len(self._held) > JSON_LIMIT:
                self._release()
        return len(data)

    def end(self, ends_line: bool = True) -> None:
        """Write the rest, and an end of the last line if it has none. ``ends_line``: False: without that end."""
        if self._held:
            text = self._laid_out(bytes(self._held))
            if text is None:
                self._release()
            else:
                self._write_text(text)
        self._held = None
        if self._decoder is not None:
            self._write_text(printable(self._decoder.decode(b"", True), allowed="\n\t"))
            self._decoder = None
        if self._last != "\n" and ends_line:
            self._write_text("\n")

    def _release(self) -> None:
        """Write the JSON so far as it came, and the rest as it comes."""
        held, self._held = self._held, None
        self._write_now(bytes(held or b""))

    def _laid_out(self, body: bytes) -> Optional[str]:
        try:
            encoding = text_encoding(body, self._content_type.encode("latin-1"))
            # RFC 8259 has no charset parameter: without one, the first bytes tell UTF-16 and UTF-32 from UTF-8.
            text = body.decode(encoding if charset(self._content_type) else json.detect_encoding(body))
        except UnicodeDecodeError:
            return None
        paint: Paint = paint_for(sys.stdout) if self._is_pretty else paint_plain
        result = lay_out(text, paint, escapes=self._is_terminal)
        return None if result is None else f"{result}\n"

    def _write_now(self, data: bytes) -> None:
        if not self._is_terminal:
            write_all(self._output, data)
        elif data:
            if self._decoder is None:
                encoding = text_encoding(data, self._content_type.encode("latin-1"))
                if is_binary(data, encoding):
                    raise BinaryBodyError
                decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
                self._decoder = io.IncrementalNewlineDecoder(decoder, True)
            text = self._decoder.decode(data)
            if "\0" in text:
                raise BinaryBodyError
            self._write_text(printable(text, allowed="\n\t"))

    def _write_text(self, text: str) -> None:
        if text:
            self._last = text[-1]
            write_all(self._output, text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


def is_binary(data: bytes, encoding: str) -> bool:
    """Return whether the first bytes of a body are no text in its encoding."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data[:_SAMPLE_BYTES])
    controls = sum(each == "\ufffd" or (each < " " and each not in "\t\n\r\x1b\x08\x0c") for each in text)
    return "\0" in text or controls > len(text) * _MOST_CONTROLS
