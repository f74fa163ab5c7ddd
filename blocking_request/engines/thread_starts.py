"""Keeps the process from forking while a network thread starts.

A starting thread holds locks of Qt and GLib. If another thread forks the process then, these locks stay locked in the
child for good. Without this module, the network thread of such a child hangs before it runs any Python code (Qt 5.15,
one child in forty), or crashes there (Qt 6.11), and the calls of the child wait for it.
"""

from __future__ import annotations

import threading

from ..qt.binding import QtCore
from ..qt.objects import start_thread

PATIENCE = 0.25
"""How many seconds the forking thread waits at most for the starting threads."""


class ThreadStarts:
    """The network threads that start now. Any thread may call every method, if the method does not say otherwise."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._starting: set[QtCore.QThread] = set()

    def start(self, thread: QtCore.QThread) -> bool:
        """Start a network thread, which must call ``has_begun`` first; return whether Qt could make the thread.

        The calling thread waits while another thread forks the process.
        """
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
        """Note that a network thread runs. The network thread itself calls this."""
        with self._changed:
            self._starting.discard(thread)
            self._changed.notify_all()

    def hold(self) -> None:
        """Wait for the starting threads, and let no thread start until ``let_go``.

        The forking thread calls this before the fork. It may call it again before ``let_go``: each call needs its own.
        """
        self._changed.acquire()
        self._changed.wait_for(lambda: not self._starting, PATIENCE)

    def let_go(self) -> None:
        """Let threads start again. The forking thread calls this in the parent, once for each ``hold``."""
        self._changed.release()

    def forget(self) -> None:
        """Forget the threads of the parent, which do not run in the child. The child calls this after the fork."""
        self._changed = threading.Condition()
        self._starting = set()


thread_starts = ThreadStarts()
"""The starting threads of this process."""
