"""The calls that run now, for ``dumpState``. Any thread may read them, at any moment, and without a lock."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Optional, Protocol

from ..models.http_messages import Request
from ..models.transfer_trace import TransferTrace

if TYPE_CHECKING:
    from ..engines.base import Transfer
    from ..engines.mailbox import Mailbox
    from .call import Call
    from .timeouts import Timeouts


class RunningCall(NamedTuple):
    """A call that runs, in words. It has no secrets."""

    thread: int
    """The number of the thread that drives it, as ``threading.get_ident()``; 0 if none does at the moment."""
    request: str
    seconds: float
    """How long it runs already."""
    engine: str
    """'' if no request was given to an engine."""
    state: str


class Driver(Protocol):
    """Drives several calls: a batch, or an Http."""

    def running_calls(self) -> Iterator[RunningCall]: ...


running_calls: dict[Call, tuple[int, float]] = {}
"""The single calls that wait in ``run``, each with its thread and its start."""
streaming_calls: weakref.WeakKeyDictionary[Call, float] = weakref.WeakKeyDictionary()
"""The starts of the single calls whose body is read after ``run``."""
drivers: weakref.WeakSet[Driver] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    # The calls of the parent do not run in the child.
    os.register_at_fork(after_in_child=running_calls.clear)


def described(
    thread: int,
    request: Optional[Request],
    started: float,
    transfer: Optional[Transfer],
    mailbox: Optional[Mailbox],
    timeouts: Timeouts,
) -> RunningCall:
    """Return a running call in words. ``request``: the present one; None if there was none yet."""
    now = timeouts.now()
    text = "no request yet" if request is None else f"{request.method} {request.redacted_url}"
    if transfer is None or mailbox is None:
        state = "runs code of the program, waits for a retry, or prepares a request"
        return RunningCall(thread, text, now - started, "", f"{state}; {_limit(timeouts.seconds_to_live(now), True)}")
    trace: Optional[TransferTrace] = getattr(transfer, "trace", None)
    peer = "" if trace is None or trace.peer is None else f" ({trace.peer[0]} port {trace.peer[1]})"
    quiet = now - mailbox.last_activity
    limit = _limit(timeouts.seconds_to_live(mailbox.last_activity), False)
    engine = getattr(transfer, "engine_name", "qt" if transfer.has_worker else "python")
    return RunningCall(
        thread, text, now - started, engine, f"{_step(trace)}{peer}, no bytes for {quiet:.1f} s; {limit}"
    )


def _limit(seconds: float, is_waiting: bool) -> str:
    if seconds == float("inf"):
        return "it has no deadline" if is_waiting else "it has no timeout"
    return f"it ends in {max(seconds, 0.0):.1f} s at the latest" + ("" if is_waiting else " if no bytes come")


def _step(trace: Optional[TransferTrace]) -> str:
    if trace is None:
        return "is under way"
    if trace.ended is not None:
        return "has a response, which code of the program or a policy handles"
    if trace.headers_received is not None:
        return "receives the body"
    if trace.request_sent is not None:
        return "waits for the response"
    if trace.tls_started is not None and trace.tls_ended is None:
        return "waits for the TLS handshake"
    if trace.connect_started is not None and trace.connect_ended is None and trace.tls_ended is None:
        return "connects"
    if trace.look_up_started is not None and trace.look_up_ended is None:
        return "looks up the name of the host"
    return "is under way"
