"""Waits for what the transfer of an Http wants: in its event loop, or while ``waitForDone`` runs."""

from __future__ import annotations

import weakref
from typing import Any, Callable

from ..calls.task import Task
from ..engines.waiting import Waiter
from ..engines.wanted import NEVER, READ, WAKE_UP, WRITE, Wanted
from ..qt.binding import QtCore
from .event_loop_waker import EventLoopWaker

_Type: Any = QtCore.QSocketNotifier.Type
_TYPES = {READ: _Type.Read, WRITE: _Type.Write}


class SocketNotifiers:
    """For the thread that the Http lives in; ``wake`` and ``wake_waiter`` may be called from any."""

    def __init__(self, slot: Callable[[], None], waker: EventLoopWaker) -> None:
        """``slot``: of the Http; it calls ``handle_activated``, and drives the transfer."""
        # A worker may hold the task, which holds this, a little longer than the Http lives.
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
        """End a ``wait``."""
        self._waiter.wake()

    def wait_for(self, task: Task, wanted: Wanted) -> None:
        self._wanted = wanted

    def discard(self, task: Task) -> None:
        self._wanted = WAKE_UP
        self._is_ready = False
        self._disable()  # the socket may be closed, and a slot may run an event loop before ``arm``

    def take_ready(self) -> bool:
        """Return whether the transfer can go on, once."""
        is_ready, self._is_ready = self._is_ready, False
        return is_ready

    def wait(self, seconds: float) -> None:
        """Block until the transfer can go on, or until somebody wakes this thread; ``seconds`` at most."""
        if not self._is_ready:
            self._waiter.wait_for(self._wanted, seconds)
            self._is_ready = self._is_ready or self._wanted is not WAKE_UP

    def arm(self, has_more: bool) -> None:
        """From now on the event loop of this thread, if it has one, calls the slot when the transfer can go on.

        ``has_more``: whether there is something to do in any case, as soon as others have had their turn.
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
            # A timer of 0 ms is a posted event for Qt, which keeps other timers from their turn (Qt 5.15).
            QtCore.QTimer.singleShot(1 if has_more else max(int(wanted.seconds * 1000), 1), slot)

    def _new_notifier(self, descriptor: int, mask: int, slot: Callable[[], None]) -> QtCore.QSocketNotifier:
        notifier = QtCore.QSocketNotifier(descriptor, _TYPES[mask])  # type: ignore[arg-type,unused-ignore]
        notifier.activated.connect(slot)  # type: ignore[attr-defined,unused-ignore]
        return notifier

    def leave_thread(self) -> None:
        """The Http goes to another thread, in whose event loop ``arm`` is called next."""
        for notifier in self._notifiers.values():
            notifier.setEnabled(False)
            notifier.deleteLater()
        self._notifiers.clear()

    def handle_activated(self) -> None:
        """The transfer can go on. Until it has read what there is, the notifiers would call again and again."""
        self._disable()
        self._is_ready = self._is_ready or self._wanted is not WAKE_UP

    def _disable(self) -> None:
        for notifier in self._notifiers.values():
            if notifier.thread() == QtCore.QThread.currentThread():  # else the Http is destroyed in another one
                notifier.setEnabled(False)
