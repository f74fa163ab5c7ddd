"""Keeps an exception of a user's slot from ending the process.

PyQt calls ``qFatal`` if a slot raises, unless the program has replaced ``sys.excepthook``
(https://www.riverbankcomputing.com/static/Docs/PyQt5/incompatibilities.html). A hook that
only calls the previous one is enough. It is installed only while a signal of this package is emitted.
"""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import Any, Callable, Optional

_Hook = Callable[[type[BaseException], BaseException, Optional[TracebackType]], Any]


class _SlotExceptions:
    """A context manager that many threads may be in at the same time."""

    def __init__(self) -> None:
        # Reentrant, because a destructor that runs while the lock is held may emit a signal.
        self._guard = threading.RLock()
        self._inside: dict[int, int] = {}
        """How many times each thread has entered."""
        self._hook: Optional[_Hook] = None
        self._previous: Optional[_Hook] = None
        self._interrupted: set[int] = set()
        """The threads in whose slots Ctrl-C was pressed."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._keep_this_thread_only)

    def _keep_this_thread_only(self) -> None:
        """Forget the other threads in a forked child. One of them may have held the lock, so there is a new one."""
        self._guard = threading.RLock()
        ident = threading.get_ident()
        self._interrupted &= {ident}
        self._inside = {key: depth for key, depth in self._inside.items() if key == ident}
        if not self._inside:
            self._put_back()

    def __enter__(self) -> None:
        previous, ident = sys.__excepthook__, threading.get_ident()

        # Each time has its own function. So a program that keeps it, and calls it from its own hook, makes no cycle.
        def report(kind: type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
            if issubclass(kind, KeyboardInterrupt) and threading.get_ident() in self._inside:
                self._interrupted.add(threading.get_ident())
            else:
                previous(kind, error, trace)

        with self._guard:
            if not self._inside:
                # Read while the lock is held: before, it may be the hook of a thread that is about to put it back.
                previous = sys.excepthook
                self._previous, self._hook = previous, report
                sys.excepthook = report
            self._inside[ident] = self._inside.get(ident, 0) + 1

    def __exit__(self, *_: object) -> None:
        hook, previous = self._hook, self._previous  # so that they are not destroyed while the lock is held
        ident = threading.get_ident()
        with self._guard:
            self._inside[ident] -= 1
            if not self._inside[ident]:
                del self._inside[ident]
            if not self._inside:
                self._put_back()
        del hook, previous
        if self._interrupted and ident in self._interrupted:
            self._interrupted.discard(ident)
            raise KeyboardInterrupt

    def _put_back(self) -> None:
        """Restore the program's hook, unless the program has set another one since."""
        if sys.excepthook is self._hook and self._previous is not None:
            sys.excepthook = self._previous
        self._hook = self._previous = None


slot_exceptions_reported = _SlotExceptions()
"""``with slot_exceptions_reported: signal.emit()``: ``sys.excepthook`` is called with the exception of a slot, which by
default prints it, and the emitter goes on. Ctrl-C in a slot is raised again in the emitting thread.
"""
