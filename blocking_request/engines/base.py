"""The interface of an engine, which sends one request and gives one response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Optional, Protocol

from ..models.failure import Failure
from ..models.http_messages import Request
from .events import Event
from .mailbox import Mailbox
from .wanted import Wanted


class Transfer(Protocol):
    """A request under way, as its caller knows it. A method may be called from any thread, if it says nothing else."""

    has_worker: bool
    """Whether a thread of the engine performs it. If not, the caller's own thread does, whenever it calls ``step`` or
    ``take``."""

    waits_for: Wanted
    """What a transfer without a worker waits for, after ``step`` has given None."""

    def step(self) -> Optional[Event]:
        """Go on as far as it goes without waiting; return the next event, or None if something must be waited for.

        For the thread that drives it, and for a transfer without a worker.
        """

    def take(self, seconds: float) -> Event:
        """Return the next event; raises ``queue.Empty`` after so many seconds, or earlier if there is something to look
        at. For the thread that drives it.
        """

    def close(self) -> None:
        """End it: no event is wanted any more. For the thread that drives it."""

    def abort(self) -> None:
        """End it: its Response is the next event, with what has arrived."""

    def look_for_connection(self) -> None:
        """Begin to find out, beside the caller, whether there is a connection: that may take a while."""

    def is_connected(self) -> bool:
        """Whether there is a connection to the server, or to the proxy before it, as far as is known by now."""

    def failure_if_dead(self) -> Optional[Failure]:
        """Why no Response will ever come (the worker or the application has gone), or None."""


class SharedByBatch(Protocol):
    """For the thread that drives the batch."""

    def close(self) -> None:
        """The batch is over."""


@dataclass
class BatchHint:
    """Set by a batch so that workers are woken once per round and may queue ahead."""

    pending_wakeups: set[Callable[[], None]] = field(default_factory=set)
    """To be called when all requests of a round are handed over: waking a worker takes longer than giving it a job."""
    queue_depth: int = 1
    """Requests queued for each connection; 1: no queueing. It is raised if requests finish in a few ms: then the next
    one must be at hand, and more threads would be in the way of each other."""
    shared: Optional[SharedByBatch] = None
    """What an engine shares among the requests of the batch."""


class Engine(Protocol):
    """Every method may be called from any thread."""

    name: str

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        """Why this engine cannot serve the request here and now, or None."""

    def start(self, request: Request, mailbox: Mailbox, hint: Optional[BatchHint] = None) -> Transfer:
        """Begin to send the request. Its transfer gives the events, the Response as the last.

        ``hint``: that of the batch to which the request belongs.
        """

    def clear_connections(self) -> None:
        """Close the connections that no request uses at the moment."""

    def shutdown(self) -> None:
        """End what is under way and stop every worker; the next ``start`` starts new ones."""

    def exit(self) -> None:
        """End what is under way and stop every worker for good: the interpreter exits. May be called again."""
