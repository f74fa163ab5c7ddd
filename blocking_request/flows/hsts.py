"""Strict transport security: a host that asked for https is not spoken to otherwise (RFC 6797)."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from ..exchange import Exchange
from . import Flow, Send, directly


class Hosts(Protocol):
    def wants_https(self, host: str) -> bool: ...

    def note(self, host: str, field: bytes) -> None: ...


def with_strict_transport(exchange: Exchange, hosts: Hosts, send: Send = directly) -> Flow:
    """Send over https where the host wants it, and remember what it says of that."""
    parts = urlsplit(exchange.url)
    host = parts.hostname or ""
    if parts.scheme == "http" and hosts.wants_https(host):
        # Section 8.3: port 80 becomes 443, any other is kept.
        netloc = parts.netloc[: -len(":80")] if parts.port == 80 else parts.netloc
        exchange = exchange._replace(url=parts._replace(scheme="https", netloc=netloc).geturl())
    answer = yield from send(exchange)
    if exchange.url.startswith("https:") and answer.status is not None:
        field = answer.headers.value(b"strict-transport-security")
        # Section 8.1: only over a connection in whose certificate nothing was wrong.
        if field is not None and (answer.tls is None or not answer.tls.session.errors):
            hosts.note(host, field)
    return answer
