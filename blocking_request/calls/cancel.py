"""Cancellation: whether a call, or a batch, is cancelled, by its caller or by a feedback."""

from __future__ import annotations

from typing import Callable, Optional

from ..feedback import Feedback, FeedbackLike, add_listener, remove_listener


class Cancellation:
    """``cancel`` and ``is_canceled`` may be called from any thread.

    Within ``with cancellation:`` our Feedback wakes the driver at once. Any other feedback (QGIS's, or an object with
    ``isCanceled()``) is asked each time the driver looks.
    """

    __slots__ = ("_feedback", "canceled", "wake")

    def __init__(self, feedback: Optional[FeedbackLike], wake: Callable[[], None]) -> None:
        """``wake``: wakes the driver, from any thread. It must not hold the driver, which holds this: that would be a
        reference cycle.
        """
        self._feedback = feedback
        self.canceled = False
        """Whether ``cancel`` was called. Unlike ``is_canceled`` it runs no code of a feedback."""
        self.wake = wake

    def cancel(self) -> None:
        """Cancel, and wake the driver."""
        self.canceled = True
        self.wake()

    def is_canceled(self) -> bool:
        return self.canceled or (self._feedback is not None and self._feedback.isCanceled())

    def __enter__(self) -> None:
        if isinstance(self._feedback, Feedback):
            add_listener(self._feedback, self.cancel)

    def __exit__(self, *_: object) -> None:
        if isinstance(self._feedback, Feedback):
            remove_listener(self._feedback, self.cancel)
