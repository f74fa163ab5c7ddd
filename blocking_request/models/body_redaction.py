"""Removes secrets from the bodies of requests and responses, for logs and recordings.

The names of fields are those of ``redaction``. Forms, multipart forms, JSON and XML are known, JSON and XML also by
their first character. The texts of other types lose the secrets of the URLs in them. Bytes that are no text stay as
they are.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Optional
from urllib.parse import unquote_plus

from .redaction import CREDENTIAL_FIELDS, HIDDEN, SECRET_PARAMETERS, last_name, names_pattern, redact_text

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
_TEXT_TYPES = ("text/", "application/xml", "application/javascript", "image/svg")
_WITH_JSON = ("event-stream", "javascript", "ecmascript", "yaml")
"""Ends of types of texts with JSON that need not begin with it."""
_NO_TEXT_TYPES = ("image/", "audio/", "video/", "font/")
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)(\s*:\s*)?', re.DOTALL)
"""A string, with the colon after it if it is a name. It may be cut off: otherwise the search would begin again at each
of its quotation marks."""
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
MOST_LEVELS = 4
"""How deep JSON within a string of JSON is redacted. A hostile text could have thousands of levels."""
_CONSTANTS = ("null", "true", "false")
_DECODER = json.JSONDecoder()


def is_text(content_type: str) -> bool:
    """Return whether the body of this ``Content-Type`` is a text."""
    kind = _kind(content_type)
    return (
        kind.startswith(_TEXT_TYPES)
        or "json" in kind
        or kind.endswith(("+xml", "x-www-form-urlencoded", "graphql", *_WITH_JSON))
    )


def redact_body(
    body: bytes,
    content_type: str,
    redacted_names: Iterable[str] = (),
    is_response: bool = False,
) -> bytes:
    """Return the body without secrets. ``redacted_names``: the user's own names, besides the usual ones.

    A body that was cut off is redacted as far as it goes.
    """
    return _redact(body, content_type, tuple(redacted_names), is_response, None)


def _redact(
    body: bytes, content_type: str, names: tuple[str, ...], is_response: bool, found: Optional[set[bytes]]
) -> bytes:
    """``found`` gets the values that were hidden because of their names; then secrets in URLs stay."""
    kind = _kind(content_type)
    hidden: set[bytes] = set() if found is None else found
    if kind.startswith("multipart/"):
        return _redact_multipart(body, names, is_response, found)
    if kind.startswith(_NO_TEXT_TYPES) and not is_text(content_type):
        return body
    encoding = encoding_of(body)
    text = body.decode(encoding, _ERRORS[encoding])
    beginning = text.lstrip("\ufeff \t\r\n")[:1]
    if beginning not in ("{", "[", "<") and (b"\0" in body if not kind else not is_text(content_type)):
        return body
    redacted = text
    if beginning == "<" or kind.endswith("xml"):
        redacted = _xml_pattern(names).sub(lambda match: _redact_element(match, hidden), redacted)
    if beginning in ("{", "[") or "json" in kind or kind.endswith(_WITH_JSON):
        redacted = _redact_json(redacted, names, is_response, hidden)
    if kind.endswith("x-www-form-urlencoded"):  # also the type of bytes that were sent without one
        redacted = _FORM_FIELD.sub(lambda match: _redact_field(match, names, hidden), redacted)
    if found is None:
        redacted = redact_text(redacted, names)
    return body if redacted == text else redacted.encode(encoding, _ERRORS[encoding])


def secrets_of_body(body: bytes, content_type: str, redacted_names: Iterable[str] = ()) -> set[bytes]:
    """Return the secrets in the body of a request that are known by their names."""
    found: set[bytes] = set()
    _redact(body, content_type, tuple(redacted_names), False, found)
    return found


_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_ERRORS = {"utf-8": "surrogateescape", "utf-16-le": "replace", "utf-16-be": "replace"}
_ERRORS.update({"utf-32-le": "replace", "utf-32-be": "replace"})


def encoding_of(body: bytes) -> str:
    """Return the encoding of a text: UTF-8, or UTF-16 or UTF-32, by its first four bytes (RFC 4627, 3)."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return encoding
    zeros = tuple(byte == 0 for byte in body[:4])
    if zeros == (False, True, True, True):
        return "utf-32-le"
    if zeros == (True, True, True, False):
        return "utf-32-be"
    if zeros[:2] == (False, True):
        return "utf-16-le"
    return "utf-16-be" if zeros[:2] == (True, False) else "utf-8"


def is_secret_name(name: str, redacted_names: Iterable[str] = ()) -> bool:
    """Return whether the value of a field of a body is a secret."""
    return _names(tuple(redacted_names)).fullmatch(last_name(name)) is not None


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


def _redact_field(match: re.Match[str], redacted_names: tuple[str, ...], found: set[bytes]) -> str:
    if not is_secret_name(unquote_plus(match[1]), redacted_names):
        return match[0]
    _note(found, unquote_plus(match[1]), _bytes(unquote_plus(match[2])))
    return f"{match[1]}={HIDDEN}"


def _redact_element(match: re.Match[str], found: set[bytes]) -> str:
    before = match[1] or match[3]
    value = _XML_MARK.sub("", match[2] or match[4][1:])
    if not value.strip():
        return match[0]
    found.update((_bytes(value.strip()), _bytes(html.unescape(value).strip())))
    return before + (match[4] or "")[:1] + HIDDEN


_XML_MARK = re.compile(r"<!\[CDATA\[|\]\]>|<!--(?:(?!-->).)*(?:-->)?", re.DOTALL)


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
    """An element with text, or an attribute."""
    names = names_pattern(_all_names(redacted_names), r"[\w.-]*")
    text = r"(?:<!\[CDATA\[(?:(?!\]\]>).)*(?:\]\]>)?|<!--(?:(?!-->).)*(?:-->)?|[^<]+)+"
    element = rf"(<(?:[\w.-]+:)?(?:{names})(?:\s[^<>]*)?>)({text})"
    attribute = rf"(\s(?:[\w.-]+:)?(?:{names})\s{{0,9}}=\s{{0,9}})(\"[^\"<]+|'[^'<]+)"
    return re.compile(f"{element}|{attribute}", re.IGNORECASE | re.DOTALL)


def _redact_json(
    text: str, redacted_names: tuple[str, ...], is_response: bool, found: set[bytes], level: int = 0
) -> str:
    names = _names(redacted_names)
    secret_names: dict[str, bool] = {}  # JSON often has the same names many times
    parts: list[str] = []
    kept = 0
    for string in _STRING.finditer(text):
        if string.start() < kept:
            continue  # in a value that is hidden
        content, colon = string.groups()
        is_escaped = "\\" in content
        if colon is None:
            if not is_escaped:
                continue  # a secret in it would be in quotation marks, or is found by ``redact_text``
            content = _content(string[0])
            if level < MOST_LEVELS and content.lstrip()[:1] in ("{", "["):  # JSON within JSON
                redacted = _redact_json(content, redacted_names, is_response, found, level + 1)
            else:
                redacted = redact_text(content, redacted_names)
            if redacted != content:
                parts += (text[kept : string.start()], json.dumps(redacted))
                kept = string.end()
            continue
        if is_escaped:
            content = _content(f'"{content}"')
        is_secret = secret_names.get(content)
        if is_secret is None:
            is_secret = secret_names[content] = names.fullmatch(content) is not None
        if not is_secret:
            continue
        start = string.end()
        if is_response and content.lower() in VAGUE_NAMES and _LOOKS_SECRET.match(text, start) is None:
            continue
        end = _end_of_value(text, start)
        value = text[start:end]
        if value in _CONSTANTS or not value:
            continue
        for each in _STRING.finditer(value):
            _note(found, content, _bytes(_content(each[0] if each[2] is None else f'"{each[1]}"')))
        parts += (text[kept:start], f'"{HIDDEN}"')
        kept = end
    return "".join((*parts, text[kept:])) if parts else text


def _content(string: str) -> str:
    """Return the text of a string of JSON, also of one that is cut off."""
    if "\\" not in string and len(string) > 1 and string.endswith('"'):
        return string[1:-1]
    for text in (string, f'{string}"', f'{_CUT_ESCAPE.sub("", string)}"'):
        try:
            content: Any = scanstring(text, 1, False)[0]
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
_PART_TYPE = re.compile(rb"^content-type:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def _redact_multipart(
    body: bytes, redacted_names: tuple[str, ...], is_response: bool, found: Optional[set[bytes]]
) -> bytes:
    first_line = body.lstrip(b"\r\n").partition(b"\r\n")[0]
    if not first_line.startswith(b"--"):
        return body
    parts = body.split(first_line)
    for place, part in enumerate(parts):
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if blank and name is not None and is_secret_name(name[1].decode("utf-8", "replace"), redacted_names):
            if found is not None:
                _note(found, name[1].decode("utf-8", "replace"), value[:-2] if value.endswith(b"\r\n") else value)
            parts[place] = head + blank + HIDDEN.encode() + b"\r\n"
        elif blank:
            kind = _PART_TYPE.search(head)
            content_type = "" if kind is None else kind[1].decode("latin-1")
            if not _kind(content_type).startswith("multipart/"):
                parts[place] = head + blank + _redact(value, content_type, redacted_names, is_response, found)
    return first_line.join(parts)
