"""Policies as generators: they yield a Request, are sent its Response, and return the last Response.

Rules of this folder: no Qt, no sockets, no threads, no clock. ``urllib3.util.Retry`` is used as a value, in retry.py
only. The blocking call drives a flow over an engine, a test drives it with no network at all. A Response with a failure
ends every flow.

Theory of operation: each policy is a function that is given a request and ``send``, the policy below it, and calls
that (``answer = yield from send(request)``) once or several times. What a policy adds to a request, a cookie or a
password, is seen by the policies below it only.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Callable, Union

from ..models.http_messages import Request, Response


@dataclass(frozen=True)
class Wait:
    """Instead of a Request: lets ``seconds`` pass. Its Response has a failure if the call ends in the meantime."""

    request: Request
    """What is waited for."""
    seconds: float


Flow = Generator[Union[Request, Wait], Response, Response]
Send = Callable[[Request], Flow]


def send_directly(request: Request) -> Flow:
    """Send it over an engine, and nothing else."""
    return (yield request)
