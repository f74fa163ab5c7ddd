"""Add the jar's cookies to a request, and store those of its response (RFC 6265).

If the caller has set a ``Cookie`` field, it is sent as it is, and the jar adds nothing.
"""

from __future__ import annotations

from typing import Protocol

from ..models.http_messages import Request
from . import Flow, Send, send_directly


class Jar(Protocol):
    def header(self, url: str) -> bytes | None: ...

    def receive(self, url: str, values: list[bytes]) -> None: ...


def with_cookies(
    request: Request, jar: Jar, loads: bool = True, saves: bool = True, send: Send = send_directly
) -> Flow:
    """``loads``: send the jar's cookies; ``saves``: store those of the response."""
    sent = request
    if loads:
        value = jar.header(request.url)
        if value is not None and not request.has_field(b"cookie"):
            sent = request._replace(headers=(*request.headers, (b"Cookie", value)))
    response = yield from send(sent)
    if saves and response.headers.has_set_cookie:
        jar.receive(request.url, response.headers.values(b"set-cookie"))
    return response
