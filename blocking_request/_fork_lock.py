"""Delays a fork while a thread is inside SQLite or OpenSSL, whose locks would stay taken in the child for good.

Symptoms without it: a child hangs when it first opens the cache or makes a TLS context (OpenSSL 3.0: one child in two
thousand).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FORK_WAIT_SECONDS = 1.0
"""How many seconds a fork waits at most."""


class ForkLock:
    """Any number of threads may be inside ``with fork_lock.held()`` at once. A fork waits until they have left it."""

    def __init__(self) -> None:
        # Reentrant, because a destructor that runs while it is held may come back here.
        self._turnstile = threading.RLock()
        self._inside: set[int] = set()
        """The threads that hold it."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay forks until the end of the block. Any thread may call this."""
        me = threading.get_ident()
        if me in self._inside:  # a nested block, for example in a destructor
            yield
            return
        with self._turnstile:
            self._inside.add(me)
        try:
            yield
        finally:
            self._inside.discard(me)

    def block(self) -> None:
        """Wait until no thread is inside, and let none enter. Called before a fork, in the thread that forks."""
        self._turnstile.acquire()
        end = time.monotonic() + FORK_WAIT_SECONDS
        while self._inside - {threading.get_ident()} and time.monotonic() < end:
            time.sleep(0.0005)

    def unblock(self) -> None:
        """Let threads enter again. Called after a fork in the parent."""
        self._turnstile.release()

    def replace_in_child(self) -> None:
        """Forget the threads of the parent. Called after a fork in the child."""
        self._turnstile = threading.RLock()
        self._inside = set()


fork_lock = ForkLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=fork_lock.block, after_in_parent=fork_lock.unblock, after_in_child=fork_lock.replace_in_child
    )
