"""The times of the steps of a transfer, in its response and in the log."""

from __future__ import annotations

import logging
import pickle
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from blocking_request import (
    BlockingNetworkRequest,
    NetworkAccessManager,
    NetworkMemoryCache,
    ReplyContent,
    Timings,
    TlsSettings,
)
from blocking_request.engines.python.resolver import resolver
from blocking_request.models.transfer_trace import TransferTrace
from blocking_request.netlog import NetworkLog
from blocking_request.qt.binding import QT_VERSION
from blocking_request.reply import response_of

from ..support.names import NET, OK, TIMEOUT, TLS_ENGINES, Serve
from ..support.servers.raw import Connection, always, once
from ..support.servers.tls import TlsServer
from ..support.servers.unreachable import full_port

SIGNALS_CONNECTING = QT_VERSION >= (6, 3)
"""Whether Qt signals that it connects and has sent a request."""

STEPS = (
    "queued",
    "look_up_started",
    "look_up_ended",
    "connect_started",
    "connect_ended",
    "tls_started",
    "tls_ended",
    "request_sent",
    "first_byte",
    "headers_received",
    "ended",
)
OF_A_CONNECTION = {"connect_started", "connect_ended"}
OF_TLS = {"tls_started", "tls_ended"}
OF_A_REQUEST = {"queued", "request_sent", "first_byte", "headers_received", "ended"}


@pytest.fixture
def log() -> Iterator[NetworkLog]:
    """A log with timings, without which the qt engine records fewer steps."""
    with NetworkLog(timings=True) as made:
        yield made


@pytest.fixture
def traced(blocking: BlockingNetworkRequest, log: NetworkLog) -> BlockingNetworkRequest:
    return blocking


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[TlsServer, TlsSettings]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    yield server, TlsSettings(caFile=str(tmp_path / "ca.pem"))
    server.close()


def trace_of(blocking: BlockingNetworkRequest) -> TransferTrace:
    trace = response_of(blocking.reply()).trace
    assert trace is not None
    return trace


def steps_of(trace: TransferTrace) -> set[str]:
    """Return the recorded steps, whose times must be in order."""
    moments = [getattr(trace, step) for step in STEPS]
    taken = [moment for moment in moments if moment is not None]
    assert taken == sorted(taken), trace
    assert time.monotonic() - 60 < taken[0] and taken[-1] <= time.monotonic()
    return {step for step, moment in zip(STEPS, moments) if moment is not None}


def known_to_qt(steps: set[str]) -> set[str]:
    """Return those of the steps that Qt signals."""
    unknown = {"look_up_started", "look_up_ended", "connect_ended", "tls_started", "first_byte"}
    return steps - unknown - (set() if SIGNALS_CONNECTING else {"connect_started", "request_sent"})


def test_new_and_reused_connection(engine: str, traced: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"body"))
    expected = [OF_A_REQUEST | OF_A_CONNECTION, OF_A_REQUEST]
    for is_reused, steps in enumerate(expected):
        assert traced.get(server.url) is OK
        trace = trace_of(traced)
        assert steps_of(trace) == (steps if engine == "python" else known_to_qt(steps))
        assert trace.is_reused == (bool(is_reused) if engine == "python" or SIGNALS_CONNECTING else None)
        assert trace.peer == (("127.0.0.1", server.port) if engine == "python" else None)


@pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)
def test_tls_connection(
    engine: str, manager: NetworkAccessManager, tls_server: tuple[TlsServer, TlsSettings], log: NetworkLog
) -> None:
    server, settings = tls_server
    manager.setTlsSettings(settings)
    traced = BlockingNetworkRequest(manager)
    expected = [OF_A_REQUEST | OF_A_CONNECTION | OF_TLS, OF_A_REQUEST]
    for is_reused, steps in enumerate(expected):
        assert traced.get(server.url) is OK, traced.errorMessage()
        trace = trace_of(traced)
        assert steps_of(trace) == (steps if engine == "python" else known_to_qt(steps))
        assert trace.is_reused == bool(is_reused)


@pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)
def test_refused_certificate(traced: BlockingNetworkRequest, tls_server: tuple[TlsServer, TlsSettings]) -> None:
    server, _ = tls_server
    assert traced.get(server.url) is NET
    trace = trace_of(traced)
    assert {"tls_ended", "request_sent", "first_byte", "headers_received"}.isdisjoint(steps_of(trace))
    assert trace.is_reused is None


def test_look_up(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"body"))
    assert on_python.get(server.url.replace("127.0.0.1", "localhost")) is OK
    assert steps_of(trace_of(on_python)) == OF_A_REQUEST | OF_A_CONNECTION | {"look_up_started", "look_up_ended"}


def test_failed_look_up(engine: str, traced: BlockingNetworkRequest) -> None:
    assert traced.get("http://no-such-host.invalid/") is NET
    steps = steps_of(trace_of(traced))
    if engine == "python":
        assert steps == {"queued", "look_up_started", "ended"}
    else:
        assert {"queued", "ended"} <= steps <= {"queued", "connect_started", "ended"}
    assert resolver.thread_count() <= 1


def test_refused_connection(engine: str, traced: BlockingNetworkRequest) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert traced.get(f"http://127.0.0.1:{sock.getsockname()[1]}/") is NET
    steps = {"queued", "connect_started", "ended"}
    assert steps_of(trace_of(traced)) == (steps if engine == "python" else known_to_qt(steps))


def test_connect_timeout(on_python: BlockingNetworkRequest) -> None:
    on_python.setTimeout(200)
    with full_port() as port:
        assert on_python.get(f"http://127.0.0.1:{port}/") is TIMEOUT
    assert steps_of(trace_of(on_python)) == {"queued", "connect_started", "ended"}


def test_redirect(engine: str, traced: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /old " in request:
                connection.respond(b"", "302 Found", "Location: /new\r\n")
            else:
                connection.respond(b"body")

    assert traced.get(serve(handle).url + "/old") is OK
    last = trace_of(traced)
    (first,) = (response.trace for response in response_of(traced.reply()).history)
    assert first is not None and first.ended is not None and last.queued is not None
    assert steps_of(first) <= steps_of(last) | OF_A_CONNECTION and first.ended <= last.queued
    if engine == "python" or SIGNALS_CONNECTING:
        assert (first.is_reused, last.is_reused) == (False, True)


def test_reused_connection_that_the_server_has_closed(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.respond(b"body")
        connection.read_request()  # and closes without a response

    server = serve(handle)
    assert on_python.get(server.url) is on_python.get(server.url) is OK
    trace = trace_of(on_python)
    assert trace.is_reused is False
    assert steps_of(trace) == OF_A_REQUEST | OF_A_CONNECTION


def test_truncated_body(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
    assert on_python.get(server.url) is NET
    assert steps_of(trace_of(on_python)) == OF_A_REQUEST | OF_A_CONNECTION


def test_slow_header(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n")
        time.sleep(0.1)
        connection.send(b"Content-Length: 4\r\n\r\nbody")

    assert on_python.get(serve(handle).url) is OK
    trace = trace_of(on_python)
    assert trace.first_byte is not None and trace.headers_received is not None
    assert 0.05 < trace.headers_received - trace.first_byte < 1


def test_response_of_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"body", headers="Cache-Control: max-age=60\r\n"))
    manager.setCache(NetworkMemoryCache())
    blocking = BlockingNetworkRequest(manager)
    assert blocking.get(server.url) is OK
    assert "ended" in steps_of(trace_of(blocking))
    assert blocking.get(server.url) is OK
    assert blocking.reply().isFromCache() and response_of(blocking.reply()).trace is None


def test_stream(engine: str, traced: BlockingNetworkRequest, serve: Serve) -> None:
    with traced.stream(serve(always(b"body")).url) as chunks:
        trace = response_of(chunks.reply()).trace
        assert trace is not None and trace.headers_received is not None
        assert b"".join(chunks) == b"body"
    assert {"queued", "headers_received", "ended"} <= steps_of(trace_of(traced))


def test_invalid_url_has_no_trace(blocking: BlockingNetworkRequest) -> None:
    assert blocking.get("http://host:no-port/") is NET
    assert response_of(blocking.reply()).trace is None


def test_trace_is_pickled(on_python: BlockingNetworkRequest, serve: Serve) -> None:
    assert on_python.get(serve(always(b"body")).url) is OK
    copy = response_of(pickle.loads(pickle.dumps(on_python.reply()))).trace
    assert copy is not None and vars(copy) == vars(trace_of(on_python))
    assert "headers_received" in repr(copy)


def test_log(engine: str, blocking: BlockingNetworkRequest, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "blocking_request")
    server = serve(always(b"body"))
    assert blocking.get(server.url) is blocking.get(server.url) is OK
    new, reused = (message for message in caplog.messages if " after " in message)
    if engine == "python":
        assert "ms (connect " in new and "first byte after " in new
    assert "first byte after " in reused
    assert ("(reused connection, first byte after " in reused) == (engine == "python" or SIGNALS_CONNECTING)


def test_timings(engine: str, traced: BlockingNetworkRequest, serve: Serve) -> None:
    def late(connection: Connection) -> None:
        while connection.read_request() is not None:
            time.sleep(0.05)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
            time.sleep(0.05)
            connection.send(b"lf")

    server = serve(late)
    assert traced.get(server.url) is OK
    first = traced.reply().timings()
    assert traced.get(server.url) is OK
    second = pickle.loads(pickle.dumps(traced.reply())).timings()
    for timings in (first, second):
        assert timings.tls is None and timings.lookUp is None
        assert timings.receive is not None and timings.receive > 25
        if engine == "python":
            assert timings.wait is not None and timings.wait > 25 and timings.send is not None and timings.send < 1_000
    if engine == "python":
        assert first.blocked is not None and first.connect is not None
        assert (second.blocked, second.connect) == (None, None)


def test_timings_of_tls(engine: str, traced: BlockingNetworkRequest, tls_server: tuple[TlsServer, TlsSettings]) -> None:
    server, settings = tls_server
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(settings)
    timings = manager.blockingGet(server.url).timings()
    if engine == "python":
        assert timings.tls is not None and timings.tls > 0


def test_timings_without_a_request() -> None:
    assert ReplyContent().timings() == BlockingNetworkRequest().reply().timings() == Timings()
