"""A request's hold on its connection, by which it can be ended from outside.

Closing a socket does not wake a thread that reads from it, and urllib3 has no other way. So each connection has a
duplicate of its socket, from before it is connected. While a request runs, its AbortHandle holds the duplicate; who
takes it out of there, the request at its end or ``abort`` from another thread, is alone in having it. So an abort
never reaches a connection that serves the next request by then.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Optional

from urllib3.util.wait import wait_for_read, wait_for_socket

from ...models.headers import MAXIMUM_HEADER_BYTES
from ...models.tls import TlsSession
from .framing import interim_length

if TYPE_CHECKING:
    from .connection import Connection
    from .response import HttpClientResponse
    from .tls import Tls

_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""``struct linger``. Without the reset, Linux (seen with 6.18) opens no receive window after ``shutdown``, and a server
that was sending at full speed stays blocked for more than ten seconds."""

_local = threading.local()


class AbortHandle:
    """A request's hold on its connection. ``abort`` may be called from any thread, the rest is for the worker's."""

    def __init__(self) -> None:
        self.aborted = False
        self.reused = False
        """Whether the connection had served another request before."""
        self.target = ""
        """The request target as it is to be sent (RFC 9112 section 3.2); urllib3 would spell it in its own way."""
        self.wants_fresh = False
        """Whether no connection may be taken that has served before."""
        self.response_begun = False
        """Whether the first byte of a response has come."""
        self.when_sent: Callable[[], None] = _nothing
        """Called when a request that went out in one piece has gone out."""
        self.is_connected = False
        """Whether there is a connection, perhaps without TLS as yet."""
        self._process = os.getpid()
        self.response: Optional[HttpClientResponse] = None
        """The response, once its header is there."""
        self.tls: Optional[Tls] = None
        self.session: Optional[TlsSession] = None
        """What was agreed on with the server, once the connection has been given back."""
        self.room: Optional[threading.Event] = None
        """Set when the caller takes more of a streamed body."""
        self._connection: Optional[Connection] = None
        self._duplicate: list[socket.socket] = []

    def take(self, connection: Connection, duplicate: Optional[socket.socket], reused: bool) -> None:
        with suppress(IndexError):
            self._duplicate.pop().close()  # of a socket that had to be given up
        self._connection, self.reused = connection, reused
        self.is_connected = self.is_connected or reused
        self._duplicate = [] if duplicate is None else [duplicate]
        if self.aborted:
            self._shut_down()

    def holds(self, connection: Connection) -> bool:
        return self._connection is connection

    def wait_to_send(self) -> bool:
        """Wait until the connection takes more of the request; False if the server has sent its final response.

        Interim responses (RFC 9110 section 15.2) are read and dropped. Over TLS it cannot be told whether anything
        readable is a response, and the request goes on.
        """
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is None:
            return True  # not yet connected
        is_plain = not hasattr(sock, "getpeercert")
        wait_for_socket(sock, read=is_plain, write=True)
        while is_plain and wait_for_read(sock, timeout=0):
            begun = sock.recv(MAXIMUM_HEADER_BYTES, socket.MSG_PEEK)
            length = interim_length(begun)
            if length < 0:
                return False
            if length == 0:  # the rest of it comes later
                wait_for_socket(sock, write=True)
                return True
            sock.recv(length)
        return True

    def has_leftovers(self) -> bool:
        """Whether more has come than the response: the next request would take it for its own."""
        connection, response = self._connection, self.response
        if connection is None or connection.sock is None or response is None or response.file is None:
            return False
        connection.sock.settimeout(0)
        try:
            return bool(response.file.peek(1))
        except (OSError, ValueError):
            return False
        finally:
            connection.sock.settimeout(None)

    def release(self) -> bool:
        """Give the connection back at the end of the request; False where an abort has ended it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return False
        self.session = connection.session or self.session
        try:
            duplicate = self._duplicate.pop()
        except IndexError:
            return False
        connection.keep(duplicate)
        return True

    def is_aborted(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True
        room = self.room
        if room is not None:
            room.set()
        self._shut_down()

    @property
    def current_session(self) -> Optional[TlsSession]:
        """What was agreed on with the server, while the request runs."""
        return self.session if self._connection is None else self._connection.session or self.session

    def _shut_down(self) -> None:
        try:
            duplicate = self._duplicate.pop()
        except IndexError:
            return
        if os.getpid() == self._process:  # in a forked child the connection is the parent's
            with suppress(OSError):  # the server may have been faster
                duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                duplicate.shutdown(socket.SHUT_RDWR)
        duplicate.close()


def _nothing() -> None:
    """Nobody wants to hear of it."""


class using_handle:
    """Within it, connections used by this thread are held by the handle."""

    def __init__(self, abort_handle: AbortHandle) -> None:
        self._abort_handle = abort_handle

    def __enter__(self) -> None:
        _local.abort_handle = self._abort_handle

    def __exit__(self, *_: object) -> None:
        _local.abort_handle = None


def current_handle() -> Optional[AbortHandle]:
    return getattr(_local, "abort_handle", None)
