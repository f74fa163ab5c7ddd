"""Removes secrets from the parts of an exchange: from its header fields, and from the parts that repeat them."""

from __future__ import annotations

import html
import json
from base64 import b64decode
from contextlib import suppress
from typing import Optional
from urllib.parse import parse_qsl, quote, quote_plus, unquote_to_bytes, urlsplit

from .body_redaction import secrets_of_body
from .headers import Pairs
from .known_secrets import Secrets
from .redaction import HIDDEN, SECRET_PARAMETERS, is_secret_field, redact_url, redact_value
from .urls import end_of_host

_NAMED_SCHEMES = frozenset(
    ("basic", "bearer", "digest", "negotiate", "ntlm", "token", "apikey", "oauth", "aws4-hmac-sha256")
)
"""The schemes of ``Authorization`` that are shown. An unknown first word may be a secret."""

_WITH_OWN_FORM = frozenset((b"cookie", b"set-cookie", b"authorization", b"proxy-authorization"))

SHORTEST_SECRET = 8
"""A shorter value may stand somewhere else by chance."""


def redacted_fields(
    fields: Pairs, redacted_names: tuple[str, ...] = (), secrets: Optional[Secrets] = None
) -> list[tuple[str, str]]:
    """Return names and values of header fields without secrets; the names and attributes of cookies stay.

    ``secrets``: secrets of the same call, which the values may repeat.
    """
    redacted = []
    for name, value in fields:
        # The fields with a form of their own keep it.
        known = value if secrets is None or name.lower() in _WITH_OWN_FORM else secrets.hide(value)
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


def secret_values(url: str, fields: Pairs, body: Optional[bytes], redacted_names: tuple[str, ...]) -> set[bytes]:
    """Return the secrets of a URL, of header fields and of a body, in each form in which a text may repeat them."""
    values: set[bytes] = set()
    kind = b""
    for name, value in fields:
        lowered = name.lower()
        if lowered in (b"cookie", b"set-cookie"):
            pairs = value.split(b";") if lowered == b"cookie" else value.split(b";")[:1]
            values.update(pair.partition(b"=")[2].strip(b' "') for pair in pairs)
        elif is_secret_field(name, redacted_names):
            scheme, _, credentials = value.partition(b" ")
            values.update((value, credentials.strip()))
            if scheme.lower() == b"basic":
                with suppress(ValueError):
                    values.add(b64decode(credentials).partition(b":")[2])
        elif lowered == b"content-type":
            kind = value
    userinfo = url[: end_of_host(url)].partition("://")[2].rpartition("@")[0]
    values.add(userinfo.partition(":")[2].encode())
    for name_text, value_text in _parameters(url):
        if redact_url(f"?{quote(name_text)}=", (*SECRET_PARAMETERS, *redacted_names)).endswith(HIDDEN):
            values.add(value_text.encode("utf-8", "replace"))
    if body:
        values |= secrets_of_body(body, kind.decode("latin-1"), redacted_names)
    decoded = {unquote_to_bytes(value) for value in values}
    return {form for value in values | decoded if len(value) >= SHORTEST_SECRET for form in _forms(value)}


def _parameters(url: str) -> list[tuple[str, str]]:
    """Return the parameters of the query and of the fragment."""
    if "?" not in url and "#" not in url:
        return []
    try:
        parts = urlsplit(url)
    except ValueError:
        return parse_qsl(url.partition("?")[2])
    return parse_qsl(parts.query) + parse_qsl(parts.fragment)


def _forms(value: bytes) -> tuple[bytes, ...]:
    """Return a value as it is, in a URL, in a form, in JSON and in HTML."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")  # of a header field
    in_json = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    forms = (text, quote(text), quote(text, safe=""), quote_plus(text), *in_json, html.escape(text))
    return (value, *(each.encode("utf-8") for each in forms))
