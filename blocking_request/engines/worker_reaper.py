"""Stops retired workers, and deletes their QThread objects when the threads have ended.

A QThread object that is destroyed while its thread runs ends the process, and so does one that is deleted twice.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional, Protocol

from ..qt.binding import QtCore
from ..qt.objects import abandon_thread, delete_finished_thread, has_started


class Worker(Protocol):
    thread: Optional[QtCore.QThread]
    ended: bool
    """Whether the thread has ended, or never ran."""

    def stop(self) -> None:
        """Cancel the worker's transfers, and have its thread end."""

    def take_thread(self) -> Optional[QtCore.QThread]:
        """Take the thread object from the worker, and return it when no other thread uses it."""


def never_ran(worker: Worker) -> bool:
    """Return whether the worker's thread could not be started: it will serve no request."""
    return worker.thread is None or not has_started(worker.thread)


class WorkerReaper:
    """Keeps the workers that take no more requests, until their threads have ended.

    Any thread may call every method. The lock guards the list; it is never held during a call of Qt.
    """

    def __init__(self, patience_ms: int, is_stuck: Callable[[Any], bool] = lambda worker: False) -> None:
        """``patience_ms``: how long ``stop`` waits at most, in ms; ``is_stuck``: returns whether a worker hangs, so
        that ``stop`` does not wait for it.
        """
        self._patience = patience_ms / 1000
        self._is_stuck = is_stuck
        self._stopped: set[Worker] = set()
        """The workers that did not end in an earlier ``stop``."""
        self._guard = threading.Lock()
        self._workers: list[Worker] = []

    def add(self, worker: Worker) -> None:
        with self._guard:
            self._workers.append(worker)

    def has_stuck(self, count: int) -> bool:
        """Return whether at least ``count`` workers hang."""
        # The length is tested first, because each request asks this.
        return len(self._workers) >= count and sum(map(self._is_stuck, list(self._workers))) >= count

    def delete_ended(self) -> None:
        """Delete the threads that have ended. Each worker is taken out of the list first, so no other thread has it."""
        with self._guard:
            ended = [worker for worker in self._workers if worker.ended]
            self._workers = [worker for worker in self._workers if worker not in ended]
        for worker in ended:
            self._stopped.discard(worker)
            _delete_thread(worker)

    def abandon(self) -> None:
        """Leave the threads that have not ended, because the interpreter exits."""
        for worker in self._workers:
            if worker.thread is not None and not worker.ended:
                abandon_thread(worker.thread)

    def stop(self) -> None:
        """End every thread, and wait for it."""
        with self._guard:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.stop()
        end = time.monotonic() + self._patience
        for worker in workers:
            thread = worker.thread
            is_lost = worker in self._stopped or self._is_stuck(worker)
            patience = 0.0 if is_lost else max(end - time.monotonic(), 0.0)
            if thread is not None and thread.wait(int(patience * 1000)):
                _delete_thread(worker)
            else:
                self._stopped.add(worker)
                self.add(worker)

    def forget(self) -> list[Worker]:
        """Return the parent's workers in a forked child. They must be kept and not touched."""
        self._guard = threading.Lock()
        workers, self._workers = self._workers, []
        return workers


def _delete_thread(worker: Worker) -> None:
    thread = worker.take_thread()
    if thread is not None:
        delete_finished_thread(thread)
