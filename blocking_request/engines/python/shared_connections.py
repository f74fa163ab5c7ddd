"""The HTTP/2 connections that the requests of one batch share: one for each route.

The first request of a route opens the connection, and the others wait for it. If the server speaks HTTP/1.1, or the
first request finds no connection, each request opens its own. If all streams of a connection are in use, requests wait
for one; if the server has said GOAWAY, the next request opens another connection. Idle connections go to the pool at
the end.
"""

from __future__ import annotations

from ..wanted import WAKE_UP, Steps
from .connection import Connection, open_connection
from .pool import Pool
from .routes import Route, RouteKey
from .state import TransferState


class SharedConnections:
    """The shared connections of one batch. The thread that drives the batch uses them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connections: dict[RouteKey, Connection] = {}
        self._opening: dict[RouteKey, list[TransferState]] = {}
        """The requests that wait until a connection is open, by its route."""
        self._unshared_routes: set[RouteKey] = set()
        """The routes on which each request opens its own connection: the server speaks HTTP/1.1, or did not accept
        one."""

    def connect(self, route: Route, state: TransferState, needs_new_connection: bool) -> Steps[Connection]:
        """Return a connection, which may have other streams. Raises TransferFailed, ConnectionLost."""
        key = route.key
        while True:
            connection = self._connections.get(key)
            if connection is not None and connection.http2 is not None:
                if connection.http2.is_usable():
                    if connection.http2.has_room():
                        return connection
                    state.is_connected = True
                    yield from connection.http2.wait_for_room(state.mailbox.wake, state.mailbox)
                    continue
                del self._connections[key]
                if connection.http2.is_idle:
                    connection.close()
            waiting = self._opening.get(key)
            # The first request opens the connection; the others wait, unless the route is not shared.
            if waiting is None or key in self._unshared_routes:
                return (yield from self._open(route, state, needs_new_connection))
            waiting.append(state)
            try:
                yield WAKE_UP
            finally:
                if state in waiting:  # it was cancelled
                    waiting.remove(state)

    def _open(self, route: Route, state: TransferState, needs_new_connection: bool) -> Steps[Connection]:
        """Open a connection. The others wait for it, unless each opens its own."""
        key = route.key
        state.is_connected = False  # it may have waited for a connection that has ended
        self._opening.setdefault(key, [])
        is_canceled = False
        try:
            kept = None if needs_new_connection else self._pool.take(key)
            connection = kept or (yield from open_connection(route, state))
        except Exception:
            # Otherwise each of the waiting requests would try in turn, and take too long.
            self._unshared_routes.add(key)
            raise
        except BaseException:
            is_canceled = True
            raise
        else:
            if connection.http2 is None:
                self._unshared_routes.add(key)
            else:
                self._connections.setdefault(key, connection)
                self._unshared_routes.discard(key)
            return connection
        finally:
            # If the opening request was cancelled or timed out, the next waiting request opens the connection.
            for waiting in self._opening.pop(key, ()):
                if not is_canceled:
                    # Restart its idle timeout, but not after each timeout of others: that would be an endless wait.
                    waiting.mailbox.mark_active()
                waiting.mailbox.wake()

    def owns(self, connection: Connection) -> bool:
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
