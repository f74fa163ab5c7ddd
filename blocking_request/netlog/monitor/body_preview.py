"""BodyPreview: shows the body of a request or of a response as text, as JSON or as a picture."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, NamedTuple, Optional

from ...models.body_redaction import is_text
from ...models.redaction import printable
from ...qt.binding import QtCore
from ...qt.widgets import QtGui, QtWidgets
from .texts import size_text

TEXT_BYTES = 1 << 16
"""Of a text that is shown, at most."""
PICTURE_BYTES = 1 << 22
"""Of a picture that is decoded, at most."""
PIXELS = 1 << 24
"""Of a picture that is decoded, at most: it takes 64 MB meanwhile."""
SIDE = 1024
"""Pixels of a picture's longer side; larger ones are scaled."""
LINE = 1000
"""Characters of a line; longer lines are broken, because Qt takes 0.3 s to lay out one of 65 536 characters."""
HEX_BYTES = 512
"""Of other bodies."""

_LONG_LINE = re.compile(rf"[^\n]{{{LINE}}}(?=[^\n])")
_PNG, _END_OF_PNG = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_PICTURES = {
    "image/png": b"png",
    "image/jpeg": b"jpeg",
    "image/gif": b"gif",
    "image/bmp": b"bmp",
    "image/webp": b"webp",
}


class BodySize(NamedTuple):
    """In bytes; without secrets a body has another size."""

    whole: int
    """-1: it is not known."""
    kept: int
    """Of the part that the log keeps."""


class BodyPreview(QtWidgets.QWidget):
    """A line about the body, and below it the body as far as it can be shown."""

    def __init__(self, name: str, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._about = QtWidgets.QLabel(self)
        self._about.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._about.setWordWrap(True)
        self._about.setAccessibleName(f"About the {name.lower()}")
        self._text = QtWidgets.QPlainTextEdit(self)
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self._text.setAccessibleName(name)
        self._picture = QtWidgets.QLabel()
        self._picture.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self._picture.setAccessibleName(f"{name} as a picture")
        self._scroll = QtWidgets.QScrollArea(self)
        self._scroll.setWidget(self._picture)
        self._scroll.setWidgetResizable(True)
        self._pages = QtWidgets.QStackedWidget(self)
        self._pages.addWidget(self._text)
        self._pages.addWidget(self._scroll)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._about)
        layout.addWidget(self._pages, 1)

    def show_body(self, body: Optional[bytes], size: BodySize, content_type: str, missing: str) -> None:
        """Show a body. ``missing``: why there is none."""
        self._picture.clear()
        self._text.clear()
        self._pages.setCurrentWidget(self._text)
        if not body:
            self._about.setText(missing if body is None else "The body is empty.")
            return
        image, problem = _picture(body, content_type, size.whole > size.kept)
        if image is not None:
            self._picture.setPixmap(QtGui.QPixmap.fromImage(image))
            self._pages.setCurrentWidget(self._scroll)
            form = problem
        else:
            text, form = _text(body, content_type)
            self._text.setPlainText(_LONG_LINE.sub(r"\g<0>\n", text))
            form = problem or form
        kind = printable(content_type)[:100] or "no type"
        kept = f"; the log has kept the first {size_text(size.kept)}" if size.whole > size.kept else ""
        self._about.setText(f"{kind}, {size_text(max(size))}{kept}{form}")


def _text(body: bytes, content_type: str) -> tuple[str, str]:
    """Return a body as a text, and a remark about it."""
    part = body[:TEXT_BYTES]
    remark = f"; its first {size_text(TEXT_BYTES)} are shown" if len(body) > TEXT_BYTES else ""
    text = part.decode("utf-8", "replace")
    is_declared = not content_type or is_text(content_type)
    if b"\0" in part or (not is_declared and "\ufffd" in text[:-1]):  # the last letter may be cut off
        return _hex(body[:HEX_BYTES]), f"; its first {min(len(body), HEX_BYTES)} bytes in hex"
    if not remark and text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            return printable(_indented(json.loads(text)), allowed="\n"), ""
    return printable(text, allowed="\n\r\t"), remark


def _indented(value: Any) -> str:
    """Return the text of a JSON value. Raises ValueError if it is much longer than the body: depth costs spaces."""
    parts, length = [], 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        parts.append(part)
        length += len(part)
        if length > 4 * TEXT_BYTES:
            raise ValueError("too long")
    return "".join(parts)


def _hex(body: bytes) -> str:
    lines = []
    for start in range(0, len(body), 16):
        part = body[start : start + 16]
        letters = "".join(chr(each) if 32 <= each < 127 else "." for each in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {letters}")
    return "\n".join(lines)


def _picture(body: bytes, content_type: str, is_part: bool) -> tuple[Optional[QtGui.QImage], str]:
    """Return a picture, and a remark about it; None if the body is none, a part, or too large, and '' or why."""
    name = _PICTURES.get(content_type.partition(";")[0].strip().lower())
    if name is None:
        return None, ""
    if is_part:
        return None, "; the picture is not shown: NetworkLog(bodies=...) keeps more"
    if name == b"png" and body.startswith(_PNG) and _END_OF_PNG not in body:  # libpng would write to stderr
        return None, "; the picture is not whole"
    if len(body) > PICTURE_BYTES:
        return None, f"; a picture of more than {size_text(PICTURE_BYTES)} is not shown"
    data = QtCore.QByteArray(body)
    buffer = QtCore.QBuffer(data)
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    reader = QtGui.QImageReader(buffer, QtCore.QByteArray(name))
    reader.setDecideFormatFromContent(False)
    size = reader.size()
    if not size.isValid() or size.width() * size.height() > PIXELS:
        return None, "; the picture is too large to be shown" if size.isValid() else "; the picture cannot be read"
    if max(size.width(), size.height()) > SIDE:
        reader.setScaledSize(size.scaled(SIDE, SIDE, QtCore.Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        return None, "; the picture is not whole, or damaged"
    return image, f"; {size.width()} × {size.height()} pixels"
