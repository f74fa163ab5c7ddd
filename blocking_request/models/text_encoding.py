"""The encoding of a text in a body."""

from __future__ import annotations

import codecs

from .header_parameters import charset

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

_WITHOUT_A_MARK = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""The byte order if a body has no mark: that of browsers. Incremental decoders of Python demand a mark."""

_NOT_FOR_TEXT = frozenset(("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"))
"""Codecs of Python's that no ``charset`` can mean; some of them know no replacement either."""


def text_encoding(body: bytes, content_type: bytes) -> str:
    """Return the encoding of a byte order mark, else the charset of ``Content-Type``, else UTF-8."""
    for mark, name in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return name
    name = charset(content_type.decode("latin-1")) or "utf-8"
    try:
        codec = codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError, TypeError):  # LookupError: also a codec that is not for text
        return "utf-8"
    return "utf-8" if codec.name in _NOT_FOR_TEXT else _WITHOUT_A_MARK.get(codec.name, name)


def may_become_mark(start: bytes) -> bool:
    """Return whether more bytes can make a byte order mark of the first bytes of a body, or another one."""
    return any(len(start) < len(mark) and mark.startswith(start) for mark, _ in _BYTE_ORDER_MARKS)
