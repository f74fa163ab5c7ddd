"""HarSaver: saves a log in a thread, and tells how it ended in one sentence."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Callable

from ...qt.binding import QtCore, Signal, Slot
from ...qt.event_loop_waker import EventLoopWaker
from ..log import NetworkLog


class HarSaver(QtCore.QObject):
    """Saves logs, one thread for each file. If it is deleted meanwhile, the file is completed all the same."""

    finished = Signal(str)
    """Emitted with a sentence when a file is complete, or could not be written."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._sentences: SimpleQueue[str] = SimpleQueue()
        self._waker = EventLoopWaker(self._tell)

    def save(self, log: NetworkLog, path: str) -> None:
        """Begin to save a log."""
        arguments = (log.saveHar, path, self._sentences.put, self._waker.wake)
        threading.Thread(target=_save, args=arguments, name="save HAR").start()

    @Slot()
    def _tell(self) -> None:
        self._waker.handled()
        while not self._sentences.empty():
            self.finished.emit(self._sentences.get())


def _save(save: Callable[[str], None], path: str, tell: Callable[[str], None], wake: Callable[[], None]) -> None:
    try:
        save(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        tell(f"The calls are not saved in {path}: {reason}.")
    except MemoryError:
        tell(f"The calls are not saved in {path}: there is not enough memory.")
    else:
        tell(f"The calls are saved in {path}.")
    wake()
