"""The connection that an application has supplied for its requests, in the place of connections of the engine."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from typing import Optional

from ...models import error_texts as messages
from ...models.connection_options import DEFAULT_CONNECTION
from ..wanted import Steps
from .channel import Channel, SocketChannel
from .connection import Connection, open_connection
from .failures import TransferFailed
from .routes import Route, RouteKey
from .state import TransferState


class SuppliedConnection:
    """The only connection of some requests, over one socket. They run one after the other, in one thread.

    Without TLS it serves each http URL, whatever its host. If the first request is an https one, TLS is started, and
    the connection serves requests of that server with the same TLS settings. HTTP/2 is not offered. If the connection
    has ended, requests fail: the engine cannot connect to the same peer again.
    """

    def __init__(self, sock: socket.socket) -> None:
        """``sock``: a connected stream socket. It is closed with the connection. It must not block."""
        self._unused: Optional[SocketChannel] = SocketChannel(sock)
        """The socket, until the first request."""
        self._connection: Optional[Connection] = None

    @property
    def has_ended(self) -> bool:
        """Whether it can serve no more requests. For moments in which no request is under way."""
        connection = self._connection
        return self._unused is None and (connection is None or connection.channel.fileno() < 0)

    def take(self, key: RouteKey) -> Optional[Connection]:
        connection = self._connection
        if connection is None or _sharing_key(connection.key) != _sharing_key(key):
            return None
        if connection.is_quiet():
            return connection
        connection.close()
        return None

    def open(self, route: Route, state: TransferState) -> Steps[Connection]:
        """Begin to use the socket. Raises TransferFailed, ConnectionLost."""
        if self._connection is not None and not self.has_ended:
            raise TransferFailed(messages.supplied_connection_elsewhere(state.request.redacted_url))
        self._connection = yield from open_connection(replace(route, alpn=()), state, self._hand_out)
        return self._connection

    def _hand_out(self, route: Route, state: TransferState) -> Steps[Channel]:
        """Return the socket, once.

        TLS calls this again to look into a refused certificate; there is no second socket, so that fails.
        """
        yield from ()
        channel, self._unused = self._unused, None
        if channel is None:
            raise TransferFailed(messages.supplied_connection_ended())
        state.is_connected = True
        try:
            early_bytes = channel.receive(1)
        except OSError:
            early_bytes = b""
        if early_bytes is not None:
            channel.close()
            raise TransferFailed(
                messages.bytes_before_request() if early_bytes else messages.supplied_connection_ended()
            )
        with suppress(OSError):
            peer = channel.sock.getpeername()
            state.trace.peer = peer[:2] if isinstance(peer, tuple) else None
        return channel

    def put(self, connection: Connection) -> None:
        """Keep the connection: ``take`` returns it again."""

    def clear(self) -> None:
        """Do nothing: the only connection is still needed."""

    def close(self) -> None:
        """Close the socket. Requests fail from now on. May be called again."""
        channel, self._unused = self._unused, None
        for each in (channel, self._connection):
            if each is not None:
                each.close()


def _sharing_key(key: RouteKey) -> Optional[RouteKey]:
    """Return a value for a route. Requests with equal values may share the connection.

    These are all http ones, and https ones with the same route, whatever their ConnectionOptions.
    """
    return None if key.origin.startswith("http:") else key._replace(connection=DEFAULT_CONNECTION)
