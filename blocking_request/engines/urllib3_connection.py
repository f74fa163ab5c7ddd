"""urllib3's connections, with two things added: they can be ended from outside, and they keep the header as it came.

Ending from outside: closing a socket does not wake a thread that reads from it, and urllib3 has no other way. So each
connection has a duplicate of its socket from the moment the TCP connection stands, TLS handshake included. While an
exchange runs, its Grip holds the duplicate; whoever takes it out of there, the exchange at its end or ``abort`` from
another thread, is alone in having it. So an abort never reaches a connection that serves the next exchange by then.

``_new_conn`` is a name of urllib3's own house, and the only one used here: tests hold it for each version in use.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Optional

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from ..tls import TlsSession
from .body import DamagedBody
from .urllib3_tls import Tls

_local = threading.local()


class Grip:
    """An exchange's hold on its connection. ``abort`` may be called from any thread, the rest is for the worker's."""

    def __init__(self) -> None:
        self.aborted = False
        self.reused = False
        """Whether the connection had served another exchange before."""
        self.target = ""
        """The request target as it is to be sent (RFC 9112 section 3.2); urllib3 would spell it in its own way."""
        self.wants_fresh = False
        """Whether no connection may be taken that has served before."""
        self.response: Optional[Response] = None
        """The answer, once its header is there."""
        self.tls: Optional[Tls] = None
        self.session: Optional[TlsSession] = None
        """What was agreed on with the server, once the connection has been given back."""
        self._connection: Optional[Connection] = None
        self._duplicate: list[socket.socket] = []

    def take(self, connection: Connection, duplicate: Optional[socket.socket], reused: bool) -> None:
        self.release()  # what it held before, where it had to connect again
        self._connection, self.reused = connection, reused
        self._duplicate = [] if duplicate is None else [duplicate]
        if self.aborted:
            self._shut_down()

    def holds(self, connection: Connection) -> bool:
        return self._connection is connection

    def release(self) -> bool:
        """Give the connection back at the end of the exchange; False where an abort has ended it."""
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

    def abort(self) -> None:
        self.aborted = True
        self._shut_down()

    def _shut_down(self) -> None:
        try:
            duplicate = self._duplicate.pop()
        except IndexError:
            return
        with suppress(OSError):  # the server may have been faster
            duplicate.shutdown(socket.SHUT_RDWR)
        duplicate.close()


class gripping:
    """Within it, connections used by this thread are held by the grip."""

    def __init__(self, grip: Grip) -> None:
        self._grip = grip

    def __enter__(self) -> None:
        _local.grip = self._grip

    def __exit__(self, *_: object) -> None:
        _local.grip = None


def _current_grip() -> Optional[Grip]:
    return getattr(_local, "grip", None)


class Connection:
    """Added to urllib3's connections."""

    response_class: Any
    duplicate: Optional[socket.socket] = None
    """Of the socket, while no exchange runs."""
    session: Optional[TlsSession] = None
    sock: Any
    timeout: Any

    def keep(self, duplicate: socket.socket) -> None:
        if self.sock is None:
            duplicate.close()
        else:
            self.duplicate = duplicate

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        # From here on the caller's clocks count, and abort() works: no timeout of urllib3's own.
        sock.settimeout(None)
        self.timeout = None
        grip = _current_grip()
        if grip is not None:
            grip.take(self, sock.dup(), reused=False)
        return sock

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        grip = _current_grip()
        if grip is None:
            super().request(method, url, *args, **kwargs)  # type: ignore[misc]
            return
        if self.sock is not None and not grip.holds(self):
            if grip.wants_fresh:
                self.close()  # urllib3 1.26; 2 has asked is_connected
            else:
                duplicate, self.duplicate = self.duplicate, None
                grip.take(self, duplicate, reused=True)
                self.timeout = None
        super().request(method, grip.target, *args, **kwargs)  # type: ignore[misc]

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        # That of a running exchange stays with its grip: what closes here may still be read from.
        duplicate, self.duplicate = self.duplicate, None
        if duplicate is not None:
            duplicate.close()

    @property
    def is_connected(self) -> bool:
        grip = _current_grip()
        if grip is not None and grip.wants_fresh:
            return False
        return bool(super().is_connected)  # type: ignore[misc]


class HeaderLost(http.client.HTTPException):
    """The connection ended within the header."""


class _Recorder:
    """A file that remembers the lines that were read from it."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.lines: list[bytes] = []

    def readline(self, limit: int) -> bytes:
        line: bytes = self.file.readline(limit)
        self.lines.append(line)
        return line

    def close(self) -> None:
        self.file.close()


class Response(http.client.HTTPResponse):
    """Keeps the header as it came, and skips every interim answer (http.client skips 100 only).

    http.client takes the end of the connection for the end of the header, and a line without a colon too.
    """

    header_lines: Sequence[bytes] = ()
    """Of the final answer, without the status line and the empty one."""

    def begin(self) -> None:
        if self.headers is not None:
            return
        while True:
            recorder = _Recorder(self.fp)
            self.fp = recorder  # type: ignore[assignment]
            try:
                super().begin()
            finally:
                if self.fp is recorder:  # type: ignore[comparison-overlap]
                    self.fp = recorder.file
            header = _last_header(recorder.lines)
            if self.status >= 200 or self.status == http.client.SWITCHING_PROTOCOLS:
                grip = _current_grip()
                if grip is not None:
                    grip.response = self
                _check(header)
                self.header_lines = header
                return
            self.headers = self.msg = None  # type: ignore[assignment]


def _last_header(lines: list[bytes]) -> list[bytes]:
    """The lines of the last header in what was read; raises HeaderLost."""
    end = len(lines) - 1
    if lines[end] not in _EMPTY_LINES:
        raise HeaderLost
    start = end
    while start > 0 and lines[start - 1] not in _EMPTY_LINES:
        start -= 1
    return lines[start + 1 : end]


def _check(header: list[bytes]) -> None:
    """Raises DamagedBody, where a line is none of a header."""
    for number, line in enumerate(header):
        if b":" not in line and (number == 0 or line[:1] not in (b" ", b"\t")):
            raise DamagedBody("the header has a line without a colon")


_EMPTY_LINES = (b"\r\n", b"\n")


def header_pairs(lines: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Names and values; a value on several lines (RFC 9112 section 5.2) becomes one."""
    name, value = b"", b""
    for line in lines:
        if name and line[:1] in (b" ", b"\t"):
            value += b" " + line.strip()
            continue
        if name:
            yield name, value
        name, _, value = line.partition(b":")
        name, value = name.strip(), value.strip()
    if name:
        yield name, value


Connection.response_class = Response


class HttpConnection(Connection, HTTPConnectionPool.ConnectionCls):  # type: ignore[valid-type,misc]
    pass


class HttpsConnection(Connection, HTTPSConnectionPool.ConnectionCls):  # type: ignore[valid-type,misc]
    def connect(self) -> None:
        grip = _current_grip()
        if grip is None or grip.tls is None:
            super().connect()
        else:
            grip.tls.connect(self, super().connect)


class HttpPool(HTTPConnectionPool):
    ConnectionCls = HttpConnection


class HttpsPool(HTTPSConnectionPool):
    ConnectionCls = HttpsConnection


POOL_CLASSES = {"http": HttpPool, "https": HttpsPool}
