"""The head of a request as bytes: the request line and the header fields (RFC 9112 section 3)."""

from __future__ import annotations

from ...models.headers import DEFAULT_FIELDS, Pairs, are_defaults
from ...models.http_messages import IDEMPOTENT_METHODS, Request
from ...models.urls import DEFAULT_PORTS, end_of_host
from ..accept_language import accept_language
from .http1 import encode_head
from .routes import Route

KEPT_FIELDS = 8
"""How many encodings of default fields are kept for each route."""

_END_OF_LINE = " HTTP/1.1\r\n"


def request_head(request: Request, route: Route) -> bytes:
    """Return the head. Raises ValueError if a line end stands within it."""
    target = request_target(request.url, route.is_forwarded)
    fields = _known_fields(request, route)
    if fields is None:
        return encode_head(request.method, target, request_fields(request, route))
    if "\n" in target or "\r" in target:
        raise ValueError("a line end stands within the URL")
    return f"{request.method} {target}{_END_OF_LINE}".encode("latin-1") + fields


def _known_fields(request: Request, route: Route) -> bytes | None:
    """The encoded fields of a request that has only the default ones: most requests have, and it saves 5 us."""
    headers = request.headers
    if request.body is not None or request.omitted or route.proxy is not None or len(headers) > DEFAULT_FIELDS:
        return None
    key = headers, request.method in IDEMPOTENT_METHODS
    known = route.encoded_fields.get(key)
    if known is None and are_defaults(headers):  # others may be secrets, which nothing keeps
        head = encode_head(request.method, "/", request_fields(request, route))
        known = head.partition(b"\r\n")[2]
        if len(route.encoded_fields) < KEPT_FIELDS:
            route.encoded_fields[key] = known
    return known


def request_fields(request: Request, route: Route) -> Pairs:
    """Return the header fields to send, with the fields that Qt would add by itself."""
    headers, body = request.headers, request.body
    names = {name.lower() for name, _ in headers} | request.omitted
    added: list[tuple[bytes, bytes]] = []
    if b"accept-language" not in names:
        added.append((b"Accept-Language", accept_language()))
    if body is None:
        if request.method not in IDEMPOTENT_METHODS and b"content-length" not in names:
            added.append((b"Content-Length", b"0"))
    elif b"content-length" not in names:
        size = len(body) if isinstance(body, bytes) else body.size
        added.append((b"Content-Length", b"%d" % size) if size >= 0 else (b"Transfer-Encoding", b"chunked"))
    if b"connection" not in names:
        added.append((b"Connection", b"Keep-Alive"))
    proxy = route.proxy
    if route.is_forwarded and proxy is not None and proxy.user and b"proxy-authorization" not in names:
        added.append((b"Proxy-Authorization", proxy.authorization))
    if b"host" in names:
        return (*headers, *added)
    return ((b"Host", host_field(request.url)), *headers, *added)


def request_target(url: str, is_absolute: bool) -> str:
    """The path and query of a URL, as they are sent (RFC 9112 section 3.2.1), or with scheme and host before them."""
    start = url.find("/", url.find("://") + 3)
    if start > 0 and not is_absolute and "#" not in url and "?" not in url[:start]:
        return url[start:]
    scheme, _, rest = url.partition("#")[0].partition("://")
    end = min((position for position in (rest.find("/"), rest.find("?")) if position >= 0), default=len(rest))
    path = rest[end:] if rest[end : end + 1] == "/" else "/" + rest[end:]
    return f"{scheme}://{_without_zone(rest[:end])}{path}" if is_absolute else path


def host_field(url: str) -> bytes:
    """The value of ``Host`` (RFC 9110 section 7.2): without the default port and without the zone of an address."""
    scheme, _, authority = url[: end_of_host(url)].partition("://")
    authority = _without_zone(authority)
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    is_default = not port or (port.isdigit() and int(port) == DEFAULT_PORTS.get(scheme))
    return (host if is_default else f"{host}:{port}").encode("latin-1")


def _without_zone(authority: str) -> str:
    """The same without the zone of an IPv6 address: it means something to this computer only (RFC 6874 section 4)."""
    if "%" not in authority or not authority.startswith("["):
        return authority
    start, _, rest = authority.partition("%")
    return f"{start}]{rest.partition(']')[2]}"
