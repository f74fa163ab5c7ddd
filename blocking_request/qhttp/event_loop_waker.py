"""Brings events of other threads to an Http: into its event loop if there is one, or into ``waitForDone``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from ..qt.binding import QUEUED_CONNECTION, QtCore, Signal, Slot
from ..qt.objects import prime_disconnect_notify


class EventLoopWaker(QtCore.QObject):
    """Calls a slot in the event loop of the slot's object. ``wake`` may be called in any thread.

    It is not a child of that object, and lives as long as a thread may wake it: a signal of an object must not be
    emitted while another thread deletes the object.
    """

    woken = Signal()

    def __init__(self, slot: Callable[[], None]) -> None:
        super().__init__()
        prime_disconnect_notify(self.woken, self._do_nothing)
        self.woken.connect(slot, QUEUED_CONNECTION)  # type: ignore[call-arg]
        self._is_woken = False

    @Slot()
    def _do_nothing(self) -> None:
        pass

    def wake(self) -> None:
        """Have the slot called when the event loop runs next. Further calls before that have no effect."""
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # PyQt has deleted this object together with the application
                self.woken.emit()

    def handled(self) -> None:
        """Note that the slot runs. From now on ``wake`` has an effect again."""
        self._is_woken = False


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
