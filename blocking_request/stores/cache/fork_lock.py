"""Delays a fork while a thread is inside SQLite: otherwise the child inherits locks that stay taken for good."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FORK_WAIT_SECONDS = 1.0
"""How many seconds a fork waits at most."""


class ForkLock:
    def __init__(self) -> None:
        # Reentrant, because a destructor that runs while it is held may come back here.
        self._turnstile = threading.RLock()
        self._inside: set[int] = set()
        """The threads that are inside SQLite."""

    @contextmanager
    def held(self) -> Iterator[None]:
        me = threading.get_ident()
        if me in self._inside:  # a destructor that runs inside SQLite
            yield
            return
        with self._turnstile:
            self._inside.add(me)
        try:
            yield
        finally:
            self._inside.discard(me)

    def block(self) -> None:
        self._turnstile.acquire()
        end = time.monotonic() + FORK_WAIT_SECONDS
        while self._inside - {threading.get_ident()} and time.monotonic() < end:
            time.sleep(0.0005)

    def unblock(self) -> None:
        self._turnstile.release()

    def replace_in_child(self) -> None:
        self._turnstile = threading.RLock()
        self._inside = set()


fork_lock = ForkLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=fork_lock.block, after_in_parent=fork_lock.unblock, after_in_child=fork_lock.replace_in_child
    )
