"""PaceEstimate: how long the requests of a batch take, and how many may queue for one connection."""

from __future__ import annotations

from ..engines.base import BatchHint

QUEUE_DEPTH = 4
"""How many requests are queued for each connection if requests are fast."""
FAST_REQUEST_SECONDS = 0.01
"""Below this estimate a request is fast. Each slower one has a connection of its own."""
SLOWEST_COUNTED_SECONDS = 0.1
"""A slower request counts as one of this duration in the estimate."""
INITIAL_ESTIMATE_SECONDS = 0.005
"""The estimate of how long a request takes, before the first one has ended."""
EMA_WEIGHT = 0.1
"""The weight of the latest request in the estimate, an exponential moving average."""


class PaceEstimate:
    """Sets the queue depth of a hint: requests that take no time spend it in threads that wait for each other."""

    def __init__(self, hint: BatchHint, may_queue: bool) -> None:
        """``may_queue``: whether a request may wait in a queue of Qt's, where its idle timeout runs."""
        self._hint = hint
        self._may_queue = may_queue
        self._seconds = INITIAL_ESTIMATE_SECONDS

    def add(self, seconds: float) -> None:
        """Count a request that has taken some seconds from its start to its end."""
        self._seconds += (min(seconds, SLOWEST_COUNTED_SECONDS) - self._seconds) * EMA_WEIGHT
        is_fast = self._seconds < FAST_REQUEST_SECONDS * self._hint.queue_depth
        self._hint.queue_depth = QUEUE_DEPTH if is_fast and self._may_queue else 1
