"""Nobody of ours is within Qt while the process forks: its locks would stay taken in the child for good.

Symptom without it: a child that is forked right after a reply freezes in the first ``connect`` or destructor that wants
the same lock, with the GIL held, so that no timeout helps (5.15: one in a hundred).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .worker import Worker

PATIENCE = 0.25
"""Seconds that a fork waits at most for the workers to stand still."""

LONGEST_FORK = 5.0
"""Seconds after which a worker goes on in any case."""

SETTLING = 0.002
"""What Qt's HTTP threads, which cannot be told to stand still, take at most to put away a request that has ended."""


class Pause:
    """Workers stand still from ``begin`` to ``end``. For one thread at a time."""

    def __init__(self, workers: Iterable[Worker]) -> None:
        self._workers = list(workers)
        self._arrived = threading.Semaphore(0)
        self._over = threading.Event()

    def begin(self) -> None:
        for worker in self._workers:
            worker.pause = self
            worker.wake()
        end = time.monotonic() + PATIENCE
        for _ in self._workers:
            self._arrived.acquire(timeout=max(0.0, end - time.monotonic()))
        if self._workers:
            time.sleep(SETTLING)

    def end(self) -> None:
        for worker in self._workers:
            worker.pause = None
        self._over.set()

    def stand_still(self) -> None:
        """Called in the worker's thread, in a slot: Qt's locks are free there."""
        self._arrived.release()
        self._over.wait(LONGEST_FORK)
