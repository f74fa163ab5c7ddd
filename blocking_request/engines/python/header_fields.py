"""The lines of a header as fields (RFC 9112 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

from ...models.headers import FRAMING_FIELDS, is_token, without_control_characters
from ..body_errors import CorruptBody
from .http1_errors import shown

_NO_TOKEN_CHARACTERS = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BLANKS = b" \t"


def plain_fields(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in header.split(b"\n"):
        if line:
            name, _, value = line.partition(b":")
            yield name, value.strip(b" \t\r")


def odd_fields(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields with valid names (RFC 9110 section 5.1), and drop the others, as curl and browsers do. A CR or
    NUL in a value becomes a blank (section 5.5).

    A value on several lines (RFC 9112 section 5.2) is joined by blanks. Raises CorruptBody if another reader may find
    other fields that frame the body: if the header begins with a blank, or a name is almost such a field's. A line
    without a colon is refused, as by curl; browsers skip it.
    """
    for name, value in _unfolded(header):
        if is_token(name):
            yield name, without_control_characters(name, value)
        elif _NO_TOKEN_CHARACTERS.sub(b"", name).lower() in FRAMING_FIELDS:
            raise CorruptBody(f"the header has a field '{shown(name)}', which is almost one that frames the body")


def _unfolded(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    name: Optional[bytes] = None
    parts: list[bytes] = []
    for line in header.split(b"\n")[:-1]:
        if line.endswith(b"\r"):
            line = line[:-1]
        if line.startswith((b" ", b"\t")):
            if name is None:
                raise CorruptBody("the first line of the header begins with a blank")
            parts.append(line.strip(_BLANKS))
            continue
        if name is not None:
            yield name, b" ".join(filter(None, parts))
        name, colon, value = line.partition(b":")
        if not colon:
            raise CorruptBody("the header has a line without a colon")
        parts = [value.strip(_BLANKS)]
    if name is not None:
        yield name, b" ".join(filter(None, parts))
