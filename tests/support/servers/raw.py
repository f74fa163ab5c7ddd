"""A server that sends exactly the bytes of a test, and remembers the requests."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Callable, Optional

Handler = Callable[["Connection"], None]


class Connection:
    """One accepted connection, as a handler sees it."""

    def __init__(self, server: RawServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._unread = b""

    def read_request(self) -> Optional[bytes]:
        """Return the next whole request, with its body by Content-Length, or None if the client has closed."""
        while b"\r\n\r\n" not in self._unread:
            chunk = self._receive()
            if not chunk:
                return None
            self._unread += chunk
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(self._unread) < length:
            chunk = self._receive()
            if not chunk:
                return None
            self._unread += chunk
        body, self._unread = self._unread[:length], self._unread[length:]
        request = head + b"\r\n\r\n" + body
        self.server.remember(request)
        return request

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(1 << 16)
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def respond(self, body: bytes = b"", status: str = "200 OK", headers: str = "") -> None:
        self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode("latin-1") + body)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_close(self) -> None:
        """Until the client or the test has closed."""
        while self._receive():
            pass


class RawServer:
    """Runs a handler in a thread for each connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._guard = threading.Lock()
        self._requests: list[bytes] = []
        self._arrived = threading.Condition(self._guard)
        self._sockets: list[socket.socket] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._guard:
                self.connections += 1
                self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            self._handler(Connection(self, sock))
        finally:
            sock.close()
            with self._guard:
                self._sockets.remove(sock)

    def remember(self, request: bytes) -> None:
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()

    @property
    def requests(self) -> list[bytes]:
        with self._guard:
            return list(self._requests)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> None:
        """Until as many requests have been read."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self._requests) >= count, timeout), "the request never came"

    @property
    def open_connections(self) -> int:
        with self._guard:
            return len(self._sockets)

    def close(self) -> None:
        if self._listener.fileno() >= 0:  # a test may have closed it before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._guard:
            sockets = list(self._sockets)
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def always(body: bytes = b"", status: str = "200 OK", headers: str = "") -> Handler:
    """A handler that answers every request the same, on a kept connection."""

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(body, status, headers)

    return handle


def once(raw: bytes) -> Handler:
    """A handler that reads a request, sends ``raw`` and closes."""

    def handle(connection: Connection) -> None:
        if connection.read_request() is not None:
            connection.send(raw)

    return handle


def silence(connection: Connection) -> None:
    """A handler that reads one request and never answers."""
    connection.read_request()
    connection.wait_for_close()


def flood(connection: Connection) -> None:
    """A handler that sends zeros until the client has left."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    with suppress(OSError):
        while True:
            connection.sock.sendall(bytes(1 << 20))


def echo(connection: Connection) -> None:
    """A handler that answers every request with its own bytes, on a kept connection."""
    while (request := connection.read_request()) is not None:
        connection.respond(request)


def asking(challenge: str) -> Handler:
    """Return a handler that welcomes requests with any credentials, and asks all others for some."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b"\r\nauthorization: " in request.lower():  # Qt 6.9 writes some names in lower case
                connection.respond(b"welcome")
            else:
                connection.respond(b"who?", "401 Unauthorized", f"WWW-Authenticate: {challenge}\r\n")

    return handle


def telling_the_end(handler: Handler, ended: threading.Event) -> Handler:
    """The same, and ``ended`` is set when the client has closed."""

    def handle(connection: Connection) -> None:
        handler(connection)
        ended.set()

    return handle
