"""Brings events of other threads to an Http: into its event loop if there is one, or into ``waitForDone``."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from ..qt.event_loop_waker import EventLoopWaker


class EventQueue:
    """The queue of the events for an Http. ``put`` may be called in any thread."""

    def __init__(self, waker: EventLoopWaker, wake_waiter: Callable[[], None]) -> None:
        """``wake_waiter`` ends a wait of ``waitForDone``."""
        self.waker = waker
        self._wake_waiter = wake_waiter
        self._queue: SimpleQueue[Any] = SimpleQueue()

    def put(self, event: Any) -> None:
        """Add an event and wake the Http. None only wakes it."""
        self._queue.put(event)
        self._wake_waiter()
        self.waker.wake()

    def take(self) -> Any:
        """Return the next event. Raises ``queue.Empty`` if there is none."""
        return self._queue.get_nowait()
