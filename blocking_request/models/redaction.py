"""Removes secrets, and characters that a terminal would obey, from messages, logs and reprs.

Only this module decides which names are secret. Redirects, the cache, logs, messages and the command line ask it. A
``*`` in a name stands for any characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_plus, urlsplit, urlunsplit

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

_PARAMETER = re.compile(r"(?<![^&;])([^&;=]+)=[^&;]*")
_PARAMETER_IN_TEXT = re.compile(r"(?<=[?&;#])([^?&;#=\s<>\"]+)=[^&;#\s<>\"]*")
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
    query, fragment = (pattern.sub(r"\1=" + HIDDEN, part) for part in (parts.query, parts.fragment))
    if "[" in url or "%" in url:
        names = tuple(secret_parameters)
        query, fragment = (_without_encoded(_PARAMETER, part, names) for part in (query, fragment))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query, fragment=fragment))


def redact_value(name: bytes, value: bytes, redacted_names: tuple[str, ...]) -> str:
    """Return the value of a header field without credentials, also without the credentials of URLs (Location, Link)."""
    if name.lower() == b"set-cookie" or is_secret_field(name, redacted_names):
        return HIDDEN
    return redact_text(value.decode("latin-1"), redacted_names)


def redact_text(text: str, redacted_names: tuple[str, ...] = ()) -> str:
    """Return a text without userinfo and secret parameters of the URLs in it."""
    if "=" not in text and "@" not in text:
        return text
    names = (*SECRET_PARAMETERS, *redacted_names)
    text = _secret_in_text(names).sub(r"\1=" + HIDDEN, _USERINFO.sub("//", text))
    return _without_encoded(_PARAMETER_IN_TEXT, text, names) if "[" in text or "%" in text else text


def last_name(name: str) -> str:
    """Return the name of a parameter, without brackets: ``password`` of ``user[password]`` and of ``password[0]``."""
    if "[" not in name:
        return name
    parts = [part for part in name.replace("]", "[").split("[") if part and not part.isdigit()]
    return parts[-1] if parts else name


def _without_encoded(parameter: re.Pattern[str], text: str, names: tuple[str, ...]) -> str:
    """Hide the values of secret names that are in brackets, or in percent-encoding."""

    def hidden(match: re.Match[str]) -> str:
        name = match[1]
        if "[" not in name and "%" not in name:
            return match[0]
        is_secret = _secret_name(names).fullmatch(last_name(unquote_plus(name))) is not None
        return f"{name}={HIDDEN}" if is_secret else match[0]

    return parameter.sub(hidden, text)


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


def names_pattern(names: Iterable[str], any_text: str = r"[^=&;?#]*") -> str:
    """Return the regular expression of the names. ``any_text``: that for a ``*``, which stands for any characters."""
    return "|".join(re.escape(name).replace(r"\*", any_text) for name in names)
