"""A guard for imports that happen when something is first used, by any thread at any time.

An import takes the module's lock. A process that is forked in the meantime finds the lock taken for good, because the
thread that has it does not exist in the child: so forks wait until such imports are done.

Rules of this file: ``with first_use:`` holds import statements and nothing else. They are statements, so that mypy, the
import contracts and tools such as PyInstaller see them.
"""

from __future__ import annotations

import os
import threading

FORK_WAIT_SECONDS = 5.0
"""Seconds that a fork waits at most."""


class _FirstUse:
    """For any thread; a module that is imported may import others so."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held_for_fork: set[int] = set()
        """The threads that are forking."""

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def hold(self) -> None:
        if self._lock.acquire(timeout=FORK_WAIT_SECONDS):
            self._held_for_fork.add(threading.get_ident())

    def let_go(self) -> None:
        if threading.get_ident() in self._held_for_fork:
            self._held_for_fork.discard(threading.get_ident())
            self._lock.release()

    def replace_in_child(self) -> None:
        self._lock = threading.RLock()
        self._held_for_fork = set()


first_use = _FirstUse()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=first_use.hold, after_in_parent=first_use.let_go, after_in_child=first_use.replace_in_child
    )
