"""The clocks of one call: idle, connect, deadline, cancel, pause and grace. Single calls and batches use the same.

Only the thread that drives the call uses them. Nothing here waits: the driver asks how long it
may wait, and why the call should end.
"""

from __future__ import annotations

import time
from typing import Callable, Optional, Protocol

from ..engines.mailbox import ABORT_GRACE_SECONDS
from ..models import error_texts as messages
from ..models.failure import Failure

NEVER = float("inf")

Clock = Callable[[], float]


class WatchedTransfer(Protocol):
    """What the clocks have to know of a transfer."""

    def look_for_connection(self) -> None: ...

    def is_connected(self) -> bool: ...

    def failure_if_dead(self) -> Optional[Failure]: ...


class Timeouts:
    """Says how long the driver of a call may wait, and why the call should end."""

    __slots__ = (
        "_clock",
        "_connect_ends_at",
        "_connect_look_at",
        "_connect_ms",
        "_deadline_at",
        "_deadline_ms",
        "_grace_ends_at",
        "_idle_ms",
        "_idle_seconds",
        "_is_canceled",
        "_pause_ends_at",
    )

    def __init__(
        self,
        idle_ms: int,
        deadline_ms: int,
        is_canceled: Optional[Callable[[], bool]] = None,
        connect_ms: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        """``idle_ms``: how long no byte may move; ``deadline_ms``: how long the call may take, from now on;
        ``connect_ms``: how long connecting may take. All are in milliseconds, and 0 is none. ``is_canceled``:
        whether the call is cancelled, as ``Cancellation`` knows.
        """
        self._clock = clock
        self._is_canceled = is_canceled
        self._idle_ms, self._deadline_ms, self._connect_ms = idle_ms, deadline_ms, connect_ms
        self._idle_seconds = idle_ms / 1000 if idle_ms > 0 else NEVER
        self._deadline_at = clock() + deadline_ms / 1000 if deadline_ms > 0 else NEVER
        self._connect_look_at = self._connect_ends_at = NEVER
        self._pause_ends_at = self._grace_ends_at = NEVER

    def stop_reason(self) -> Optional[Failure]:
        """Why the call should not go on: it is cancelled or its deadline has passed. Else None."""
        if self._is_canceled is not None and self._is_canceled():
            return messages.canceled()
        if self._clock() >= self._deadline_at:
            return messages.deadline_passed(self._deadline_ms)
        return None

    def begin_request(self) -> None:
        """Start the clock of connecting. Halfway the engine is told to look for the connection."""
        if self._connect_ms:
            now = self._clock()
            self._connect_ends_at = now + self._connect_ms / 1000
            self._connect_look_at = now + self._connect_ms / 2000

    def seconds_left(self, last_activity: float, at_most: float) -> float:
        """How long the driver may wait until something is due; ``last_activity``: when bytes moved last."""
        due = min(last_activity + self._idle_seconds, self._deadline_at, self._connect_look_at, self._connect_ends_at)
        return max(min(at_most, due - self._clock()), 0.0)

    def until_deadline(self, at_most: float) -> float:
        """How long the driver may do something that moves no bytes, in seconds."""
        return max(min(at_most, self._deadline_at - self._clock()), 0.0)

    def put_off_deadline(self, seconds: float) -> None:
        self._deadline_at += seconds

    def is_idle(self, last_activity: float) -> bool:
        """Return whether no bytes have moved for longer than the idle timeout."""
        return self._clock() >= last_activity + self._idle_seconds

    def check(self, transfer: WatchedTransfer, last_activity: float) -> Optional[Failure]:
        """Why a transfer should end: cancelled, late, idle, not connected, or its engine is dead. Else None.

        Has the engine look for the connection at half the connect timeout.
        """
        failure = self.stop_reason()
        if failure is not None:
            return failure
        now = self._clock()
        if now >= self._connect_look_at:
            self._connect_look_at = NEVER
            transfer.look_for_connection()
        if now >= self._connect_ends_at:
            self._connect_ends_at = NEVER
            if not transfer.is_connected():
                return messages.connect_timeout(self._connect_ms)
            # The idle timeout has counted since the request began, connecting included.
        if self.is_idle(last_activity):
            return messages.idle_timeout(self._idle_ms)
        return transfer.failure_if_dead()

    def begin_pause(self, seconds: float) -> None:
        """Let a retry wait."""
        self._pause_ends_at = self._clock() + seconds

    def pause_left(self) -> float:
        """How many seconds of the pause are left, or of the call if its deadline comes first; 0.0 at the end."""
        return max(min(self._pause_ends_at, self._deadline_at) - self._clock(), 0.0)

    def begin_grace(self) -> None:
        """Give an aborted transfer some time to hand over what has arrived so far."""
        self._grace_ends_at = self._clock() + ABORT_GRACE_SECONDS

    def grace_left(self) -> float:
        """How many seconds of that are left; 0.0 at the end."""
        return max(self._grace_ends_at - self._clock(), 0.0)
