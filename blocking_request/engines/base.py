"""The interface of an engine, which sends one request and gives one response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from ..models.failure import Failure
from ..models.http_messages import Request
from ..models.transfer_trace import TransferTrace
from .events import Event
from .mailbox import Mailbox
from .wanted import Wanted

if TYPE_CHECKING:
    from .python.supplied_connection import SuppliedConnection


class Transfer(Protocol):
    """A request under way, as its caller sees it. Any thread may call every method, if the method does not say
    otherwise.
    """

    has_worker: bool
    """Whether a thread of the engine performs the transfer. If not, the caller's own thread performs it when it calls
    ``step`` or ``take``."""

    waits_for: Wanted
    """The sockets or the moment that a transfer without a worker waits for, after ``step`` has returned None."""

    @property
    def engine_name(self) -> str:
        """The name of the engine that performs the transfer."""

    @property
    def trace(self) -> TransferTrace:
        """The steps that the transfer has taken."""

    def step(self) -> Optional[Event]:
        """Go on without waiting; return the next event, or None if the transfer must wait.

        Only for a transfer without a worker. The thread that drives the transfer calls this.
        """

    def take(self, seconds: float) -> Event:
        """Return the next event. The thread that drives the transfer calls this.

        Raises ``queue.Empty`` after so many seconds, or earlier if the caller should look at its clocks.
        """

    def close(self) -> None:
        """End the transfer, and give no more events. The thread that drives the transfer calls this."""

    def abort(self) -> None:
        """End the transfer: its Response is the next event, with the bytes that have arrived."""

    def read_buffer_resized(self) -> None:
        """Have the engine use the new ``read_buffer`` of the mailbox."""

    def look_for_connection(self) -> None:
        """Begin to find out in the background whether there is a connection."""

    def is_connected(self) -> bool:
        """Return whether a connection to the server, or to the proxy before it, is known to exist."""

    def failure_if_dead(self) -> Optional[Failure]:
        """Return why no Response will ever come (the worker or the application has gone), or None."""


class SharedByBatch(Protocol):
    """Connections that the requests of a batch share. The thread that drives the batch uses it."""

    def close(self) -> None:
        """Give the connections back at the end of the batch."""


@dataclass
class BatchHint:
    """Set by a batch so that workers are woken once per round and may queue ahead; or by an Http for its socket."""

    pending_wakeups: set[Callable[[], None]] = field(default_factory=set)
    """The batch calls these when it has handed over all requests of a round. Waking a worker takes longer than handing
    it a request, so each worker is woken once."""
    queue_depth: int = 1
    """Requests queued for each connection; 1: no queueing. The batch raises it if requests finish within a few ms:
    then a queue is quicker than more threads, which would hinder each other."""
    shared: Optional[SharedByBatch] = None
    """The connections that the python engine shares among the requests of the batch."""
    supplied: Optional[SuppliedConnection] = None
    """The only connection that the python engine may use for the request. The qt engine must not be chosen then."""


class Engine(Protocol):
    """Every method may be called from any thread."""

    name: str

    def unsupported_reason(self, request: Request) -> Optional[Failure]:
        """Return why this engine cannot serve the request, or None if it can."""

    def start(self, request: Request, mailbox: Mailbox, hint: Optional[BatchHint] = None) -> Transfer:
        """Begin to send the request. The transfer gives the events; the Response is the last one.

        ``hint``: the hint of the batch or the Http, if the request belongs to one.
        """

    def clear_connections(self) -> None:
        """Close the connections that no request uses at the moment."""

    def shutdown(self) -> None:
        """Abort the transfers under way and stop every worker; the next ``start`` starts new ones."""

    def exit(self) -> None:
        """Abort the transfers under way and stop every worker for good: the interpreter exits. May be called again."""
