"""The server of the demonstration, on loopback, in the process of the command."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Optional

HELLO = b"Hello from the demonstration server.\n"
TEXT = b"".join(b"line %d of a text\n" % number for number in range(1000))
DOWNLOAD_PIECES = 32
DOWNLOAD_PIECE = bytes(range(256)) * 1024
DOWNLOAD_BYTES = DOWNLOAD_PIECES * len(DOWNLOAD_PIECE)
DOWNLOAD_CHECKSUM = "sha256:" + hashlib.sha256(DOWNLOAD_PIECE * DOWNLOAD_PIECES).hexdigest()
PIECE_SECONDS = 0.015
THREAD_SECONDS = 0.1
"""How long the response to each of many threads takes."""
SLOW_SECONDS = 0.15


class NoLoopbackError(Exception):
    """Loopback has no free port, or the server cannot be reached there."""


class DemoServer(ThreadingHTTPServer):
    """``url``: its address. ``silent``: released when a request for /silence has arrived."""

    daemon_threads = True
    request_queue_size = 128  # 64 threads connect at once; a connection that is refused is tried again a second later

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.silent = threading.Semaphore(0)
        self._guard = threading.Lock()
        self._running = 0
        self._most_running = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Show no traceback if the client has gone: after Ctrl-C, it does not wait for its responses."""

    def most_running(self) -> int:
        """Return how many requests for /number/N the server had at the same time, and begin to count anew."""
        with self._guard:
            most, self._most_running = self._most_running, 0
        return most

    def count(self, change: int) -> None:
        """Count a request for /number/N that begins (1) or ends (-1)."""
        with self._guard:
            self._running += change
            self._most_running = max(self._most_running, self._running)


class _Handler(BaseHTTPRequestHandler):
    """Depending on the path: greets, echoes the body, redirects, fails, breaks off, or sends no response."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: DemoServer

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/redirect":
            self._respond(303, b"", ("Location", "/hello"))
        elif self.path == "/missing":
            self._respond(404, b"There is nothing here.\n")
        elif self.path == "/truncated":
            self._respond(200, HELLO, ("Connection", "close"), content_length=len(HELLO) + 100)
            self.close_connection = True
        elif self.path == "/half":
            packed = gzip.compress(TEXT)
            self._respond(200, packed[: len(packed) // 2], ("Content-Encoding", "gzip"))
        elif self.path == "/silence":
            self.server.silent.release()
            self.rfile.read(1)  # blocks until the client closes the connection
            self.close_connection = True
        elif self.path == "/slow":
            time.sleep(SLOW_SECONDS)
            self._respond(200, HELLO)
        elif self.path.startswith("/number/"):
            self.server.count(1)
            time.sleep(THREAD_SECONDS)
            self.server.count(-1)
            self._respond(200, self.path.encode())
        elif self.path == "/download":
            self._send_download()
        else:
            self._respond(200, body or HELLO)

    def _send_download(self) -> None:
        self._respond(200, b"", content_length=DOWNLOAD_BYTES)
        for _ in range(DOWNLOAD_PIECES):
            self.wfile.write(DOWNLOAD_PIECE)
            time.sleep(PIECE_SECONDS)

    def _respond(
        self, status: int, body: bytes, *fields: tuple[str, str], content_length: Optional[int] = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if content_length is None else content_length))
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _check(server: DemoServer) -> None:
    """Connect to the server once. Raises NoLoopbackError."""
    try:
        socket.create_connection(("127.0.0.1", server.server_port), timeout=10).close()
    except OSError as error:
        raise NoLoopbackError(f"127.0.0.1 cannot be reached: {error.strerror or error}") from None


@contextmanager
def demo_server() -> Iterator[DemoServer]:
    """Run a server on a free port of loopback. Raises NoLoopbackError."""
    try:
        server = DemoServer()
    except OSError as error:
        raise NoLoopbackError(f"127.0.0.1 has no free port: {error.strerror}") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        _check(server)
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
