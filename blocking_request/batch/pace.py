"""PaceEstimate: estimates how long the requests of a batch take, and sets how many may queue for one connection."""

from __future__ import annotations

from ..engines.base import BatchHint

QUEUE_DEPTH = 4
"""How many requests are queued for each connection if requests are fast."""
FAST_REQUEST_SECONDS = 0.01
"""If the estimate is lower, requests are fast and are queued. Otherwise each request gets its own connection."""
SLOWEST_COUNTED_SECONDS = 0.1
"""A slower request counts as one of this duration in the estimate."""
INITIAL_ESTIMATE_SECONDS = 0.005
"""The estimate before the first request has ended."""
EMA_WEIGHT = 0.1
"""The weight of the latest request in the estimate, an exponential moving average."""
QUEUEING_TIMEOUT_MS = 10_000
"""If the idle timeout is shorter, no request is queued inside Qt: its idle timeout would run while it is queued."""


class PaceEstimate:
    """Sets the queue depth of a hint.

    The qt engine sends fast requests faster if the next one is already queued in its worker thread: otherwise most of
    the time goes into waking threads.
    """

    def __init__(self, hint: BatchHint) -> None:
        self._hint = hint
        self._may_queue = True
        self._seconds = INITIAL_ESTIMATE_SECONDS

    def note_idle_timeout(self, milliseconds: int) -> None:
        """Take note of the idle timeout of a request; 0: none. If it is short, nothing is queued from now on."""
        if 0 < milliseconds < QUEUEING_TIMEOUT_MS:
            self._may_queue, self._hint.queue_depth = False, 1

    def add(self, seconds: float) -> None:
        """Add the duration of a request to the estimate, and set the queue depth."""
        self._seconds += (min(seconds, SLOWEST_COUNTED_SECONDS) - self._seconds) * EMA_WEIGHT
        is_fast = self._seconds < FAST_REQUEST_SECONDS * self._hint.queue_depth
        self._hint.queue_depth = QUEUE_DEPTH if is_fast and self._may_queue else 1
