"""Workers that take no more requests: stopped, waited for, and their threads deleted when these have ended.

A QThread object that is dropped while its thread runs takes the process down, and so does one deleted by two.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional, Protocol

from ..qt.binding import QtCore
from ..qt.objects import delete_finished_thread, has_started


class Worker(Protocol):
    thread: Optional[QtCore.QThread]
    ended: bool
    """Whether the thread has nothing left to do, or never ran."""

    def stop(self) -> None:
        """End the thread, and cancel its transfers."""


def never_ran(worker: Worker) -> bool:
    """Whether its thread could not be started: nobody will serve what it was given."""
    return worker.thread is None or not has_started(worker.thread)


class WorkerReaper:
    """Every method may be called from any thread. The lock guards the list; it is never held while Qt is called."""

    def __init__(self, patience_ms: int, is_stuck: Callable[[Any], bool] = lambda worker: False) -> None:
        """``patience_ms``: how long a stop may take; ``is_stuck``: whether a worker is not to be waited for."""
        self._patience = patience_ms / 1000
        self._is_stuck = is_stuck
        self._stopped: set[Worker] = set()
        """Those who have been waited for in vain."""
        self._guard = threading.Lock()
        self._workers: list[Worker] = []

    def add(self, worker: Worker) -> None:
        with self._guard:
            self._workers.append(worker)

    def has_stuck(self, count: int) -> bool:
        """Whether as many workers as that are stuck, or more."""
        # The length first: this is asked for each request.
        return len(self._workers) >= count and sum(map(self._is_stuck, list(self._workers))) >= count

    def delete_ended(self) -> None:
        """Delete the threads that have ended; who takes a worker out of the list is alone in having it."""
        with self._guard:
            ended = [worker for worker in self._workers if worker.ended]
            self._workers = [worker for worker in self._workers if worker not in ended]
        for worker in ended:
            self._stopped.discard(worker)
            _delete_thread(worker)

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
        """In a forked child: what is left of the parent's, to be kept and left alone."""
        self._guard = threading.Lock()
        workers, self._workers = self._workers, []
        return workers


def _delete_thread(worker: Worker) -> None:
    thread, worker.thread = worker.thread, None
    if thread is not None:
        delete_finished_thread(thread)
