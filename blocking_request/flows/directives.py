"""Cache-Control: the directives of a field, however oddly spaced or quoted (RFC 9111 section 5.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

from ..headers import Fields

_DIRECTIVE = re.compile(
    r"""[\s,]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,]*))?([^,]*)(?:,|$)""", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

MOST_SECONDS = 1 << 31
"""What a longer time is taken for (section 1.2.2)."""


@dataclass(frozen=True)
class Directives:
    """By name in lower case; of one that is named twice the first counts (section 4.2.1)."""

    values: dict[str, Optional[str]]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def seconds(self, name: str) -> Optional[int]:
        """None where it is not named; 0 where its value is no time: that is the careful reading (section 4.2.1)."""
        if name not in self.values:
            return None
        text = self.values[name] or ""
        return min(int(text), MOST_SECONDS) if text.isascii() and text.isdigit() else 0

    def fields(self, name: str) -> frozenset[bytes]:
        """The header fields that ``no-cache`` or ``private`` is restricted to, in lower case; none: it is for all."""
        text = self.values.get(name) or ""
        return frozenset(each.strip().lower().encode("latin-1") for each in text.split(",") if each.strip())


def directives(fields: Fields) -> Directives:
    """Those of a message; of a message without ``Cache-Control``, what its ``Pragma`` says (section 5.4)."""
    value = fields.value(b"cache-control")
    if value is not None:
        return _parsed(value)
    pragma = fields.value(b"pragma")
    return _NO_CACHE if pragma is not None and "no-cache" in _parsed(pragma) else _NONE


@lru_cache(maxsize=256)
def _parsed(value: bytes) -> Directives:
    found: dict[str, Optional[str]] = {}
    for match in _DIRECTIVE.finditer(value.decode("latin-1")):
        name, argument, rest = match[1].lower(), match[2], match[3].strip()
        if name in found:
            continue
        if argument is None:
            # What follows a name without "=" makes it another directive, which nobody knows.
            found[f"{name} {rest}" if rest else name] = None
        elif argument.startswith('"') and argument.endswith('"') and len(argument) > 1:
            found[name] = _ESCAPED.sub(r"\1", argument[1:-1]) + rest
        else:
            found[name] = argument.strip() + rest
    return Directives(found)


_NONE = Directives({})
_NO_CACHE = Directives({"no-cache": None})
