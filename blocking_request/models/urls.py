"""URLs as text: origins, the targets of redirects, and URLs without secrets.

No Qt here. A URL in this package is an absolute ASCII string; ``prepare/build_request`` makes it from the caller's
object.
"""

from __future__ import annotations

import re
from typing import Optional
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from .._first_use import first_use

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
    """Return whether Qt would accept the URL and not change it. True for most URLs, and found in a tenth of Qt's
    time.
    """
    return _IS_CANONICAL(url) is not None and "/." not in url


_BEFORE_PATH = re.compile(r"[^:/?#]+://[^/?#]*")
_PATH = re.compile(r"[^?#]*")
_ENCODED_DOT = re.compile("%2e", re.IGNORECASE)


def without_dot_segments(url: str) -> str:
    """Return an absolute URL without the segments ``.`` and ``..`` in its path (RFC 3986 section 5.2.4).

    An encoded dot counts as a dot, as in browsers and curl.
    """
    if "/." not in url and "/%2" not in url:
        return url
    begin = _BEFORE_PATH.match(url)
    path = _PATH.match(url, begin.end()) if begin is not None else None
    if path is None:
        return url
    kept: list[str] = []
    segments = path[0].split("/")[1:]
    for place, segment in enumerate(segments, 1):
        plain = _ENCODED_DOT.sub(".", segment)
        if plain not in (".", ".."):
            kept.append(segment)
            continue
        if plain == ".." and kept:
            kept.pop()
        if place == len(segments):
            kept.append("")  # "/a/.." is "/"
    return url[: path.start()] + "".join(f"/{segment}" for segment in kept) + url[path.end() :]


def is_address(host: str) -> bool:
    """Whether a host is a number, and no name."""
    with first_use:
        from ipaddress import ip_address
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def split_userinfo(url: str) -> tuple[str, Optional[tuple[str, str]]]:
    """Return the URL without ``user:password@``, and user and password decoded, or None if it has none."""
    if "@" not in url:
        return url, None
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def redirect_target(base: str, location: bytes) -> str:
    """Return the absolute URL that a ``Location`` names (RFC 9110 section 10.2.2).

    Bytes that are not allowed in a URL are percent-encoded, a fragment is inherited, a host outside ASCII becomes IDNA.
    Raises ValueError if the value is not a URL.
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
    return without_dot_segments(_requoted(urlunsplit(_ascii_host(joined))))


_RESERVED = "!#$&'()*+,/:;=?@[]~"
_PERCENT = re.compile(r"%(?:([0-9A-Fa-f]{2})|([^\W_]{2})?)")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _requoted(url: str) -> str:
    """Percent-encode characters that a URL must not have, and decode those that it may (RFC 3986 section 6.2.2.2).

    A "%" that does not encode a byte is encoded itself, as by ``requests.utils.requote_uri``: if it is followed by two
    letters or digits that are not a hexadecimal number, each other "%" is encoded, too.
    """
    is_broken = False

    def decoded(match: re.Match[str]) -> str:
        nonlocal is_broken
        is_broken = is_broken or match[2] is not None
        character = chr(int(match[1], 16)) if match[1] else ""
        return character if character in _UNRESERVED else match[0]

    unquoted = _PERCENT.sub(decoded, url)
    return quote(url, safe=_RESERVED) if is_broken else quote(unquoted, safe=_RESERVED + "%")


def _ascii_host(parts: SplitResult) -> SplitResult:
    if parts.netloc.isascii():
        return parts
    userinfo, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=userinfo + at + host.encode("idna").decode("ascii"))
