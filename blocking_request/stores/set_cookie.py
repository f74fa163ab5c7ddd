"""A ``Set-Cookie`` value as RFC 6265 section 5.2 reads it, in words that ``http.cookiejar`` takes in the same way.

That one drops the whole cookie for an attribute it does not like, where the RFC ignores the attribute; knows attributes
(``Port``, ``Version``) that mean nothing any more; and takes dates before 1970 for none.
"""

from __future__ import annotations

import re
import time
from http import cookiejar
from typing import Optional

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SECONDS = re.compile(r"-?[0-9]+")
_YEAR = re.compile(r"(?<![0-9])(1[6-9][0-9]{2})(?![0-9])")

LONGEST_ATTRIBUTE = 1024
"""Bytes of an attribute's value; a longer attribute is ignored (RFC 6265bis section 5.6)."""

LARGEST = 4096
"""Bytes that name and value may have (RFC 6265bis section 5.6)."""

LONGEST = 400 * 24 * 3600
"""Seconds a cookie is kept at most (RFC 6265bis section 5.5)."""


def normalized(text: str) -> Optional[str]:
    """The value in plain words; None where it is no cookie at all."""
    if _CONTROLS.search(text):
        # A request would repeat them (RFC 6265bis section 5.6).
        return None
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals or not name or len(name) + len(value) > LARGEST:
        return None
    words = [f"{name}={value}"]
    path, domain, age, is_secure, is_http_only = None, None, None, False, False
    expires: Optional[float] = None
    for attribute in attributes:
        key, _, content = (part.strip() for part in attribute.partition("="))
        if len(content) > LONGEST_ATTRIBUTE:
            continue
        key = key.lower()
        if key == "path":
            path = content if content.startswith("/") else None
        elif key == "domain":
            domain = content.lstrip(".").lower() or domain
        elif key == "max-age" and _SECONDS.fullmatch(content):
            age = max(min(int(content[:12]), LONGEST), 0)
        elif key == "expires":
            expires = _seconds(content, expires)
        elif key == "secure":
            is_secure = True
        elif key == "httponly":
            is_http_only = True
    if age is None and expires is not None:
        age = max(min(int(expires - time.time()) + 1, LONGEST), 0) if expires > time.time() else 0
    words += [f"Path={path}"] if path is not None else []
    words += [f"Domain={domain}"] if domain else []
    words += [f"Max-Age={age}"] if age is not None else []
    words += ["Secure"] if is_secure else []
    words += ["HttpOnly"] if is_http_only else []
    return "; ".join(words)


def _seconds(text: str, otherwise: Optional[float]) -> Optional[float]:
    found: Optional[float] = cookiejar.http2time(text)  # type: ignore[attr-defined]
    if found is not None:
        return found
    # Of a year that Python's clock does not reach it is enough to know that it is over.
    return 0.0 if _YEAR.search(text) else otherwise
