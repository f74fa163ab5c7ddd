"""Opens a connection to a server, or to the proxy before it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from ...models import error_texts as messages
from ...models.failure import QtNetworkError
from ...models.http_messages import Request
from ...models.tls import TlsSession
from ..events import Step
from ..waiting import is_readable
from ..wanted import Steps
from .channel import Channel, SocketChannel
from .connect import connect
from .failures import ConnectionLost, TransferFailed, connect_failure, proxy_closed, proxy_connect_failure
from .proxy import open_tunnel
from .routes import Route, RouteKey
from .socks import open_socks

if TYPE_CHECKING:
    from .http2 import Http2Connection
    from .state import TransferState


class Connection:
    """A connection. One call or one batch at a time uses it."""

    __slots__ = ("channel", "http2", "idle_seconds", "idle_since", "key", "peer", "session", "was_used")

    def __init__(
        self, channel: Channel, key: RouteKey, session: Optional[TlsSession], http2: Optional[Http2Connection] = None
    ) -> None:
        """``http2``: the HTTP/2 connection over the channel; None if the channel carries HTTP/1.1."""
        self.channel = channel
        self.http2 = http2
        self.key = key
        self.session = session
        self.was_used = False
        """Whether it has served a request before."""
        self.idle_since = 0.0
        self.idle_seconds = key.connection.idle_seconds
        """How long it is kept without a request; None: as long as others."""
        self.peer: Optional[tuple[str, int]] = None
        """The address and port that were connected to."""

    def is_quiet(self) -> bool:
        """Return whether the connection is open, and the server has sent no bytes since the last response.

        Such bytes would be taken for the next response. Tickets of TLS sessions do not count. Over HTTP/2 the bytes are
        frames, and are read.
        """
        channel = self.channel
        if self.http2 is not None:
            return self.http2.is_usable() and self.http2.has_room()
        try:
            if not is_readable(channel.fileno()) and not channel.has_pending():
                return True
            return channel.receive(1) is None
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        self.channel.close()


class Connections(Protocol):
    """The connections that a request may use: those of the pool, or the one that the caller has supplied."""

    def take(self, key: RouteKey) -> Optional[Connection]:
        """Return a kept connection that looks sound, or None. It belongs to the request then."""

    def open(self, route: Route, state: TransferState) -> Steps[Connection]:
        """Raises TransferFailed, ConnectionLost."""

    def put(self, connection: Connection) -> None:
        """Keep a connection for the next request."""

    def clear(self) -> None:
        """Close the connections that no request needs, because the process has no descriptors left."""


OpenRoute = Callable[[Route, "TransferState"], Steps[Channel]]
"""Returns a channel to the server. Raises TransferFailed, ConnectionLost."""


def open_connection(route: Route, state: TransferState, open_channel: Optional[OpenRoute] = None) -> Steps[Connection]:
    """Raises TransferFailed, ConnectionLost.

    ``open_channel``: is called in the place of connecting to the server, or to the proxy before it.
    """
    connection = yield from _open(route, state, open_channel or _open_channel)
    connection.peer = state.trace.peer
    return connection


def _open(route: Route, state: TransferState, open_to_server: OpenRoute) -> Steps[Connection]:
    trace = state.trace

    def open_channel() -> Steps[Channel]:
        channel = yield from open_to_server(route, state)
        trace.tls_started = time.monotonic()
        return channel

    if route.tls is None:
        channel = yield from open_to_server(route, state)
        return Connection(channel, route.key, None, _new_http2(channel, route) if route.alpn else None)
    stream, session = yield from route.tls.start(open_channel, route.server_name, route.alpn)
    trace.tls_ended = time.monotonic()
    demands_http2 = route.key.connection.demands_http2
    if route.alpn and (demands_http2 or stream.ssl_object.selected_alpn_protocol() == "h2"):
        return Connection(stream, route.key, session, _new_http2(stream, route))
    return Connection(stream, route.key, session)


def _new_http2(channel: Channel, route: Route) -> Http2Connection:
    from .http2 import Http2Connection  # loaded when it was offered

    return Http2Connection(channel, route.key.connection)


def _open_channel(route: Route, state: TransferState) -> Steps[Channel]:
    """Connect to the server, through the proxy if there is one."""
    proxy = route.proxy
    if proxy is None:
        channel = yield from _connect(route.host, route.port, state, state.request)
        state.is_connected = True
        return channel
    channel = yield from _connect(proxy.host, proxy.port, state, None)
    state.is_connected = True
    try:
        if route.proxy_tls is not None:
            channel = yield from _speak_tls_with_proxy(route, channel, state)
        if proxy.kind.startswith("socks"):
            yield from open_socks(channel, proxy, route.host, route.port, state.request)
        elif not route.is_forwarded:
            yield from open_tunnel(channel, proxy, route.host, route.port)
    except BaseException:
        channel.close()
        raise
    return channel


def _speak_tls_with_proxy(route: Route, channel: Channel, state: TransferState) -> Steps[Channel]:
    """The channel is closed if it fails."""
    proxy, tls = route.proxy, route.proxy_tls
    assert proxy is not None and tls is not None
    first: list[Channel] = [channel]

    def open_channel() -> Steps[Channel]:
        if first:
            return first.pop()
        return (yield from _connect(proxy.host, proxy.port, state, None))

    try:
        encrypted, _ = yield from tls.start(open_channel, proxy.host)
    except ConnectionLost as error:
        raise TransferFailed(proxy_closed()) from error
    except TransferFailed as failed:
        if failed.failure.error is not QtNetworkError.SslHandshakeFailedError:
            raise
        # Without the session: an error handler would take the proxy's certificate for the server's.
        raise TransferFailed(messages.handshake_with_proxy_failed(failed.failure)) from failed
    return encrypted


def _connect(host: str, port: int, state: TransferState, request: Optional[Request]) -> Steps[Channel]:
    """``request``: None if it is the proxy that is connected to. Raises TransferFailed."""
    state.reach(Step.CONNECTING)
    try:
        return SocketChannel(
            (yield from connect(host, port, state.mailbox.wake, state.trace, state.request.connection.keep_alive))
        )
    except OSError as error:
        failure = proxy_connect_failure(error) if request is None else connect_failure(error, request)
        raise TransferFailed(failure) from error
