"""Feedback: cancels blocked calls and reports their progress, with the methods and signals of QGIS's QgsFeedback."""

from __future__ import annotations

import math
import operator
import threading
from typing import Callable, Optional, Protocol

from ._names import public
from .qt.binding import QtCore, Signal, check_binding
from .qt.emit import emit

_FIRST_TOO_LARGE_PERCENT = 2.0**31
"""``percentChanged`` has an argument of the C++ type int."""
_FIRST_TOO_LARGE_COUNT = 2**63
"""``processedCountChanged`` has an argument of the C++ type qint64."""


class FeedbackLike(Protocol):
    """The method that a call needs of a feedback. Feedback, QgsFeedback and QgsProcessingFeedback have it.

    If the object has ``setProgress`` too, the call reports its progress to it, in percent.
    """

    def isCanceled(self) -> bool:
        """Return whether the call must be cancelled. It is called in the thread of the blocked caller."""


@public
class Feedback(QtCore.QObject):
    """Cancels blocked calls and reports their progress, like QGIS's QgsFeedback.

    Give it to a call as ``feedback``, and call ``cancel()`` in another thread or in a slot. Every method may be called
    in any thread. ``canceled`` is emitted in the thread that calls ``cancel()``. The other signals are emitted in the
    thread that sets the value; if a call reports its progress, this is the thread of the blocked caller.

    One feedback may be given to many calls, one after the other or at the same time. Once cancelled, it stays so until
    ``reset()``: a call with a cancelled feedback sends nothing and returns ``CanceledError``. If a slot raises an
    exception, ``sys.excepthook`` is called with it, and the emitter continues.
    """

    canceled = Signal()
    """Emitted once, by the first ``cancel()``."""
    progressChanged = Signal(float)
    """Emitted with the progress in percent, 0 to 100."""
    percentChanged = Signal(int)
    """Emitted with the progress in whole percent, rounded down.

    Connect it to the ``setValue`` of a QProgressBar, QProgressDialog or QSlider.
    """
    processedCountChanged = Signal("qint64")
    """Emitted with the number of processed items; for a batch, the number of requests that have ended."""

    def __init__(self, parent: Optional[QtCore.QObject] = None) -> None:
        """Create a feedback that is not cancelled. ``parent``: the parent QObject, as in Qt."""
        check_binding(parent, "parent")
        super().__init__(parent)
        self._listeners_guard = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._canceled = False
        self._progress = 0.0
        self._processed_count = 0

    def cancel(self) -> None:
        """Cancel all calls that use this feedback: they return ``CanceledError`` within 50 ms.

        May be called in any thread, and more than once. The ``clicked`` signal of a button can be connected to it.
        """
        with self._listeners_guard:
            if self._canceled:
                return
            self._canceled = True
            listeners, self._listeners = self._listeners, []
        for wake in listeners:
            wake()
        emit(self, "canceled")

    def reset(self) -> None:
        """Reset the feedback: not cancelled, progress and count 0. Emits the signals of the values that change.

        Calls that were cancelled before stay cancelled. May be called in any thread.
        """
        with self._listeners_guard:
            self._canceled = False
        self.setProgress(0.0)
        self.setProcessedCount(0)

    def isCanceled(self) -> bool:
        """Return whether ``cancel()`` was called."""
        return self._canceled

    def progress(self) -> float:
        """Return the progress in percent, 0 to 100."""
        return self._progress

    def setProgress(self, progress: float) -> None:
        """Set the progress in percent. Emits ``progressChanged`` and ``percentChanged`` if their values change.

        Raises TypeError if it is not a number, ValueError if it is not finite or too large for ``percentChanged``.
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
            emit(self, "progressChanged", progress)
            if int(progress) != int(previous):
                emit(self, "percentChanged", int(progress))

    def processedCount(self) -> int:
        """Return the number of processed items."""
        return self._processed_count

    def setProcessedCount(self, processedCount: int) -> None:
        """Set the number of processed items. Emits ``processedCountChanged`` if it changes.

        Raises TypeError if it is not a whole number, ValueError if it is negative or too large for the signal.
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
            emit(self, "processedCountChanged", processedCount)

    def __repr__(self) -> str:
        state = "canceled" if self._canceled else "not canceled"
        return f"<Feedback: {state}, {self._progress:g} %, {self._processed_count} processed>"

    def _add_listener(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when the feedback is cancelled, in the thread that cancels; at once if it is already cancelled.

        This is not done with a signal: a slot of a blocked thread is called only when that thread runs an event loop.
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
    """Call ``wake`` when a feedback is cancelled, in the thread that cancels; at once if it is already cancelled."""
    feedback._add_listener(wake)


def remove_listener(feedback: Feedback, wake: Callable[[], None]) -> None:
    """Do not call ``wake`` any more. Does nothing if ``wake`` is not a listener."""
    feedback._remove_listener(wake)
