"""A connected stream of bytes that never blocks. The module ``tls_channel`` has the channels with TLS."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Callable, Optional, Protocol, Union

from ..wanted import READ, WRITE, Wanted


class Channel(Protocol):
    """Reads and writes as many bytes as it can without waiting. Raises the OSErrors of sockets."""

    wants_read: Wanted
    wants_write: Wanted
    wanted: Wanted
    """The event to wait for, after a method has returned None. Over TLS, ``receive`` may wait until it can write."""

    def receive(self, limit: int) -> Optional[bytes]:
        """Return the next bytes, ``b""`` at the end of the stream, or None if it cannot go on now."""

    def receive_into(self, buffer: memoryview) -> Optional[int]:
        """Return how many bytes were read, 0 at the end of the stream, or None if it cannot go on now."""

    def send(self, data: Union[bytes, memoryview]) -> Optional[int]:
        """Return how many of the bytes were taken, or None if it cannot go on now.

        The next call must begin with the first byte that was not taken, and pass at least as many of the rest.
        """

    @property
    def has_unsent(self) -> bool:
        """Whether bytes that ``send`` has taken are still here.

        The next call of any method sends them, if the socket can be written to.
        """

    def fileno(self) -> int:
        """Return the descriptor of the socket; -1 if it is closed."""

    def has_pending(self) -> bool:
        """Return whether the channel holds bytes from the socket that ``receive`` has not returned yet."""

    def close(self) -> None:
        """Close the socket without a TLS goodbye. Never blocks; may be called again."""


class OverSocket:
    """The common part of a plain socket and TLS over a socket."""

    __slots__ = ("_receive", "_receive_into", "_send", "sock", "wanted", "wants_read", "wants_write")

    sock: socket.socket
    has_unsent = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._receive: Callable[[int], bytes] = sock.recv
        self._receive_into: Callable[[memoryview], int] = sock.recv_into
        self._send: Callable[[Union[bytes, memoryview]], int] = sock.send
        descriptor = sock.fileno()
        self.wants_read = self.wanted = Wanted(((descriptor, READ),))
        self.wants_write = Wanted(((descriptor, WRITE),))

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        with suppress(OSError):
            self.sock.close()


class SocketChannel(OverSocket):
    """A connected, non-blocking socket."""

    __slots__ = ()

    def receive(self, limit: int) -> Optional[bytes]:
        try:
            return self._receive(limit)
        except (BlockingIOError, InterruptedError):
            self.wanted = self.wants_read
            return None

    def receive_into(self, buffer: memoryview) -> Optional[int]:
        try:
            return self._receive_into(buffer)
        except (BlockingIOError, InterruptedError):
            self.wanted = self.wants_read
            return None

    def send(self, data: Union[bytes, memoryview]) -> Optional[int]:
        try:
            return self._send(data)
        except (BlockingIOError, InterruptedError):
            self.wanted = self.wants_write
            return None

    def has_pending(self) -> bool:
        return False
