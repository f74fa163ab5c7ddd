"""The one seam where every request is seen to start and to end: logging, and whoever wants to watch.

What is logged carries no secret: URLs are shown without userinfo and secret parameters, headers are not logged.
"""

from __future__ import annotations

import logging
import time
from typing import Protocol

from .models.http_messages import Request, Response
from .models.redaction import printable

logger = logging.getLogger("blocking_request")


class Watcher(Protocol):
    """Called in the thread of the blocked caller."""

    def request_started(self, request: Request) -> None: ...

    def request_ended(self, response: Response, seconds: float) -> None: ...


def request_started(request: Request, watchers: tuple[Watcher, ...]) -> float:
    """When it started, by ``time.monotonic()``; 0 where nobody wants to know."""
    logged = logger.isEnabledFor(logging.DEBUG)
    if logged:
        logger.debug("%s %s", request.method, request.redacted_url)
    for watcher in watchers:
        watcher.request_started(request)
    return time.monotonic() if logged or watchers else 0.0


def request_ended(response: Response, started: float, watchers: tuple[Watcher, ...]) -> None:
    seconds = time.monotonic() - started
    outcome = printable(response.failure.text) if response.failure else response.status
    request = response.request
    logger.debug("%s %s: %s after %.1f ms", request.method, request.redacted_url, outcome, seconds * 1000)
    for watcher in watchers:
        watcher.request_ended(response, seconds)
