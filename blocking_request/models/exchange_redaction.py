"""Removes secrets from the parts of an exchange: from its header fields, and from the parts that repeat them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlsplit

from .headers import Pairs
from .redaction import HIDDEN, SECRET_PARAMETERS, is_secret_field, redact_url, redact_value

_NAMED_SCHEMES = frozenset(
    ("basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "oauth", "aws4-hmac-sha256")
)
"""The schemes of ``Authorization`` that are shown. An unknown first word may be a secret."""

_WITH_OWN_FORM = frozenset((b"cookie", b"set-cookie", b"authorization", b"proxy-authorization"))

SHORTEST_SECRET = 8
"""A shorter value may stand somewhere else by chance."""


def hide_values(data: bytes, values: Iterable[bytes]) -> bytes:
    """Return data without secrets that are known from another part of the exchange, as servers echo them."""
    for value in values:
        data = data.replace(value, HIDDEN.encode())
    return data


def redacted_fields(
    fields: Pairs, redacted_names: tuple[str, ...] = (), secrets: Iterable[bytes] = ()
) -> list[tuple[str, str]]:
    """Return names and values of header fields without secrets; the names and attributes of cookies stay.

    ``secrets``: secrets of the same exchange, which the values may repeat.
    """
    redacted = []
    for name, value in fields:
        # The fields with a form of their own keep it.
        known = value if name.lower() in _WITH_OWN_FORM else hide_values(value, secrets)
        redacted.append((name.decode("latin-1"), _redacted_value(name, known, redacted_names)))
    return redacted


def _redacted_value(name: bytes, value: bytes, redacted_names: tuple[str, ...]) -> str:
    redacted = redact_value(name, value, redacted_names)
    if redacted != HIDDEN:
        return redacted
    text, lowered = value.decode("latin-1"), name.lower()
    if lowered == b"set-cookie":
        pair, semicolon, attributes = text.partition(";")
        cookie, equals, _ = pair.partition("=")
        return f"{cookie}={HIDDEN}{semicolon}{attributes}" if equals else HIDDEN
    if lowered == b"cookie":
        names = [pair.partition("=") for pair in text.split(";")]
        return "; ".join(f"{cookie.strip()}={HIDDEN}" if equals else HIDDEN for cookie, equals, _ in names)
    scheme, blank, _ = text.partition(" ")
    return f"{scheme} {HIDDEN}" if blank and scheme.lower() in _NAMED_SCHEMES else HIDDEN


def secret_values(url: str, fields: Pairs, redacted_names: tuple[str, ...]) -> list[bytes]:
    """Return the secrets of header fields and of the URL, which other parts of the exchange may repeat."""
    values: set[bytes] = set()
    for name, value in fields:
        lowered = name.lower()
        if lowered in (b"cookie", b"set-cookie"):
            pairs = value.split(b";") if lowered == b"cookie" else value.split(b";")[:1]
            values.update(pair.partition(b"=")[2].strip() for pair in pairs)
        elif is_secret_field(name, redacted_names):
            scheme, _, credentials = value.partition(b" ")
            values.update((value, credentials))
            if scheme.lower() == b"basic":
                with suppress(ValueError):
                    values.add(b64decode(credentials).partition(b":")[2])
    userinfo = url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    values.add(userinfo.partition(":")[2].encode())
    for name_text, value_text in parse_qsl(urlsplit(url).query) if "?" in url else ():
        if redact_url(f"?{quote(name_text)}=", (*SECRET_PARAMETERS, *redacted_names)).endswith(HIDDEN):
            values.update((value_text.encode(), quote(value_text).encode()))
    return sorted((value for value in values if len(value) >= SHORTEST_SECRET), key=len, reverse=True)
