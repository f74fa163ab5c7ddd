"""Drives a transfer of an engine, without a call."""

from __future__ import annotations

import time
from queue import Empty

from blocking_request.engines.base import Engine, Transfer
from blocking_request.engines.mailbox import Mailbox
from blocking_request.models.http_messages import Request, Response


def response_of(transfer: Transfer, seconds: float = 10) -> Response:
    """Drive a transfer up to its response."""
    end = time.monotonic() + seconds
    while True:
        try:
            event = transfer.take(max(end - time.monotonic(), 0))
        except Empty:
            assert time.monotonic() < end, "no response came"
            continue
        if isinstance(event, Response):
            return event


def perform(engine: Engine, url: str) -> Response:
    """GET a URL on an engine."""
    return response_of(engine.start(Request("GET", url), Mailbox()))
