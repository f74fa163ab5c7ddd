"""Cache-Control: the directives of a field, however oddly spaced or quoted (RFC 9111 section 5.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

from ...models.headers import Fields

_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|$))+', re.DOTALL)
"""The text between two commas that are not in quotes."""
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

MOST_BYTES = 8192
"""A longer field is not read, and its response is not stored."""

MOST_DIGITS = 10
MOST_SECONDS = 1 << 31
"""A longer time counts as this one (section 1.2.2)."""


@dataclass(frozen=True)
class Directives:
    """By name in lower case; of one that is named twice the first counts (section 4.2.1)."""

    values: dict[str, Optional[str]]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def seconds(self, name: str) -> Optional[int]:
        """Return the value of a directive; None if it is missing, 0 if its value is not a number (section 4.2.1)."""
        if name not in self.values:
            return None
        return seconds_of(self.values[name] or "")

    def fields(self, name: str) -> frozenset[bytes]:
        """The header fields that ``no-cache`` or ``private`` is restricted to, in lower case; none: it is for all."""
        text = self.values.get(name) or ""
        return frozenset(each.strip().lower().encode("latin-1") for each in text.split(",") if each.strip())


def seconds_of(text: str) -> int:
    """Return a number of seconds; 0 if the text is not a number."""
    if not (text.isascii() and text.isdigit()):
        return 0
    digits = text.lstrip("0") or "0"
    return MOST_SECONDS if len(digits) > MOST_DIGITS else min(int(digits), MOST_SECONDS)


def directives(fields: Fields) -> Directives:
    """Return the directives of a message; without ``Cache-Control``, those that its ``Pragma`` means (section 5.4)."""
    value = fields.value(b"cache-control")
    if value is not None:
        return _parsed(value)
    pragma = fields.value(b"pragma")
    return _NO_CACHE if pragma is not None and "no-cache" in _parsed(pragma) else _NONE


@lru_cache(maxsize=256)
def _parsed(value: bytes) -> Directives:
    if len(value) > MOST_BYTES:
        return _NO_STORE
    values: dict[str, Optional[str]] = {}
    for part in _PART.findall(value.decode("latin-1")):
        name, equals, argument = part.strip().partition("=")
        name, argument = name.rstrip().lower(), argument.strip()
        if not _TOKEN.fullmatch(name) or name in values:
            continue
        if len(argument) > 1 and argument.startswith('"') and argument.endswith('"'):
            argument = _ESCAPED.sub(r"\1", argument[1:-1])
        values[name] = argument if equals else None
    return Directives(values)


_NONE = Directives({})
_NO_CACHE = Directives({"no-cache": None})
_NO_STORE = Directives({"no-store": None})
