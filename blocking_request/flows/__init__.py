"""Policies as generators: a flow yields a Request, gets its Response, and returns the last Response.

Rules of this folder: no Qt, no sockets, no threads, no clock. Only retry.py uses ``urllib3.util.Retry``, and only
auth/requests_auth.py the requests and responses of ``requests``: as values. A call drives a flow over an engine; a test
drives it without a network. A Response with a failure ends every flow.

Theory of operation: each policy is a function that takes a request and ``send``, the policy below it, and calls
``send`` once or several times (``response = yield from send(request)``). If a policy adds a cookie or a password to a
request, only the policies below it see that.
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
    """The request that waits, for messages."""
    seconds: float


@dataclass(frozen=True, repr=False)
class CallerCode:
    """Instead of a Request: calls code of the caller that sends requests itself and waits for their responses.

    The driver calls ``run`` in the thread of the caller with two arguments: a function that drives another flow to its
    end, and whether other flows run in this thread while this one waits. Its Response is the one that ``run`` returns;
    the driver raises the exceptions of ``run``.
    """

    run: Callable[[Callable[[Flow], Response], bool], Response]


Flow = Generator[Union[Request, Wait, CallerCode], Response, Response]
Send = Callable[[Request], Flow]


def send_directly(request: Request) -> Flow:
    """Send a request over an engine, without a policy."""
    return (yield request)
