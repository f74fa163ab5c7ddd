"""Looks names up in daemon threads: the system's resolver blocks, sometimes for a minute, and nothing wakes it.

A stuck look-up holds neither a cancel nor the exit of the interpreter: who no longer wants it drops it, and daemon
threads are not waited for.

Rules of this file: the lock guards the lists. Nobody is woken while it is held.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Optional
from urllib.parse import unquote

MAXIMUM_THREADS = 32
"""How many names are looked up at once, stuck look-ups included. Others wait for their turn."""

Address = tuple[int, tuple[Any, ...]]
"""The family of an address, and the address as sockets take it."""


class LookUp:
    """A look-up, shared by all who want the same name. ``is_done`` is set last."""

    __slots__ = ("_waiting", "addresses", "error", "host", "is_done", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.addresses: list[Address] = []
        """In the order in which the system wants them tried."""
        self.error: Optional[OSError] = None
        """Why there are none."""
        self.is_done = False
        self._waiting: list[Callable[[], None]] = []

    def add(self, wake: Callable[[], None]) -> None:
        """Have somebody woken when it is done. ``is_done`` must be looked at after this."""
        self._waiting.append(wake)

    def run(self) -> None:
        """Block until the name is looked up, and wake those who wait for it."""
        try:
            self.addresses = _addresses(self.host, self.port, 0)
        except OSError as error:
            self.error = error
        except UnicodeError as error:  # an empty label, or one of more than 63 letters
            self.error = socket.gaierror(socket.EAI_NONAME, f"{self.host} is no name of a host: {error}")
        except Exception as error:
            self.error = OSError(str(error))
        self.is_done = True
        while self._waiting:
            with suppress(IndexError):
                self._waiting.pop()()


class Resolver:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            # The threads of the parent do not run in the child, and its lock may be held for good.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[tuple[str, int], LookUp] = {}
        self._queue: deque[LookUp] = deque()
        self._threads = 0

    def look_up(self, host: str, port: int, wake: Callable[[], None]) -> LookUp:
        """Return the look-up of a name, or of an address, which is done at once. Never blocks.

        ``wake`` is called, from another thread, when it is done.
        """
        look_up = _known(host, port)
        if look_up is not None:
            return look_up
        fresh = LookUp(host, port)
        starts = False
        with self._guard:
            look_up = self._running.get((host, port))
            if look_up is None:
                look_up = self._running[host, port] = fresh
                self._queue.append(fresh)
                starts = self._threads < MAXIMUM_THREADS
                self._threads += starts
        look_up.add(wake)
        if starts:
            try:
                threading.Thread(target=self._work, name="blocking_request look-up", daemon=True).start()
            except BaseException as error:
                self._give_up(error)
        return look_up

    def _give_up(self, error: BaseException) -> None:
        """There is no thread. If there is no other, no look-up would ever be done."""
        with self._guard:
            self._threads -= 1
            orphans = [] if self._threads else list(self._queue)
            if orphans:
                self._queue.clear()
                self._running.clear()
        for orphan in orphans:
            orphan.error = OSError(f"no thread could be started to look the name up: {error}")
            orphan.is_done = True
        if not isinstance(error, Exception):
            raise error

    def _work(self) -> None:
        guard = self._guard  # after a fork in the meantime, another one is used
        while True:
            with guard:
                if not self._queue:
                    self._threads -= 1
                    return
                look_up = self._queue.popleft()
            look_up.run()
            with guard:
                self._running.pop((look_up.host, look_up.port), None)

    def thread_count(self) -> int:
        """Return how many threads look names up."""
        return self._threads


def _known(host: str, port: int) -> Optional[LookUp]:
    """Return the done look-up of an address literal, with a zone if need be (RFC 6874); None if it is a name."""
    literal = host.strip("[]")
    if not literal or (":" not in literal and not literal[-1].isdigit()):
        return None
    address, percent, zone = literal.partition("%")
    if percent:
        zone = zone[2:] if zone.startswith("25") and len(zone) > 2 else zone
        literal = f"{address}%{unquote(zone)}"
    look_up = LookUp(literal, port)
    try:
        look_up.addresses = _addresses(literal, port, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError) as error:
        if ":" not in literal:
            return None
        look_up.error = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error))
    look_up.is_done = True
    return look_up


def _addresses(host: str, port: int, flags: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, flags)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


resolver = Resolver()
"""The one that all requests of the process share."""
