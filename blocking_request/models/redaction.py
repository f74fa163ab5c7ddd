"""Removes secrets, and characters that a terminal would obey, from messages, logs and reprs.

Only this module decides which names are secret. Redirects, the cache, logs, messages and the command line ask it. A
``*`` in a name stands for any characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

SECRET_PARAMETERS = (
    "token",
    "*_token",
    "*-token",
    "api_key",
    "apikey",
    "key",
    "password",
    "secret",
    "*_secret",
    "sig",
    "signature",
    "auth",
    "session",
    "X-Amz-*",
    "X-Goog-*",
)
"""Parameters in the query or the fragment of a URL with values that are never shown."""

CREDENTIAL_FIELDS = frozenset(
    (
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"api-key",
        b"apikey",
        b"x-api-key",
        b"x-api-token",
        b"x-access-token",
        b"x-auth-token",
        b"x-amz-security-token",
        b"x-goog-api-key",
        b"x-csrf-token",
        b"x-xsrf-token",
        b"private-token",
        b"job-token",
    )
)
"""Request fields that stay behind when a redirect leaves the origin they were meant for."""

HIDDEN = "***"

_USERINFO = re.compile(r"//[^/?#<>\"]*@")

# Control characters, the line separators of Unicode, characters that change the direction of text, and surrogates.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def is_secret_field(name: bytes, redacted_names: Iterable[str]) -> bool:
    """Whether a header field is a credential; ``redacted_names``: the user's own names, besides the usual ones."""
    lowered = name.lower()
    return lowered in CREDENTIAL_FIELDS or (bool(redacted_names) and _is_named(lowered, tuple(redacted_names)))


def without_secret_fields(
    headers: Iterable[tuple[bytes, bytes]], redacted_names: Iterable[str]
) -> tuple[tuple[bytes, bytes], ...]:
    """Return header fields without those that are credentials."""
    return tuple(pair for pair in headers if not is_secret_field(pair[0], redacted_names))


@lru_cache(maxsize=256)
def _is_named(name: bytes, redacted_names: tuple[str, ...]) -> bool:
    return _secret_name(redacted_names).fullmatch(name.decode("latin-1")) is not None


def redact_url(url: str, secret_parameters: Iterable[str] = SECRET_PARAMETERS) -> str:
    """Return the URL without userinfo, without the values of secret parameters, and printable."""
    if not url.isprintable():
        url = printable(url)
    if "@" not in url and "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    pattern = _secret_parameter(tuple(secret_parameters))
    return urlunsplit(
        parts._replace(
            netloc=parts.netloc.rpartition("@")[2],
            query=pattern.sub(r"\1=" + HIDDEN, parts.query),
            fragment=pattern.sub(r"\1=" + HIDDEN, parts.fragment),
        )
    )


def redact_value(name: bytes, value: bytes, redacted_names: tuple[str, ...]) -> str:
    """Return the value of a header field without credentials, also without the credentials of URLs (Location, Link)."""
    if name.lower() == b"set-cookie" or is_secret_field(name, redacted_names):
        return HIDDEN
    return redact_text(value.decode("latin-1"), redacted_names)


def redact_text(text: str, redacted_names: tuple[str, ...] = ()) -> str:
    """Return a text without userinfo and secret parameters of the URLs in it."""
    return _secret_in_text((*SECRET_PARAMETERS, *redacted_names)).sub(r"\1=" + HIDDEN, _USERINFO.sub("//", text))


def hidden_repr(self: object) -> str:
    """The ``__repr__`` of a value that may hold secrets: a traceback with locals shows only its class."""
    return f"<{type(self).__name__}>"


def printable(text: str, allowed: str = "") -> str:
    """Return the text with an escape for each character that a terminal would obey, except those in ``allowed``."""
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] in allowed else _escape(match[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=64)
def _secret_parameter(names: tuple[str, ...]) -> re.Pattern[str]:
    """In a query."""
    return re.compile(rf"(?i)(?<![^&;?])({names_pattern(names)})=[^&;]*")


@lru_cache(maxsize=64)
def _secret_in_text(names: tuple[str, ...]) -> re.Pattern[str]:
    """In a URL that stands in a text."""
    return re.compile(rf"(?i)(?<=[?&;#])({names_pattern(names)})=[^&;#\s<>\"]*")


@lru_cache(maxsize=64)
def _secret_name(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?i)(?:{names_pattern(names)})")


def names_pattern(names: Iterable[str]) -> str:
    """Return the regular expression of the names, in which a ``*`` stands for any characters."""
    return "|".join(re.escape(name).replace(r"\*", r"[^=&;?#]*") for name in names)
