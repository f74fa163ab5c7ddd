"""Cookies: which go along with an exchange, and which its answer leaves (RFC 6265).

A ``Cookie`` field of the caller's own is sent as it is given, and none of the jar's beside it.
"""

from __future__ import annotations

from typing import Protocol

from ..models.http_messages import Exchange
from . import Flow, Send, directly


class Jar(Protocol):
    def header(self, url: str) -> bytes | None: ...

    def receive(self, url: str, values: list[bytes]) -> None: ...


def with_cookies(exchange: Exchange, jar: Jar, loads: bool = True, saves: bool = True, send: Send = directly) -> Flow:
    """``loads``: send the jar's cookies; ``saves``: keep those that come."""
    sent = exchange
    if loads:
        value = jar.header(exchange.url)
        if value is not None and not exchange.has_field(b"cookie"):
            sent = exchange._replace(headers=(*exchange.headers, (b"Cookie", value)))
    answer = yield from send(sent)
    if saves and answer.headers.has_set_cookie:
        jar.receive(exchange.url, answer.headers.values(b"set-cookie"))
    return answer
