"""Keeps the worker threads out of Qt while the process forks: a lock of Qt would stay taken in the child for good.

Symptom without it: a child that is forked right after a reply freezes in the first ``connect`` or destructor that takes
the same lock. It holds the GIL then, so no timeout helps (Qt 5.15: one child in a hundred).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .worker import Worker

PATIENCE = 0.25
"""Seconds that a fork waits at most until the workers pause."""

LONGEST_FORK = 5.0
"""Seconds after which a paused worker goes on in any case."""

SETTLING = 0.002
"""Seconds that the fork waits for Qt's own HTTP threads to clean up a finished request. They cannot be paused."""


class Pause:
    """Pauses workers from ``begin`` to ``end``. One thread at a time uses it."""

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
        """Wait until the fork is over. The worker calls this in a slot, where its thread holds no lock of Qt."""
        self._arrived.release()
        self._over.wait(LONGEST_FORK)
