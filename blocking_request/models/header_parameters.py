"""Header fields with parameters: ``Content-Type`` and ``Content-Disposition`` (RFC 9110 section 5.6.6, RFC 6266).

Rules of this file: the text comes from a server. Nothing here raises, and everything takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from .urls import has_stray_percent

_EXTENDED_CHARSETS = {"utf-8": "utf-8", "iso-8859-1": "latin-1"}
"""UTF-8 is that of RFC 8187 section 3.2, ISO-8859-1 that of RFC 5987 before it; others are not decoded."""


# Linear: at each place there is one way to go on.
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def split_unquoted(text: str, separator: str) -> Iterator[str]:
    """Yield the parts of a text between separators that are not in quotes.

    A quote that does not end does not hide the separators after it.
    """
    start = position = 0
    end = text.find(separator)
    while end >= 0:
        quote = text.find('"', position, end)
        if quote < 0:
            yield text[start:end]
            start = position = end + 1
        else:
            quoted = _QUOTED.match(text, quote)
            if quoted is None:
                yield from text[start:].split(separator)
                return
            position = quoted.end()
        if end < position:
            end = text.find(separator, position)
    yield text[start:]


def parameters(text: str) -> dict[str, str]:
    """The parameters behind the first word, by name in lower case. Of one that comes twice the first counts."""
    result: dict[str, str] = {}
    parts = split_unquoted(text, ";")
    next(parts, None)
    for part in parts:
        name, equals, value = (word.strip() for word in part.partition("="))
        if equals:
            result.setdefault(name.lower(), _unquoted(value))
    return result


def _unquoted(value: str) -> str:
    """Only quotes and backslashes are unescaped: servers send Windows paths as they are."""
    if len(value) < 2 or not value.startswith('"'):
        return value
    inner = value[1:-1] if value.endswith('"') else value[1:]
    return inner.replace("\\\\", "\\").replace('\\"', '"')


def charset(content_type: str) -> str:
    """The charset a ``Content-Type`` names, in lower case; '' if it names none.

    If the field came more than once, its values are joined by commas. The last one counts, as in browsers; one of the
    same type keeps the charset of an earlier one (https://fetch.spec.whatwg.org/#concept-header-extract-mime-type).
    """
    name = media_type = ""
    for value in split_unquoted(content_type, ",") if "," in content_type else (content_type,):
        this_type = value.partition(";")[0].strip().lower()
        if this_type == "*/*" or ("/" not in this_type and "," in content_type):
            continue
        this_name = parameters(value).get("charset", "").lower()
        name = this_name or (name if this_type == media_type else "")
        media_type = this_type
    return name


def file_name(content_disposition: str) -> str:
    """The file name a ``Content-Disposition`` gives; '' if it gives none.

    RFC 6266 section 4.3: ``filename*`` takes precedence. If it cannot be decoded, the plain ``filename`` counts. If the
    field came more than once, its values are joined by commas: they must be equal.
    """
    result = parameters(_single_disposition(content_disposition) if "," in content_disposition else content_disposition)
    return _extended(result.get("filename*", "")) or result.get("filename", "")


_BEGINS_DISPOSITION = re.compile(r"[ \t]*(?:attachment|inline|form-data)[ \t]*(?:;|$)", re.IGNORECASE)


def _single_disposition(text: str) -> str:
    """Return the one value of a field that came more than once; '' if the values differ."""
    values: list[str] = []
    for part in split_unquoted(text, ","):
        if values and _BEGINS_DISPOSITION.match(part) is None:
            values[-1] += f",{part}"  # of a name without quotes
        else:
            values.append(part)
    return values[0] if len({value.strip() for value in values}) == 1 else ""


def _extended(value: str) -> str:
    """RFC 8187 section 3.2: ``UTF-8''na%C3%AFve.txt``; '' if the value is not of that form."""
    name, quote, rest = value.partition("'")
    codec = _EXTENDED_CHARSETS.get(name.strip().lower())
    if not quote or codec is None:
        return ""
    _, quote, encoded = rest.partition("'")
    if not quote or has_stray_percent(encoded):
        return ""
    try:
        return unquote_to_bytes(encoded).decode(codec)
    except UnicodeError:
        return ""
