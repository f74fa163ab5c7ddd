"""urllib3's connections, with three things added: they can be ended from outside, they write a small request in one
piece, and their TLS is ours.

``_new_conn`` and ``_dns_host`` are names of urllib3's own house, ``_output`` is one of http.client's; no others are
used here, and tests hold them for each version in use.
"""

from __future__ import annotations

import socket
import sys
from typing import Any, Callable, Optional

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import SKIP_HEADER
from urllib3.util.connection import allowed_gai_family

from ...models.tls import TlsSession
from .abort_handle import AbortHandle, current_handle
from .response import HttpClientResponse

HELD_BACK_BYTES = 1 << 13

UNSENT_BYTES = 1 << 17
"""How much of a body may wait in the kernel. Without a limit a slow upload moves by megabytes, and seems to stand still
in between."""

_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
"""Python names it since 3.12."""


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode("latin-1")


class Connection:
    """Added to urllib3's connections."""

    response_class = HttpClientResponse
    duplicate: Optional[socket.socket] = None
    """Of the socket, while no request runs."""
    session: Optional[TlsSession] = None
    _held_back: Optional[list[Any]] = None
    """What of the request waits to be sent with what follows it."""
    patience: Optional[float] = None
    """Seconds that the server may take for each step of a handshake; None: as many as the caller gives it."""
    connects_by_itself = False
    """Whether connecting is more than TCP, and not ours to do."""
    sock: Any
    timeout: Any
    port: int
    socket_options: Any
    _dns_host: str
    _output: Callable[[bytes], None]

    def keep(self, duplicate: socket.socket) -> None:
        if self.sock is None:
            duplicate.close()
        else:
            self.duplicate = duplicate

    def _new_conn(self) -> socket.socket:
        abort_handle = current_handle()
        sock: socket.socket
        if abort_handle is None:
            sock = super()._new_conn()  # type: ignore[misc]
        elif self.connects_by_itself:
            sock = super()._new_conn()  # type: ignore[misc]
            abort_handle.take(self, sock.dup(), reused=False)
            abort_handle.is_connected = True
        else:
            sock = self._connect(abort_handle)
        # From here on the caller's clocks count: no timeout of urllib3's own.
        sock.settimeout(self.patience)
        return sock

    def _connect(self, abort_handle: AbortHandle) -> socket.socket:
        """Connect to the first address that responses; an abort ends it (on Linux; elsewhere its own timeout does)."""
        host = self._dns_host.strip("[]")
        failed = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, self.port, allowed_gai_family(), socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                if _NOTSENT_LOWAT is not None:
                    sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)
                sock.settimeout(self.timeout)
                abort_handle.take(self, sock.dup(), reused=False)
                sock.connect(address)
                abort_handle.is_connected = True
                return sock
            except OSError as error:
                failed = error
                sock.close()
            if abort_handle.aborted:
                break
        raise failed

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        abort_handle = current_handle()
        if abort_handle is None:
            super().request(method, url, *args, **kwargs)  # type: ignore[misc]
            return
        if self.sock is not None and not abort_handle.holds(self):
            if abort_handle.wants_fresh:
                self.close()  # urllib3 1.26; 2 has asked is_connected
            else:
                duplicate, self.duplicate = self.duplicate, None
                abort_handle.take(self, duplicate, reused=True)
        if self.sock is not None:
            self.timeout = None
        self._held_back = []
        try:
            super().request(method, abort_handle.target, *args, **kwargs)  # type: ignore[misc]
            self._send_held_back()
            abort_handle.when_sent()
        finally:
            self._held_back = None

    def putheader(self, header: Any, *values: Any) -> None:
        """Adds a field to the request. What may stand in one was looked at before anything reached an engine."""
        value = values[0] if len(values) == 1 else b", ".join(map(_bytes, values))
        if value is SKIP_HEADER:
            return
        self._output(_bytes(header) + b": " + _bytes(value))

    def send(self, data: Any) -> None:
        """Header and small body go out in one piece: one system call, one packet, one TLS record."""
        held_back = self._held_back
        if held_back is not None and len(data) <= HELD_BACK_BYTES and sum(map(len, held_back)) <= HELD_BACK_BYTES:
            held_back.append(data)
            return
        self._send_held_back()
        super().send(data)  # type: ignore[misc]

    def _send_held_back(self) -> None:
        held_back, self._held_back = self._held_back, None
        if held_back:
            super().send(b"".join(held_back))  # type: ignore[misc]

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        # That of a running request stays with its handle: what closes here may still be read from.
        duplicate, self.duplicate = self.duplicate, None
        if duplicate is not None:
            duplicate.close()

    @property
    def is_connected(self) -> bool:
        abort_handle = current_handle()
        if abort_handle is not None and abort_handle.wants_fresh:
            return False
        return bool(super().is_connected)  # type: ignore[misc]


class HttpConnection(Connection, HTTPConnectionPool.ConnectionCls):  # type: ignore[valid-type,misc]
    pass


class HttpsConnection(Connection, HTTPSConnectionPool.ConnectionCls):  # type: ignore[valid-type,misc]
    def connect(self) -> None:
        abort_handle = current_handle()
        if abort_handle is None or abort_handle.tls is None:
            super().connect()
        else:
            abort_handle.tls.connect(self, super().connect)


class HttpPool(HTTPConnectionPool):
    ConnectionCls = HttpConnection


class HttpsPool(HTTPSConnectionPool):
    ConnectionCls = HttpsConnection


POOL_CLASSES = {"http": HttpPool, "https": HttpsPool}
