"""Parses the challenges in ``WWW-Authenticate`` and ``Proxy-Authenticate``.

RFC 9110 section 11.6.1: one field may have several challenges. The commas between them look as those between
parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"([0-9A-Za-z\-._~+/]+=*)[ \t]*(?=,|$)")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""No field value may have them (RFC 9110 section 5.5), and a response would echo them."""

_ESCAPED = re.compile(r"\\(.)")
_SEPARATOR = re.compile(r"[ \t,]*")


@dataclass(frozen=True)
class Challenge:
    scheme: str
    """In lower case."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Names in lower case."""
    token: str = ""
    """NTLM and Negotiate have this in place of parameters."""

    @property
    def realm(self) -> str:
        return self.parameters.get("realm", "")


def challenges(values: Iterable[bytes]) -> list[Challenge]:
    """Return the challenges of all fields, in their order. The rest of a field after an error is ignored."""
    readable = [value.decode("latin-1") for value in values if not _CONTROLS.search(value)]
    return [challenge for text in readable for challenge in _challenges(text)]


def _challenges(text: str) -> list[Challenge]:
    result: list[Challenge] = []
    position = _SEPARATOR.match(text).end()  # type: ignore[union-attr]
    while position < len(text):
        parameter = _PARAMETER.match(text, position)
        scheme = _SCHEME.match(text, position)
        if parameter and result:
            quoted, plain = parameter[2], parameter[3]
            value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain
            result[-1].parameters.setdefault(parameter[1].lower(), value)
            position = parameter.end()
        elif scheme:
            position = scheme.end()
            token = _TOKEN68.match(text, position)
            if token:
                position = token.end()
            result.append(Challenge(scheme[1].lower(), token=token[1] if token else ""))
        else:
            break
        position = _SEPARATOR.match(text, position).end()  # type: ignore[union-attr]
    return result
