"""Reads bodies that are not used: those of challenges, of responses that are tried again, and of errors.

A connection whose response is not read to its end is closed, and the next request needs another one. But a server may
send without end, so only the first megabyte is read.
"""

from __future__ import annotations

from collections.abc import Generator

from ..bodies.sink import CannotWrite, ReadBody, merge_responses
from ..engines.events import Chunk
from ..errors import ErrorCode
from ..flows import Flow, Wait
from ..models.http_messages import Request, Response
from .steps import CallSteps

MOST_UNUSED_BYTES = 1 << 20


def read_unused_bodies(flow: Flow) -> CallSteps:
    """Drive a flow whose responses may all be streaming. Before it sends again, read the body that it has not used."""
    try:
        step = next(flow)
        while True:
            response: Response = yield step
            step = flow.send(response)
            if response.is_streaming and isinstance(step, (Request, Wait)):
                last = yield from read_unused_body(response._replace(failure=None))
                if last.failure is not None and last.failure.code is not ErrorCode.NetworkError:
                    return last  # a timeout, or a cancel
    except StopIteration as stop:
        result: Response = stop.value
        return result
    finally:
        flow.close()


def read_unused_body(response: Response) -> Generator[ReadBody, Response, Response]:
    """Read the body of a streaming response, and drop it. Return the response at its end.

    A failure that the flow has set stays. If the body is too large, the transfer is aborted, which is no failure.
    """
    try:
        last = merge_responses(response, (yield ReadBody(_Dropping().write, in_worker=False)))
    except CannotWrite:
        return response._replace(is_streaming=False)
    return last if response.failure is None else last._replace(failure=response.failure)


class _Dropping:
    """Counts the bytes of a body that is not used."""

    def __init__(self) -> None:
        self._bytes_left = MOST_UNUSED_BYTES

    def write(self, chunk: Chunk) -> None:
        """Raises CannotWrite if there are too many."""
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise CannotWrite(OSError())
