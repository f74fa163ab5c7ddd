"""The choice of an engine, the errors if none can send a request, and the clean-up of engines."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import trustme

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, TlsSettings, requests_session
from blocking_request.engines import choice
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.wanted import WAKE_UP
from blocking_request.engines.worker_reaper import WorkerReaper
from blocking_request.models.failure import QtNetworkError
from blocking_request.models.http_messages import Request, Response
from blocking_request.models.transfer_trace import TransferTrace
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QT_VERSION, QtCore, enum_value, has_tls, is_deleted
from blocking_request.qt.objects import delete_finished_thread, detach_thread, start_thread

from ..support.names import NET, OK, Serve
from ..support.processes import socket_count, thread_count
from ..support.servers.raw import Connection, always
from ..support.servers.tls import TlsServer
from ..support.waiting import eventually


class TestChoice:
    def test_auto(self, serve: Serve) -> None:
        server = serve(always(b"ok"))
        blocking = BlockingNetworkRequest()
        assert blocking.engine() == NetworkAccessManager.instance().engine() == "auto"
        body_engine = "python" if QT_VERSION < (6,) else "qt"
        for call, engine in (
            (lambda: blocking.get(server.url), "qt"),
            (lambda: blocking.head(server.url), "qt"),
            (lambda: blocking.deleteResource(server.url), "qt"),
            (lambda: blocking.post(server.url, b""), "qt"),
            (lambda: blocking.post(server.url, b"x"), body_engine),
            (lambda: blocking.sendCustomRequest(server.url, "PROPFIND", b"x"), body_engine),
            (lambda: blocking.get("data:,hello"), "qt"),
        ):
            assert call() is OK, blocking.errorMessage()  # type: ignore[no-untyped-call]
            assert blocking.reply().engine() == engine

    def test_auto_over_tls(self) -> None:
        authority = trustme.CA()
        server = TlsServer(authority.issue_cert("127.0.0.1"))
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
        reply = manager.blockingGet(server.url)
        assert (reply.errorCode(), reply.engine()) == (OK, "qt" if has_tls() else "python")
        server.close()

    def test_redirect_may_change_the_engine(self, serve: Serve) -> None:
        authority = trustme.CA()
        secure = TlsServer(authority.issue_cert("127.0.0.1"))

        def handle(connection: Connection) -> None:
            while connection.read_request() is not None:
                connection.respond(b"", "302 Found", f"Location: {secure.url}/\r\n")

        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
        reply = manager.blockingPost(serve(handle).url, b"body")
        assert reply.errorCode() is OK, reply.errorString()
        assert [reply.history()[0].engine(), reply.engine()] == [
            "python" if QT_VERSION < (6,) else "qt",
            "qt" if has_tls() else "python",
        ]
        secure.close()

    def test_precedence_of_request_manager_and_environment(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        server = serve(always(b"ok"))
        manager = NetworkAccessManager()
        blocking = BlockingNetworkRequest(manager)
        monkeypatch.setenv("BLOCKING_REQUEST_ENGINE", "python")
        assert blocking.get(server.url) is OK and blocking.reply().engine() == "python"
        manager.setEngine("qt")
        assert blocking.get(server.url) is OK and blocking.reply().engine() == "qt"
        blocking.setEngine("python")
        assert blocking.engine() == "python" and manager.engine() == "qt"
        assert blocking.get(server.url) is OK and blocking.reply().engine() == "python"

    def test_unknown_engine(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        server = serve(always(b"ok"))
        for owner in (BlockingNetworkRequest(), NetworkAccessManager()):
            with pytest.raises(ValueError, match="there is no engine 'curl': give 'auto', 'qt' or 'python'"):
                owner.setEngine("curl")
            with pytest.raises(TypeError, match="an engine is named by a str, not int"):
                owner.setEngine(1)  # type: ignore[arg-type]
        monkeypatch.setenv("BLOCKING_REQUEST_ENGINE", "curl")
        blocking = BlockingNetworkRequest(NetworkAccessManager())
        assert blocking.get(server.url) is NET
        text = "The environment variable BLOCKING_REQUEST_ENGINE is wrong: there is no engine 'curl'"
        assert blocking.errorMessage().startswith(text)
        results = list(NetworkAccessManager().getMany([server.url] * 2))
        assert [result.code for result in results] == [NET, NET]
        assert all(result.reply.errorString().startswith(text) for result in results)
        with pytest.raises(requests.RequestException, match=text):
            requests_session(NetworkAccessManager()).get(server.url)
        http = Http("127.0.0.1", server.port, manager=NetworkAccessManager())
        http.get("/")
        assert http.waitForDone(10_000) and http.errorString().startswith(text)
        assert server.connections == 0

    def test_error_of_qt_without_tls(self) -> None:
        blocking = BlockingNetworkRequest()
        blocking.setEngine("qt")
        assert blocking.get("https://127.0.0.1:1/") is NET
        if not has_tls():
            assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
            assert "finds no OpenSSL it can use" in blocking.errorMessage()
            assert "setEngine('python')" in blocking.errorMessage()

    def test_error_if_no_engine_can_send_the_request(self) -> None:
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caFile="/no/such.pem"))
        reply = manager.blockingGet("https://127.0.0.1:1/")
        assert reply.errorString().startswith("SSL handshake failed: the file /no/such.pem cannot be read")

    def test_fork_of_urllib3(self, serve: Serve) -> None:
        """Like urllib3-future, which niquests installs instead of urllib3."""
        server = serve(always(b"ok"))
        program = f"""
import urllib3
urllib3.HTTPConnectionPool.ConnectionCls = type("HTTPConnection", (), {{}})
from blocking_request import BlockingNetworkRequest
request = BlockingNetworkRequest()
request.setEngine("python")
print(request.get({server.url!r}).name, request.post({server.url!r}, b"body").name)
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stdout) == (0, "NoError NoError\n"), run.stderr

    def test_former_engine_name_urllib3(self) -> None:
        with pytest.raises(ValueError, match="has given way to the engine 'python'"):
            BlockingNetworkRequest().setEngine("urllib3")


def test_1000_bodies_are_sent_once_each(serve: Serve) -> None:
    """The server closes connections at random: after a response, or after a request without a response.

    Qt 6, which sends bodies itself, may write to a connection before it knows that it is closed: then the body does
    not reach the server, and the call fails.
    """
    told: list[bytes] = []
    closed = threading.Semaphore(0)
    chance = random.Random(7)
    fate: dict[bytes, str] = {}

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            body = request.partition(b"\r\n\r\n")[2]
            if fate[body] != "drop unanswered":
                connection.respond(body)
            if fate[body] != "keep":
                break
        connection.sock.close()
        closed.release()

    server = serve(handle)
    blocking = BlockingNetworkRequest()
    for number in range(1000):
        body = b"%d:" % number + b"x" * 1000
        fate[body] = chance.choices(("keep", "drop after", "drop unanswered"), (8, 1, 1))[0]
        code = blocking.post(server.url, body)
        is_lost = code is NET and not any(request.endswith(body) for request in server.requests[-1:])
        if code is NET and (fate[body] != "drop unanswered" or is_lost) and blocking.reply().engine() == "qt":
            told.append(body)
            continue
        if fate[body] == "drop unanswered":
            assert code is NET
        else:
            assert code is OK and blocking.reply().body == body, blocking.errorMessage()
        if fate[body] != "keep":
            assert closed.acquire(timeout=10)
    seen = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
    assert [body for body in fate if body not in told] == seen
    assert len(told) < 50


def test_stop_waits_once_for_all_workers() -> None:
    class Stuck(QtCore.QThread):
        def run(self) -> None:
            time.sleep(1)

    class Worker:
        ended = False

        def __init__(self) -> None:
            self.thread: QtCore.QThread | None = Stuck()
            detach_thread(self.thread)
            self.thread.start()

        def stop(self) -> None:
            """Nothing wakes it."""

        def take_thread(self) -> QtCore.QThread | None:
            thread, self.thread = self.thread, None
            return thread

    retired = WorkerReaper(200)
    workers = [Worker() for _ in range(4)]
    for worker in workers:
        retired.add(worker)
    started = time.monotonic()
    retired.stop()
    retired.stop()
    assert time.monotonic() - started < 0.6
    for worker in workers:
        assert worker.thread is not None and worker.thread.wait(5_000)
    retired.stop()
    assert [worker.thread for worker in workers] == [None] * 4


SLOW_STEPS = 20


def drip(connection: Connection) -> None:
    """Respond in small parts with short pauses."""
    if connection.read_request() is None:
        return
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SLOW_STEPS)
    for _ in range(SLOW_STEPS):
        time.sleep(0.002)
        connection.send(b"x")
    connection.wait_for_close()


class SlowTlsServer(TlsServer):
    """Delays the handshake, too."""

    def _handle(self, connection: Connection) -> None:
        time.sleep(random.random() * 0.02)
        super()._handle(connection)


@pytest.mark.parametrize("engine", ["qt", "python"])
def test_200_cancels_of_a_slow_tls_request_leave_no_resources(engine: str) -> None:
    authority = trustme.CA()
    server = SlowTlsServer(authority.issue_cert("127.0.0.1"), drip)
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setEngine("qt" if engine == "qt" and has_tls() else "python")

    def cancel_one(_: int) -> ErrorCode:
        blocking = BlockingNetworkRequest(manager)
        timer = threading.Timer(random.random() * 0.05, blocking.abort)
        timer.start()
        code = blocking.get(server.url)
        timer.join()
        return code

    def cancel_some(count: int) -> list[ErrorCode]:
        with ThreadPoolExecutor(4) as callers:
            return list(callers.map(cancel_one, range(count)))

    cancel_some(5)
    manager.shutdown()
    gc.collect()
    assert eventually(lambda: not server.open_connections)
    threads_before, sockets_before = thread_count(), socket_count()
    codes = cancel_some(200)
    assert set(codes) <= {ErrorCode.CanceledError, ErrorCode.NoError}
    assert codes.count(ErrorCode.CanceledError) > 100
    # all transfers end by themselves; only a few idle connections and workers are left
    assert eventually(lambda: server.open_connections <= 6), server.open_connections
    running: Any = choice.engine(manager.engine())
    if manager.engine() == "python":
        assert running.pool.idle_count() <= 6
        assert not running._running
    else:
        assert running.worker_count() <= 6
    manager.shutdown()
    gc.collect()
    assert eventually(lambda: not server.open_connections), "a connection is still there"
    assert eventually(lambda: thread_count() <= threads_before), (thread_count(), threads_before)
    assert eventually(lambda: socket_count() <= sockets_before), (socket_count(), sockets_before)
    server.close()


def test_thread_that_is_deleted_at_its_start() -> None:
    class Hasty(QtCore.QThread):
        def start(self) -> None:  # type: ignore[override]
            super().start()
            delete_finished_thread(self)

        def run(self) -> None:
            pass

    thread = Hasty()
    detach_thread(thread)
    assert start_thread(thread) is True
    assert is_deleted(thread)


def test_ctrl_c_at_the_start_of_a_thread(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread runs, but the engine does not know it. It must still end and must not delay the exit."""
    module = sys.modules["blocking_request.engines.thread_starts"]
    running = choice.engine("qt")
    running.shutdown()
    server = serve(always(b"page"))
    real = module.start_thread

    def interrupted(thread: QtCore.QThread) -> bool:
        real(thread)
        raise KeyboardInterrupt

    request = BlockingNetworkRequest()
    request.setEngine("qt")
    request.setTimeout(10_000)
    for _ in range(3):
        monkeypatch.setattr(module, "start_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            request.get(server.url)
        monkeypatch.setattr(module, "start_thread", real)
        assert request.get(server.url) is ErrorCode.NoError
        running.shutdown()


def test_thread_that_ends_after_its_response(serve: Serve) -> None:
    """A caller may find no response and then an ended thread, because the response arrived in between."""
    mailbox = Mailbox()
    transfer: Any = choice.engine("qt").start(Request("GET", serve(always(b"hi")).url), mailbox)
    response = mailbox.take(10)
    assert isinstance(response, Response) and response.body == b"hi"
    worker = transfer.worker

    class EndsWhenChecked:
        """Its last response arrives just before the caller sees that the thread has ended."""

        application = staticmethod(worker.application)

        @property
        def ended(self) -> bool:
            transfer.ended = True
            return True

    transfer.worker, transfer.ended = EndsWhenChecked(), False
    assert transfer.failure_if_dead() is None


class _SameTransfer:
    """Has its response at once."""

    engine_name = "same"
    has_worker = False
    waits_for = WAKE_UP

    def __init__(self, request: Request) -> None:
        self.trace = TransferTrace()
        self._response = Response(request, 200, "OK", body=b"same", engine="same")

    def step(self) -> Response:
        return self._response

    def take(self, seconds: float) -> Response:
        return self._response

    def abort(self) -> None: ...

    def close(self) -> None: ...

    def read_buffer_resized(self) -> None: ...

    def look_for_connection(self) -> None: ...

    def is_connected(self) -> bool:
        return True

    def failure_if_dead(self) -> None: ...


class _SameResponse:
    """An engine that needs no network and gives the same response to each request."""

    name = "same"

    def unsupported_reason(self, request: Request) -> None:
        return None

    def start(self, request: Request, mailbox: Mailbox, hint: Any = None) -> _SameTransfer:
        return _SameTransfer(request)

    def clear_connections(self) -> None: ...

    def shutdown(self) -> None: ...

    def exit(self) -> None: ...


def test_registered_engine(monkeypatch: pytest.MonkeyPatch, manager: NetworkAccessManager) -> None:
    monkeypatch.setattr(choice, "_engines", dict(choice._engines))
    with pytest.raises(ValueError, match="there is no engine 'same': give 'auto', 'qt' or 'python'"):
        manager.setEngine("same")
    choice.register(_SameResponse())
    manager.setEngine("same")
    reply = manager.blockingGet("http://no-such-host.invalid/")
    assert (reply.errorCode(), reply.body, reply.engine()) == (ErrorCode.NoError, b"same", "same")
    assert [result.reply.body for result in manager.getMany(["http://a.invalid/", "http://b.invalid/"])] == [
        b"same"
    ] * 2


def test_tls_support_without_qlibraryinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """QLibraryInfo.location() of Qt 5 damages the heap if several threads call it first at the same time."""
    monkeypatch.delattr(QtCore, "QLibraryInfo")
    assert has_tls.__wrapped__() is has_tls()
