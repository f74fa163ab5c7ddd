"""Timeouts: the timeouts of one call (idle, connect, deadline), the pause before a retry, and the time for an abort.

Single calls and batches both use it, in the thread that drives the call only. It never waits itself: the driver asks
how long it may wait, and whether the call must end.
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
    """The methods of a transfer that the timeouts need."""

    def look_for_connection(self) -> None:
        """Have the engine find out whether there is a connection."""

    def is_connected(self) -> bool:
        """Return whether there is a connection."""

    def failure_if_dead(self) -> Optional[Failure]:
        """Return a failure if the engine can no longer end the transfer, else None."""


class Timeouts:
    """Tells the driver of a call how long it may wait, and whether the call must end."""

    __slots__ = (
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
        "now",
    )

    def __init__(
        self,
        idle_ms: int,
        deadline_ms: int,
        is_canceled: Optional[Callable[[], bool]] = None,
        connect_ms: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        """Start the timeouts of a call. All are in milliseconds; 0: none.

        ``idle_ms``: the longest time without bytes sent or received. ``deadline_ms``: the longest time for the whole
        call, from now on. ``connect_ms``: the longest time for connecting. ``is_canceled``: tells whether the call is
        cancelled, as ``Cancellation.is_canceled``.
        """
        self.now = clock
        self._is_canceled = is_canceled
        self._idle_ms, self._deadline_ms, self._connect_ms = idle_ms, deadline_ms, connect_ms
        self._idle_seconds = idle_ms / 1000 if idle_ms > 0 else NEVER
        self._deadline_at = clock() + deadline_ms / 1000 if deadline_ms > 0 else NEVER
        self._connect_look_at = self._connect_ends_at = NEVER
        self._pause_ends_at = self._grace_ends_at = NEVER

    @property
    def idle_ms(self) -> int:
        """The longest time without bytes, in milliseconds; 0: none."""
        return self._idle_ms

    def stop_reason(self) -> Optional[Failure]:
        """Return a failure if the call is cancelled or its deadline has passed, else None."""
        if self._is_canceled is not None and self._is_canceled():
            return messages.canceled()
        if self.now() >= self._deadline_at:
            return messages.deadline_passed(self._deadline_ms)
        return None

    def stop_reason_of_wait(self, began: float) -> Optional[Failure]:
        """Return a failure if the call must end that waits for something else than bytes, since a time of the clock.

        The idle timeout counts, too.
        """
        failure = self.stop_reason()
        if failure is None and self.now() >= began + self._idle_seconds:
            failure = messages.idle_timeout(self._idle_ms)
        return failure

    def begin_request(self) -> None:
        """Start the connect timeout. Halfway ``check`` has the engine look for the connection."""
        if self._connect_ms:
            now = self.now()
            self._connect_ends_at = now + self._connect_ms / 1000
            self._connect_look_at = now + self._connect_ms / 2000

    def seconds_left(self, last_activity: float, at_most: float) -> float:
        """Return how long the driver may wait, ``at_most`` seconds.

        ``last_activity``: the time when bytes were sent or received last.
        """
        due = min(last_activity + self._idle_seconds, self._deadline_at, self._connect_look_at, self._connect_ends_at)
        return max(min(at_most, due - self.now()), 0.0)

    def until_deadline(self, at_most: float) -> float:
        """Return how long the driver may wait for something else than bytes: until the deadline, up to ``at_most``."""
        return max(min(at_most, self._deadline_at - self.now()), 0.0)

    def put_off_deadline(self, seconds: float) -> None:
        """Move the deadline by the time in which the caller's own code ran."""
        self._deadline_at += seconds

    def seconds_to_live(self, last_activity: float) -> float:
        """Return how long the call can still take if no bytes come; infinity if it has no timeout."""
        return min(last_activity + self._idle_seconds, self._deadline_at) - self.now()

    def is_idle(self, last_activity: float) -> bool:
        """Return whether no bytes were sent or received for the idle timeout."""
        return self.now() >= last_activity + self._idle_seconds

    def check(self, transfer: WatchedTransfer, last_activity: float) -> Optional[Failure]:
        """Return a failure if a transfer must end, else None.

        The reasons are: cancelled, deadline passed, not connected in time, idle for too long, or a dead engine. At half
        the connect timeout, have the engine look for the connection.
        """
        failure = self.stop_reason()
        if failure is not None:
            return failure
        now = self.now()
        if now >= self._connect_look_at:
            self._connect_look_at = NEVER
            transfer.look_for_connection()
        if now >= self._connect_ends_at:
            self._connect_ends_at = NEVER
            if not transfer.is_connected():
                return messages.connect_timeout(self._connect_ms)
            # Connecting in time does not restart the idle timeout, which runs since the request began.
        if self.is_idle(last_activity):
            return messages.idle_timeout(self._idle_ms)
        return transfer.failure_if_dead()

    def begin_pause(self, seconds: float) -> None:
        """Start the pause before a retry."""
        self._pause_ends_at = self.now() + seconds

    def pause_left(self) -> float:
        """Return the seconds until the end of the pause, or until the deadline if that is earlier; 0.0 at the end."""
        return max(min(self._pause_ends_at, self._deadline_at) - self.now(), 0.0)

    def present_pause(self) -> float:
        """Return the seconds until the end of the pause; 0.0 if there is none."""
        return 0.0 if self._pause_ends_at == NEVER else max(self._pause_ends_at - self.now(), 0.0)

    def begin_grace(self) -> None:
        """Start the time in which an aborted transfer may still hand over the bytes that have arrived."""
        self._grace_ends_at = self.now() + ABORT_GRACE_SECONDS

    def grace_left(self) -> float:
        """Return the seconds that are left of that time; 0.0 at the end."""
        return max(self._grace_ends_at - self.now(), 0.0)
