"""Bodies made of fields, files and values: ``application/x-www-form-urlencoded``, ``multipart/form-data`` and JSON.

urllib3 writes the heads of the parts; the files are read as they are sent.
"""

from __future__ import annotations

import io
import json
import mimetypes
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Union
from urllib.parse import urlencode

from urllib3.fields import RequestField
from urllib3.filepost import choose_boundary

from ..models.headers import field_problem
from ..models.redaction import hidden_repr
from .upload import remaining_size

Fields = Union[Mapping[str, Any], Iterable[tuple[str, Any]]]
Files = Union[Mapping[str, Any], Iterable[tuple[str, Any]]]

READ_BYTES = 1 << 18
MOST_UNMEASURED = 1 << 26


class Encoded(NamedTuple):
    """A body and its ``Content-Type``."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    body: Any
    content_type: str


def encoded(data: Any, form: Optional[Fields], files: Optional[Files], value: Any) -> Optional[Encoded]:
    """Encode ``form``, ``files`` or ``json`` as a body; return None if none of them is given.

    Raises TypeError, ValueError, OSError.
    """
    arguments = [name for name, each in (("data", data), ("json", value)) if each is not None]
    if form is not None or files is not None:
        arguments.append("form or files")
    if len(arguments) > 1:
        raise TypeError(f"give one of {' and '.join(arguments)}, not both")
    if value is not None:
        return Encoded(json.dumps(value, allow_nan=False).encode(), "application/json")
    if files is not None:
        return _multipart(_form_fields(form or {}), _named_values(files))
    if form is not None:
        return Encoded(urlencode(_form_fields(form)).encode("ascii"), "application/x-www-form-urlencoded")
    return None


def _named_values(fields: Any) -> list[tuple[str, Any]]:
    expected = "form and files are a mapping, or pairs of a name (a str) and a value"
    if isinstance(fields, (str, bytes)) or not isinstance(fields, Iterable):
        raise TypeError(f"{expected}, not {type(fields).__name__}: form={{'name': 'value'}}")
    pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(f"{expected}; one of them is not such a pair")
    return pairs


def _form_fields(form: Any) -> list[tuple[str, Any]]:
    """Return the fields of a form, one pair for each value. A None leaves its field out, as in requests."""
    pairs = []
    for name, value in _named_values(form):
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, each) for each in values if each is not None]
    return pairs


class _Part(NamedTuple):
    def __repr__(self) -> str:
        return hidden_repr(self)

    head: bytes
    open: Callable[[], Any]
    size: int
    rewinds: bool


def _multipart(fields: list[tuple[str, Any]], files: list[tuple[str, Any]]) -> Encoded:
    """Return the parts of a multipart body (RFC 7578)."""
    boundary = choose_boundary()
    parts: list[_Part] = []
    for name, each in fields:
        content = each if isinstance(each, bytes) else str(each).encode()
        parts.append(_bytes_part(_part_head(boundary, name, None, None), content))
    for name, value in files:
        parts.append(_file_part(boundary, name, value))
    parts.append(_bytes_part(f"--{boundary}--\r\n".encode(), b""))
    return Encoded(MultipartBody(parts), f"multipart/form-data; boundary={boundary}")


def _one_line(name: str) -> str:
    """Control characters as browsers send them in a name (HTML, multipart form data)."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace("\0", "%00")


def _part_head(boundary: str, name: str, filename: Optional[str], content_type: Optional[str]) -> bytes:
    # The names are quoted by urllib3; a content type is sent as it is.
    if content_type is not None and field_problem(b"Content-Type", content_type.encode("latin-1", "replace")):
        raise ValueError(f"the content type {content_type!r} holds a line end or NUL: it must be like 'image/png'")
    field = RequestField(_one_line(name), b"", None if filename is None else _one_line(filename))
    field.make_multipart(content_type=content_type)
    return f"--{boundary}\r\n{field.render_headers()}".encode()


def _bytes_part(head: bytes, content: bytes) -> _Part:
    return _Part(head, lambda: io.BytesIO(content), len(content), True)


def _file_part(boundary: str, name: str, value: Any) -> _Part:
    """``value``: a path, bytes, a binary file, or ``(file name, one of these[, content type])``, as in requests."""
    filename, content_type = None, None
    if isinstance(value, tuple):
        if not 2 <= len(value) <= 3:
            raise TypeError("a file is a path, bytes, a binary file or (file name, one of these[, content type])")
        filename, value, content_type = (*value, None)[:3]
    if isinstance(value, (str, os.PathLike)):
        path = Path(value)
        filename = filename or path.name
        head, size = _file_part_head(boundary, name, filename, content_type), path.stat().st_size
        if size == 0:  # or none that the system could tell
            with path.open("rb") as file:
                return _unmeasured_part(head, file)
        return _Part(head, lambda: path.open("rb"), size, True)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_part(_file_part_head(boundary, name, filename or name, content_type), bytes(value))
    if not hasattr(value, "read"):
        raise TypeError(f"a file is a path, bytes or a binary file, not {type(value).__name__}")
    if isinstance(value, io.TextIOBase):
        raise TypeError("a file is opened as text: open it in binary mode, open(path, 'rb')")
    path_name = getattr(value, "name", None)
    filename = filename or (os.path.basename(path_name) if isinstance(path_name, str) else name)
    head, size = _file_part_head(boundary, name, filename, content_type), remaining_size(value)
    if size <= 0:
        return _unmeasured_part(head, value)
    rewinds = hasattr(value, "seek")
    start = value.tell() if rewinds else 0

    def begin() -> Any:
        if rewinds:
            value.seek(start)
        return _CallersFile(value)

    return _Part(head, begin, size, rewinds)


def _unmeasured_part(head: bytes, file: Any) -> _Part:
    """Return the content of a file that does not tell its length. Raises ValueError if it is too long."""
    content = b""
    while piece := file.read(READ_BYTES):
        content += piece
        if len(content) > MOST_UNMEASURED:
            raise ValueError(
                f"a file of the form does not tell how long it is, and has more than {MOST_UNMEASURED} bytes: "
                "give its path, or a file that can be measured"
            )
    return _bytes_part(head, content)


def _file_part_head(boundary: str, name: str, filename: str, content_type: Optional[str]) -> bytes:
    guessed = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    return _part_head(boundary, name, filename, guessed)


class _CallersFile:
    """A file that the caller has opened. It stays open."""

    def __init__(self, file: Any) -> None:
        self.read = file.read

    def close(self) -> None:
        pass


class MultipartBody:
    """A file of all the parts, one after another: ``read``, ``seek`` to the beginning, and ``len``."""

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts
        self.len = sum(len(part.head) + part.size + (2 if number < len(parts) - 1 else 0)
                       for number, part in enumerate(parts))  # fmt: skip
        self._pieces = self._iter_chunks()
        self._unread = b""
        self._position = 0

    def _iter_chunks(self) -> Iterator[bytes]:
        for number, part in enumerate(self._parts):
            yield part.head
            file = part.open()
            left = part.size
            try:
                while left > 0 and (piece := file.read(min(left, READ_BYTES))):
                    # A file may return more bytes than were requested.
                    yield piece[:left]
                    left -= len(piece)
            finally:
                file.close()
            if left > 0:
                raise OSError("a file has become shorter since its size was looked at")
            if number < len(self._parts) - 1:
                yield b"\r\n"

    def read(self, count: int = -1) -> bytes:
        if count < 0:
            return b"".join(iter(lambda: self.read(READ_BYTES), b""))
        while not self._unread:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._unread = piece
        piece, self._unread = self._unread[:count], self._unread[count:]
        self._position += len(piece)
        return piece

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return all(part.rewinds for part in self._parts)

    def seek(self, position: int) -> None:
        """Go back to the beginning; no other position is supported."""
        if position != 0:
            raise ValueError("only the beginning can be gone to")
        self._pieces, self._unread, self._position = self._iter_chunks(), b"", 0
