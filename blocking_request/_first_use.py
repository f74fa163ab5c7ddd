"""``with first_use:`` guards imports that happen when a feature is first used, in any thread at any time.

An import takes the lock of its module. If another thread forks the process in the meantime, that lock is never released
in the child, because the importing thread does not exist there. So a fork waits until such imports are done.

Rules of this file: a ``with first_use:`` block contains import statements and nothing else. They are plain statements,
so that mypy, the import contracts and tools such as PyInstaller see them.
"""

from __future__ import annotations

import os
import threading

FORK_WAIT_SECONDS = 5.0
"""The longest time that a fork waits for imports."""


class _FirstUse:
    """A lock around imports, for any thread. It is reentrant: an imported module may itself use ``first_use``."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held_for_fork: set[int] = set()
        """The threads that hold the lock because they fork."""

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def acquire_for_fork(self) -> None:
        """Wait until no import runs, and block new ones. Called before a fork, in the thread that forks."""
        if self._lock.acquire(timeout=FORK_WAIT_SECONDS):
            self._held_for_fork.add(threading.get_ident())

    def release_in_parent(self) -> None:
        """Allow imports again. Called after a fork in the parent."""
        if threading.get_ident() in self._held_for_fork:
            self._held_for_fork.discard(threading.get_ident())
            self._lock.release()

    def replace_in_child(self) -> None:
        """Make a new lock. Called after a fork in the child, also if ``acquire_for_fork`` gave up waiting."""
        self._lock = threading.RLock()
        self._held_for_fork = set()


first_use = _FirstUse()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=first_use.acquire_for_fork,
        after_in_parent=first_use.release_in_parent,
        after_in_child=first_use.replace_in_child,
    )
