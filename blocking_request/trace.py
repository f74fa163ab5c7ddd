"""The one seam where every exchange is seen to start and to end: logging, and whoever wants to watch.

What is logged carries no secret: URLs are shown without userinfo and secret parameters, headers are not logged.
"""

from __future__ import annotations

import logging
import time
from typing import Protocol

from .models.http_messages import Answer, Exchange
from .models.redaction import printable

logger = logging.getLogger("blocking_request")


class Watcher(Protocol):
    """Called in the thread of the blocked caller."""

    def exchange_started(self, exchange: Exchange) -> None: ...

    def exchange_ended(self, answer: Answer, seconds: float) -> None: ...


def exchange_started(exchange: Exchange, watchers: tuple[Watcher, ...]) -> float:
    """When it started, by ``time.monotonic()``; 0 where nobody wants to know."""
    logged = logger.isEnabledFor(logging.DEBUG)
    if logged:
        logger.debug("%s %s", exchange.method, exchange.shown_url)
    for watcher in watchers:
        watcher.exchange_started(exchange)
    return time.monotonic() if logged or watchers else 0.0


def exchange_ended(answer: Answer, started: float, watchers: tuple[Watcher, ...]) -> None:
    seconds = time.monotonic() - started
    outcome = printable(answer.failure.text) if answer.failure else answer.status
    exchange = answer.exchange
    logger.debug("%s %s: %s after %.1f ms", exchange.method, exchange.shown_url, outcome, seconds * 1000)
    for watcher in watchers:
        watcher.exchange_ended(answer, seconds)
