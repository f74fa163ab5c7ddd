"""The HTTP/2 connections that the requests of one batch share: one for each route."""

from __future__ import annotations

from typing import Callable

from ..wanted import WAKE_UP, Steps
from .connection import Connection, open_connection
from .pool import Pool
from .routes import Route, RouteKey
from .state import TransferState


class SharedConnections:
    """For the thread that drives the batch."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connections: dict[RouteKey, Connection] = {}
        self._opening: dict[RouteKey, list[Callable[[], None]]] = {}
        """Who waits until a connection is open, by its route."""
        self._without_http2: set[RouteKey] = set()

    def connect(self, route: Route, state: TransferState, is_fresh: bool) -> Steps[Connection]:
        """Return a connection, which may have other streams. Raises TransferFailed, ConnectionLost."""
        key = route.key
        while True:
            if key in self._without_http2:
                kept = None if is_fresh else self._pool.take(key)
                return kept or (yield from open_connection(route, state))
            connection = self._connections.get(key)
            if connection is not None and connection.http2 is not None:
                if connection.http2.is_usable():
                    if connection.http2.has_room():
                        return connection
                    connection.http2.wake_with_room(state.wake)
                    yield WAKE_UP
                    continue
                del self._connections[key]
                if connection.http2.is_idle:
                    connection.close()
            if key in self._opening:
                self._opening[key].append(state.wake)
                yield WAKE_UP
                continue
            return (yield from self._open(route, state, is_fresh))

    def _open(self, route: Route, state: TransferState, is_fresh: bool) -> Steps[Connection]:
        """Open a connection while the others wait for it."""
        key = route.key
        waiting = self._opening[key] = []
        try:
            connection = (None if is_fresh else self._pool.take(key)) or (yield from open_connection(route, state))
            if connection.http2 is None:
                self._without_http2.add(key)
            else:
                self._connections[key] = connection
            return connection
        finally:
            del self._opening[key]
            for wake in waiting:
                wake()

    def has(self, connection: Connection) -> bool:
        """Return whether others may use the connection, too."""
        return self._connections.get(connection.key) is connection

    def close(self) -> None:
        """The batch is over: keep the connections for later."""
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            if connection.http2 is not None and connection.http2.is_idle and connection.http2.is_usable():
                self._pool.put(connection)
            else:
                connection.close()
