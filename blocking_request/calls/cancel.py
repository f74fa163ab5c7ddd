"""Cancellation: whether a call or a batch was cancelled, by its caller or by a feedback."""

from __future__ import annotations

from typing import Callable, Optional

from ..feedback import Feedback, FeedbackLike, add_listener, remove_listener


class Cancellation:
    """The cancel state of a call or a batch. ``cancel`` and ``is_canceled`` may be called in any thread.

    Inside ``with cancellation:``, ``cancel()`` of our own Feedback wakes the driver at once. The driver polls a
    feedback of another class (a QgsFeedback, or any object with ``isCanceled()``).
    """

    __slots__ = ("_feedback", "canceled", "wake")

    def __init__(self, feedback: Optional[FeedbackLike], wake: Callable[[], None]) -> None:
        """``wake``: wakes the driver, in any thread. It must not reference the driver, which references this object:
        they would be a reference cycle.
        """
        self._feedback = feedback
        self.canceled = False
        """Whether ``cancel`` was called. Unlike ``is_canceled``, reading it calls no method of a feedback."""
        self.wake = wake

    def cancel(self) -> None:
        """Cancel, and wake the driver."""
        self.canceled = True
        self.wake()

    def is_canceled(self) -> bool:
        """Return whether ``cancel`` was called or the feedback is cancelled."""
        return self.canceled or (self._feedback is not None and self._feedback.isCanceled())

    def __enter__(self) -> None:
        if isinstance(self._feedback, Feedback):
            add_listener(self._feedback, self.cancel)

    def __exit__(self, *_: object) -> None:
        if isinstance(self._feedback, Feedback):
            remove_listener(self._feedback, self.cancel)
