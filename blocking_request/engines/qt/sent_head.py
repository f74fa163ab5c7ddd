"""The head of a request as Qt sends it. Qt does not report it, so it is made by the rules of Qt 5.15 to 6.11."""

from __future__ import annotations

from ...models.headers import Pairs
from ...models.http_messages import IDEMPOTENT_METHODS
from ...models.sent_head import SentHead
from ...qt.binding import QT_VERSION, QtCore, encoded_url
from ..accept_language import accept_language

_ENCODED = QtCore.QUrl.ComponentFormattingOption.FullyEncoded


def qt_sent_head(method: str, url: str, fields: Pairs, has_body: bool, is_forwarded: bool) -> SentHead:
    """Return the head of a request over HTTP/1.1.

    ``fields``: the header fields of the request; ``is_forwarded``: whether a proxy gets the whole URL.
    """
    names = {name.lower() for name, _ in fields}
    added: list[tuple[bytes, bytes]] = []
    # Qt 6 also adds the type of a form if the URL has a query.
    has_form = has_body or (QT_VERSION >= (6,) and "?" in url.partition("#")[0])
    if method == "POST" and has_form and b"content-type" not in names:
        added.append((b"Content-Type", b"application/x-www-form-urlencoded"))
    if not has_body and method not in IDEMPOTENT_METHODS and b"content-length" not in names:
        added.append((b"Content-Length", b"0"))
    if b"connection" not in names:
        added.append((b"Proxy-Connection" if is_forwarded else b"Connection", b"Keep-Alive"))
    if b"accept-language" not in names:
        added.append((b"Accept-Language", accept_language()))
    qt_url = encoded_url(url)
    host = () if b"host" in names else ((b"Host", _host_field(qt_url)),)
    return SentHead(f"{method} {_target(qt_url, is_forwarded)} HTTP/1.1", (*host, *fields, *added))


def _target(url: QtCore.QUrl, is_forwarded: bool) -> str:
    query = f"?{url.query(_ENCODED)}" if url.hasQuery() else ""
    target = f"{url.path(_ENCODED) or '/'}{query}"
    return f"{url.scheme()}://{_host_field(url).decode('latin-1')}{target}" if is_forwarded else target


def _host_field(url: QtCore.QUrl) -> bytes:
    host = url.host(_ENCODED)
    host = f"[{host}]" if ":" in host else host
    return (host if url.port() < 0 else f"{host}:{url.port()}").encode("latin-1")
