"""Drives a flow with no network: responses go in, requests and waits come out."""

from __future__ import annotations

from typing import Callable, Optional, Union

from blocking_request.flows import Flow, Wait
from blocking_request.models.headers import Fields
from blocking_request.models.http_messages import Request, Response

Given = Union[Response, Callable[[Request], Response]]


def response(status: int, *fields: tuple[str, str]) -> Response:
    """A response to whatever is sent; ``drive`` puts the request in."""
    pairs = tuple((name.encode(), value.encode("latin-1")) for name, value in fields)
    return Response(Request("GET", ""), status, headers=Fields(lambda: pairs), engine="none")


def drive(flow: Flow, *responses: Given) -> tuple[list[Request], list[float], Response]:
    """Return the sent requests, the seconds of the waits, and the last response. Waits pass at once."""
    sent: list[Request] = []
    waits: list[float] = []
    left = list(responses)
    given: Optional[Response] = None
    while True:
        try:
            step = next(flow) if given is None else flow.send(given)
        except StopIteration as stop:
            assert not left, "the flow ends early"
            return sent, waits, stop.value
        if isinstance(step, Wait):
            waits.append(step.seconds)
            given = Response(step.request)
            continue
        assert isinstance(step, Request), "a flow with code of the caller needs a call"
        sent.append(step)
        assert left, f"the flow goes on with {step}"
        following = left.pop(0)
        given = following(step) if callable(following) else following._replace(request=step)


def field(request: Request, name: str) -> list[str]:
    """Return the values of a header field of a sent request."""
    return [value.decode("latin-1") for field, value in request.headers if field.lower() == name.lower().encode()]
