"""Keeps an exception of a user's slot from ending the process.

PyQt calls ``qFatal`` if a slot raises, unless the program has replaced ``sys.excepthook``
(https://www.riverbankcomputing.com/static/Docs/PyQt5/incompatibilities.html). A hook that only calls the program's own
is enough, and it is in place only while one of our signals is emitted.
"""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import Any, Callable, Optional

_Hook = Callable[[type[BaseException], BaseException, Optional[TracebackType]], Any]


class _SlotExceptions:
    """A context manager, to be used by any number of threads at the same time."""

    def __init__(self) -> None:
        # Reentrant: a destructor that runs while it is held may emit a signal.
        self._guard = threading.RLock()
        self._depth = 0
        self._hook: Optional[_Hook] = None
        self._previous: Optional[_Hook] = None
        self._interrupted: set[int] = set()
        """The threads in whose slots Ctrl-C was pressed."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._replace_guard)

    def _replace_guard(self) -> None:
        """In a forked child: a thread of the parent may have held it."""
        self._guard = threading.RLock()

    def __enter__(self) -> None:
        previous = sys.excepthook

        # A function for each time: a program that keeps it, and calls it from a hook of its own, makes no circle.
        def report(kind: type[BaseException], error: BaseException, trace: Optional[TracebackType]) -> None:
            if issubclass(kind, KeyboardInterrupt):
                self._interrupted.add(threading.get_ident())
            else:
                previous(kind, error, trace)

        with self._guard:
            self._depth += 1
            if self._depth == 1:
                self._previous, self._hook = previous, report
                sys.excepthook = report

    def __exit__(self, *_: object) -> None:
        hook, previous = self._hook, self._previous  # keeps them alive until the lock is released
        with self._guard:
            self._depth -= 1
            if self._depth == 0:
                if sys.excepthook is self._hook and self._previous is not None:
                    sys.excepthook = self._previous
                self._hook = self._previous = None
        del hook, previous
        if self._interrupted and threading.get_ident() in self._interrupted:
            self._interrupted.discard(threading.get_ident())
            raise KeyboardInterrupt


slot_exceptions_reported = _SlotExceptions()
"""``with slot_exceptions_reported: signal.emit()``: ``sys.excepthook`` is called with the exception of a slot, which by
default prints it, and the emitter goes on. Ctrl-C in a slot is raised again in the emitting thread.
"""
