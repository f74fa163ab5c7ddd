"""The calls that run now, for ``dumpState``. Any thread may read them, at any moment, and without a lock."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Optional, Protocol

from ..models.http_messages import Request

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
    limit: str
    """When it ends at the latest, unless code of the program runs in its thread; '' if there is no such moment."""


class Driver(Protocol):
    """Drives several calls: a batch, or an Http."""

    def running_calls(self) -> Iterator[RunningCall]: ...


running_calls: dict[Call, tuple[int, float]] = {}
"""The single calls that wait in ``run``, each with its thread and its start."""
streaming_calls: weakref.WeakKeyDictionary[Call, float] = weakref.WeakKeyDictionary()
"""The starts of the single calls whose body is read after ``run``."""
drivers: weakref.WeakSet[Driver] = weakref.WeakSet()


def _forget() -> None:
    """Forget the calls of the parent, which do not run in the child of a fork."""
    running_calls.clear()
    streaming_calls.clear()
    drivers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


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
    pause = timeouts.present_pause()
    if pause > 0:
        state = f"waits {pause:.1f} s before it tries again"
        return RunningCall(thread, text, now - started, "", state, _deadline_text(timeouts))
    if transfer is None or mailbox is None:
        state = "runs code of the program, or prepares a request"
        return RunningCall(thread, text, now - started, "", state, _deadline_text(timeouts))
    trace = transfer.trace
    peer = "" if trace.peer is None else f" ({trace.peer[0]} port {trace.peer[1]})"
    quiet = now - mailbox.last_activity
    state = f"{_step(transfer)}{peer}, no bytes for {quiet:.1f} s"
    limit = "" if trace.ended is not None else _timeout_text(timeouts.seconds_to_live(mailbox.last_activity))
    return RunningCall(thread, text, now - started, transfer.engine_name, state, limit)


def _timeout_text(seconds: float) -> str:
    """Return when a request ends that waits for bytes."""
    if seconds == float("inf"):
        return "it has no timeout"
    if seconds <= 0:
        return "its timeout has passed: it ends when code of the program, such as a slot, returns"
    return f"it ends in {seconds:.1f} s at the latest if no bytes come"


def _deadline_text(timeouts: Timeouts) -> str:
    """Return when a call ends that does not wait for bytes."""
    seconds = timeouts.until_deadline(float("inf"))
    return "it has no deadline" if seconds == float("inf") else f"its deadline is in {seconds:.1f} s"


def _step(transfer: Transfer) -> str:
    trace = transfer.trace
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
    return "connects, sends or waits: Qt does not tell" if transfer.has_worker else "waits for a connection, or sends"
