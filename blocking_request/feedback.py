"""A way to cancel a blocked call and to watch it, with the names of QGIS's QgsFeedback."""

from __future__ import annotations

import math
import operator
import threading
from typing import Any, Callable, Optional, Protocol

from ._names import public
from .qt.binding import QtCore, Signal, is_deleted
from .qt.slot_exceptions import slot_exceptions_reported

_FIRST_TOO_LARGE_PERCENT = 2.0**31
"""``percentChanged`` carries an int of C++."""
_FIRST_TOO_LARGE_COUNT = 2**63
"""``processedCountChanged`` carries a qint64."""


class FeedbackLike(Protocol):
    """What a call needs of a feedback: Feedback has it, and so have QgsFeedback and QgsProcessingFeedback."""

    def isCanceled(self) -> bool: ...


@public
class Feedback(QtCore.QObject):
    """Cancels blocked calls and hears of their progress.

    Every method may be called from any thread. ``canceled`` is emitted by the thread that calls ``cancel()``, the
    other signals by the thread that sets the value, which for a request is the blocked caller's own.

    One feedback may serve many calls, one after another or at the same time. Once cancelled it stays so until
    ``reset()``. An exception in a slot is reported by ``sys.excepthook`` and does not reach the emitter.
    """

    canceled = Signal()
    """Emitted once, by the first ``cancel()``."""
    progressChanged = Signal(float)
    """The progress in percent, 0 to 100."""
    percentChanged = Signal(int)
    """The same in whole percent, rounded down, for the ``setValue`` of a QProgressBar, QProgressDialog or QSlider."""
    processedCountChanged = Signal("qint64")
    """How many things have been processed."""

    def __init__(self, parent: Optional[QtCore.QObject] = None) -> None:
        super().__init__(parent)
        self._listeners_guard = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._canceled = False
        self._progress = 0.0
        self._processed_count = 0

    def cancel(self) -> None:
        """Cancel: every call blocked with this feedback returns ``CanceledError`` at once. Further calls do nothing.

        A Qt slot, so a button's ``clicked`` can be connected to it.
        """
        with self._listeners_guard:
            if self._canceled:
                return
            self._canceled = True
            listeners, self._listeners = self._listeners, []
        for wake in listeners:
            wake()
        self._emit("canceled")

    def reset(self) -> None:
        """Make the feedback as new: not cancelled, progress and count 0. Signals tell of values that change.

        Calls that have been cancelled stay so. Any thread may call it.
        """
        with self._listeners_guard:
            self._canceled = False
        self.setProgress(0.0)
        self.setProcessedCount(0)

    def isCanceled(self) -> bool:
        """Whether ``cancel()`` has been called."""
        return self._canceled

    def progress(self) -> float:
        """The progress in percent, 0 to 100."""
        return self._progress

    def setProgress(self, progress: float) -> None:
        """Set the progress in percent; emits ``progressChanged`` and ``percentChanged`` if their values change.

        Raises TypeError if it is no number, ValueError if it is not finite or does not fit into ``percentChanged``.
        """
        try:
            percent = float(progress) if math.isfinite(progress) else math.inf
        except TypeError:
            raise TypeError(f"progress must be a number of percent, not {type(progress).__name__}") from None
        except OverflowError:
            percent = math.inf
        if not abs(percent) < _FIRST_TOO_LARGE_PERCENT:
            raise ValueError(f"progress must be a number of percent, not {progress}")
        progress = percent
        if progress != self._progress:
            previous, self._progress = self._progress, progress
            self._emit("progressChanged", progress)
            if int(progress) != int(previous):
                self._emit("percentChanged", int(progress))

    def processedCount(self) -> int:
        """How many things have been processed."""
        return self._processed_count

    def setProcessedCount(self, processedCount: int) -> None:
        """Set how many things have been processed; emits ``processedCountChanged`` if it is another number.

        Raises TypeError if it is no whole number, ValueError if it is negative or does not fit into the signal.
        """
        try:
            processedCount = operator.index(processedCount)
        except TypeError:
            raise TypeError(f"processedCount must be a whole number, not {type(processedCount).__name__}") from None
        if processedCount < 0:
            raise ValueError(f"processedCount must be 0 or more, not {processedCount}")
        if processedCount >= _FIRST_TOO_LARGE_COUNT:
            raise ValueError(f"processedCount must be less than {_FIRST_TOO_LARGE_COUNT}, not {processedCount}")
        if processedCount != self._processed_count:
            self._processed_count = processedCount
            self._emit("processedCountChanged", processedCount)

    def __repr__(self) -> str:
        state = "canceled" if self._canceled else "not canceled"
        return f"<Feedback: {state}, {self._progress:g} %, {self._processed_count} processed>"

    def _emit(self, signal: str, *arguments: Any) -> None:
        # If the application was destroyed, PyQt has deleted every QObject with it.
        if not is_deleted(self):
            with slot_exceptions_reported:
                getattr(self, signal).emit(*arguments)

    def _add_listener(self, wake: Callable[[], None]) -> None:
        """Have the thread that cancels call ``wake``; call it at once if the feedback is cancelled already.

        A plain call and not a signal: a signal connected in a blocked thread would wait for that thread's event loop.
        """
        with self._listeners_guard:
            if not self._canceled:
                self._listeners.append(wake)
                return
        wake()

    def _remove_listener(self, wake: Callable[[], None]) -> None:
        with self._listeners_guard:
            if wake in self._listeners:
                self._listeners.remove(wake)


def add_listener(feedback: Feedback, wake: Callable[[], None]) -> None:
    """Have the thread that cancels a feedback call ``wake``; call it at once if that is cancelled already."""
    feedback._add_listener(wake)


def remove_listener(feedback: Feedback, wake: Callable[[], None]) -> None:
    """Call ``wake`` no more. Does nothing if it is not called any more."""
    feedback._remove_listener(wake)
