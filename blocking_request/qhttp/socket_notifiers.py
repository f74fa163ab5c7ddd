"""SocketNotifiers: waits for the socket of an Http's transfer, in its event loop or in ``waitForDone``."""

from __future__ import annotations

import weakref
from typing import Any, Callable

from ..calls.task import Task
from ..engines.waiting import Waiter
from ..engines.wanted import NEVER, READ, WAKE_UP, WRITE, Wanted
from ..qt.binding import QtCore, is_deleted
from ..qt.event_loop_waker import EventLoopWaker

_Type: Any = QtCore.QSocketNotifier.Type
_TYPES = {READ: _Type.Read, WRITE: _Type.Write}


class SocketNotifiers:
    """Waits for the sockets of a transfer. For the thread that the Http lives in.

    ``wake`` and ``wake_waiter`` may be called in any thread.
    """

    def __init__(self, slot: Callable[[], None], waker: EventLoopWaker) -> None:
        """``slot``: the slot of the Http that calls ``handle_activated`` and drives the transfer."""
        # Weak: a worker may reference the task, which references this object, longer than the Http lives.
        self._slot = weakref.WeakMethod(slot)
        self._waker = waker
        self._waiter = Waiter()
        self._wanted = WAKE_UP
        self._notifiers: dict[tuple[int, int], QtCore.QSocketNotifier] = {}
        self._is_ready = False

    def wake(self, task: Task) -> None:
        self._is_ready = True
        self._waiter.wake()
        self._waker.wake()

    def wake_waiter(self) -> None:
        """End a ``wait``, in any thread."""
        self._waiter.wake()

    def wait_for(self, task: Task, wanted: Wanted) -> None:
        self._wanted = wanted

    def discard(self, task: Task) -> None:
        self._wanted = WAKE_UP
        self._is_ready = False
        self._disable()  # at once: the socket may be closed before ``arm``, and a slot may run an event loop until then

    def take_ready(self) -> bool:
        """Return whether the transfer can be advanced, and reset that."""
        is_ready, self._is_ready = self._is_ready, False
        return is_ready

    @property
    def seconds_left(self) -> float:
        """The seconds until the transfer can be advanced, if it waits for a moment."""
        return self._wanted.seconds

    def wait(self, seconds: float) -> None:
        """Block until the transfer can be advanced, or ``wake_waiter`` is called; for up to ``seconds``."""
        if not self._is_ready:
            self._waiter.wait_for(self._wanted, seconds)
            self._is_ready = self._is_ready or self._wanted is not WAKE_UP

    def arm(self, has_more: bool) -> None:
        """Have the event loop of this thread, if it has one, call the slot when the transfer can be advanced.

        ``has_more``: call the slot in any case, after other events of the loop were handled.
        """
        slot = self._slot()
        if slot is None or QtCore.QAbstractEventDispatcher.instance() is None:
            return
        wanted = self._wanted
        pairs = {(descriptor, mask & each) for descriptor, mask in wanted.sockets for each in _TYPES if mask & each}
        for pair in set(self._notifiers) - pairs:
            notifier = self._notifiers.pop(pair)
            notifier.setEnabled(False)
            notifier.deleteLater()
        for pair in pairs:
            if pair not in self._notifiers:
                self._notifiers[pair] = self._new_notifier(*pair, slot)
            self._notifiers[pair].setEnabled(True)
        if wanted.seconds != NEVER or has_more:
            # Not 0 ms: Qt 5.15 treats such a timer as a posted event, and other timers are never handled.
            QtCore.QTimer.singleShot(1 if has_more else max(int(wanted.seconds * 1000), 1), slot)

    def _new_notifier(self, descriptor: int, mask: int, slot: Callable[[], None]) -> QtCore.QSocketNotifier:
        notifier = QtCore.QSocketNotifier(descriptor, _TYPES[mask])  # type: ignore[arg-type,unused-ignore]
        notifier.activated.connect(slot)  # type: ignore[attr-defined,unused-ignore]
        return notifier

    def leave_thread(self) -> None:
        """Delete the notifiers, because the Http moves to another thread. ``arm`` makes new ones there."""
        for notifier in self._notifiers.values():
            notifier.setEnabled(False)
            notifier.deleteLater()
        self._notifiers.clear()

    def handle_activated(self) -> None:
        """Note that the transfer can be advanced. Disable the notifiers: they would fire again until it has read."""
        self._disable()
        self._is_ready = self._is_ready or self._wanted is not WAKE_UP

    def _disable(self) -> None:
        for notifier in self._notifiers.values():
            # If the Http is destroyed in another thread, the notifiers must not be touched there. With the application,
            # PyQt may have deleted them before the Http.
            if not is_deleted(notifier) and notifier.thread() == QtCore.QThread.currentThread():
                notifier.setEnabled(False)
