"""Shows a body on a terminal: as text, JSON laid out and colored, and no binary data."""

from __future__ import annotations

import codecs
import errno
import io
import json
import re
import sys
from typing import Any, Optional

from ..models.header_parameters import charset
from ..models.redaction import printable
from ..models.text_encoding import may_become_mark, text_encoding
from .json_layout import lay_out
from .streams import RawOutput, write_all
from .terminal import Paint, paint_for, paint_plain

JSON_LIMIT = 1 << 20
"""JSON bodies of more bytes are written as they come: to color them would take longer than a second."""

_DETECTING_BYTES = 4
"""So many bytes of JSON tell its encoding."""
_SAMPLE_BYTES = 1024
_MOST_CONTROLS = 0.3
"""The share of characters in the first bytes that are no text, from which on a body counts as binary."""


class BinaryBodyError(OSError):
    """The body is binary, and a terminal would show nonsense."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is a terminal, and the body is binary")


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Return whether a ``Content-Type`` means one JSON value (RFC 8259, RFC 6839)."""
    media_type = _media_type(content_type)
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
        self._start = b""
        """The first bytes, as long as they are too few to tell the encoding."""
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
        if self._start:
            self._decode(self._start)
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
        paint: Paint = paint_for(sys.stdout) if self._is_pretty else paint_plain
        # RFC 8259 has no charset parameter, so one that is wrong does no harm.
        for encoding in dict.fromkeys((self._encoding(body), json.detect_encoding(body))):
            try:
                result = lay_out(body.decode(encoding), paint, escapes=self._is_terminal)
            except UnicodeDecodeError:
                continue
            if result is not None:
                return f"{_encodable_json(result)}\n"
        return None

    def _encoding(self, start: bytes) -> str:
        """Return the encoding of a text by its first bytes, or by Content-Type."""
        if is_json(self._content_type) and not charset(self._content_type):
            return json.detect_encoding(start)  # which tells UTF-16 and UTF-32 from UTF-8
        return text_encoding(start, self._content_type.encode("latin-1"))

    def _write_now(self, data: bytes) -> None:
        if not self._is_terminal:
            write_all(self._output, data)
        elif data and self._decoder is not None:
            self._decode(data)
        elif data:
            self._start += data
            is_short = len(self._start) < _DETECTING_BYTES and is_json(self._content_type)
            if not is_short and not may_become_mark(self._start):
                self._decode(self._start)

    def _decode(self, data: bytes) -> None:
        """Write a part of a text. Raises BinaryBodyError."""
        if self._decoder is None:
            self._start = b""
            encoding = self._encoding(data)
            if is_binary(data, encoding, is_text(self._content_type)):
                raise BinaryBodyError
            decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
            self._decoder = io.IncrementalNewlineDecoder(decoder, True)
        try:
            text = self._decoder.decode(data)
        except UnicodeError:  # decoders of some encodings, such as ISO-2022-JP-3, still raise it
            raise BinaryBodyError from None
        if "\0" in text:
            raise BinaryBodyError
        self._write_text(printable(text, allowed="\n\t"))

    def _write_text(self, text: str) -> None:
        if text:
            self._last = text[-1]
            write_all(self._output, text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def _encodable_json(text: str) -> str:
    """Return JSON in which escapes stand for other characters than ASCII, if standard output cannot have these."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
        return text
    except UnicodeEncodeError:
        return _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text)


def is_text(content_type: str) -> bool:
    """Return whether a ``Content-Type`` means text."""
    media_type = _media_type(content_type)
    return media_type.startswith("text/") or media_type.endswith(("xml", "javascript")) or is_json(content_type)


def is_binary(data: bytes, encoding: str, is_declared_text: bool = False) -> bool:
    """Return whether the first bytes of a body are no text in its encoding.

    ``is_declared_text``: bytes that are not valid in the encoding do not count, because the server may have named the
    wrong one, or none: text in GBK or Windows-1251 consists of them.
    """
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data[:_SAMPLE_BYTES])
    invalid = 0 if is_declared_text else text.count("\ufffd")
    controls = sum(each < " " and each not in "\t\n\r\x1b\x08\x0c" for each in text)
    return "\0" in text or controls + invalid > len(text) * _MOST_CONTROLS
