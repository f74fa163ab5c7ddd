"""Lays JSON out on several lines, without a change of any value.

The text is not parsed into Python's values: they would round numbers (``1.0``, ``1e400``), drop names that come twice,
and replace escapes. White space between the tokens is all that changes.
"""

from __future__ import annotations

import re
from typing import Optional

from ..models.redaction import printable
from .terminal import Paint, paint_plain

INDENT = "  "
DEEPEST = 100
"""Values that are nested more deeply are not laid out: most of the result would be spaces."""

# RFC 8259. The alternatives of a string cannot match the same character, so it is matched in linear time.
_TOKEN = re.compile(
    r"[ \t\n\r]*(?:"
    r"([{}\[\],:])"
    r'|("[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")'
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(true|false|null)"
    r")[ \t\n\r]*"
)

# The tokens that may come next.
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _COMMA_OR_END, _END = range(7)

_STYLES = {2: "string", 3: "number", 4: "literal"}
"""The styles of the groups of a token."""


def lay_out(text: str, paint: Paint = paint_plain, escapes: bool = False) -> Optional[str]:
    """Return the JSON on several lines, without a line end after the last one; None if the text is not JSON.

    ``escapes``: write characters that a terminal would obey as ``\\u`` escapes, which mean the same.
    """
    parts: list[str] = []
    nested: list[str] = []
    expected, position = _VALUE, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        position = match.end()
        kind, token = match.lastindex or 0, match[match.lastindex or 0]
        if kind != 1:
            if expected in (_KEY, _KEY_OR_END):
                if kind != 2:
                    return None
                style, following = "key", _COLON
            elif expected in (_VALUE, _VALUE_OR_END):
                style, following = _STYLES[kind], _COMMA_OR_END if nested else _END
            else:
                return None
            if expected in (_KEY_OR_END, _VALUE_OR_END):
                parts.append(_new_line(nested))
            parts.append(paint(style, _escaped(token) if escapes and kind == 2 else token))
            expected = following
        else:
            next_expected = _after_mark(token, expected, nested, parts)
            if next_expected is None:
                return None
            expected = next_expected
    return "".join(parts) if expected == _END else None


def _after_mark(token: str, expected: int, nested: list[str], parts: list[str]) -> Optional[int]:
    """Add one of ``{ } [ ] , :`` to the parts. Return the tokens that may come next; None if it may not stand here."""
    if token in "{[":
        if expected not in (_VALUE, _VALUE_OR_END) or len(nested) == DEEPEST:
            return None
        if expected == _VALUE_OR_END:
            parts.append(_new_line(nested))
        parts.append(token)
        nested.append(token)
        return _KEY_OR_END if token == "{" else _VALUE_OR_END
    if token == ":":
        parts.append(": ")
        return _VALUE if expected == _COLON else None
    if not nested:
        return None
    if token == ",":
        parts.append("," + _new_line(nested))
        return None if expected != _COMMA_OR_END else _KEY if nested[-1] == "{" else _VALUE
    is_empty = expected == (_KEY_OR_END if token == "}" else _VALUE_OR_END)
    if nested.pop() != ("{" if token == "}" else "[") or not (is_empty or expected == _COMMA_OR_END):
        return None
    parts.append(token if is_empty else _new_line(nested) + token)
    return _COMMA_OR_END if nested else _END


def _new_line(nested: list[str]) -> str:
    return "\n" + INDENT * len(nested)


def _escaped(token: str) -> str:
    if printable(token) == token:
        return token
    return "".join(each if printable(each) == each else f"\\u{ord(each):04x}" for each in token)
