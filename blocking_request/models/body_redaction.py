"""Removes secrets from the bodies of requests and responses, for logs and recordings.

The names of fields are those of ``redaction``. Forms, multipart forms, JSON and XML are known. The texts of other types
lose the secrets of the URLs in them. Bytes that are no text stay as they are.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Optional
from urllib.parse import unquote_plus

from .redaction import CREDENTIAL_FIELDS, HIDDEN, SECRET_PARAMETERS, names_pattern, redact_text

MORE_SECRET_NAMES = (
    "*token",
    "*secret",
    "*password",
    "*passwd",
    "*passphrase",
    "*apikey",
    "*api_key",
    "*api-key",
    "*private_key",
    "*privatekey",
    "pwd",
    "set-cookie",
    "sessionid",
    "session_id",
    "*credentials",
)
"""Names that are secret in a body, besides those of parameters and header fields."""

VAGUE_NAMES = frozenset(("key", "auth", "session", "sig", "signature"))
"""Names that often have another meaning in a response. There the value is hidden only if it looks like a secret."""

_LENGTH_OF_TOKEN = 16
_LOOKS_SECRET = re.compile(rf'"[^\s"]{{{_LENGTH_OF_TOKEN},}}"')
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript", "image/svg")
_STRING = re.compile(r'"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)', re.DOTALL)
"""A string, also one that is cut off: otherwise the search would begin again at each of its quotation marks."""
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_COLON = re.compile(r"\s*:\s*")
MOST_LEVELS = 4
"""How deep JSON within a string of JSON is redacted. A hostile text could have thousands of levels."""
_CONSTANTS = ("null", "true", "false")
_DECODER = json.JSONDecoder()


def is_text(content_type: str) -> bool:
    """Return whether the body of this ``Content-Type`` is a text."""
    kind = _kind(content_type)
    return kind.startswith(_TEXT_TYPES) or kind.endswith(("+json", "+xml", "x-www-form-urlencoded", "graphql"))


def redact_body(
    body: bytes,
    content_type: str,
    redacted_names: Iterable[str] = (),
    is_response: bool = False,
    found: Optional[set[bytes]] = None,
) -> bytes:
    """Return the body without secrets. ``redacted_names``: the user's own names, besides the usual ones.

    A body that was cut off is redacted as far as it goes. ``found`` gets the values that were hidden because of their
    names.
    """
    kind, names = _kind(content_type), tuple(redacted_names)
    hidden: set[bytes] = set() if found is None else found
    if kind == "multipart/form-data":
        return _redact_multipart(body, names, hidden)
    if kind and not is_text(content_type):
        return body
    if not kind and b"\0" in body:
        return body
    text = body.decode("utf-8", "surrogateescape")
    beginning = text.lstrip()[:1]
    if kind.endswith("json") or beginning in ("{", "["):
        text = _redact_json(text, names, is_response, hidden)
    elif kind.endswith("xml") or beginning == "<":
        text = _xml_pattern(names).sub(lambda match: _redact_element(match, hidden), text)
    if kind.endswith("x-www-form-urlencoded"):  # also the type of bytes that were sent without one
        text = _FORM_FIELD.sub(lambda match: _redact_field(match, names, hidden), text)
    return redact_text(text, names).encode("utf-8", "surrogateescape")


def secrets_of_body(body: bytes, content_type: str, redacted_names: Iterable[str] = ()) -> set[bytes]:
    """Return the secrets in the body of a request that are known by their names."""
    found: set[bytes] = set()
    redact_body(body, content_type, redacted_names, found=found)
    return found


def is_secret_name(name: str, redacted_names: Iterable[str] = ()) -> bool:
    """Return whether the value of a field of a body is a secret."""
    in_brackets = _IN_BRACKETS.search(name)  # user[password], as some frameworks have it
    return _names(tuple(redacted_names)).fullmatch(name if in_brackets is None else in_brackets[1]) is not None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


@lru_cache(maxsize=64)
def _all_names(redacted_names: tuple[str, ...]) -> tuple[str, ...]:
    fields = sorted(name.decode("latin-1") for name in CREDENTIAL_FIELDS)
    return (*SECRET_PARAMETERS, *MORE_SECRET_NAMES, *fields, *redacted_names)


@lru_cache(maxsize=64)
def _names(redacted_names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(names_pattern(_all_names(redacted_names)), re.IGNORECASE)


_FORM_FIELD = re.compile(r"(?<![^&])([^&=]+)=([^&]*)")
_IN_BRACKETS = re.compile(r"\[([^][]*)\]$")


def _redact_field(match: re.Match[str], redacted_names: tuple[str, ...], found: set[bytes]) -> str:
    if not is_secret_name(unquote_plus(match[1]), redacted_names):
        return match[0]
    _note(found, unquote_plus(match[1]), _bytes(unquote_plus(match[2])))
    return f"{match[1]}={HIDDEN}"


def _redact_element(match: re.Match[str], found: set[bytes]) -> str:
    found.add(_bytes(html.unescape(match[2])))
    return match[1] + HIDDEN


def _note(found: set[bytes], name: str, value: bytes) -> None:
    """Note a secret, unless it may as well be a word: then it would be hidden wherever the word is."""
    if name.lower() not in VAGUE_NAMES or (len(value) >= _LENGTH_OF_TOKEN and not value.split()[1:]):
        found.add(value)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # JSON can escape half a character
        return text.encode("utf-8", "replace")


@lru_cache(maxsize=64)
def _xml_pattern(redacted_names: tuple[str, ...]) -> re.Pattern[str]:
    """An element or an attribute."""
    names = names_pattern(_all_names(redacted_names)).replace("[^=&;?#]*", r"[\w.-]*")
    return re.compile(rf"(<(?:[\w.-]+:)?(?:{names})(?:\s[^<>]*)?>|\s(?:{names})=[\"'])([^<>\"']+)", re.IGNORECASE)


def _redact_json(
    text: str, redacted_names: tuple[str, ...], is_response: bool, found: set[bytes], level: int = 0
) -> str:
    names = _names(redacted_names)
    parts: list[str] = []
    kept = position = 0
    while True:
        string = _STRING.search(text, position)
        if string is None:
            break
        position = string.end()
        content = _content(string[0])
        colon = _COLON.match(text, position)
        if colon is None:
            if level < MOST_LEVELS and content.lstrip()[:1] in ("{", "["):  # JSON within JSON
                redacted = _redact_json(content, redacted_names, is_response, found, level + 1)
            else:
                redacted = redact_text(content, redacted_names) if "\\" in string[0] else content
            if redacted != content:
                parts += (text[kept : string.start()], json.dumps(redacted))
                kept = position
            continue
        if names.fullmatch(content) is None:
            continue
        start = colon.end()
        if is_response and content.lower() in VAGUE_NAMES and _LOOKS_SECRET.match(text, start) is None:
            continue
        end = _end_of_value(text, start)
        value = text[start:end]
        if value in _CONSTANTS or not value:
            continue
        for each in _STRING.findall(value):
            _note(found, content, _bytes(_content(each)))
        parts += (text[kept:start], f'"{HIDDEN}"')
        kept = position = end
    return "".join((*parts, text[kept:])) if parts else text


def _content(string: str) -> str:
    """Return the text of a string of JSON, also of one that is cut off."""
    for text in (string, f'{string}"', f'{_CUT_ESCAPE.sub("", string)}"'):
        try:
            content: Any = json.loads(text, strict=False)
        except ValueError:
            continue
        return str(content)
    return string[1:-1]


def _end_of_value(text: str, start: int) -> int:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)  # it is cut off, or no JSON


_PART_NAME = re.compile(rb'\bname="?([^";\r\n]*)', re.IGNORECASE)


def _redact_multipart(body: bytes, redacted_names: tuple[str, ...], found: set[bytes]) -> bytes:
    first_line = body.lstrip(b"\r\n").partition(b"\r\n")[0]
    if not first_line.startswith(b"--"):
        return body
    parts = body.split(first_line)
    for place, part in enumerate(parts):
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if blank and name is not None and is_secret_name(name[1].decode("utf-8", "replace"), redacted_names):
            _note(found, name[1].decode("utf-8", "replace"), value[:-2] if value.endswith(b"\r\n") else value)
            parts[place] = head + blank + HIDDEN.encode() + b"\r\n"
    return first_line.join(parts)
