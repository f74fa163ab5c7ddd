"""Calls a slot of an object in the event loop of that object's thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from .binding import QUEUED_CONNECTION, QtCore, Signal, Slot
from .objects import prime_disconnect_notify


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
