"""The connections that are kept between two requests, and shared by all threads.

Rules of this file: the lock guards the lists. Nothing is closed while it is held.
"""

from __future__ import annotations

import threading
import time
from typing import Optional

from .connection import Connection, open_connection
from .routes import RouteKey

KEPT_PER_ORIGIN = 64
KEPT_IN_ALL = 256

IDLE_SECONDS = 60.0
"""How long a connection is kept without a request. It is closed when the pool is next used."""

SWEEP_SECONDS = 5.0
"""Seconds between two looks at how long the connections have been idle."""


class Pool:
    """Keeps idle connections. Any thread may call every method."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._idle: dict[RouteKey, list[Connection]] = {}
        """By the routes, the latest connection last. Empty lists are removed now and then."""
        self._count = 0
        self._swept_at = time.monotonic()

    open = staticmethod(open_connection)

    def take(self, key: RouteKey) -> Optional[Connection]:
        """Return a kept connection that looks sound, or None. It belongs to the caller then."""
        while True:
            with self._guard:
                idle = self._idle.get(key)
                if not idle:
                    return None
                connection = idle.pop()
                self._count -= 1
            if not _is_expired(connection, time.monotonic()) and connection.is_quiet():
                return connection
            connection.close()

    def put(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        if connection.idle_seconds == 0:
            connection.close()
            return
        now = connection.idle_since = time.monotonic()
        dropped: list[Connection] = []
        with self._guard:
            idle = self._idle.get(connection.key)
            if idle is None:
                idle = self._idle[connection.key] = []
            idle.append(connection)
            self._count += 1
            if len(idle) > KEPT_PER_ORIGIN:
                dropped.append(idle.pop(0))
                self._count -= 1
            if now - self._swept_at > SWEEP_SECONDS or self._count > KEPT_IN_ALL:
                self._swept_at = now
                self._sweep(now, dropped)
        for each in dropped:
            each.close()

    def _sweep(self, now: float, dropped: list[Connection]) -> None:
        """Move the connections that were idle for too long, and the oldest of too many, to ``dropped``."""
        everything = sorted((each for idle in self._idle.values() for each in idle), key=lambda each: each.idle_since)
        surplus = max(len(everything) - KEPT_IN_ALL, 0)
        for place, connection in enumerate(everything):
            if place >= surplus and not _is_expired(connection, now):
                continue
            self._idle[connection.key].remove(connection)
            self._count -= 1
            dropped.append(connection)
        for key in [key for key, idle in self._idle.items() if not idle]:
            del self._idle[key]

    def clear(self) -> None:
        """Close the connections that no request uses."""
        with self._guard:
            idle, self._idle, self._count = self._idle, {}, 0
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def close_copies(self) -> None:
        """Close them in a forked child, in which another thread of the parent may hold the lock for good."""
        self._guard = threading.Lock()
        self.clear()

    def describe(self) -> list[str]:
        """Return the kept connections in words. Takes no lock: a thread that holds it may be the one that hangs."""
        now, texts = time.monotonic(), []
        for key, idle in list(self._idle.items()):
            ages = [now - connection.idle_since for connection in list(idle)]
            proxy = "" if key.proxy is None or key.proxy.is_none else f" through {key.proxy.kind}://{key.proxy.address}"
            if ages:
                texts.append(
                    f"{key.origin or 'any http origin'}{proxy}: {len(ages)} idle, the latest for {min(ages):.1f} s"
                )
        return texts

    def idle_count(self) -> int:
        """Return how many connections are kept."""
        return self._count


def _is_expired(connection: Connection, now: float) -> bool:
    seconds = IDLE_SECONDS if connection.idle_seconds is None else connection.idle_seconds
    return now - connection.idle_since >= seconds
