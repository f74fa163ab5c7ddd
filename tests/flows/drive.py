"""Drives a flow with no network: answers go in, exchanges and waits come out."""

from __future__ import annotations

from typing import Callable, Union

from blocking_request.exchange import Answer, Exchange
from blocking_request.flows import Flow, Wait
from blocking_request.headers import Fields

Given = Union[Answer, Callable[[Exchange], Answer]]


def answer(status: int, *fields: tuple[str, str]) -> Answer:
    """An answer to whatever is sent; ``drive`` puts the exchange in."""
    pairs = tuple((name.encode(), value.encode("latin-1")) for name, value in fields)
    return Answer(Exchange("GET", ""), status, headers=Fields(lambda: pairs), engine="none")


def drive(flow: Flow, *answers: Given) -> tuple[list[Exchange], list[float], Answer]:
    """What is sent, how long is waited between, and what comes of it. Waits pass at once."""
    sent: list[Exchange] = []
    waits: list[float] = []
    left = list(answers)
    step = next(flow)
    while True:
        if isinstance(step, Wait):
            waits.append(step.seconds)
            given: Given = Answer(step.exchange)
        else:
            sent.append(step)
            assert left, f"the flow goes on with {step}"
            given = left.pop(0)
            given = given(step) if callable(given) else given._replace(exchange=step)
        try:
            step = flow.send(given)
        except StopIteration as stop:
            assert not left, "the flow ends early"
            return sent, waits, stop.value


def field(exchange: Exchange, name: str) -> list[str]:
    """The values of a header field of what is sent."""
    return [value.decode("latin-1") for field, value in exchange.headers if field.lower() == name.lower().encode()]
