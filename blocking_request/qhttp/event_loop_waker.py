"""How events of other threads reach an Http: in its event loop if there is one, or while ``waitForDone`` runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from ..qt.binding import QtCore, Signal, Slot
from ..qt.objects import prime_disconnect_notify


class EventLoopWaker(QtCore.QObject):
    """Calls a slot in the event loop of the slot's object. ``wake`` may be called from any thread.

    It is no child of that object, and lives as long as a thread may wake it: a signal of an object must not be emitted
    while another thread deletes the object.
    """

    woken = Signal()

    def __init__(self, slot: Callable[[], None]) -> None:
        super().__init__()
        prime_disconnect_notify(self.woken, self._nobody)
        self.woken.connect(slot, QtCore.Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]
        self._is_woken = False

    @Slot()
    def _nobody(self) -> None:
        pass

    def wake(self) -> None:
        """Without an event loop the call of the slot waits for one; a second call is not needed."""
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # PyQt has deleted it together with the application
                self.woken.emit()

    def handled(self) -> None:
        """The slot runs: from now on it can be woken again."""
        self._is_woken = False


class EventQueue:
    """The events that have come for an Http. ``put`` may be called from any thread."""

    def __init__(self, waker: EventLoopWaker, wake_waiter: Callable[[], None]) -> None:
        """``wake_waiter`` ends a wait of ``waitForDone``."""
        self.waker = waker
        self._wake_waiter = wake_waiter
        self._queue: SimpleQueue[Any] = SimpleQueue()

    def put(self, event: Any) -> None:
        self._queue.put(event)
        self._wake_waiter()
        self.waker.wake()

    def take(self) -> Any:
        """Return the next event. Raises ``queue.Empty`` if there is none."""
        return self._queue.get_nowait()
