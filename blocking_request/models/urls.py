"""URLs as text: origins, the targets of redirects, and what of a URL may be shown.

No Qt here. A URL in this package is an absolute ASCII string; ``prepare/build_request`` makes it from what the caller
gave.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Optional
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from requests.utils import requote_uri

DEFAULT_PORTS = {"http": 80, "https": 443}

CACHED_URL_LENGTH = 2048
"""Longer URLs are parsed again each time: a cache must not keep a ``data:`` URL of megabytes."""


_PLAIN = re.compile(r"(https?)://([a-z0-9.-]+)(?::([1-9]\d{0,4}))?(?=[/?#]|$)")


def origin(url: str) -> str:
    """Scheme, host and port of a URL (RFC 9110 section 4.3.1), the default port written out."""
    plain = _PLAIN.match(url)
    if plain is not None:  # as nearly all are, and it takes a tenth of the time
        return f"{plain[1]}://{plain[2]}:{plain[3] or DEFAULT_PORTS[plain[1]]}"
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port if parts.port is not None else DEFAULT_PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{host}:{port}"


_LABEL = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_OCTET = r"(?:[1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4})"
_IS_CANONICAL = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|{_OCTET}(?:\.{_OCTET}){{3}})(?::{_PORT})?/[A-Za-z0-9/_.~=&?,+-]*"
).fullmatch


def is_canonical(url: str) -> bool:
    """Whether Qt makes the same of it, and finds nothing wrong: known of most URLs, and told in a tenth of the time."""
    return _IS_CANONICAL(url) is not None


def is_address(host: str) -> bool:
    """Whether a host is a number, and no name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def split_userinfo(url: str) -> tuple[str, Optional[tuple[str, str]]]:
    """The URL without ``user:password@``, and the two decoded, or None where there are none."""
    if "@" not in url:
        return url, None
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def redirect_target(base: str, location: bytes) -> str:
    """The absolute URL a ``Location`` names (RFC 9110 section 10.2.2).

    Bytes that are not allowed in a URL are percent-encoded, a fragment is inherited, a host outside ASCII becomes IDNA.
    Raises ValueError where no URL can be made of it.
    """
    try:
        text = location.decode("utf-8")
    except UnicodeDecodeError:
        text = location.decode("latin-1")
    parts = urlsplit(text.strip())
    if parts.scheme in DEFAULT_PORTS and not parts.netloc:
        raise ValueError("it names no host")
    joined = urlsplit(urljoin(base, parts.geturl()))
    if not joined.fragment:
        joined = joined._replace(fragment=urlsplit(base).fragment)
    if joined.port is not None and not 0 < joined.port < 65536:
        raise ValueError("the port is out of range")
    return requote_uri(urlunsplit(_ascii_host(joined)))


def _ascii_host(parts: SplitResult) -> SplitResult:
    if parts.netloc.isascii():
        return parts
    userinfo, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=userinfo + at + host.encode("idna").decode("ascii"))
