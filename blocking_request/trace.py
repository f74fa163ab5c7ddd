"""Reports the start and the end of each request to the log and to watchers.

The log contains no secrets: URLs have no userinfo and no values of secret parameters, and headers are not logged.
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
    """Gets the start and the end of each request, in the thread of the blocked caller."""

    def request_started(self, request: Request) -> None:
        """Called before a request is sent."""

    def request_ended(self, response: Response, seconds: float) -> None:
        """Called when a request has ended, with its duration in seconds."""


def request_started(request: Request, watchers: tuple[Watcher, ...]) -> float:
    """Report the start. Return the time of ``time.monotonic()``; 0.0 if neither the log nor a watcher needs the end."""
    logged = logger.isEnabledFor(logging.DEBUG)
    if logged:
        logger.debug("%s %s", request.method, request.redacted_url)
    for watcher in watchers:
        watcher.request_started(request)
    return time.monotonic() if logged or watchers else 0.0


def steps_text(trace: Optional[TransferTrace]) -> str:
    """Return a text with the known durations of the steps of a transfer; '' if none is known."""
    if trace is None:
        return ""
    texts = []
    if trace.is_reused:
        texts.append("reused connection")
    else:
        texts += _took("look-up", trace.look_up_started, trace.look_up_ended)
        texts += _took("connect", trace.connect_started, trace.connect_ended)
        if trace.connect_ended is None:  # the qt engine does not know this time
            texts += _took("connect and TLS", trace.connect_started, trace.tls_ended)
        texts += _took("TLS", trace.tls_started, trace.tls_ended)
    first = trace.headers_received if trace.first_byte is None else trace.first_byte
    texts += _took("first byte after", trace.queued, first)
    return ", ".join(texts)


def _took(step: str, start: Optional[float], end: Optional[float]) -> list[str]:
    return [] if start is None or end is None else [f"{step} {(end - start) * 1000:.1f} ms"]


def request_ended(response: Response, started: float, watchers: tuple[Watcher, ...]) -> None:
    """Report the end of a request. ``started``: the result of ``request_started``."""
    seconds = time.monotonic() - started
    outcome = printable(response.failure.text) if response.failure else response.status
    request = response.request
    took = f"{seconds * 1000:.1f} ms"
    steps = steps_text(response.trace)
    logger.debug("%s %s: %s after %s%s", request.method, request.redacted_url, outcome, took, steps and f" ({steps})")
    for watcher in watchers:
        watcher.request_ended(response, seconds)
