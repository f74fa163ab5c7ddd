"""Policies as generators: they yield an Exchange, are sent its Answer, and return the last Answer.

Rules of this folder: no Qt, no sockets, no threads, no clock. ``urllib3.util.Retry`` is used as a value, in retry.py
only. The blocking call drives a flow over an engine, a test drives it with no network at all. An Answer with a failure
ends every flow.

Theory of operation: each policy is a function that is given an exchange and ``send``, the policy below it, and calls
that (``answer = yield from send(exchange)``) once or several times. What a policy adds to an exchange, a cookie or a
password, is seen by the policies below it only.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Callable, Union

from ..models.http_messages import Answer, Exchange


@dataclass(frozen=True)
class Wait:
    """Instead of an Exchange: lets ``seconds`` pass. Its Answer has a failure where the call ends meanwhile."""

    exchange: Exchange
    """What is waited for."""
    seconds: float


Flow = Generator[Union[Exchange, Wait], Answer, Answer]
Send = Callable[[Exchange], Flow]


def directly(exchange: Exchange) -> Flow:
    """Send it over an engine, and nothing else."""
    return (yield exchange)
