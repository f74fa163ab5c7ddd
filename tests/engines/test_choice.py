"""Which engine serves, and why not the other; the urllib3 engine's own book-keeping."""

from __future__ import annotations

import gc
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trustme
import urllib3

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager, TlsSettings
from blocking_request.engines import choice
from blocking_request.engines.mailbox import Mailbox
from blocking_request.engines.urllib3.engine import Urllib3Engine
from blocking_request.engines.urllib3.worker import WorkerThread
from blocking_request.engines.worker_reaper import WorkerReaper
from blocking_request.models.failure import QtNetworkError
from blocking_request.models.http_messages import Request, Response
from blocking_request.qt.binding import QT_VERSION, QtCore, enum_value, has_tls, is_deleted
from blocking_request.qt.objects import delete_finished_thread, detach_thread, start_thread

from ..support.names import ENGINES, NET, OK, Serve
from ..support.processes import socket_count, thread_count
from ..support.servers.raw import Connection, always, silence
from ..support.servers.tls import TlsServer
from ..support.servers.unreachable import full_port
from ..support.waiting import eventually


class TestChoice:
    def test_auto(self, serve: Serve) -> None:
        server = serve(always(b"ok"))
        blocking = BlockingNetworkRequest()
        assert blocking.engine() == NetworkAccessManager.instance().engine() == "auto"
        body_engine = "urllib3" if QT_VERSION < (6,) else "qt"
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
        assert (reply.errorCode(), reply.engine()) == (OK, "qt" if has_tls() else "urllib3")
        server.close()

    def test_a_redirect_may_change_the_engine(self, serve: Serve) -> None:
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
            "urllib3" if QT_VERSION < (6,) else "qt",
            "qt" if has_tls() else "urllib3",
        ]
        secure.close()

    def test_call_before_manager_before_environment(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        server = serve(always(b"ok"))
        manager = NetworkAccessManager()
        blocking = BlockingNetworkRequest(manager)
        monkeypatch.setenv("BLOCKING_REQUEST_ENGINE", "urllib3")
        assert blocking.get(server.url) is OK and blocking.reply().engine() == "urllib3"
        manager.setEngine("qt")
        assert blocking.get(server.url) is OK and blocking.reply().engine() == "qt"
        blocking.setEngine("urllib3")
        assert blocking.engine() == "urllib3" and manager.engine() == "qt"
        assert blocking.get(server.url) is OK and blocking.reply().engine() == "urllib3"

    def test_names_that_are_none(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        server = serve(always(b"ok"))
        for owner in (BlockingNetworkRequest(), NetworkAccessManager()):
            with pytest.raises(ValueError, match="there is no engine 'curl': give 'auto', 'qt' or 'urllib3'"):
                owner.setEngine("curl")
            with pytest.raises(TypeError, match="an engine is named by a str, not int"):
                owner.setEngine(1)  # type: ignore[arg-type]
        monkeypatch.setenv("BLOCKING_REQUEST_ENGINE", "curl")
        blocking = BlockingNetworkRequest(NetworkAccessManager())
        assert blocking.get(server.url) is NET
        text = "The environment variable BLOCKING_REQUEST_ENGINE is wrong: there is no engine 'curl'"
        assert blocking.errorMessage().startswith(text)
        assert server.connections == 0

    def test_qt_without_tls_says_what_to_do(self) -> None:
        blocking = BlockingNetworkRequest()
        blocking.setEngine("qt")
        assert blocking.get("https://127.0.0.1:1/") is NET
        if not has_tls():
            assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
            assert "finds no OpenSSL it can use" in blocking.errorMessage()
            assert "setEngine('auto')" in blocking.errorMessage()

    def test_what_is_to_be_mended_is_told_where_neither_can(self) -> None:
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(caFile="/no/such.pem"))
        reply = manager.blockingGet("https://127.0.0.1:1/")
        assert reply.errorString().startswith("SSL handshake failed: the file /no/such.pem cannot be read")

    def test_a_fork_of_urllib3_is_noticed(self, serve: Serve) -> None:
        """As urllib3-future, which niquests installs in the place of urllib3, has it."""
        server = serve(always(b"ok"))
        program = f"""
import urllib3
urllib3.HTTPConnectionPool.ConnectionCls = type("HTTPConnection", (), {{}})
from blocking_request import BlockingNetworkRequest
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
request = BlockingNetworkRequest()
print(request.get({server.url!r}).name, request.reply().engine())
print(request.post({server.url!r}, b"body").name, request.reply().engine())
request.setEngine("urllib3")
print(request.get({server.url!r}).name, request.errorMessage())
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        lines = run.stdout.splitlines()
        assert lines[:2] == ["NoError qt", "NoError qt"]
        assert lines[2].startswith("NetworkError The module urllib3") and "is a fork" in lines[2]


def test_a_thousand_bodies_reach_the_server_once_each(serve: Serve) -> None:
    """While it drops the connection at random: after an answer, or after a request that it does not answer.

    Qt 6, which serves bodies itself, may write to a connection before it has heard that it is closed: then the body does
    not reach the server, and the caller is told.
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


def test_a_stop_waits_once_for_all() -> None:
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


class TestUrllib3:
    def start(self, engine: Urllib3Engine, url: str) -> Mailbox:
        mailbox = Mailbox()
        engine.start(Request("GET", url), mailbox)
        return mailbox

    def test_a_thread_for_each_request_and_used_again(self, serve: Serve) -> None:
        proceed = threading.Event()

        def handle(connection: Connection) -> None:
            while connection.read_request() is not None:
                proceed.wait(20)
                connection.respond(b"ok")

        server = serve(handle)
        engine = Urllib3Engine()
        for turn in range(1, 4):
            proceed.clear()
            mailboxes = [self.start(engine, server.url) for _ in range(9)]
            server.wait_for_requests(9 * turn)
            proceed.set()
            for mailbox in mailboxes:
                response = mailbox.take(10)
                assert isinstance(response, Response) and response.status == 200
            assert engine.worker_count() == 9
        assert server.connections == 9
        engine.shutdown()
        assert engine.worker_count() == 0

    def test_idle_worker_ends(self, serve: Serve) -> None:
        server = serve(always(b"ok"))
        engine = Urllib3Engine(idle_ms=50)
        for _ in range(3):
            self.start(engine, server.url).take(10)
            assert eventually(lambda: engine.worker_count() == 0)

    def test_shutdown_answers_what_is_in_flight(self, serve: Serve) -> None:
        server = serve(silence)
        engine = Urllib3Engine()
        mailboxes = [self.start(engine, server.url) for _ in range(8)]
        server.wait_for_requests(8)
        engine.shutdown()
        for mailbox in mailboxes:
            response = mailbox.take(0)
            assert isinstance(response, Response) and response.failure is not None
            assert response.failure.code is ErrorCode.CanceledError
        good = serve(always(b"ok"))
        for _ in range(2):
            response = self.start(engine, good.url).take(10)
            assert isinstance(response, Response) and response.status == 200
            engine.shutdown()

    def test_more_origins_than_are_kept(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("blocking_request.engines.urllib3.pools.KEPT_ORIGINS", 2)
        monkeypatch.setattr("blocking_request.engines.urllib3.pools.KEPT_KEYS", 3)
        servers = [serve(always(b"%d" % number)) for number in range(5)]
        engine = Urllib3Engine()
        for turn in range(3):
            for number in range(5 - turn):
                response = self.start(engine, servers[number].url).take(10)
                assert isinstance(response, Response) and response.body == b"%d" % number
        engine.shutdown()

    def test_a_thread_that_cannot_be_started_is_told_and_forgotten(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = serve(always(b"ok"))
        engine = Urllib3Engine()
        with monkeypatch.context() as patch:
            patch.setattr(WorkerThread, "start", lambda self: None)  # what Qt does without memory, but for a warning
            response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.failure is not None
        assert "could not be started" in response.failure.text
        assert engine.worker_count() == 0
        response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.status == 200
        engine.shutdown()

    def test_an_interrupted_start_leaves_nothing(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        server = serve(always(b"ok"))
        engine = Urllib3Engine()
        for _ in range(5):
            with monkeypatch.context() as patch:
                patch.setattr(WorkerThread, "__init__", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    self.start(engine, server.url)
            assert engine.worker_count() == 0
        response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.status == 200
        engine.shutdown()

    def test_an_error_of_ours_is_told(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> None:
            raise MemoryError("no memory")

        server = serve(always(b"ok"))
        engine = Urllib3Engine()
        with monkeypatch.context() as patch:
            patch.setattr("blocking_request.engines.urllib3.perform.request_headers", broken)
            response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.failure is not None
        assert "no memory" in response.failure.text
        response = self.start(engine, server.url).take(10)
        assert isinstance(response, Response) and response.status == 200
        engine.shutdown()

    def test_urllib3_still_makes_its_sockets_where_ours_take_hold(self, serve: Serve) -> None:
        """``_new_conn`` and ``_dns_host`` are names of urllib3's own house."""
        for pool in (urllib3.HTTPConnectionPool, urllib3.HTTPSConnectionPool):
            assert callable(pool.ConnectionCls._new_conn)  # type: ignore[attr-defined]
            assert pool.ConnectionCls("host.", 80)._dns_host == "host."  # type: ignore[attr-defined]
            assert callable(pool.ConnectionCls._output)  # type: ignore[attr-defined]
        server = serve(silence)
        engine = Urllib3Engine()
        transfer = engine.start(Request("GET", server.url), mailbox := Mailbox())
        server.wait_for_requests(1)
        assert transfer.abort_handle._duplicate, "no duplicate of the socket: nothing could be aborted"
        transfer.abort()
        assert isinstance(mailbox.take(10), Response)
        engine.shutdown()

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "PUT"])
    def test_a_kept_connection_that_dies(self, method: str, serve: Serve) -> None:
        """RFC 9110 section 9.2.2: sent once more where that does no harm, and has no body."""

        def handle(connection: Connection) -> None:
            if connection.read_request() is not None:
                connection.respond(b"")
            request = connection.read_request()
            if request is not None and len(server.requests) < 4:
                connection.reset()

        server = serve(handle)
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        assert blocking.get(server.url) is OK
        body = b"x" if method in ("POST", "PUT") else None
        code = blocking.sendCustomRequest(server.url, method, body)
        sent = [request for request in server.requests[1:] if request.startswith(method.encode())]
        if body is None:
            assert code is OK and len(sent) == 2 and server.connections == 2
        else:
            assert code is NET and len(sent) == 1
            assert "was sent once, no answer came, and it is not sent again" in blocking.errorMessage()

    def test_a_connection_that_is_not_answered_ends_with_its_caller(self) -> None:
        """And so does the program."""
        program = """
import sys
from blocking_request import BlockingNetworkRequest
blocking = BlockingNetworkRequest()
blocking.setEngine("urllib3")
blocking.setTimeout(300)
print(blocking.get(sys.argv[1]).name, flush=True)
"""
        with full_port() as port:
            started = time.monotonic()
            command = [sys.executable, "-c", program, f"http://127.0.0.1:{port}/"]
            run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stdout) == (0, "TimeoutError\n"), run.stderr
        assert time.monotonic() - started < 4

    def test_a_connection_closed_while_idle_is_noticed(self, serve: Serve) -> None:
        closed = threading.Semaphore(0)

        def handle(connection: Connection) -> None:
            if connection.read_request() is not None:
                connection.respond(b"ok")
            connection.sock.close()
            closed.release()

        server = serve(handle)
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        for number in range(20):
            assert blocking.post(server.url, b"%d" % number) is OK, blocking.errorMessage()
            assert closed.acquire(timeout=10)
        bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]
        assert bodies == [b"%d" % number for number in range(20)]

    def test_a_slow_upload_moves_all_the_time(self, serve: Serve) -> None:
        """The kernel would take a megabyte, and then nothing for seconds."""
        ended = threading.Event()

        def slow(connection: Connection) -> None:
            while not ended.is_set() and connection.sock.recv(8192):
                time.sleep(0.05)

        server = serve(slow)
        server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        blocking.setTimeout(1_500)
        blocking.setDeadline(4_000)
        moved: list[int] = []
        blocking.uploadProgress.connect(lambda done, total: moved.append(done))
        assert blocking.post(server.url, b"z" * 20_000_000) is ErrorCode.TimeoutError
        ended.set()
        assert "deadline of 4000 ms" in blocking.errorMessage()
        assert len(moved) > 10

    def test_an_answer_before_the_body_has_been_sent(self, serve: Serve) -> None:
        answered = threading.Event()

        def early(connection: Connection) -> None:
            connection.sock.recv(65536)
            connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            answered.wait(20)

        server = serve(early)
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        blocking.setTimeout(5_000)
        assert blocking.post(server.url, b"z" * 30_000_000) is ErrorCode.ServerExceptionError, blocking.errorMessage()
        assert (blocking.reply().statusCode(), blocking.reply().body) == (413, b"big")
        answered.set()
        good = serve(always(b"ok"))
        assert blocking.post(good.url, b"x") is OK

    @pytest.mark.parametrize(
        "stray", [b"HTTP/1.1 200 OK\r\nX-St", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"]
    )
    def test_what_stands_behind_an_answer_is_nobodys(self, stray: bytes, serve: Serve) -> None:
        def handle(connection: Connection) -> None:
            request = connection.read_request()
            if request is not None:
                body = request[-1:]
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + body + stray)  # in one packet
                connection.wait_for_close()

        server = serve(handle)
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        for number in (1, 2):
            assert blocking.post(server.url, b"%d" % number) is OK, blocking.errorMessage()
            assert blocking.reply().body == b"%d" % number
        assert server.connections == 2

    def test_nothing_was_sent_where_nobody_listens(self) -> None:
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        told: list[int] = []
        blocking.uploadProgress.connect(lambda done, total: told.append(done))
        assert blocking.post("http://127.0.0.1:1/", b"x" * 100) is NET
        assert told == []

    def test_the_last_worker_closes_the_kept_connections(self, serve: Serve) -> None:
        server = serve(always(b"ok"))
        engine = Urllib3Engine(idle_ms=100)
        mailboxes = [self.start(engine, server.url) for _ in range(10)]
        for mailbox in mailboxes:
            mailbox.take(10)
        assert eventually(lambda: engine.worker_count() == 0 and server.open_connections == 0)
        assert engine.pools._latest == (None, None)

    def test_too_many_files(self, serve: Serve) -> None:
        """The kept connections give theirs."""
        servers = [serve(always(b"ok")) for _ in range(6)]
        program = f"""
import resource, threading
from blocking_request import BlockingNetworkRequest
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
for url in {[server.url for server in servers]!r}:
    codes = []
    def work():
        request = BlockingNetworkRequest()
        request.setEngine("urllib3")
        codes.append(request.get(url).name)
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(set(codes), flush=True)
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        assert run.stdout.splitlines() == ["{'NoError'}"] * 6

    def test_secrets_do_not_reach_urllib3s_log(self, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        server = serve(always(b"ok"))
        blocking = BlockingNetworkRequest()
        blocking.setEngine("urllib3")
        with caplog.at_level("DEBUG"):
            assert blocking.get(f"{server.url}/path?token=hunter2&a=b") is OK
            assert blocking.get(f"http://user:hunter2@127.0.0.1:{server.port}/") is OK
        assert b"token=hunter2" in server.requests[0]
        assert "/path" in caplog.text and "hunter2" not in caplog.text


SLOW_STEPS = 20


def slow(connection: Connection) -> None:
    """Answers in small pieces, now and then."""
    if connection.read_request() is None:
        return
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SLOW_STEPS)
    for _ in range(SLOW_STEPS):
        time.sleep(0.002)
        connection.send(b"x")
    connection.wait_for_close()


class SlowTlsServer(TlsServer):
    """Takes its time with the handshake, too."""

    def _handle(self, connection: Connection) -> None:
        time.sleep(random.random() * 0.02)
        super()._handle(connection)


@pytest.mark.parametrize("engine", ["qt", "urllib3"])
def test_two_hundred_cancels_of_a_slow_tls_request_leave_nothing(engine: str) -> None:
    authority = trustme.CA()
    server = SlowTlsServer(authority.issue_cert("127.0.0.1"), slow)
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setEngine("qt" if engine == "qt" and has_tls() else "urllib3")

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
    # by themselves all exchanges end, and all but a few kept connections and workers
    assert eventually(lambda: server.open_connections <= 6), server.open_connections
    running = choice.engine(manager.engine())
    assert running.worker_count() <= 6  # type: ignore[attr-defined]
    if manager.engine() == "urllib3":
        assert eventually(lambda: not running._busy)  # type: ignore[attr-defined]
    manager.shutdown()
    gc.collect()
    assert eventually(lambda: not server.open_connections), "a connection is still there"
    assert eventually(lambda: thread_count() <= threads_before), (thread_count(), threads_before)
    assert eventually(lambda: socket_count() <= sockets_before), (socket_count(), sockets_before)
    server.close()


def test_a_thread_that_has_ended_and_is_deleted_before_its_maker_looks() -> None:
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


@pytest.mark.parametrize("name", ENGINES)
def test_ctrl_c_while_a_thread_starts(name: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread runs, and nobody knows of it: it must end all the same, and keep nobody."""
    module = sys.modules["blocking_request.engines.thread_starts"]
    running = choice.engine(name)
    running.shutdown()
    server = serve(always(b"page"))
    real = module.start_thread

    def interrupted(thread: QtCore.QThread) -> bool:
        real(thread)
        raise KeyboardInterrupt

    request = BlockingNetworkRequest()
    request.setEngine(name)
    request.setTimeout(10_000)
    for _ in range(3):
        monkeypatch.setattr(module, "start_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            request.get(server.url)
        monkeypatch.setattr(module, "start_thread", real)
        assert request.get(server.url) is ErrorCode.NoError
        running.shutdown()


@pytest.mark.parametrize("name", ENGINES)
def test_thread_that_ends_after_its_response_is_no_failure(name: str, serve: Serve) -> None:
    """A caller may look for the answer, find none, and then find the thread ended: the answer came in between."""
    mailbox = Mailbox()
    transfer: Any = choice.engine(name).start(Request("GET", serve(always(b"hi")).url), mailbox)
    response = mailbox.take(10)
    assert isinstance(response, Response) and response.body == b"hi"
    worker = transfer.worker

    class EndsAsItIsLookedAt:
        """Its last answer comes just before the caller sees that the thread has ended."""

        application = getattr(worker, "application", None)

        @property
        def ended(self) -> bool:
            transfer.ended = True
            return True

    transfer.worker, transfer.ended = EndsAsItIsLookedAt(), False
    assert transfer.failure_if_dead() is None


class _SameResponse:
    """An engine that needs no network, and gives the same response to every request."""

    name = "same"

    def unsupported_reason(self, request: Request) -> None:
        return None

    def start(self, request: Request, mailbox: Mailbox, hint: Any = None) -> Any:
        mailbox.post(Response(request, 200, "OK", body=b"same", engine=self.name))
        return None

    def clear_connections(self) -> None: ...

    def shutdown(self) -> None: ...

    def exit(self) -> None: ...


def test_an_engine_is_added_by_its_name(monkeypatch: pytest.MonkeyPatch, manager: NetworkAccessManager) -> None:
    monkeypatch.setattr(choice, "_engines", dict(choice._engines))
    with pytest.raises(ValueError, match="there is no engine 'same': give 'auto', 'qt' or 'urllib3'"):
        manager.setEngine("same")
    choice.register(_SameResponse())
    manager.setEngine("same")
    reply = manager.blockingGet("http://no-such-host.invalid/")
    assert (reply.errorCode(), reply.body, reply.engine()) == (ErrorCode.NoError, b"same", "same")
    assert [result.reply.body for result in manager.getMany(["http://a.invalid/", "http://b.invalid/"])] == [
        b"same"
    ] * 2
