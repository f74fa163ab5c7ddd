"""The parts of a promise, and the requests with which it is tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from ... import BlockingNetworkRequest
from .server import DemoServer

LIMIT_MS = 10_000
"""No request of the demonstration takes longer, if it has no other timeout."""


@dataclass(frozen=True)
class Outcome:
    """The result of trying one promise.

    ``happened``: paragraphs. ``qt_alone``: the same thing with Qt's own classes, '' if it was not tried. ``figures``:
    what ``--json`` shows of it.
    """

    is_kept: bool
    happened: tuple[str, ...]
    figures: dict[str, Any]
    qt_alone: str = ""


ShowProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Promise:
    """``run``: tries it on a server. It takes a function that shows the progress of a download, in bytes."""

    name: str
    text: str
    run: Callable[[DemoServer, ShowProgress], Outcome] = field(repr=False)


def new_request(engine: str = "") -> BlockingNetworkRequest:
    """Return the object that sends a request. ``engine``: '' is the one of the environment."""
    request = BlockingNetworkRequest()
    request.setTimeout(LIMIT_MS)
    if engine:
        request.setEngine(engine)
    return request
