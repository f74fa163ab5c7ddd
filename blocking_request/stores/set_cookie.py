"""Read the value of a ``Set-Cookie`` field as RFC 6265 section 5.2 does.

The parser of ``http.cookiejar`` differs from it: it drops a whole cookie if it dislikes one attribute, it knows
attributes that mean nothing any more (``Port``, ``Version``), it reads dates by its own rules, it strips bytes such as
the last one of a UTF-8 "à" as white space, and it deletes an expired cookie without asking the policy.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from http import cookiejar
from http.cookiejar import Cookie
from typing import Any, Optional

from ..models.hosts import canonical_host
from .cookie_date import cookie_date

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_A_NAME = re.compile(r"[;=]")
_SECONDS = re.compile(r"-?[0-9]+")
_WHITE_SPACE = " \t"

MOST_ATTRIBUTE_BYTES = 1024
"""Bytes of an attribute's value; a longer attribute is ignored (RFC 6265bis section 5.6)."""

MOST_COOKIE_BYTES = 4096
"""Bytes that name and value may have (RFC 6265bis section 5.6)."""

MOST_SECONDS = 400 * 24 * 3600
"""Seconds a cookie is kept at most (RFC 6265bis section 5.5)."""


def parse_set_cookie(field: bytes, request: Any) -> Optional[Cookie]:
    """Return the cookie that a response to ``request`` sets, or None if the field is no cookie.

    A cookie that the response deletes has an expiry in the past. ``request``: a ``urllib.request.Request``.
    """
    text = field.decode("latin-1")
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip(_WHITE_SPACE) for part in pair.partition("="))
    if not equals or _CONTROLS.search(text) or not is_allowed(name, value):
        return None
    values = _attributes(attributes)
    path, domain, expires = values.get("path", ""), values.get("domain"), _expiry(values)
    # RFC 6265 section 5.2.4
    has_path = path.startswith("/")
    return new_cookie(
        name,
        value,
        domain=f".{_ascii_domain(domain)}" if domain else cookiejar.eff_request_host(request)[1],  # type: ignore[attr-defined]
        path=cookiejar.escape_path(path.encode("latin-1")) if has_path else _default_path(request),  # type: ignore[attr-defined]
        has_path=has_path,
        is_secure="secure" in values,
        is_http_only="httponly" in values,
        expires=expires,
    )


def is_allowed(name: str, value: str) -> bool:
    """Return whether a server could set a cookie of that name and value. A request would repeat both."""
    is_one_pair = bool(name) and _NOT_IN_A_NAME.search(name) is None and ";" not in value
    return is_one_pair and len(name) + len(value) <= MOST_COOKIE_BYTES and _CONTROLS.search(name + value) is None


def new_cookie(
    name: str,
    value: str,
    *,
    domain: str,
    path: str,
    has_path: bool,
    is_secure: bool,
    is_http_only: bool,
    expires: Optional[int],
) -> Cookie:
    """Return a cookie of a host and its subdomains if ``domain`` begins with a dot, else of that host only."""
    is_of_domain = domain.startswith(".")
    return Cookie(
        0, name, value, None, False, domain, is_of_domain, is_of_domain, path, has_path, is_secure, expires,
        expires is None, None, None, {"HttpOnly": ""} if is_http_only else {},
    )  # fmt: skip


def _attributes(texts: Iterable[str]) -> dict[str, str]:
    """Return the attributes that are valid, by their names in lower case; if one is repeated, its last value."""
    values: dict[str, str] = {}
    for text in texts:
        name, _, content = (part.strip(_WHITE_SPACE) for part in text.partition("="))
        name = name.lower()
        if len(content) <= MOST_ATTRIBUTE_BYTES and _is_valid(name, content):
            values[name] = content
    return values


def _is_valid(name: str, content: str) -> bool:
    if name == "domain":
        return content not in ("", ".")
    if name == "max-age":
        return _SECONDS.fullmatch(content) is not None
    return name != "expires" or cookie_date(content) is not None


def _expiry(attributes: dict[str, str]) -> Optional[int]:
    """Return the second at which the cookie expires, or None if it ends with the session."""
    now = int(time.time())
    if "max-age" in attributes:
        return now + max(min(int(attributes["max-age"][:12]), MOST_SECONDS), 0)
    seconds = cookie_date(attributes.get("expires", ""))
    return None if seconds is None else max(min(seconds, now + MOST_SECONDS), 0)


def _ascii_domain(domain: str) -> str:
    """Return the domain in lower case and in ASCII, without the dot at its start (RFC 6265 sections 5.1.2 and 5.2.3);
    one that is not valid as it is.
    """
    domain = domain[1:] if domain.startswith(".") else domain
    try:
        return domain.lower() if domain.isascii() else canonical_host(domain.encode("latin-1").decode("utf-8"))
    except ValueError:
        return domain


def _default_path(request: Any) -> str:
    """Return the path up to its last slash (RFC 6265 section 5.1.4)."""
    path: str = cookiejar.request_path(request)  # type: ignore[attr-defined]
    return path.rpartition("/")[0] or "/"
