"""URLs as text: origins, the targets of redirects, and URLs without secrets.

No Qt here. A URL in this package is an absolute ASCII string; ``prepare/build_request`` makes it from the caller's
object.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Optional
from urllib.parse import quote, unquote, unquote_plus, urlsplit, urlunsplit

from .._first_use import first_use
from .hosts import canonical_host

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


_SHORT_URL = 64
"""A URL of this length, without its scheme, has no label of a host that is too long."""
_HAS_LONG_HOST = re.compile(r"https?://(?:[^:/]{254}|[^:/]*?[^.:/]{64})").match


def is_canonical(url: str) -> bool:
    """Return whether ``normalized`` and Qt would not change the URL. True for most URLs, and found in a tenth of their
    time.
    """
    return (
        _IS_CANONICAL(url) is not None
        and "/." not in url
        and ":80/" not in url
        and ":443/" not in url
        and (len(url) < _SHORT_URL or _HAS_LONG_HOST(url) is None)
    )


_WEB_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_PORT_NUMBER = re.compile(r"[0-9]*", re.ASCII)


def is_web_url(text: str) -> bool:
    """Return whether a text begins like an absolute URL of HTTP, with a host."""
    parts = _WEB_URL.match(text)
    return parts is not None and parts["authority"] != ""


def normalized(url: str) -> str:
    """Return an absolute URL of HTTP as both engines send it. Raises ValueError if it is not valid.

    The scheme and the host are in lower case (``hosts``), the default port is left out, dot segments are removed (RFC
    3986 section 6.2.2.3), and characters that a URL must not have are percent-encoded. A "%" that encodes nothing stays
    as it is, as in browsers and curl.
    """
    parts = _WEB_URL.match(url)
    if parts is None:
        raise ValueError("it does not begin with http:// or https://")
    scheme, authority = parts["scheme"].lower(), parts["authority"]
    if "\\" in authority:
        raise ValueError("a backslash stands before the path")  # browsers end the host there
    userinfo, at, address = authority.rpartition("@")
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, ""
    if not host:
        raise ValueError("it names no host")
    if _PORT_NUMBER.fullmatch(port) is None or len(port) > 5 or (port and not 0 < int(port) < 65536):
        raise ValueError("the port is not a number from 1 to 65535")  # not shown: it may be a part of a password
    shown_port = f":{int(port)}" if port and int(port) != DEFAULT_PORTS[scheme] else ""
    return without_dot_segments(f"{scheme}://{userinfo}{at}{canonical_host(host)}{shown_port}{_quoted(parts['rest'])}")


def end_of_host(url: str) -> int:
    """Return where the host of a URL ends: the path, the query or the fragment begins there (RFC 3986, 3.2)."""
    start = url.find("://") + 3 if "://" in url else 0
    return min((place for place in (url.find(end, start) for end in "/?#") if place >= 0), default=len(url))


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


_REFERENCE = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.DOTALL,
)
"""RFC 3986 appendix B."""
_CONTROLS_AND_BLANK = "".join(map(chr, range(0x21)))
_LINE_PARTS = re.compile(r"[\t\r\n]")


def redirect_target(base: str, location: bytes) -> str:
    """Return the absolute URL that a ``Location`` names (RFC 9110 section 10.2.2), normalized if it is one of HTTP.

    A fragment is inherited. Raises ValueError if the value is not a URL.
    """
    try:
        text = location.decode("utf-8")
    except UnicodeDecodeError:
        text = location.decode("latin-1")
    target = resolved(base, _LINE_PARTS.sub("", text.strip(_CONTROLS_AND_BLANK)))
    if "#" not in target and "#" in base:
        target += base[base.index("#") :]
    scheme = target.partition(":")[0].lower()
    return normalized(target) if scheme in DEFAULT_PORTS else target


def resolved(base: str, reference: str) -> str:
    """Return the URL that a reference names, seen from an absolute URL (RFC 3986 section 5.2). Dot segments stay.

    Raises ValueError for ``http:path`` and ``http:/path``, which readers understand in different ways.
    """
    parts, of_base = _REFERENCE.match(reference), _REFERENCE.match(base)
    assert parts is not None and of_base is not None
    path, query, fragment = parts["path"], parts["query"] or "", parts["fragment"] or ""
    if parts["scheme"] is not None:
        if parts["scheme"].lower() in DEFAULT_PORTS and not parts["authority"]:
            raise ValueError("it names no host")
        return reference
    scheme = of_base["scheme"]
    if parts["authority"] is not None:
        return f"{scheme}:{reference}"
    start = f"{scheme}://{of_base['authority']}"
    if not path:
        return f"{start}{of_base['path']}{query or of_base['query'] or ''}{fragment}"
    if not path.startswith("/"):
        path = of_base["path"].rpartition("/")[0] + "/" + path
    return f"{start}{path}{query}{fragment}"


_RESERVED = "!#$&'()*+,/:;=?@[]~"
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})?")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


_DOUBLE_SLASH = re.compile(r"https?://[^/?#]*//")


def without_parameters(url: str, parameters: Collection[str]) -> str:
    """Return a URL, absolute or relative, without some parameters (``name=value``) of its query.

    They are also left out if they are encoded in another way.
    """
    if not parameters:
        return url
    unwanted = {unquote_plus(each) for each in parameters}
    rest, hash_sign, fragment = url.partition("#")
    path, mark, query = rest.partition("?")
    remaining = "&".join(part for part in query.split("&") if unquote_plus(part) not in unwanted)
    return f"{path}{mark if remaining else ''}{remaining}{hash_sign}{fragment}"


def begins_with_two_slashes(url: str) -> bool:
    """Return whether the path of an HTTP URL does. Qt 5 sends only one of them."""
    return _DOUBLE_SLASH.match(url) is not None


def has_stray_percent(text: str) -> bool:
    """Return whether a "%" in a URL or in a value encodes no byte."""
    return "%" in text and _STRAY_PERCENT.search(text) is not None


def with_stray_percent_encoded(url: str) -> str:
    """Return a URL in which each "%" encodes a byte, as QUrl needs it: it would encode all others again."""
    return _STRAY_PERCENT.sub("%25", url) if "%" in url else url


def _quoted(text: str) -> str:
    """Percent-encode characters that a URL must not have, and decode those that it may (RFC 3986 section 6.2.2.2)."""
    if "%" in text and _STRAY_PERCENT.search(text) is None:  # otherwise a decoded digit could complete a stray one
        text = _PERCENT.sub(_decoded, text)
    return quote(text, safe=_RESERVED + "%")


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()
