"""Retries over real connections, on both engines."""

from __future__ import annotations

import threading
import time

import pytest
from urllib3.util import Retry

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager
from blocking_request.qt.binding import QT_VERSION

from ..support.names import OK, Serve
from ..support.servers.raw import Connection, Handler, RawServer, always


def fails_first(times: int, fields: str = "", status: str = "503 Busy") -> Handler:
    """Return a handler that responds with an error ``times`` times, then with 200."""
    left = [times]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            if left[0] > 0:
                left[0] -= 1
                connection.respond(b"busy", status, fields)
            else:
                connection.respond(b"done")

    return handle


def breaks_first(times: int) -> Handler:
    """Return a handler that closes the connection in the body ``times`` times, then responds completely."""
    left = [times]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            if left[0] > 0:
                left[0] -= 1
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                return
            connection.respond(b"done")

    return handle


def test_retry_until_success(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(fails_first(2))
    blocking.setRetry(Retry(3, status_forcelist=[503]))
    assert blocking.get(server.url) is OK and blocking.reply().body == b"done"
    assert blocking.reply().attempts() == len(server.requests) == 3
    server = serve(fails_first(9))
    assert blocking.get(server.url) is ErrorCode.ServerExceptionError
    assert blocking.reply().body == b"busy" and blocking.reply().attempts() == len(server.requests) == 4


def test_retry_of_a_truncated_body(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(breaks_first(2))
    blocking.setRetry(Retry(2))
    assert blocking.get(server.url) is OK and blocking.reply().attempts() == 3


@pytest.mark.parametrize("verb", ["POST", "PATCH", "SUBSCRIBE"])
@pytest.mark.parametrize("kept", [False, True])
def test_a_method_that_is_not_idempotent_is_sent_once(
    verb: str, kept: bool, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    """Also without a body. Qt 5 sent it up to four times."""

    def handle(connection: Connection) -> None:
        if kept and connection.read_request() is not None:
            connection.respond(b"first")
        connection.read_request()

    server = serve(handle)
    if kept:
        assert blocking.get(server.url) is OK
    assert blocking.sendCustomRequest(server.url, verb) is ErrorCode.NetworkError
    sent = [request for request in server.requests if request.startswith(verb.encode())]
    assert len(sent) == 1 and b"\r\nContent-Length: 0\r\n" in sent[0]


@pytest.mark.parametrize("verb", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_an_idempotent_method_on_a_kept_connection_that_breaks(
    verb: str, blocking: BlockingNetworkRequest, engine: str, serve: Serve
) -> None:
    """RFC 9110 section 9.2.2; docs/engines.rst says what Qt 6 does not send again."""

    def handle(connection: Connection) -> None:
        if connection.read_request() is not None and len(connection.server.requests) != 2:
            connection.respond(b"" if verb == "HEAD" else b"ok")
            if connection.server.connections == 1:
                connection.read_request()

    server = serve(handle)
    assert blocking.get(server.url) is OK
    is_repeated = engine == "python" or QT_VERSION < (6,) or verb in ("GET", "HEAD", "PUT")
    assert blocking.sendCustomRequest(server.url, verb) is (OK if is_repeated else ErrorCode.NetworkError)
    assert len(server.requests) == (3 if is_repeated else 2)


def test_rule_of_the_manager_and_of_the_request(engine: str, serve: Serve) -> None:
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setRetry(Retry(5, status_forcelist=[503]))
    assert manager.blockingGet(serve(fails_first(2)).url).attempts() == 3
    request = BlockingNetworkRequest(manager)
    request.setRetry(None)
    assert request.get(serve(fails_first(1)).url) is ErrorCode.ServerExceptionError
    assert request.retry() is None and request.reply().attempts() == 1
    request.setRetry(1)
    rule = request.retry()
    assert rule is not None and rule.total == 1 and rule.backoff_factor == 0.5
    assert request.get(serve(breaks_first(1)).url) is OK


@pytest.mark.parametrize("how", ["abort", "feedback"])
def test_cancel_during_the_wait(how: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(fails_first(1, "Retry-After: 3600\r\n"))
    blocking.setRetry(Retry(1, status_forcelist=[503]))
    feedback = Feedback()
    cancel = blocking.abort if how == "abort" else feedback.cancel

    def watch() -> None:
        server.wait_for_requests(1)
        time.sleep(0.2)  # until the call waits
        cancel()

    threading.Thread(target=watch).start()
    started = time.monotonic()
    assert blocking.get(server.url, feedback=feedback) is ErrorCode.CanceledError
    assert time.monotonic() - started < 5
    # the response before the wait is kept
    assert blocking.reply().statusCode() == 503 and blocking.reply().attempts() == 1


def test_refused_connection_is_retried(blocking: BlockingNetworkRequest) -> None:
    server = RawServer(always(b""))
    server.close()
    blocking.setRetry(Retry(2))
    assert blocking.get(server.url) is ErrorCode.NetworkError
    assert blocking.reply().attempts() == 3


def test_invalid_rule() -> None:
    request = BlockingNetworkRequest()
    with pytest.raises(TypeError, match=r"retry must be an urllib3\.util\.Retry"):
        request.setRetry("3")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="retry must be"):
        request.setRetry(True)
    with pytest.raises(ValueError, match="must not be negative"):
        request.setRetry(-1)
    request.setRetry(0)
    assert request.retry() is None
