"""Add the jar's cookies to a request, and store those of its response (RFC 6265).

If the caller has set a ``Cookie`` field, it is sent as it is, and the jar adds nothing.
"""

from __future__ import annotations

from typing import Callable, Optional

from ..models.http_messages import Request
from . import Flow, Send, send_directly

CookieHeader = Callable[[str], Optional[bytes]]
"""Returns the value of the ``Cookie`` field for a URL, or None if no cookie fits."""

ReceiveCookies = Callable[[str, list[bytes]], None]
"""Stores the cookies in the ``Set-Cookie`` fields of a response from a URL."""


def with_cookies(
    request: Request,
    cookie_header: Optional[CookieHeader],
    receive_cookies: Optional[ReceiveCookies],
    send: Send = send_directly,
) -> Flow:
    """If ``cookie_header`` is None, no cookies are sent; if ``receive_cookies`` is None, none are stored."""
    sent = request
    if cookie_header is not None:
        value = cookie_header(request.url)
        if value is not None and not request.has_field(b"cookie"):
            sent = request._replace(headers=(*request.headers, (b"Cookie", value)))
    response = yield from send(sent)
    if receive_cookies is not None and response.headers.has_set_cookie:
        receive_cookies(request.url, response.headers.values(b"set-cookie"))
    return response
