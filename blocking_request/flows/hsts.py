"""Strict transport security: a host that asked for https is not spoken to otherwise (RFC 6797)."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from ..models.http_messages import Request
from . import Flow, Send, send_directly


class Hosts(Protocol):
    def wants_https(self, host: str) -> bool: ...

    def store_policy(self, host: str, field: bytes) -> None: ...


def with_strict_transport(request: Request, hosts: Hosts, send: Send = send_directly) -> Flow:
    """Send over https if the host demands it, and store the policy that its response carries."""
    url = secure_url(request.url, hosts)
    if url != request.url:
        request = request._replace(url=url)
    response = yield from send(request)
    if url.startswith("https:") and response.status is not None and not response.from_cache:
        field = next(iter(response.headers.values(b"strict-transport-security")), None)  # section 8.1: the first counts
        # Only a connection without certificate errors counts.
        if field is not None and (response.tls is None or not response.tls.session.errors):
            hosts.store_policy(urlsplit(url).hostname or "", field)
    return response


def secure_url(url: str, hosts: Hosts) -> str:
    """Return the URL, with https if the host demands it (section 8.3)."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not hosts.wants_https(parts.hostname or ""):
        return url
    # Port 80 becomes 443, any other is kept.
    netloc = parts.netloc[: -len(":80")] if parts.port == 80 else parts.netloc
    return parts._replace(scheme="https", netloc=netloc).geturl()
