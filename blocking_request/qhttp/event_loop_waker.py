"""How an Http hears from other threads: in its event loop where there is one, else when somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from ..qt.binding import QtCore, Signal, Slot, ask_before_locks


class Bell(QtCore.QObject):
    """Has a slot called in the event loop of its object. ``ring`` may be called from any thread.

    It is no child of that object, and lives as long as somebody might ring: a signal of an object must not be emitted
    while another thread deletes it.
    """

    rung = Signal()

    def __init__(self, slot: Callable[[], None]) -> None:
        super().__init__()
        ask_before_locks(self.rung, self._nobody)
        self.rung.connect(slot, QtCore.Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]
        self._is_rung = False

    @Slot()
    def _nobody(self) -> None:
        pass

    def ring(self) -> None:
        """Without an event loop the call waits there for one; a second one would be one too many."""
        if not self._is_rung:
            self._is_rung = True
            with suppress(RuntimeError):  # PyQt has deleted it together with the application
                self.rung.emit()

    def answered(self) -> None:
        """The slot runs."""
        self._is_rung = False


class Letters:
    """What has come over the lines of an Http; ``put`` may be called from any thread."""

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self._queue: SimpleQueue[Any] = SimpleQueue()

    def put(self, letter: Any) -> None:
        self._queue.put(letter)
        self.bell.ring()

    def take(self, seconds: float) -> Any:
        """The next; raises ``queue.Empty`` where none comes."""
        return self._queue.get(timeout=seconds) if seconds > 0 else self._queue.get_nowait()
