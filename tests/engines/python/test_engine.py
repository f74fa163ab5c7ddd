"""The python engine: its connections, its transfers, and its state after a failure."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager
from blocking_request.engines import waiting
from blocking_request.engines.body_reader import BodyReader
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.python.channel import SocketChannel
from blocking_request.engines.python.engine import PythonEngine
from blocking_request.models.http_messages import Request
from blocking_request.qhttp import Http

from ...support.names import CANCELED, NET, OK, ROOT, Serve
from ...support.servers.raw import Connection, always, silence
from ...support.servers.tls import TlsServer
from ...support.servers.unreachable import full_port
from ...support.transfers import perform, response_of
from ...support.waiting import eventually


def test_connections_are_shared_by_threads_and_reused(serve: Serve) -> None:
    proceed = threading.Event()
    statuses: list[object] = []

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            proceed.wait(20)
            connection.respond(b"ok")

    server = serve(handle)
    engine = PythonEngine()
    for turn in range(1, 4):
        proceed.clear()
        statuses.clear()
        threads = [
            threading.Thread(target=lambda: statuses.append(perform(engine, server.url).status)) for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        server.wait_for_requests(9 * turn)
        proceed.set()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 9
        assert engine.pool.idle_count() == 9
    assert server.connections == 9
    engine.shutdown()
    assert engine.pool.idle_count() == 0


def test_shutdown_cancels_running_transfers(serve: Serve) -> None:
    server = serve(silence)
    engine = PythonEngine()
    transfers = [engine.start(Request("GET", server.url), Mailbox()) for _ in range(8)]
    for transfer in transfers:
        with pytest.raises(Empty):
            transfer.take(0)
    server.wait_for_requests(8)
    engine.shutdown()
    for transfer in transfers:
        response = response_of(transfer, 0)
        assert response.failure is not None and response.failure.code is ErrorCode.CanceledError
    good = serve(always(b"ok"))
    for _ in range(2):
        assert perform(engine, good.url).status == 200
        engine.shutdown()


def test_limit_of_all_idle_connections(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocking_request.engines.python.pool.KEPT_IN_ALL", 2)
    monkeypatch.setattr("blocking_request.engines.python.routes.KEPT_ROUTES", 3)
    servers = [serve(always(b"%d" % number)) for number in range(5)]
    engine = PythonEngine()
    for turn in range(3):
        for number in range(5 - turn):
            assert perform(engine, servers[number].url).body == b"%d" % number
            assert engine.pool.idle_count() <= 2
    engine.shutdown()


def test_limit_of_idle_connections_per_origin(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocking_request.engines.python.pool.KEPT_PER_ORIGIN", 2)
    server = serve(always(b"ok"))
    engine = PythonEngine()
    transfers = [engine.start(Request("GET", server.url), Mailbox()) for _ in range(5)]
    for transfer in transfers:
        with pytest.raises(Empty):
            transfer.take(0)
    assert [response_of(transfer).status for transfer in transfers] == [200] * 5
    assert engine.pool.idle_count() == 2
    engine.shutdown()


def test_idle_connections_are_closed_at_the_next_use(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = serve(always(b"ok")), serve(always(b"ok"))
    engine = PythonEngine()
    assert perform(engine, first.url).status == 200
    monkeypatch.setattr("blocking_request.engines.python.pool.IDLE_SECONDS", 0.0)
    monkeypatch.setattr("blocking_request.engines.python.pool.SWEEP_SECONDS", -1.0)
    assert perform(engine, second.url).status == 200
    assert engine.pool.idle_count() == 0
    assert perform(engine, first.url).status == 200 and first.connections == 2
    engine.shutdown()


def test_internal_error_is_a_failure(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise MemoryError("no memory")

    server = serve(always(b"ok"))
    engine = PythonEngine()
    with monkeypatch.context() as patch:
        patch.setattr("blocking_request.engines.python.request_head.request_fields", broken)
        response = perform(engine, server.url)
    assert response.failure is not None and "no memory" in response.failure.text
    assert perform(engine, server.url).status == 200
    engine.shutdown()


def test_dropped_transfer_closes_its_connection(serve: Serve) -> None:
    server = serve(silence)
    engine = PythonEngine()
    transfer = engine.start(Request("GET", server.url), Mailbox())
    with pytest.raises(Empty):
        transfer.take(0)
    server.wait_for_requests(1)
    del transfer
    assert eventually(lambda: server.open_connections == 0)
    assert not engine._running


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "PUT"])
def test_reset_of_a_reused_connection(method: str, serve: Serve) -> None:
    """RFC 9110 section 9.2.2: sent once more if the method is idempotent and there is no body."""

    def handle(connection: Connection) -> None:
        if connection.read_request() is not None:
            connection.respond(b"")
        request = connection.read_request()
        if request is not None and len(server.requests) < 4:
            connection.reset()

    server = serve(handle)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    assert blocking.get(server.url) is OK
    body = b"x" if method in ("POST", "PUT") else None
    code = blocking.sendCustomRequest(server.url, method, body)
    sent = [request for request in server.requests[1:] if request.startswith(method.encode())]
    if body is None:
        assert code is OK and len(sent) == 2 and server.connections == 2
    else:
        assert code is NET and len(sent) == 1
        assert "was sent at most once, no answer came, and it is not sent again" in blocking.errorMessage()


def test_unanswered_connect_does_not_delay_the_exit() -> None:
    """Neither the call nor the exit of the program waits for the connection."""
    program = """
import sys
from blocking_request import BlockingNetworkRequest
blocking = BlockingNetworkRequest()
blocking.setEngine("python")
blocking.setTimeout(300)
print(blocking.get(sys.argv[1]).name, flush=True)
"""
    with full_port() as port:
        started = time.monotonic()
        command = [sys.executable, "-c", program, f"http://127.0.0.1:{port}/"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "TimeoutError\n"), run.stderr
    assert time.monotonic() - started < 4


def test_connection_closed_while_idle(serve: Serve) -> None:
    closed = threading.Semaphore(0)

    def handle(connection: Connection) -> None:
        if connection.read_request() is not None:
            connection.respond(b"ok")
        connection.sock.close()
        closed.release()

    server = serve(handle)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    for number in range(20):
        assert blocking.post(server.url, b"%d" % number) is OK, blocking.errorMessage()
        assert closed.acquire(timeout=10)
    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
    assert bodies == [b"%d" % number for number in range(20)]


def test_slow_upload_causes_no_idle_timeout(serve: Serve) -> None:
    """With a large send buffer the kernel would accept a megabyte and then nothing for seconds."""
    ended = threading.Event()

    def slow(connection: Connection) -> None:
        while not ended.is_set() and connection.sock.recv(8192):
            time.sleep(0.05)

    server = serve(slow)
    server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    blocking.setTimeout(1_500)
    blocking.setDeadline(4_000)
    moved: list[int] = []
    blocking.uploadProgress.connect(lambda done, total: moved.append(done))
    assert blocking.post(server.url, b"z" * 20_000_000) is ErrorCode.TimeoutError
    ended.set()
    assert "deadline of 4000 ms" in blocking.errorMessage()
    assert len(moved) > 10


def test_response_before_the_body_was_sent(serve: Serve) -> None:
    answered = threading.Event()

    def early(connection: Connection) -> None:
        connection.sock.recv(65536)
        connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        answered.wait(20)

    server = serve(early)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    blocking.setTimeout(5_000)
    assert blocking.post(server.url, b"z" * 30_000_000) is ErrorCode.ServerExceptionError, blocking.errorMessage()
    assert (blocking.reply().statusCode(), blocking.reply().body) == (413, b"big")
    answered.set()
    good = serve(always(b"ok"))
    assert blocking.post(good.url, b"x") is OK


@pytest.mark.parametrize("stray", [b"HTTP/1.1 200 OK\r\nX-St", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"])
def test_bytes_behind_a_response_are_discarded(stray: bytes, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        request = connection.read_request()
        if request is not None:
            body = request[-1:]
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + body + stray)  # in one packet
            connection.wait_for_close()

    server = serve(handle)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    for number in (1, 2):
        assert blocking.post(server.url, b"%d" % number) is OK, blocking.errorMessage()
        assert blocking.reply().body == b"%d" % number
    assert server.connections == 2


def test_no_upload_progress_without_a_connection() -> None:
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    told: list[int] = []
    blocking.uploadProgress.connect(lambda done, total: told.append(done))
    assert blocking.post("http://127.0.0.1:1/", b"x" * 100) is NET
    assert told == []


def test_idle_connections_are_closed_if_descriptors_run_out(serve: Serve) -> None:
    """The descriptors of idle connections are released."""
    servers = [serve(always(b"ok")) for _ in range(6)]
    program = f"""
import resource, threading
from blocking_request import BlockingNetworkRequest
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
for url in {[server.url for server in servers]!r}:
    codes = []
    def work():
        request = BlockingNetworkRequest()
        request.setEngine("python")
        codes.append(request.get(url).name)
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(set(codes), flush=True)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["{'NoError'}"] * 6


def test_log_contains_no_secret(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(always(b"ok"))
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    with caplog.at_level("DEBUG"):
        assert blocking.get(f"{server.url}/path?token=hunter2&a=b") is OK
        assert blocking.get(f"http://user:hunter2@127.0.0.1:{server.port}/") is OK
    assert b"token=hunter2" in server.requests[0]
    assert "/path" in caplog.text and "hunter2" not in caplog.text


@pytest.mark.parametrize("poll", ["of the system", "by select"])
def test_no_descriptor_for_a_wake_up(poll: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls, batches and Http wait without a wake-up descriptor; a cancel still ends them."""

    def fail() -> waiting.WakeUp:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(waiting, "_new_wake_up", fail)
    monkeypatch.setattr(waiting, "_idle_waiters", [])
    if poll == "by select":
        monkeypatch.setattr(waiting, "_new_poll", waiting.SelectPoll)
    server, silent = serve(always(b"ok")), serve(silence)
    manager, feedback = NetworkAccessManager(), Feedback()
    manager.setEngine("python")
    blocking = BlockingNetworkRequest(manager)
    assert blocking.get(server.url) is OK
    named = server.url.replace("127.0.0.1", "localhost")
    assert [result.code for result in manager.getMany([server.url, named] * 8)] == [OK] * 16
    http = Http("127.0.0.1", server.port, manager=manager)
    http.get("/")
    assert http.waitForDone(10_000) and http.readAll() == b"ok"
    threading.Timer(0.1, feedback.cancel).start()
    started = time.monotonic()
    assert blocking.get(silent.url, feedback=feedback) is CANCELED
    feedback = Feedback()
    threading.Timer(0.1, feedback.cancel).start()
    assert [result.code for result in manager.getMany([silent.url] * 3, feedback)] == [CANCELED] * 3
    assert time.monotonic() - started < 5
    assert waiting._idle_waiters == []
    manager.clearConnectionCache()


NO_DESCRIPTOR = """
import gc, os, resource, sys
from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkRequestError, TlsSettings
from blocking_request.engines import waiting
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
url, secret_url, authority, target = sys.argv[1:]
named_url = url.replace("127.0.0.1", "localhost")
manager = NetworkAccessManager()
manager.setEngine("python")
manager.setTlsSettings(TlsSettings(caData=authority.encode()))
request = BlockingNetworkRequest(manager)
http = Http("127.0.0.1", int(url.rpartition(":")[2]), manager=manager)
def results():
    for each in (url, named_url, secret_url):
        yield request.get(each).name, request.errorMessage()
        yield from ((result.code.name, result.reply.errorString()) for result in manager.getMany([each] * 3))
        yield request.download(each, target).name, request.errorMessage()
        try:
            with request.stream(each) as chunks:
                yield "NoError", str(list(chunks))
        except NetworkRequestError as error:
            yield "NetworkError", str(error)
    for each in (http, Http("127.0.0.1", int(url.rpartition(":")[2]), manager=manager)):
        each.get("/")
        each.waitForDone()
        yield each.error().name, each.errorString()
    yield from ((result.code.name, result.reply.errorString()) for result in manager.downloadMany([(url, target)]))
def show(found):
    manager.clearConnectionCache()
    waiting._idle_waiters.clear()
    gc.collect()
    print(sorted({code for code, _ in found}), {"Too many open files" in text for _, text in found})
show(list(results()))
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
found = list(results())
for descriptor in held:
    os.close(descriptor)
show(found)
show(list(results()))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_no_free_descriptors(serve: Serve, tmp_path: Path) -> None:
    """Each request fails with the reason and raises no exception; afterwards requests succeed again."""
    authority = trustme.CA()
    server, secret = serve(always(b"ok")), TlsServer(authority.issue_cert("127.0.0.1"))
    pem = authority.cert_pem.bytes().decode()
    command = [sys.executable, "-c", NO_DESCRIPTOR, server.url, secret.url, pem, str(tmp_path / "target")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    secret.close()
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "['NoError'] {False}",
        "['NetworkError', 'UnknownError'] {True}",
        "['NoError'] {False}",
    ]


def test_ctrl_c_while_a_large_body_is_read(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of the KeyboardInterrupt still refers to the buffer of the body."""
    size = 1 << 20

    def half(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size // 2))
        connection.wait_for_close()

    def interrupt(channel: SocketChannel, buffer: memoryview) -> int:
        raise KeyboardInterrupt

    server = serve(half)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    monkeypatch.setattr(SocketChannel, "receive_into", interrupt)
    with pytest.raises(KeyboardInterrupt):
        blocking.get(server.url)
    monkeypatch.undo()
    assert eventually(lambda: server.open_connections == 0)


def test_content_while_a_view_of_the_buffer_exists() -> None:
    reader = BodyReader(None)
    room = reader.reserve(10)
    room[:4] = b"body"
    reader.took(4)
    held = room[2:]
    assert reader.content() == b"body"
    held.release()
