"""No process forks while a thread of ours starts: in the child, locks of Qt and GLib would stay taken for good.

Symptom without it: a child that is forked in the first calls of other threads waits for its own network thread, which
hangs before it comes to Python (Qt 5.15, one child in forty), or crashes there (Qt 6.11).
"""

from __future__ import annotations

import threading

from ..qt.binding import QtCore, start_thread

PATIENCE = 0.25
"""Seconds that a fork waits at most for threads that start."""


class ThreadStarts:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._starting: set[QtCore.QThread] = set()

    def start(self, thread: QtCore.QThread) -> bool:
        """Start a thread that calls ``has_begun``; False if Qt could not make it."""
        with self._changed:
            self._starting.add(thread)
            is_started = False
            try:
                is_started = start_thread(thread)
            finally:
                if not is_started:
                    self._starting.discard(thread)
        return is_started

    def has_begun(self, thread: QtCore.QThread) -> None:
        """The thread runs; called by itself."""
        with self._changed:
            self._starting.discard(thread)
            self._changed.notify_all()

    def hold(self) -> None:
        """Let nothing start until ``let_go``, and wait for what does. Calls may be nested."""
        self._changed.acquire()
        self._changed.wait_for(lambda: not self._starting, PATIENCE)

    def let_go(self) -> None:
        self._changed.release()

    def forget(self) -> None:
        """In a forked child nothing starts."""
        self._changed = threading.Condition()
        self._starting = set()


thread_starts = ThreadStarts()
"""Of the process."""
