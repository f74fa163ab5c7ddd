"""Asks the application for a pre-shared key, if a server wants one.

The first attempt has no key. It fails in the handshake, and tells the hint of the server. Then the handler is called in
the caller's thread, and the next attempt has its key. No byte of the request was sent before, so a request with any
method may be sent again.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Optional

from ..models.failure import QtNetworkError
from ..models.http_messages import Request, Response
from ..models.pre_shared_key import UNKNOWN_KEY, PreSharedKey, PreSharedKeyHandler, checked_key
from ..models.urls import origin
from . import Flow, Send
from .auth.server import host_with_port

MOST_QUESTIONS = 3
"""How often the handler is called for one request."""


@dataclass(frozen=True)
class PreSharedKeys:
    """The handler of a manager, and the keys that it has returned, by origin.

    A key is stored before the server has accepted it, so that the requests of a batch ask once. A refused key is
    removed.
    """

    handler: PreSharedKeyHandler
    known: MutableMapping[str, PreSharedKey]

    def __repr__(self) -> str:
        return "<PreSharedKeys>"


def with_pre_shared_key(request: Request, keys: PreSharedKeys, send: Send) -> Flow:
    """Send; if the server wants a pre-shared key, call the handler, and send again with its key."""
    if not request.url.startswith("https:"):
        return (yield from send(request))
    key_origin = origin(request.url)
    key = keys.known.get(key_origin, UNKNOWN_KEY)
    response = yield from send(request._replace(pre_shared_key=key))
    asked = 0
    for _ in range(2 * MOST_QUESTIONS):  # also bounds attempts with keys that other requests were given
        hint = _wanted_hint(response)
        if hint is None:
            return response
        newer = _without_refused(key, keys.known, key_origin)
        if newer is not None:
            key = newer  # another request has asked in the meantime
        else:
            asked += 1
            if asked > MOST_QUESTIONS:
                return response
            answer = checked_key(keys.handler(hint, host_with_port(request.url), asked), hint)
            if answer is None:
                return response
            key = keys.known[key_origin] = answer
        response = yield from send(request._replace(pre_shared_key=key))
    return response


def _without_refused(
    refused: PreSharedKey, known: MutableMapping[str, PreSharedKey], key_origin: str
) -> Optional[PreSharedKey]:
    """Remove a refused key. If another one is known instead, leave it there, and return it."""
    present = known.get(key_origin)
    if present != refused:
        return present
    removed = known.pop(key_origin, None)
    # Another thread may have stored its key between these two lines.
    return None if removed is None or removed == refused else known.setdefault(key_origin, removed)


def _wanted_hint(response: Response) -> Optional[str]:
    """Return the hint of a server that wants a key, or another one; None if the request has not failed for that."""
    failure = response.failure
    if failure is None or failure.error is not QtNetworkError.SslHandshakeFailedError or response.tls is None:
        return None
    return response.tls.session.key_hint
