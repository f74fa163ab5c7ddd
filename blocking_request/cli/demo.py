"""The demonstration: sends each verb to a server on loopback, and compares each result with the documented one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, Optional

from .. import BlockingNetworkRequest, ErrorCode, Feedback

TIMEOUT_MS = 300
CANCEL_AFTER = 0.15
HELLO = b"Hello from the demonstration server.\n"


@dataclass(frozen=True)
class Row:
    """The result of one request. ``expected``: the documented result, as text."""

    request: str
    expected: str
    code: ErrorCode
    status: Optional[int]
    size: int
    milliseconds: float
    engine: str
    is_as_expected: bool


class _Handler(BaseHTTPRequestHandler):
    """Depending on the path: greets, echoes the body, redirects, fails, or sends no response."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/redirect":
            self._respond(303, b"", ("Location", "/hello"))
        elif self.path == "/missing":
            self._respond(404, b"There is nothing here.\n")
        elif self.path == "/truncated":
            self._respond(200, HELLO, ("Connection", "close"), content_length=len(HELLO) + 100)
            self.close_connection = True
        elif self.path == "/silence":
            self.rfile.read(1)  # blocks until the client closes the connection
            self.close_connection = True
        else:
            self._respond(200, body or HELLO)

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


@contextmanager
def server() -> Iterator[str]:
    """Run a server on a free port of loopback. Yields its URL."""
    serving = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    serving.daemon_threads = True
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{serving.server_port}"
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def rows() -> Iterator[Row]:
    """Send the requests. Yields a row for each of them."""
    with server() as url:
        blocking = BlockingNetworkRequest()
        blocking.setTimeout(10_000)
        size = len(HELLO)
        yield _row(blocking, "GET", 200, size, lambda: blocking.get(f"{url}/hello"))
        yield _row(blocking, "HEAD", 200, 0, lambda: blocking.head(f"{url}/hello"))
        yield _row(blocking, "POST", 200, 7, lambda: blocking.post(f"{url}/echo", b"a=1&b=2"))
        yield _row(blocking, "PUT", 200, 100_000, lambda: blocking.put(f"{url}/echo", b"x" * 100_000))
        yield _row(blocking, "PATCH", 200, 5, lambda: blocking.patch(f"{url}/echo", b"patch"))
        yield _row(blocking, "DELETE", 200, size, lambda: blocking.deleteResource(f"{url}/hello"))
        yield _row(blocking, "OPTIONS", 200, size, lambda: blocking.sendCustomRequest(f"{url}/hello", "OPTIONS"))
        yield _row(blocking, "POST, redirect", 200, size, lambda: blocking.post(f"{url}/redirect", b"a=1"))
        missing = (ErrorCode.ServerExceptionError, 404, 23)
        yield _row(blocking, "GET, not found", *missing[1:], lambda: blocking.get(f"{url}/missing"), missing[0])
        broken = ErrorCode.NetworkError
        yield _row(blocking, "GET, truncated", 200, size, lambda: blocking.get(f"{url}/truncated"), broken)
        yield _row(blocking, "GET, no server", None, 0, lambda: blocking.get("http://127.0.0.1:1/"), broken)
        late = BlockingNetworkRequest()
        late.setTimeout(TIMEOUT_MS)
        timeout = ErrorCode.TimeoutError
        yield _row(late, "GET, timeout", None, 0, lambda: late.get(f"{url}/silence"), timeout)
        yield _row(blocking, "GET, cancelled", None, 0, lambda: _cancelled(blocking, url), ErrorCode.CanceledError)


def _cancelled(blocking: BlockingNetworkRequest, url: str) -> ErrorCode:
    feedback = Feedback()
    timer = threading.Timer(CANCEL_AFTER, feedback.cancel)
    timer.start()
    try:
        return blocking.get(f"{url}/silence", feedback=feedback)
    finally:
        timer.join()


def _row(
    blocking: BlockingNetworkRequest,
    request: str,
    status: Optional[int],
    size: int,
    call: Callable[[], ErrorCode],
    code: ErrorCode = ErrorCode.NoError,
) -> Row:
    """Do a call, and compare its result with the expected status, size and code."""
    started = time.perf_counter()
    actual = call()
    milliseconds = (time.perf_counter() - started) * 1000
    reply = blocking.reply()
    is_as_expected = (actual, reply.statusCode(), len(reply.body)) == (code, status, size)
    return Row(
        request=request,
        expected=f"{code.name}, {status or 'no status'}, {size} bytes",
        code=actual,
        status=reply.statusCode(),
        size=len(reply.body),
        milliseconds=milliseconds,
        engine=reply.engine(),
        is_as_expected=is_as_expected,
    )
