"""The one seam where every request is seen to start and to end: logging, and whoever wants to watch.

What is logged carries no secret: URLs are shown without userinfo and secret parameters, headers are not logged.
"""

from __future__ import annotations

import logging
import time
from typing import Optional, Protocol

from .models.http_messages import Request, Response
from .models.redaction import printable
from .models.transfer_trace import TransferTrace

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


def steps_text(trace: Optional[TransferTrace]) -> str:
    """Return how long the steps of a transfer took, as far as it is known; '' if nothing is."""
    if trace is None:
        return ""
    texts = []
    if trace.is_reused:
        texts.append("reused connection")
    else:
        texts += _took("look-up", trace.look_up_started, trace.look_up_ended)
        texts += _took("connect", trace.connect_started, trace.connect_ended)
        if trace.connect_ended is None:  # Qt does not tell that
            texts += _took("connect and TLS", trace.connect_started, trace.tls_ended)
        texts += _took("TLS", trace.tls_started, trace.tls_ended)
    first = trace.headers_received if trace.first_byte is None else trace.first_byte
    texts += _took("first byte after", trace.queued, first)
    return ", ".join(texts)


def _took(what: str, start: Optional[float], end: Optional[float]) -> list[str]:
    return [] if start is None or end is None else [f"{what} {(end - start) * 1000:.1f} ms"]


def request_ended(response: Response, started: float, watchers: tuple[Watcher, ...]) -> None:
    seconds = time.monotonic() - started
    outcome = printable(response.failure.text) if response.failure else response.status
    request = response.request
    took = f"{seconds * 1000:.1f} ms"
    steps = steps_text(response.trace)
    logger.debug("%s %s: %s after %s%s", request.method, request.redacted_url, outcome, took, steps and f" ({steps})")
    for watcher in watchers:
        watcher.request_ended(response, seconds)
